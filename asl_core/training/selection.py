"""Which epoch is the best: the metric that chooses, and which way it is better."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from asl_core.errors import ConfigError

__all__ = ["check_selection", "deciding", "selection_value"]

_LARGER = ("top1", "top5", "top1-known", "top5-known", "accuracy", "retrieval")
_SMALLER = ("loss", "wer", "error")
_AUTO = ("wer", "top1", "loss")  #: only a run that reads sentences has a word error rate


def check_selection(wanted: str, measured: Collection[str], losses: Collection[str]) -> None:
    """Refuse, before anything is trained, a metric that is not measured or has no better way.

    Args:
        wanted: ``train.select``.
        measured: names of all figures of an epoch.
        losses: names of the objectives, whose figures and parts are better when smaller.

    Raises:
        ConfigError: naming the metrics that could choose.
    """
    if wanted == "auto":
        return
    usable = sorted(name for name in measured if _sign(name, losses))
    if wanted not in usable:
        what = "has no better way" if wanted in measured else "is not measured by this run"
        raise ConfigError([f"train.select is {wanted!r}, which {what}; choose among {', '.join(usable)}"])


def deciding(validated: Mapping[str, float], trained: Mapping[str, float]) -> Mapping[str, float]:
    """The figures of an epoch that choose: those of val, or of train where val measures nothing.

    Without val, and where no clip of it has a gloss, there is neither a share of right answers nor a loss on it; the
    audit says so before training.
    """
    return validated if any(name in validated for name in _AUTO) else trained


def selection_value(wanted: str, found: Mapping[str, float], losses: Collection[str]) -> float:
    """The figure that chooses, turned so that larger is better; NaN counts as worst."""
    name = next(n for n in _AUTO if n in found) if wanted == "auto" else wanted
    value = found[name]
    return -math.inf if math.isnan(value) else _sign(name, losses) * value


def _sign(name: str, losses: Collection[str]) -> int:
    """1 where larger is better, -1 where smaller is, 0 where neither (the share of blank frames)."""
    last = name.rpartition(".")[2]
    if last in _LARGER or last.endswith(tuple(f"-{word}" for word in _LARGER)):
        return 1
    if last in _SMALLER or last.endswith(tuple(f"-{word}" for word in _SMALLER)) or name.partition("/")[0] in losses:
        return -1
    return 0
