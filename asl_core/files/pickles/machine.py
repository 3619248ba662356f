"""The stack machine that a pickle is a program for, written out so that nothing in a file is ever run.

Python's own unpickler can be told which names to give, but it allocates a memo of any size the file asks for,
hashes tuples that take 2^n steps, and calls methods of whatever lies on the stack. Here each instruction is one
short function that does what plain data needs and refuses the rest, and pays for what it makes from one
:class:`~asl_core.files.pickles.budget.PickleBudget`, so that reading costs time and memory in proportion to the
file's bytes. This module is the machine, ``stack`` what it works on, ``instructions`` what it can do.
"""

from __future__ import annotations

from asl_core.compute.progress import phase
from asl_core.files.pickles.budget import PickleRefused
from asl_core.files.pickles.instructions import COSTS, INSTRUCTIONS
from asl_core.files.pickles.stack import PickleStack

__all__ = ["PickleMachine"]

_SELDOM = (1 << 12) - 1  #: a power of two of instructions, less one, after which progress is reported


class PickleMachine(PickleStack):
    """Reads one pickle.

    Args:
        data: the pickle.
        stand_ins: what its globals mean; it holds the budget.
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
