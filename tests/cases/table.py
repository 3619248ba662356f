"""The table of cases: each is a fault that somebody met, replayed on the code as it is now."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from unittest import mock

import attrs
import pytest
from conftest import SHARED

import cases
from asl_core.cli import main

__all__ = ["Case", "Outcome", "all_cases", "asl", "case", "shared_data"]


@attrs.frozen
class Case:
    """A fault that somebody met."""

    group: str  #: ``data``, ``runs``, ``security``, ``keyboard``, …: one module of this folder each
    name: str  #: what was tried, in a few words
    replay: Callable[[Path], str]  #: takes an empty folder, asserts what is right, returns what happened in one line
    slow: bool = False  #: whether the fast loop leaves it out

    @property
    def id(self) -> str:
        """The name that pytest shows."""
        return f"{self.group}: {self.name}"


@attrs.frozen
class Outcome:
    """How a command ended."""

    code: int
    out: str  #: standard output
    err: str  #: standard error

    @property
    def text(self) -> str:
        """Both streams, white space joined to single spaces: messages wrap where the terminal ends."""
        return " ".join(f"{self.out} {self.err}".split())

    @property
    def error(self) -> str:
        """What stands after ``error:``, on one line."""
        return " ".join(self.err.split()).partition("error: ")[2]


_CASES: list[Case] = []


def case(name: str, *, slow: bool = False) -> Callable[[Callable[[Path], str]], Callable[[Path], str]]:
    """Put a function into the table, under the group that its module is named after."""

    def add(replay: Callable[[Path], str]) -> Callable[[Path], str]:
        _CASES.append(Case(replay.__module__.rpartition(".")[2], name, replay, slow))
        return replay

    return add


def all_cases() -> list[Case]:
    """Every case of every module in this folder."""
    for module in sorted(m.name for m in pkgutil.iter_modules(cases.__path__)):
        importlib.import_module(f"cases.{module}")
    return list(_CASES)


def asl(place: Path, *arguments: str, environ: Mapping[str, str] | None = None) -> Outcome:
    """A command, typed in ``place``, in this process: a new one would import torch again for each case."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with _inside(place, environ or {}), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(arguments)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    return Outcome(code, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def _inside(place: Path, environ: Mapping[str, str]) -> Iterator[None]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("ASL_") or k == "ASL_SHARED_DATA"}
    with contextlib.chdir(place), mock.patch.dict(os.environ, {**kept, **environ}, clear=True):
        yield


def shared_data() -> Path:
    """The real captures; a case that asks for them is skipped where they are absent."""
    if not (SHARED / "wlasl100").is_dir():
        pytest.skip(f"needs the real clips, which are not at {SHARED} (set ASL_SHARED_DATA)")
    return SHARED
