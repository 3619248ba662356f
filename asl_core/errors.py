"""The errors that a user sees: one paragraph each, with the exit code of the command."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping

from asl_core.text import one_line, printable, shortened

__all__ = [
    "AslError",
    "CheckpointError",
    "ConfigError",
    "DataError",
    "MissingExtraError",
    "RunError",
    "UsageError",
    "as_word",
    "nearest",
    "printable",
]


_LONGEST = 2000  #: characters of one fault of a configuration
_BULLET = "\n  - "
_MOST = 500  #: faults of a configuration that its message lists


class AslError(Exception):
    """A fault the user can act on; the text states what, where, what was expected and what to do."""

    exit_code = 1


class RunError(AslError):
    """A failure while running; finished work is kept."""


class UsageError(AslError):
    """The command is wrong as given."""

    exit_code = 2


class DataError(UsageError):
    """A data file is missing, damaged, hostile, or not of the layout it claims."""


class MissingExtraError(DataError):
    """A library that is not installed is needed. The text holds the command that installs it."""

    def __init__(self, library: str, extra: str, purpose: str):
        super().__init__(
            f"{purpose} needs the library {library}, which is not installed; type: pip install 'asl-core[{extra}]'"
        )


class CheckpointError(UsageError):
    """A checkpoint is damaged, hostile, or does not fit the model."""


class ConfigError(UsageError):
    """All faults of a configuration."""

    def __init__(self, problems: Iterable[str]):
        self.problems = tuple(p if len(p) <= _LONGEST else f"{p[: _LONGEST - 1]}…" for p in problems)
        count = "a fault" if len(self.problems) == 1 else f"{len(self.problems)} faults"
        super().__init__(
            f"the configuration has {count}:\n  - {shortened(map(one_line, self.problems), _MOST, _BULLET)}"
        )


def as_word(path: str | os.PathLike[str]) -> str:
    """A path as one word of a command line to copy, quoted where needed."""
    import shlex  # needed for messages only
    import subprocess

    word = os.fspath(path)
    if word.startswith("-"):  # or it would be taken for a flag
        word = os.path.join(os.curdir, word)  # noqa: PTH118 - a Path would drop the dot
    return subprocess.list2cmdline([word]) if os.name == "nt" else shlex.quote(word)


def nearest(name: str, known: Iterable[str], former: Mapping[str, str] | None = None) -> str:
    """A trailing ``; did you mean …?`` for a mistyped name, or the list of known ones.

    Args:
        name: as it was typed.
        known: the names to choose from.
        former: former name -> the known name to answer with.
    """
    options, former = sorted(known), former or {}
    close = difflib.get_close_matches(name, [*options, *former], n=1, cutoff=0.6)
    if close:
        return f"; did you mean {former.get(close[0], close[0])!r}?"
    return f"; there is {', '.join(options)}" if options else "; there is none"
