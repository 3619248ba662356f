"""Progress on the command line: a bar on a terminal, plain lines or JSON events elsewhere, nothing with ``--quiet``.

Imports no torch, whose slow import is itself shown; and rich only when there is work to show.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import attrs
import click

from asl_core.compute.progress import ProgressReport, listening

if TYPE_CHECKING:
    from rich.console import Console

    from asl_core.training.progress_bar import ProgressBar

__all__ = ["Display", "display", "findings_are_printed", "showing_progress"]


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)


def _nothing() -> None:
    pass


@attrs.frozen
class Display:
    """Where a verb prints, and a callback after each line."""

    console: Console = attrs.field(factory=_console)
    spoke: Callable[[], None] = _nothing


@contextlib.contextmanager
def display(*, quiet: bool = False, as_json: bool = False) -> Iterator[Display]:
    """Where a long verb prints; progress is shown between its lines."""
    from asl_core.training.progress_bar import Ticker, has_bar

    console = _console()
    if quiet or not _is_first_process():
        yield Display(console)
    elif as_json:
        ticker = Ticker(_emit)
        ticker.start()
        try:
            with listening(ticker.on_progress):
                yield Display(console, ticker.spoke)
        finally:
            ticker.stop()
    else:
        # A bar and lines on one terminal must share the console.
        with _bar(console if has_bar(console) else None) as bar:
            yield Display(console, bar.spoke)


def _emit(report: ProgressReport) -> None:
    entry = {"event": "progress", **attrs.asdict(report, filter=attrs.filters.exclude("ended"))}
    click.echo(json.dumps(entry | {"seconds": round(report.seconds, 1)}))


@contextlib.contextmanager
def showing_progress(*, as_json: bool = False) -> Iterator[None]:
    """Show progress on standard error; with ``--json`` only on a terminal."""
    if not _is_first_process() or (as_json and not sys.stderr.isatty()):
        yield
        return
    with _bar():
        yield


def _bar(console: Console | None = None) -> ProgressBar:
    from asl_core.training.progress_bar import ProgressBar

    return ProgressBar(console, epochs=False)  # by default on standard error


def _is_first_process() -> bool:
    """Whether this process prints, of those of a run."""
    return os.environ.get("RANK", "0") == "0"


@contextlib.contextmanager
def findings_are_printed() -> Iterator[None]:
    """Keep the audit's warnings off the log within this block; the verb prints them."""
    logger = logging.getLogger("asl.audit")
    before, silent = logger.propagate, logging.NullHandler()
    logger.addHandler(silent)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(silent)
        logger.propagate = before
