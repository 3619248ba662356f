"""Which epoch is the best, by the metric that ``train.select`` names."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from asl_core.errors import ConfigError
from asl_core.evaluation.metrics import AUTO, metric_of

__all__ = ["check_selection", "deciding", "selection_value"]


def check_selection(wanted: str, measured: Collection[str], losses: Collection[str]) -> None:
    """Refuse, before training, a metric that is not measured or that has no better direction.

    Args:
        wanted: ``train.select``.
        measured: names of all figures of an epoch.
        losses: names of the objectives, whose figures and parts are better when smaller.

    Raises:
        ConfigError: naming the metrics that can select.
    """
    if wanted == "auto":
        return
    usable = sorted(name for name in measured if metric_of(name, losses).sign)
    if wanted not in usable:
        needs = metric_of(wanted, losses).needs
        fault = "has no better way" if wanted in measured else "is not measured by this run"
        fault += f" (it needs {needs})" if needs and wanted not in measured else ""
        raise ConfigError([f"train.select is {wanted!r}, which {fault}; choose among {', '.join(usable)}"])


def deciding(validated: Mapping[str, float], trained: Mapping[str, float]) -> Mapping[str, float]:
    """The figures of an epoch that select: those of val, or of train where val measures nothing.

    Without val, and where no clip of it has a gloss, there is neither a share of right answers nor a loss on it; the
    audit says so before training.
    """
    return validated if any(metric.name in validated for metric in AUTO) else trained


def selection_value(wanted: str, figures: Mapping[str, float], losses: Collection[str]) -> float:
    """The figure that selects, turned so that larger is better; NaN counts as worst."""
    name = next(metric.name for metric in AUTO if metric.name in figures) if wanted == "auto" else wanted
    value = figures[name]
    return -math.inf if math.isnan(value) else metric_of(name, losses).sign * value
