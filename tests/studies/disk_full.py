"""Does a full disk cost a finished checkpoint? Lets the disk be full at each operation of a run in turn.

    python tests/studies/disk_full.py

A small demo run is cut off at its first operation on a file, at its second, and so on until it goes through; where the
operation is a write, once with nothing and once with half of it written. The disk stays full from there on. Each time
the run has to end with exit code 1 or 2 and one paragraph that names a file and what to do, every checkpoint written
before has to be whole, and with room again the run has to end in the bytes of one left alone.

``--every 10`` tries every tenth operation only. ``--tmpfs 96`` does the same on a real file system of so many KiB,
which needs Linux and root. Exit code 1 if anything of this fails; 3 where it cannot be tried.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import attrs

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from studies.children import FILES, empty, end, files, finish
from studies.children import asl as start
from studies.disk import Trap, operations

__all__ = ["COMMAND", "Tried", "cut_off", "cut_off_on_tmpfs", "left_alone"]

COMMAND = [
    "run", "--quiet", "--dataset", "demo", "--dataset.glosses", "4", "--dataset.train", "4", "--dataset.val", "2",
    "--encoder", "gru", "--encoder.hidden-size", "4", "--encoder.front-size", "4",
    "--batch-size", "4", "--epochs", "2", "--run.device", "cpu", "--run.threads", "1",
]  # fmt: skip
CHECKPOINTS = ("final.safetensors", "best.safetensors", "last/state.safetensors", "last/previous.safetensors")


@attrs.define
class Tried:
    """One full disk."""

    number: int
    what: str  #: the operation
    file: str
    half: bool
    said: str = ""
    faults: list[str] = attrs.field(factory=list)


def left_alone(folder: Path) -> tuple[dict[str, bytes], list[tuple[str, str]]]:
    """The files of a run with room enough, and its operations."""
    record, said = folder / "alone.record", folder / "alone.txt"
    out = empty(folder / "out")  # as of those that are compared with it: a checkpoint tells where its run was
    if code := finish([*COMMAND, "--out", str(out), "--name", "run"], out / "run", said, Trap(str(out), str(record))):
        raise SystemExit(f"the run left alone ended with {code}:\n{said.read_text(encoding='utf-8')}")
    return files(out / "run"), operations(record)


def cut_off(folder: Path, number: int, half: bool, alone: dict[str, bytes]) -> Tried:
    """The disk is full from the operation of this number on; then there is room again."""
    out, record, said = empty(folder / "out"), folder / "record", folder / "said.txt"
    said.unlink(missing_ok=True)
    run, command = out / "run", [*COMMAND, "--out", str(out), "--name", "run"]
    code = end(start(command, said, Trap(str(out), str(record), number, "full", half)))
    reached = operations(record)
    tried = Tried(number, *reached[number - 1], half, said.read_text(encoding="utf-8").strip())
    tried.faults += _message_faults(code, tried.said)
    done = {file for what, file in reached[: number - 1] if what == "rename"}
    gone = [name for name in CHECKPOINTS if f"run/{name}" in done and not (run / name).exists()]
    tried.faults += [f"{name} was finished and is gone" for name in gone]
    return _go_on(tried, command, run, said, alone)


def cut_off_on_tmpfs(folder: Path, size: int, alone: dict[str, bytes]) -> Tried | None:
    """The same on a file system of ``size`` KiB, made larger afterwards; None where a run fits into it."""
    out, said = empty(folder / "out"), folder / "said.txt"
    said.unlink(missing_ok=True)
    _run("mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(out))
    try:
        run, command = out / "run", [*COMMAND, "--out", str(out), "--name", "run"]
        code = end(start(command, said))
        if code == 0:
            return None
        tried = Tried(size, "KiB", "", False, said.read_text(encoding="utf-8").strip())
        tried.faults += _message_faults(code, tried.said)
        _run("mount", "-o", "remount,size=16m", str(out))
        return _go_on(tried, command, run, said, alone)
    finally:
        _run("umount", str(out))


def _go_on(tried: Tried, command: list[str], run: Path, said: Path, alone: dict[str, bytes]) -> Tried:
    """Look at what the full disk left, and finish the run."""
    tried.faults += list(_checkpoint_faults(run))
    code = finish(command, run, said)
    if code:
        tried.faults.append(f"with room again it ended with {code}: {said.read_text(encoding='utf-8')[-400:]}")
        return tried
    found = files(run)
    tried.faults += [f"{name} differs" for name in FILES if found.get(name) != alone[name]]
    tried.faults += [f"{path.relative_to(run)} was left behind" for path in run.rglob("*.part")]
    return tried


def _message_faults(code: int, said: str) -> Iterator[str]:
    if code not in (1, 2):
        yield f"exit code {code}; expected 1 or 2"
    if len(said.splitlines()) != 1 or not said.startswith("error: "):
        yield f"expected one paragraph, found: {said[-300:]}"
    if "No space left" not in said or f"{os.sep}out" not in said:
        yield f"it names no file, or not what is wrong with it: {said[-300:]}"
    if "ake room" not in said and "choose " not in said:
        yield f"it does not say what to do: {said[-300:]}"


def _checkpoint_faults(run: Path) -> Iterator[str]:
    from asl_core.checkpoints.format import load_tensors
    from asl_core.errors import AslError

    for name in CHECKPOINTS:
        if (run / name).exists():
            try:
                load_tensors(run / name)
            except AslError as fault:
                yield f"{name} cannot be read: {fault}"


def no_tmpfs() -> str | None:
    """Why a file system of a size of one's own cannot be had here."""
    if sys.platform != "linux" or shutil.which("mount") is None:
        return "tmpfs is Linux's"
    if os.geteuid() != 0:
        return "only root may mount"
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True, text=True, check=False
        )
        if done.returncode:
            return f"this root may not mount ({done.stderr.strip()})"
        _run("umount", folder)
    return None


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)


def main() -> int:
    """Try them all, print the table and the verdict."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, help="try every n-th operation")
    parser.add_argument("--first", type=int, default=1, help="the operation to begin with")
    parser.add_argument("--tmpfs", type=int, nargs="*", metavar="KIB", help="sizes of real file systems, instead")
    options = parser.parse_args()
    why = no_tmpfs() if options.tmpfs else None
    if why is not None:
        print(f"not tried: {why}")
        return 3
    tried = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve()
        alone, all_operations = left_alone(folder)
        print("| n | file | said | after |\n|---|---|---|---|", flush=True)
        for size in options.tmpfs or ():
            found = cut_off_on_tmpfs(folder, size, alone)
            if found is None:
                print(f"| {size} KiB | | it fits | |", flush=True)
                continue
            tried.append(found)
            _tell(found, folder)
        for n in () if options.tmpfs else range(options.first, len(all_operations) + 1, options.every):
            for half in (False, True) if all_operations[n - 1][0] == "write" else (False,):
                tried.append(cut_off(folder, n, half, alone))
                _tell(tried[-1], folder)
    bad = sum(bool(one.faults) for one in tried)
    print(f"\n{len(tried)} full disks, {len(tried) - bad} without a loss; a run has {len(all_operations)} operations")
    return 1 if bad or not tried else 0


def _tell(one: Tried, folder: Path) -> None:
    said = one.said.replace(str(folder) + os.sep, "")
    half = ", half of it" if one.half else ""
    after = "; ".join(one.faults) or "equal"
    print(f"| {one.number} | {one.what} {one.file}{half} | {said} | {after} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
