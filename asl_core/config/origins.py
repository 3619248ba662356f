"""Where the value of a setting comes from, as data: nothing has to read it out of a sentence."""

from __future__ import annotations

import enum

import attrs

__all__ = ["DEFAULT", "Kind", "Origin"]


class Kind(enum.Enum):
    """The kinds of sources."""

    DEFAULT = "default"
    SUGGESTION = "suggested by"  #: a chosen component
    PROJECT = "project file"  #: ``asl.toml`` of the working folder
    FILE = "file"  #: one that the user named
    ENVIRONMENT = "environment variable"
    FLAG = "flag"
    SCRIPT = "script"  #: values given in Python, or by a part of asl that says its name
    CHECKPOINT = "checkpoint"  #: what the transferred weights were trained with


#: kinds whose name stands before the text where a user reads an origin
_NAMED = (Kind.SUGGESTION, Kind.ENVIRONMENT, Kind.FLAG, Kind.CHECKPOINT)


@attrs.frozen
class Origin:
    """Where a value was set; ``str()`` of it is what a user reads."""

    kind: Kind
    text: str  #: the name of the source: a flag as it was typed, a variable, a path, a component
    file: str | None = None  #: of a setting in a file
    line: int | None = None  #: in that file, counted from 1, where it is known

    def __str__(self) -> str:
        before = f"{self.kind.value} " if self.kind in _NAMED else ""
        return f"{before}{self.text}{'' if self.line is None else f' line {self.line}'}"

    @property
    def chosen(self) -> bool:
        """Whether a person set the value: it is neither a default nor a suggestion."""
        return self.kind not in (Kind.DEFAULT, Kind.SUGGESTION)

    @classmethod
    def of_file(cls, path: object, line: int | None = None, *, kind: Kind = Kind.FILE, part: str = "") -> Origin:
        """A place in a file; ``part`` names a section of it, for where no line is known."""
        return cls(kind, f"{path} {part}" if part and line is None else str(path), str(path), line)


DEFAULT = Origin(Kind.DEFAULT, "default")
