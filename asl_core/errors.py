"""What a user sees when something is wrong: one paragraph, and the exit code it ends with."""

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
_MOST = 500  #: faults of one configuration that its message tells


class AslError(Exception):
    """A fault the user can act on. Its text says what, where, what was expected and what to do."""

    exit_code = 1


class RunError(AslError):
    """Something failed while running; what was finished before it is kept."""


class UsageError(AslError):
    """The command cannot be carried out as it was given."""

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
    """A checkpoint is damaged, hostile, or does not fit what it is to be loaded into."""


class ConfigError(UsageError):
    """One or more faults of a configuration, all of them told at once."""

    def __init__(self, problems: Iterable[str]):
        # A key of ten thousand characters is a fault, and its message is no reason to quote all of them.
        self.problems = tuple(p if len(p) <= _LONGEST else f"{p[: _LONGEST - 1]}…" for p in problems)
        head = (
            "the configuration has a fault"
            if len(self.problems) == 1
            else (f"the configuration has {len(self.problems)} faults")
        )
        super().__init__(f"{head}:\n  - {shortened(map(one_line, self.problems), _MOST, _BULLET)}")


def as_word(path: str | os.PathLike[str]) -> str:
    """A path as one word of a command that a user may copy: in quotes where it has spaces or the like."""
    import shlex  # these two are of no use to the commands that end well and quickly
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
