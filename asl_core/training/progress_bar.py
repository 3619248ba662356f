"""Progress for people: a bar in a terminal or a notebook; elsewhere a plain line at least every two seconds."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

import attrs
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from asl_core.compute.progress import ProgressReport, listening
from asl_core.evaluation.metrics import headlines
from asl_core.text import one_line

if TYPE_CHECKING:
    from asl_core.config.run_config import RunConfig
    from asl_core.training.events import EpochReport

__all__ = ["ProgressBar", "Ticker", "described", "has_bar"]

SILENCE = 1.2  #: seconds after which a line is due; less than two, since threads may be late
_LONG = 10.0  #: seconds after which a phase says how long is left


def has_bar(console: Console) -> bool:
    """Whether the console can draw a bar: a terminal that moves its cursor, or a notebook."""
    return console.is_jupyter or (console.is_terminal and not console.is_dumb_terminal)


def described(report: ProgressReport) -> str:
    """``reading train: 120 of 748, 3 s``; what takes long says how long is left too."""
    steps = f"{report.done:,}" if report.total is None else f"{report.done:,} of {report.total:,}"
    known = f": {steps}" if report.done or report.total else ""
    left = ""
    if report.done and report.total is not None and report.seconds >= _LONG:
        left = f", {report.seconds / report.done * (report.total - report.done):.0f} s left"
    return f"{report.phase}{known}, {report.seconds:.0f} s{left}"


class _Running:
    """The phases in progress, the innermost last."""

    def __init__(self, now: float):
        self._reports = [(ProgressReport("starting", 0, None, 0.0), now)]  #: each with the time at which it began

    def take(self, report: ProgressReport, now: float) -> None:
        """Take a report."""
        known = [n for n, (one, _) in enumerate(self._reports) if n and one.phase == report.phase]
        if report.ended:
            del self._reports[known[-1] if known else len(self._reports) :]
        elif known:
            self._reports[known[-1]] = report, now - report.seconds
        else:
            self._reports.append((report, now - report.seconds))

    @property
    def idle(self) -> bool:
        """Whether all phases have ended."""
        return len(self._reports) == 1

    def shown(self, now: float) -> ProgressReport:
        """The report to show at this time."""
        report, began = self._reports[-1]
        return attrs.evolve(report, seconds=now - began)


class Ticker:
    """Calls ``show`` with the latest report whenever nothing was printed for a while.

    A thread watches the clock, so that work without reports of its own (an import, a data set that reads for a minute)
    is shown too, as the phase begun last and its time.

    Args:
        show: prints a report.
        silence: seconds without output after which it is called.
        clock: gives seconds.
    """

    def __init__(
        self,
        show: Callable[[ProgressReport], None],
        silence: float | None = None,
        clock: Callable[[], float] | None = None,
    ):
        self._show, self._clock = show, clock or time.monotonic
        self._silence = SILENCE if silence is None else silence
        self._lock = threading.Lock()
        self._spoke = self._clock()
        self._running = _Running(self._spoke)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def on_progress(self, report: ProgressReport) -> None:
        """Take a report."""
        with self._lock:
            self._running.take(report, self._clock())
        self.tick()

    def spoke(self) -> None:
        """Something else was printed."""
        self._spoke = self._clock()

    def tick(self) -> None:
        """Show the latest report if a line is due."""
        with self._lock:
            if (now := self._clock()) - self._spoke < self._silence:
                return
            self._spoke = now
            self._show(self._running.shown(now))

    def start(self) -> None:
        """Start the thread."""
        if self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, name="asl-progress", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop the thread."""
        if self._thread is not None:
            self._stop.set()
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while not self._stop.wait(max(0.02, self._silence / 6)):
            self.tick()


class ProgressBar:
    """An observer that shows the progress of a run: ``asl.run(config, [asl.ProgressBar()])``.

    A bar in a terminal or a notebook, elsewhere a line whenever nothing was printed for two seconds; and a line of
    figures after each epoch. As a context manager it shows the progress of whatever runs inside, such as
    :func:`asl_core.evaluate_run`.

    Args:
        console: where to print (default: standard error).
        epochs: whether to print a line per epoch.
    """

    def __init__(self, console: Console | None = None, *, epochs: bool = True):
        self.console = console or Console(stderr=True, highlight=False)
        self.epochs = epochs
        self._bar: Progress | None = None
        self._running = _Running(time.monotonic())
        self._ticker: Ticker | None = None
        self._within = contextlib.ExitStack()
        self._entered = False

    def open(self) -> None:
        """Begin to show reports; the first report does so too."""
        if not has_bar(self.console):
            if self._ticker is None:
                self._ticker = Ticker(lambda report: self.line(described(report)))
                self._ticker.start()
        elif self._bar is None:
            columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn())
            self._bar = Progress(
                *columns,
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=self.console,
                transient=True,
                refresh_per_second=2,  # a drawing takes some 3 ms, and training should not feel it
                # Prints appear above the bar, but piped output must stay in its pipe.
                redirect_stdout=sys.stdout.isatty(),
                redirect_stderr=sys.stderr.isatty(),
            )
            self._bar.add_task("starting", total=None)
            self._bar.start()

    def close(self) -> None:
        """Remove the bar."""
        if self._ticker is not None:
            self._ticker.stop()
            self._ticker = None
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def line(self, text: str) -> None:
        """Print a line that stays, above the bar."""
        self.console.print(one_line(text), markup=False, soft_wrap=True)
        self.spoke()

    def spoke(self) -> None:
        """Something else was printed."""
        if (ticker := self._ticker) is not None:  # its thread may come here while it is removed
            ticker.spoke()

    def on_progress(self, report: ProgressReport) -> None:
        """Show it."""
        self._running.take(report, time.monotonic())
        if self._running.idle and not self._entered:  # the run has ended, well or not
            self.close()
            return
        self.open()
        if self._ticker is not None:
            self._ticker.on_progress(report)
        if self._bar is None:
            return
        (task,) = self._bar.tasks
        shown = self._running.shown(time.monotonic())
        if task.description != one_line(shown.phase):
            self._bar.reset(task.id, description=one_line(shown.phase))
        self._bar.update(task.id, completed=shown.done, total=shown.total)

    def on_start(self, config: RunConfig, summary: Mapping[str, object]) -> None:
        """Nothing."""

    def on_epoch(self, report: EpochReport) -> None:
        """A line of the epoch's figures."""
        if not self.epochs:
            return
        figures = [f"loss {report.train['loss']:.3f}"] if "loss" in report.train else []
        figures += [f"val {m.name} {m.text(report.val[m.name])}" for m in headlines(report.val)]
        left = f"{report.seconds:.1f} s, {report.seconds_left:.0f} s left"
        self.line("  ".join([f"epoch {report.epoch}/{report.epochs}", *figures, left]))
        for warning in report.warnings:
            self.line(f"warning: {warning}")

    def on_end(self, summary: Mapping[str, object]) -> None:
        """Remove the bar and print the run's path."""
        self.close()
        if self.epochs:
            self.line(f"saved in {summary['run']}")

    def __enter__(self) -> Self:
        self._entered = True
        self._within.enter_context(listening(self.on_progress))
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered = False
        self._within.close()
        self.close()
