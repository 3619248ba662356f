"""Pickles read as data: plain containers, numbers, text and numpy arrays; nothing in them is run.

Python's own unpickler allocates a memo of any size the file asks for, hashes tuples that take 2^n steps, and calls
methods of objects on the stack. Here each instruction is a short function that accepts plain data, refuses the rest,
and subtracts its cost from a :class:`~asl_core.PickleBudget`, so that time and memory stay in proportion to the file's
bytes.
"""

from __future__ import annotations

from pathlib import Path

from asl_core.compute.progress import phase
from asl_core.errors import DataError
from asl_core.files.pickles.arrays import NumpyStandIns
from asl_core.files.pickles.instructions import COSTS, INSTRUCTIONS
from asl_core.files.pickles.stack import PickleStack
from asl_core.files.pickles.stand_ins import PickleBudget, PickleRefused
from asl_core.files.sniffing import FileKind, recognise_file

__all__ = ["PickleMachine", "read_pickle"]

_SELDOM = (1 << 12) - 1  #: progress is reported when these bits of the step count are 0


class PickleMachine(PickleStack):
    """Reads one pickle.

    Args:
        data: the pickle.
        stand_ins: replacements of its globals, with the budget.
    """

    def run(self) -> object:
        """Carry out the file's instructions and return what is left on the stack.

        Raises:
            PickleRefused: the file asks for more than plain data, or costs more than its budget.
            Exception: of many kinds, where the file is damaged.
        """
        data, budget = self.data, self.budget
        with phase("reading a pickle", len(data)) as work:
            while not self.done:
                code = data[self.at]
                self.at += 1
                budget.steps -= 1
                budget.memory -= COSTS[code]
                if budget.steps < 0 or budget.memory < 0:
                    budget.work(0)
                    budget.spend(0)
                if not budget.steps & _SELDOM:
                    work.reach(self.at)
                INSTRUCTIONS[code](self)
        if self.at != len(data):
            raise PickleRefused(f"{len(data) - self.at} bytes more after the end of its pickle")
        return self.stack.pop()


def read_pickle(path: Path, *, opaque: bool = False, data: bytes | None = None) -> object:
    """The content of a pickle, read without running anything in it.

    Arrays are read-only views of the file's bytes, so reading needs little more memory than the file's size; byte
    strings become memoryviews, numpy scalars Python's.

    Args:
        path: a pickle of protocol 0 to 5, written under numpy 1 or 2.
        opaque: put a :class:`asl_core.PickleOpaque` where a value has another type, for the caller to skip and count.
            Functions and other globals that are no data types are refused nevertheless.
        data: the pickle, where the file at ``path`` holds it compressed (default: the file's content).

    Raises:
        DataError: the file cannot be read, is damaged or no pickle, or holds more than plain data.
    """
    data = _bytes_of(path) if data is None else data
    machine = PickleMachine(data, NumpyStandIns(PickleBudget(len(data)), len(data), opaque=opaque))
    try:
        return machine.run()
    except PickleRefused as refused:
        raise DataError(
            f"{path} holds {refused} (near byte {machine.at}). Nothing in it was run. Expected a pickle of plain "
            "dicts, lists, text, numbers and numpy arrays of numbers: if you trust the file, load it where it was "
            "written and export it again with plain containers only."
        ) from refused
    except Exception as fault:  # whatever a damaged file raises becomes the one error that callers expect
        if (kind := recognise_file(path)) is not None and kind.text:
            raise _other_kind(path, kind) from fault
        raise DataError(
            f"{path} is damaged or no pickle: reading stopped at byte {machine.at} of {len(data)} "
            f"({type(fault).__name__}: {str(fault)[:120]}). Expected a pickle of clips; copy or export it again."
        ) from fault


def _bytes_of(path: Path) -> bytes:
    """The whole file, where it may be a pickle at all."""
    if path.exists() and not path.is_file():
        raise DataError(f"{path} cannot be read (it is no file); expected a pickle of clips. Check the path.")
    try:
        data = path.read_bytes()
    except OSError as fault:
        raise DataError(
            f"{path} cannot be read ({fault.strerror or fault}); expected a pickle of clips. Check the path."
        ) from fault
    if not data:
        raise DataError(f"{path} is empty (0 bytes); expected a pickle of clips. Export or download it again.")
    kind = recognise_file(path)
    # Pickles of protocol 0 are text too, so a text file is tried first and named when that fails.
    if kind is not None and kind.code != "pickle" and (not kind.text or kind.code == "json"):
        raise _other_kind(path, kind)
    return data


def _other_kind(path: Path, kind: FileKind) -> DataError:
    return DataError(f"{path} is not a pickle but {kind.what}; expected a pickle of clips. {kind.remedy}")
