"""Checkpoints of the reference project, and state dicts of anybody."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import safetensors
from torch import Tensor

from asl_core import CheckpointError, Foreign, NoOptions, open_tensors
from asl_stages.loaders_pt import is_pt, plain_facts, read_pt, strings_in, tensors_under
from asl_stages.places import StateDict, state_dicts

__all__ = ["ReferenceLoader", "StateDictLoader"]

_PROJECTION, _NORM, _RECURRENT = "input_projection.weight", "layer_norm.weight", "lstm.weight_hh_l0"


class ReferenceLoader:
    """``.pt`` files of the reference project (GestureGraphix/asl-translation-framework, January 2026).

    Stage 1 keeps its encoder under ``encoder_state_dict``; stage 2 keeps ``encoder.*`` beside a CTC head under
    ``model_state_dict``; its notebook does so too, with an LSTM that reads the features without a projection. All
    were trained on features as stored.
    """

    def __init__(self, options: NoOptions):
        pass

    def recognises(self, path: Path) -> bool:
        """By the keys in the file."""
        keys = strings_in(path)
        stage1 = _RECURRENT in keys and "encoder_state_dict" in keys
        return stage1 or any(key.endswith(f"encoder.{_RECURRENT}") for key in keys)

    def load(self, path: Path) -> Foreign:
        """The encoder's tensors under the names of our ``lstm`` encoder.

        Raises:
            CheckpointError: not of these layouts, or refused by :func:`asl_stages.loaders_pt.read_pt`.
        """
        content = read_pt(path)
        found = [one for one in state_dicts(content) if _RECURRENT in one.tensors]
        if not found:
            raise CheckpointError(
                f"{path} is no checkpoint of the reference project: expected encoder_state_dict with {_RECURRENT}, or "
                f"model_state_dict with encoder.{_RECURRENT}; found the keys {_keys(content)}. For another project's "
                f"state dict say --init torch:{path}, with --init.map where its names differ."
            )
        # Stage 1 names it outright; elsewhere it is part of a model.
        found.sort(key=lambda one: not one.place.endswith("encoder_state_dict"))
        return _readings(found, content, _reference)


def _reference(one: StateDict) -> dict[str, Any]:
    """What the layout says of an encoder."""
    if one.place.endswith("encoder_state_dict"):
        kind = "stage-1 checkpoint"
    elif _PROJECTION in one.tensors:
        kind = "stage-2 checkpoint"
    else:
        kind = "notebook's checkpoint (LSTM without projection)"
    settings, width = _lstm_settings(one.tensors)
    return {
        "source": f"{kind} of the reference project", "encoder": "lstm", "settings": settings, "standardise": False,
        "width": width, "transforms": {"transform.names": []},
    }  # fmt: skip


class StateDictLoader:
    """Any ``.pt``, ``.pth`` or ``.safetensors`` file that holds a state dict; the names stay as they are."""

    fallback = True

    def __init__(self, options: NoOptions):
        pass

    def recognises(self, path: Path) -> bool:
        """By its ending, so that it can say what is wrong with a damaged one, or as an archive of torch.save."""
        return path.is_file() and (path.suffix in (".pt", ".pth", ".ckpt", ".safetensors") or is_pt(path))

    def load(self, path: Path) -> Foreign:
        """The state dict that holds most; the others stand beside it, should one fit an encoder better.

        Raises:
            CheckpointError: there is none, or the file is refused.
        """
        if path.suffix == ".safetensors":
            content: Any = _safetensors(path)
            found = state_dicts(content)
            return _readings(found, {}, lambda one: {"source": _of_safetensors(one)}) if found else Foreign({}, "empty")
        content = read_pt(path)
        found = state_dicts(content)
        if not found and not isinstance(content, Mapping):
            raise CheckpointError(
                f"{path} holds a {type(content).__name__}; expected a dict of tensors, or one that has a state dict in "
                f"it."
            )
        if not found:
            raise CheckpointError(
                f"{path} holds no state dict: expected a dict of tensors, as it is or in other tables and lists; found "
                f"the keys {_keys(content)}."
            )
        return _readings(found, content, lambda one: {"source": one.described() + _not_taken(one, found)})


def _of_safetensors(one: StateDict) -> str:
    return "safetensors file of another program" + (f", names without {one.prefix!r}" if one.prefix else "")


def _not_taken(one: StateDict, found: Sequence[StateDict]) -> str:
    """The other places, so that it is plain which was taken."""
    others = list(dict.fromkeys(other.place for other in found if other.place != one.place and not other.gathered))
    said = "".join(f", not that under {other!r}" if other else ", not its top level" for other in others[:3])
    return said + (f" nor {len(others) - 3} more" if len(others) > 3 else "")


def _readings(found: Sequence[StateDict], content: Any, facts_of: Callable[[StateDict], dict[str, Any]]) -> Foreign:
    """The first of several state dicts, with the others as alternatives."""
    table = content if isinstance(content, Mapping) else {}
    everything = tensors_under(content) if isinstance(content, Mapping) else {}
    shared: dict[str, Any] = {"glosses": _glosses(table), "facts": plain_facts(table)}

    def reading(one: StateDict) -> Foreign:
        taken = {id(t) for t in one.tensors.values()}
        others = {n: t for n, t in everything.items() if id(t) not in taken}
        return Foreign(tensors=one.tensors, others=others, **facts_of(one), **shared)

    first, *rest = map(reading, found)
    return attrs.evolve(first, alternatives=tuple(rest))


def _lstm_settings(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Any], int | None]:
    """Options of our ``lstm`` encoder that the shapes imply, and the numbers a frame that it reads.

    What is as the option's default is left out, but for size and layers.
    """
    settings: dict[str, Any] = {
        "hidden-size": tensors[_RECURRENT].shape[-1],
        "layers": sum(
            n.startswith("lstm.weight_hh_l") and n.removeprefix("lstm.weight_hh_l").isdigit() for n in tensors
        ),
    }
    if "lstm.weight_hh_l0_reverse" not in tensors:
        settings["bidirectional"] = False
    if _PROJECTION not in tensors:
        settings["projection"] = False
    if _NORM not in tensors:
        settings["norm"] = False
    first = tensors.get(_PROJECTION, tensors.get("lstm.weight_ih_l0"))
    return settings, first.shape[-1] if first is not None and first.ndim == 2 else None


def _glosses(content: Mapping[Any, Any]) -> tuple[str, ...] | None:
    """The vocabulary in the file, where it has one."""
    table = content.get("gloss_to_id")
    if not isinstance(table, Mapping) or not table:
        return None
    return tuple(sorted(str(gloss) for gloss in table))


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        with open_tensors(path) as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    # torch itself fails on a shape of an empty tensor that no number can hold.
    except (OSError, safetensors.SafetensorError, ValueError, TypeError, RuntimeError, OverflowError) as fault:
        reason = str(fault).partition("\n")[0][:300]
        raise CheckpointError(
            f"{path} cannot be read as safetensors ({reason}); it is cut short, or of another kind."
        ) from fault


def _keys(content: Any) -> str:
    if not isinstance(content, Mapping):
        return f"(none: it holds a {type(content).__name__})"
    names = [str(k)[:40] for k in content]
    return ", ".join(names[:12]) + (" …" if len(names) > 12 else "") if names else "(none)"
