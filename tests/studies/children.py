"""``asl`` in processes of its own, forked from one that has imported torch: importing takes longer than a small run."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from studies.disk import Trap

__all__ = ["FILES", "asl", "empty", "end", "files", "finish"]

#: what of a run must not depend on how often it was stopped
FILES = ("final.safetensors", "best.safetensors", "last/state.safetensors", "metrics.jsonl", "predictions-val.csv")

#: torch imports the third only when an optimiser is made
_PRELOAD = ["torch", "numpy", "torch._dynamo", "asl_core.api", "asl_core.cli.run", "asl_core.cli.console"]


def _context() -> Any:
    """A server that forks, which no thread of this process can disturb; new interpreters where nothing forks."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOAD)
    return context


def asl(arguments: Sequence[str], said: Path, trap: Trap | None = None) -> BaseProcess:
    """Start ``asl`` with these words; what it says is appended to the file ``said``."""
    process: BaseProcess = _context().Process(target=_child, args=(list(arguments), str(said), trap))
    process.start()
    return process


def _child(arguments: list[str], said: str, trap: Trap | None) -> None:
    with Path(said).open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - for the life of the process
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115

    from asl_core.cli import main

    if trap is not None:
        trap.set()
    main(arguments)


def end(process: BaseProcess) -> int:
    """Wait for it; its exit code, negative for a signal."""
    process.join()
    code = process.exitcode
    process.close()
    assert code is not None
    return code


def finish(begin: Sequence[str], folder: Path, said: Path, trap: Trap | None = None) -> int:
    """Go on with the run in ``folder``, or begin it where it has no configuration yet; the exit code."""
    arguments = ["run", "--quiet", "--resume", str(folder)] if (folder / "config.toml").is_file() else begin
    return end(asl(arguments, said, trap))


def files(folder: Path) -> dict[str, bytes]:
    """The bytes of :data:`FILES`; whichever is missing is left out."""
    return {name: (folder / name).read_bytes() for name in FILES if (folder / name).is_file()}


def empty(folder: Path) -> Path:
    """The folder without what an earlier study left in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
