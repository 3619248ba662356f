"""Makes a script's own component, and tries it on two clips before training."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from asl_core.config.given import Given, takes_options
from asl_core.contracts import Encoder, Facts, Head, HeadOutput, Loss
from asl_core.errors import ConfigError
from asl_core.registry.contract_checks import takes_facts

__all__ = ["Maker", "hold_to_contract", "made"]

_CALLS = {"encoder": "(input_size)", "head": "(input_size, classes)"}
_FRAMES = 12  #: of the longer clip that a module is tried on
_METHODS = {
    "dataset": ("splits", "clips", "findings"),
    "format": ("recognises", "read"),
    "observer": ("on_start", "on_epoch", "on_end"),
    "checkpoint-loader": ("recognises", "load"),
}
_BASES: Mapping[str, type[nn.Module]] = {"encoder": Encoder, "head": Head, "loss": Loss}


class Maker:
    """A factory that checks what it made; it also has the attributes of the class (``accepts``)."""

    def __init__(self, component: Given):
        self._component = component

    def __call__(self, options: Any, *arguments: Any, facts: Facts | None = None) -> Any:
        """The component, made and held to the contract of its slot."""
        component = self._component
        built = made(component.slot, component.name, component.target, options, arguments, facts)
        hold_to_contract(component.slot, component.name, built, arguments)
        return built

    def __getattr__(self, name: str) -> Any:
        return getattr(self._component.target, name)


def made(
    slot: str, name: str, target: Any, options: Any, arguments: tuple[Any, ...], facts: Facts | None = None
) -> Any:
    """The component that a script's class, function or object stands for.

    Raises:
        ConfigError: it cannot be made.
    """
    if not _is_called(slot, target):
        return copy.deepcopy(target) if isinstance(target, nn.Module) else target
    handed = (options, *arguments) if takes_options(target) else arguments
    try:
        return target(*handed, **({"facts": facts} if takes_facts(target) else {}))
    except ConfigError:
        raise
    except Exception as fault:
        call = f"{name}{_CALLS.get(slot, '()')}"
        raise ConfigError(
            [
                f"script: {slot} {name} cannot be made: {call} raised {type(fault).__name__}: {fault}; expected a "
                f"class that is called so, or an object"
            ]
        ) from fault


def _is_called(slot: str, target: Any) -> bool:
    """Whether the target makes the component rather than being it."""
    if isinstance(target, type):
        return True
    if isinstance(target, nn.Module) or slot in ("transform", "augment", "observer"):
        return False
    return callable(target) and not all(hasattr(target, m) for m in _METHODS.get(slot, ("forward",)))


def hold_to_contract(slot: str, name: str, built: Any, arguments: tuple[Any, ...]) -> None:
    """Refuse a component that does not keep the contract of its slot.

    Raises:
        ConfigError: the message says which, and what is expected.
    """
    fault = _fault(slot, built, arguments)
    if fault is not None:
        raise ConfigError([f"script: {slot} {name} {fault}"])


def _fault(slot: str, built: Any, arguments: tuple[Any, ...]) -> str | None:
    if slot in _BASES:
        base = _BASES[slot]
        if not isinstance(built, base):
            return f"is a {type(built).__name__}; expected a subclass of asl.{base.__name__}, which is a torch module"
        if isinstance(built, Encoder):
            return _of_encoder(built, *arguments)
        if isinstance(built, Head):
            return _of_head(built, *arguments)
        return None if getattr(built, "accepts", None) else _NO_ACCEPTS
    if slot == "observer" and callable(getattr(built, "on_event", None)):
        return None
    if lacking := [m for m in _METHODS.get(slot, ()) if not callable(getattr(built, m, None))]:
        return f"has no {', '.join(f'{m}()' for m in lacking)}; expected {_expected(slot)}"
    if slot in ("transform", "augment") and not callable(built):
        return f"is a {type(built).__name__} that cannot be called; expected {_expected(slot)}"
    return None


_NO_ACCEPTS = (
    'says no kinds of head that it is for; expected a class attribute such as accepts = frozenset({"logits"}), with '
    "the kind of the head"
)


def _expected(slot: str) -> str:
    return {
        "dataset": "splits() -> names, clips(split) -> clips and findings() -> a list that may be empty (asl.Dataset)",
        "format": "recognises(path) -> bool and read(path) -> recordings (asl.Format)",
        "observer": "on_event(event), or on_start(config, summary), on_epoch(report), on_end(summary) (asl.Observer)",
        "checkpoint-loader": "recognises(path) and load(path) (asl.CheckpointLoader)",
        "transform": "transform(clip) -> clip (asl.Transform)",
        "augment": "augment(batch, random) -> batch (asl.Augment)",
    }[slot]


def _of_encoder(encoder: Encoder, input_size: int) -> str | None:
    size = getattr(encoder, "output_size", None)
    if not isinstance(size, int) or size < 1:
        return f"has output_size {size!r}; expected its features per frame, set in __init__"
    lengths = torch.tensor([_FRAMES, _FRAMES - 3])

    def trial() -> str | None:
        given = encoder(torch.zeros(2, _FRAMES, input_size), lengths)
        shape = tuple(given.shape) if isinstance(given, Tensor) else type(given).__name__
        if not encoder.frames:
            return None if shape == (2, size) else f"gave {shape} for 2 clips; it pools, so (2, {size}) is expected"
        frames = int(encoder.output_lengths(lengths).max())
        fits = isinstance(given, Tensor) and given.ndim == 3 and shape[0] == 2 and shape[2] == size
        if fits and given.shape[1] >= frames:
            return None
        return f"gave {shape} for 2 clips; expected (2, {frames}, {size}), by its output_lengths and output_size"

    return _tried(encoder, trial, f"(features (2, {_FRAMES}, {input_size}), lengths (2,))")


def _of_head(head: Head, input_size: int, classes: int) -> str | None:
    lengths = torch.tensor([_FRAMES, _FRAMES - 3])

    def trial() -> str | None:
        output = head(torch.zeros(2, _FRAMES, input_size), lengths)
        if not isinstance(output, HeadOutput):
            return f"gave a {type(output).__name__}; expected an asl.HeadOutput(values, lengths)"
        if not head.ranks:
            return None
        scores = head.scores(output)
        shape = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        return None if shape == (2, classes) else f"has scores of {shape} for 2 clips; expected (2, {classes})"

    return _tried(head, trial, f"(frames (2, {_FRAMES}, {input_size}), lengths (2,))")


def _tried(module: nn.Module, trial: Callable[[], str | None], call: str) -> str | None:
    """The fault that a trial on two clips finds, in evaluation mode and without gradients."""
    if torch.empty(0).is_meta:
        return None  # made on the meta device, to be compared with a checkpoint
    training = module.training
    module.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            return trial()
    except Exception as fault:
        reason = f"{type(fault).__name__}: {fault}".partition("\n")[0]
        return f"failed on two clips: forward{call} raised {reason}; see the contract of its class in asl_core"
    finally:
        module.train(training)
