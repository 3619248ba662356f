"""The events of a run, and the observers that get them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

import attrs

if TYPE_CHECKING:
    from asl_core.config.run_config import RunConfig

__all__ = ["AnyObserver", "EpochReport", "EventObserver", "Observer", "RunStarted", "RunStopped"]


@attrs.frozen
class RunStarted:
    """A run is prepared, and its first epoch comes next."""

    config: RunConfig  #: as it fits the clips and the checkpoint
    summary: Mapping[str, object]  #: run, audit, classes, parameters, device, precision, notes, transfer, …


@attrs.frozen
class EpochReport:
    """An epoch has ended, and its metrics are written."""

    epoch: int  #: counted from 1
    epochs: int
    train: Mapping[str, float]  #: loss and its parts
    val: Mapping[str, float]  #: empty where there is no val split
    best_epoch: int
    warnings: tuple[str, ...]
    seconds: float  #: wall time of this epoch
    seconds_left: float


@attrs.frozen
class RunStopped:
    """The last event of a run that has started, however it ends."""

    reason: str  #: ``finished``, ``interrupted`` (Ctrl-C), ``terminated`` (SIGTERM) or ``failed``
    message: str = ""  #: why, unless it finished
    summary: Mapping[str, object] = attrs.field(factory=dict)  #: of a finished run: epochs, best, report, run, next, …


@runtime_checkable
class EventObserver(Protocol):
    """Gets a run's events, once each and never once a batch.

    One that raises an ``Exception`` is reported and left out, and the run goes on; ``KeyboardInterrupt`` ends the run.
    Optional: ``on_progress(report)`` gets an :class:`asl_core.ProgressReport` when a phase of work begins and ends, and
    at most ten times a second in between.
    """

    def on_event(self, event: RunStarted | EpochReport | RunStopped) -> None:
        """Look at one event, by its type."""


@runtime_checkable
class Observer(Protocol):
    """The same with a method for each event; ``on_event`` takes precedence where an observer has both.

    It may have ``on_stop(reason)``, called instead of ``on_end`` where the run fails or is interrupted.
    """

    def on_start(self, config: RunConfig, summary: Mapping[str, object]) -> None:
        """See :class:`RunStarted`."""

    def on_epoch(self, report: EpochReport) -> None:
        """See :class:`EpochReport`."""

    def on_end(self, summary: Mapping[str, object]) -> None:
        """See :attr:`RunStopped.summary`."""


AnyObserver: TypeAlias = EventObserver | Observer
