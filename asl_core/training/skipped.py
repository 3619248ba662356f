"""Steps whose loss or gradient is not a finite number: what is kept of one, and how many an epoch left out."""

from __future__ import annotations

import attrs

from asl_core.errors import RunError
from asl_core.text import shortened

__all__ = ["LONGEST", "NotFinite", "NotFiniteError", "Skipped"]

#: steps left out in a row after which a run ends all the same: what comes so often is no exception
LONGEST = 20


@attrs.frozen
class NotFinite:
    """A step's loss or gradient that is not finite, and why."""

    what: str  #: a clause: the loss is nan (ctc nan)
    epoch: int
    ids: tuple[str, ...]  #: of the clips it was computed on
    seen: str  #: a sentence on numbers that the model was shown and that were not finite; empty where all were
    remedy: str  #: a sentence for where they were

    def __str__(self) -> str:
        return f"{self.what} in epoch {self.epoch} on the clips {shortened(self.ids)}. {self.seen or self.remedy}"


class NotFiniteError(RunError):
    """A loss or a gradient is not finite."""

    def __init__(self, fault: NotFinite, before: str = ""):
        super().__init__(f"{before}{fault}")
        self.fault = fault


@attrs.define
class Skipped:
    """The steps of one epoch that were left out."""

    epoch: int = 0
    of: int = 0  #: steps of the epoch
    steps: int = 0  #: left out because their loss or gradient was not finite
    scaled: int = 0  #: left out by the loss scaler of fp16, which looks for its scale in this way
    in_a_row: int = 0  #: up to the step taken last
    clips: int = 0  #: of ``steps``, whose losses are in no mean
    first: NotFinite | None = None

    def note(self, fault: NotFinite, clips: int) -> None:
        """Count a step.

        Raises:
            NotFiniteError: it is one too many in a row.
        """
        self.first = self.first or fault
        self.steps, self.in_a_row, self.clips = self.steps + 1, self.in_a_row + 1, self.clips + clips
        if self.in_a_row >= LONGEST:
            raise NotFiniteError(fault, f"{self.in_a_row} steps in a row were left out, of the last ")

    def note_taken(self, *, scaled_out: bool) -> None:
        """Count a step that was taken, or that the loss scaler left out.

        Raises:
            RunError: the scaler has left out so many in a row that its scale cannot be what is wrong.
        """
        self.in_a_row = self.in_a_row + 1 if scaled_out else 0
        self.scaled += scaled_out
        if self.in_a_row >= LONGEST:
            raise RunError(
                f"{self.in_a_row} steps in a row were left out in epoch {self.epoch}: in fp16 their gradients were not "
                f"finite by any scale of the loss. Train with --precision bf16 or fp32, or lower --learning-rate."
            )

    def end(self) -> None:
        """Look back on a whole epoch.

        Raises:
            NotFiniteError: no step of it was taken.
        """
        if self.first is not None and self.steps == self.of:
            raise NotFiniteError(self.first, f"all {self.of} steps of epoch {self.epoch} were left out, of the first ")

    def warnings(self) -> list[str]:
        """What a user has to know of the epoch: how many steps were left out, and what was wrong with the first."""
        if self.first is None:
            return []
        return [f"{self.steps} of {self.of} steps of epoch {self.epoch} left out: first, {self.first}"]

    def told(self) -> list[str]:
        """What the log is to hold of the epoch: the warnings, and the ordinary doings of the loss scaler."""
        lines = self.warnings()
        if self.scaled:
            lines.append(
                f"{self.scaled} of {self.of} steps of epoch {self.epoch} left out by the loss scaler of fp16, to which "
                f"the scale of the loss was too large; a few are its way of finding one"
            )
        return lines
