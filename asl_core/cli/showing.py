"""Progress on the command line: a bar where people look, plain lines or JSON events elsewhere, none with ``--quiet``.

Imports no torch: it shows that torch is being imported, which takes seconds.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator

import attrs
import click
from rich.console import Console

from asl_core.progress import ProgressReport, listening
from asl_core.progress_bar import ProgressBar, Ticker, has_bar

__all__ = ["Display", "display", "findings_are_printed", "showing_progress"]


def _console() -> Console:
    return Console(highlight=False, soft_wrap=True)


def _nothing() -> None:
    pass


@attrs.frozen
class Display:
    """Where a verb prints, and whom it tells that it did."""

    console: Console = attrs.field(factory=_console)
    spoke: Callable[[], None] = _nothing


@contextlib.contextmanager
def display(*, quiet: bool = False, as_json: bool = False) -> Iterator[Display]:
    """Where a long verb prints; how far the work inside is, is shown between its lines."""
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
        # A bar and lines on one terminal have to know of each other.
        where = console if has_bar(console) else Console(stderr=True, highlight=False)
        with ProgressBar(where, epochs=False) as bar:
            yield Display(console, bar.spoke)


def _emit(report: ProgressReport) -> None:
    entry = {"event": "progress", **attrs.asdict(report, filter=attrs.filters.exclude("ended"))}
    click.echo(json.dumps(entry | {"seconds": round(report.seconds, 1)}))


@contextlib.contextmanager
def showing_progress(*, as_json: bool = False) -> Iterator[None]:
    """Show what goes on inside, on standard error; with ``--json`` only to somebody who looks at a terminal."""
    if not _is_first_process() or (as_json and not sys.stderr.isatty()):
        yield
        return
    with ProgressBar(Console(stderr=True, highlight=False), epochs=False):
        yield


def _is_first_process() -> bool:
    """Whether this one speaks, of the processes of a run."""
    return os.environ.get("RANK", "0") == "0"


@contextlib.contextmanager
def findings_are_printed() -> Iterator[None]:
    """Keep the audit's warnings off the log within this block: the verb prints them itself."""
    logger = logging.getLogger("asl.audit")
    before, silent = logger.propagate, logging.NullHandler()
    logger.addHandler(silent)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(silent)
        logger.propagate = before
