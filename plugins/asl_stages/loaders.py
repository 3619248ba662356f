"""Loaders of ``.pt`` files: the layouts of the reference project, and any state dict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
from torch import Tensor

from asl_core import CheckpointError, Foreign, NoOptions, read_tensors
from asl_stages.content import plain_facts, tensors_under
from asl_stages.loaders_pt import is_pt, read_pt, strings_in
from asl_stages.places import StateDict, state_dicts

__all__ = ["ReferenceLoader", "StateDictLoader"]

_PROJECTION, _NORM, _RECURRENT = "input_projection.weight", "layer_norm.weight", "lstm.weight_hh_l0"


class ReferenceLoader:
    """``.pt`` files in the layouts of the reference project (GestureGraphix/asl-translation-framework, January 2026).

    Stage 1 keeps its encoder under ``encoder_state_dict``; stage 2 keeps ``encoder.*`` beside a CTC head under
    ``model_state_dict``; so does its notebook, with an LSTM without a projection. Their features are as stored. A file
    is recognised by its keys alone, whoever wrote it.
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
            CheckpointError: of another layout, or refused by :func:`asl_stages.loaders_pt.read_pt`.
        """
        content = read_pt(path)
        candidates = [one for one in state_dicts(content) if _RECURRENT in one.tensors]
        if not candidates:
            raise CheckpointError(
                f"{path} has no layout of the reference project: expected encoder_state_dict with {_RECURRENT}, or "
                f"model_state_dict with encoder.{_RECURRENT}; found the keys {_keys(content)}. For another project's "
                f"state dict say --init torch:{path}, with --init.map where its names differ."
            )
        # Stage 1 names its encoder; elsewhere it is part of a model.
        candidates.sort(key=lambda one: not one.place.endswith("encoder_state_dict"))
        return _readings(candidates, content, _reference)


def _reference(one: StateDict) -> dict[str, Any]:
    """The encoder that a layout implies, and the keys by which it was recognised."""
    if one.place.endswith("encoder_state_dict"):
        layout = "stage-1 layout"
    else:
        layout = "stage-2 layout" if _PROJECTION in one.tensors else "notebook's layout (LSTM without projection)"
    keys = [f"{one.prefix}{key}" for key in (_RECURRENT, _PROJECTION) if key in one.tensors]
    where = f" under {one.place}" if one.place else ""
    settings, width = _lstm_settings(one.tensors)
    return {
        "source": f"{layout} of the reference project, recognised by {' and '.join(keys)}{where}",
        "encoder": "lstm",
        "settings": settings,
        "standardise": False,
        "width": width,
        "transforms": {"transform.names": []},
    }


class StateDictLoader:
    """Any ``.pt``, ``.pth`` or ``.safetensors`` file with a state dict; names stay as they are."""

    fallback = True

    def __init__(self, options: NoOptions):
        pass

    def recognises(self, path: Path) -> bool:
        """By its ending, so that a damaged file is reported as such, or as an archive of torch.save."""
        return path.is_file() and (path.suffix in (".pt", ".pth", ".ckpt", ".safetensors") or is_pt(path))

    def load(self, path: Path) -> Foreign:
        """The largest state dict; the others are alternatives, should one fit an encoder better.

        Raises:
            CheckpointError: there is none, or the file is refused.
        """
        if path.suffix == ".safetensors":
            content: Any = read_tensors(path)[0]
            dicts = state_dicts(content)
            return _readings(dicts, {}, lambda one: {"source": _of_safetensors(one)}) if dicts else Foreign({}, "empty")
        content = read_pt(path)
        dicts = state_dicts(content)
        if not dicts and not isinstance(content, Mapping):
            raise CheckpointError(
                f"{path} holds a {type(content).__name__}; expected a dict of tensors, or one with a state dict in it."
            )
        if not dicts:
            raise CheckpointError(
                f"{path} holds no state dict: expected a dict of tensors, directly or in nested dicts and lists; found "
                f"the keys {_keys(content)}."
            )
        return _readings(dicts, content, lambda one: {"source": one.described() + _not_taken(one, dicts)})


def _of_safetensors(one: StateDict) -> str:
    return "safetensors file of another program" + (f", names without {one.prefix!r}" if one.prefix else "")


def _not_taken(one: StateDict, dicts: Sequence[StateDict]) -> str:
    """Names the other places, so that it is clear which was taken."""
    others = list(dict.fromkeys(other.place for other in dicts if other.place != one.place and not other.gathered))
    listed = "".join(f", not that under {other!r}" if other else ", not its top level" for other in others[:3])
    return listed + (f" nor {len(others) - 3} more" if len(others) > 3 else "")


def _readings(dicts: Sequence[StateDict], content: Any, facts_of: Callable[[StateDict], dict[str, Any]]) -> Foreign:
    """The first of several state dicts, with the others as alternatives."""
    table = content if isinstance(content, Mapping) else {}
    everything = tensors_under(content) if isinstance(content, Mapping) else {}
    shared: dict[str, Any] = {"glosses": _glosses(table), "facts": plain_facts(table)}

    def reading(one: StateDict) -> Foreign:
        taken = {id(t) for t in one.tensors.values()}
        others = {n: t for n, t in everything.items() if id(t) not in taken}
        return Foreign(tensors=one.tensors, others=others, **facts_of(one), **shared)

    first, *rest = map(reading, dicts)
    return attrs.evolve(first, alternatives=tuple(rest))


def _lstm_settings(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Any], int | None]:
    """Options of our ``lstm`` encoder that the shapes imply, and its features per frame.

    Defaults are left out, except size and layers.
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
    """The vocabulary of the file, where it has one."""
    table = content.get("gloss_to_id")
    if not isinstance(table, Mapping) or not table:
        return None
    return tuple(sorted(str(gloss) for gloss in table))


def _keys(content: Any) -> str:
    if not isinstance(content, Mapping):
        return f"(none: it holds a {type(content).__name__})"
    names = [str(k)[:40] for k in content]
    return ", ".join(names[:12]) + (" …" if len(names) > 12 else "") if names else "(none)"
