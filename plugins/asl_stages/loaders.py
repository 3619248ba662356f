"""Checkpoints of the reference project, and state dicts of anybody."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
from torch import Tensor

from asl_core import CheckpointError, Foreign, NoOptions
from asl_stages.loaders_pt import is_pt, plain_facts, read_pt, strings_in, tensors_under

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
        return (_RECURRENT in keys and "encoder_state_dict" in keys) or f"encoder.{_RECURRENT}" in keys

    def load(self, path: Path) -> Foreign:
        """The encoder's tensors under the names of our ``lstm`` encoder.

        Raises:
            CheckpointError: not of these layouts, or refused by :func:`asl_stages.loaders_pt.read_pt`.
        """
        content = _mapping(read_pt(path), path)
        everything = tensors_under(content)
        tensors, what = self._encoder(content)
        if _RECURRENT not in tensors:
            raise CheckpointError(
                f"{path} is no checkpoint of the reference project: expected encoder_state_dict with {_RECURRENT}, or "
                f"model_state_dict with encoder.{_RECURRENT}; found the keys {_keys(content)}. For another project's "
                f"state dict say --init torch:{path}, with --init.map where its names differ."
            )
        settings, width = _lstm_settings(tensors)
        taken = {id(t) for t in tensors.values()}
        return Foreign(
            tensors=tensors,
            source=what,
            glosses=_glosses(content),
            encoder="lstm",
            settings=settings,
            standardise=False,
            width=width,
            transforms={"transform.names": []},
            others={n: t for n, t in everything.items() if id(t) not in taken},
            facts=plain_facts(content),
        )

    @staticmethod
    def _encoder(content: Mapping[Any, Any]) -> tuple[dict[str, Tensor], str]:
        """Its tensors and what the file is, in words."""
        if isinstance(own := content.get("encoder_state_dict"), Mapping):
            return _tensors(own), "stage-1 checkpoint of the reference project"
        whole = content.get("model_state_dict", content)
        tensors = _tensors(whole) if isinstance(whole, Mapping) else {}
        encoder = {n.removeprefix("encoder."): t for n, t in tensors.items() if n.startswith("encoder.")}
        kind = "stage-2 checkpoint" if _PROJECTION in encoder else "notebook's checkpoint (LSTM without projection)"
        return encoder, f"{kind} of the reference project"


class StateDictLoader:
    """Any ``.pt``, ``.pth`` or ``.safetensors`` file that holds a state dict; the names stay as they are."""

    fallback = True

    def __init__(self, options: NoOptions):
        pass

    def recognises(self, path: Path) -> bool:
        """By its ending, so that it can say what is wrong with a damaged one, or as an archive of torch.save."""
        return path.is_file() and (path.suffix in (".pt", ".pth", ".ckpt", ".safetensors") or is_pt(path))

    def load(self, path: Path) -> Foreign:
        """The first state dict there is.

        Raises:
            CheckpointError: there is none, or the file is refused.
        """
        if path.suffix == ".safetensors":
            return Foreign(tensors=_safetensors(path), source="safetensors file of another program")
        content = _mapping(read_pt(path), path)
        found = _state_dicts(content)
        if not found:
            raise CheckpointError(
                f"{path} holds no state dict: expected a dict of tensors, as it is or under one of "
                f"{', '.join(_PLACES)}; found the keys {_keys(content)}."
            )
        place, tensors = found[0]
        others = "".join(f", not that under {other!r}" for other, _ in found[1:4])
        taken = {id(t) for t in tensors.values()}
        return Foreign(
            tensors=tensors,
            source=f"state dict{f' under {place!r}' if place else ''}{others}",
            glosses=_glosses(content),
            others={n: t for n, t in tensors_under(content).items() if id(t) not in taken},
            facts=plain_facts(content),
        )


#: where programs keep a state dict, the likelier first
_PLACES = ("state_dict", "model_state_dict", "encoder_state_dict", "model", "encoder", "net", "network", "module",
           "weights", "params", "checkpoint")  # fmt: skip


def _state_dicts(content: Mapping[Any, Any], prefix: str = "", depth: int = 0) -> list[tuple[str, dict[str, Tensor]]]:
    """``(place, tensors)`` of the content itself, or of what stands under the usual keys, up to three levels down."""
    if own := _tensors(content):
        return [(prefix, own)]
    found = []
    for key in _PLACES if depth < 3 else ():
        if isinstance(inner := content.get(key), Mapping):
            found += _state_dicts(inner, f"{prefix}.{key}" if prefix else key, depth + 1)
    return found


def _tensors(table: Mapping[Any, Any]) -> dict[str, Tensor]:
    """The tensors that stand directly in a dict."""
    return {k: v for k, v in table.items() if isinstance(k, str) and isinstance(v, Tensor)}


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
        with safetensors.safe_open(path, framework="pt", device="cpu") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    # torch itself fails on a shape of an empty tensor that no number can hold.
    except (OSError, safetensors.SafetensorError, ValueError, TypeError, RuntimeError, OverflowError) as fault:
        reason = str(fault).partition("\n")[0][:300]
        raise CheckpointError(
            f"{path} cannot be read as safetensors ({reason}); it is cut short, or of another kind."
        ) from fault


def _mapping(content: Any, path: Path) -> Mapping[Any, Any]:
    if not isinstance(content, Mapping):
        raise CheckpointError(
            f"{path} holds a {type(content).__name__}; expected a dict of tensors, or one that has a state dict in it."
        )
    return content


def _keys(content: Mapping[Any, Any]) -> str:
    names = [str(k)[:40] for k in content]
    return ", ".join(names[:12]) + (" …" if len(names) > 12 else "") if names else "(none)"
