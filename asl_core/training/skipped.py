"""Steps that are skipped because their loss or gradient is not finite: the fault, and the count of an epoch."""

from __future__ import annotations

import attrs

from asl_core.errors import RunError
from asl_core.text import shortened

__all__ = ["LONGEST", "NotFinite", "NotFiniteError", "Skipped"]

#: skipped steps in a row after which a run ends, even with ``train.on-nan skip``
LONGEST = 20


@attrs.frozen
class NotFinite:
    """A step's loss or gradient that is not finite, and why."""

    what: str  #: a clause: the loss is nan (ctc nan)
    epoch: int
    ids: tuple[str, ...]  #: of the clips it was computed on
    input_fault: str  #: a sentence on model input that was not finite; empty where all of it was
    remedy: str  #: a sentence for that case

    def __str__(self) -> str:
        return (
            f"{self.what} in epoch {self.epoch} on the clips {shortened(self.ids)}. {self.input_fault or self.remedy}"
        )


class NotFiniteError(RunError):
    """A loss or a gradient is not finite."""

    def __init__(self, fault: NotFinite, before: str = ""):
        super().__init__(f"{before}{fault}")
        self.fault = fault


@attrs.define
class Skipped:
    """The skipped steps of one epoch."""

    epoch: int = 0
    of: int = 0  #: steps of the epoch
    steps: int = 0  #: skipped because their loss or gradient was not finite
    scaled: int = 0  #: skipped by the loss scaler of fp16, which finds its scale in this way
    in_a_row: int = 0  #: skipped, up to the latest step
    clips: int = 0  #: of ``steps``, which count in no mean
    first: NotFinite | None = None

    def note(self, fault: NotFinite, clips: int) -> None:
        """Count a skipped step.

        Raises:
            NotFiniteError: it is one too many in a row.
        """
        self.first = self.first or fault
        self.steps, self.in_a_row, self.clips = self.steps + 1, self.in_a_row + 1, self.clips + clips
        if self.in_a_row >= LONGEST:
            raise NotFiniteError(fault, f"{self.in_a_row} steps in a row were left out, of the last ")

    def note_taken(self, *, scaled_out: bool) -> None:
        """Count a step that was taken, or that the loss scaler skipped.

        Raises:
            RunError: the scaler skipped so many in a row that its scale cannot be the reason.
        """
        self.in_a_row = self.in_a_row + 1 if scaled_out else 0
        self.scaled += scaled_out
        if self.in_a_row >= LONGEST:
            raise RunError(
                f"{self.in_a_row} steps in a row were left out in epoch {self.epoch}: in fp16 their gradients were not "
                f"finite by any scale of the loss. Train with --precision bf16 or fp32, or lower --learning-rate."
            )

    def end(self) -> None:
        """Check a whole epoch.

        Raises:
            NotFiniteError: no step of it was taken.
        """
        if self.first is not None and self.steps == self.of:
            raise NotFiniteError(self.first, f"all {self.of} steps of epoch {self.epoch} were left out, of the first ")

    def warnings(self) -> list[str]:
        """For the user: how many steps were skipped, and the fault of the first."""
        if self.first is None:
            return []
        return [f"{self.steps} of {self.of} steps of epoch {self.epoch} left out: first, {self.first}"]

    def log_lines(self) -> list[str]:
        """For the log: the warnings, and the steps that the loss scaler skipped."""
        lines = self.warnings()
        if self.scaled:
            lines.append(
                f"{self.scaled} of {self.of} steps of epoch {self.epoch} left out by the loss scaler of fp16, to which "
                f"the scale of the loss was too large; a few are its way of finding one"
            )
        return lines
