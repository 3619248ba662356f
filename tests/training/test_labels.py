"""Labels that losses and heads cannot use are refused, with the clips' names."""

from __future__ import annotations

import re

import pytest
from toy_components import ClassLoss, FrameHead, LinearEncoder, MeanHead, SmallOptions, make_clips

from asl_core import ClipStore, DataError, Loss, Vocabulary
from asl_core.model.objectives import Objective
from asl_core.model.recogniser import Recognizer, Standardiser
from asl_core.training.labels import check_labels


class Reads(ClassLoss):
    """Takes sentences."""

    labels = "any"


class Blind(ClassLoss):
    """Needs no label."""

    labels = "none"


class Narrow(MeanHead):
    """Not for clips of 3 numbers a frame."""

    def unfit(self, width: int) -> str | None:
        return "it wants 4" if width == 3 else None


def check(
    labels: list[tuple[str, ...]], loss: Loss | None, head: type = MeanHead, lengths: list[int] | None = None
) -> None:
    clips = ClipStore(make_clips(lengths or [5] * len(labels), labels), Vocabulary(("a", "b")))
    model = Recognizer(Standardiser(3), LinearEncoder(SmallOptions(), 3), {"main": head(None, 8, 2)})
    check_labels(model, [Objective("class", "main", loss, 1.0)] if loss else [], clips)


def test_what_can_be_used() -> None:
    check([("a",), ("b",)], ClassLoss())
    check([("a",), ("b", "a")], Reads())
    check([("a",), (), ("b", "a")], Blind())
    check([()], None)


def test_clips_without_a_gloss() -> None:
    with pytest.raises(DataError) as said:
        check([(), ("a",), ()], ClassLoss())
    assert "'class' needs exactly one gloss a clip, and 2 of 3 train clips have none (clip-0, clip-2). Give" in str(
        said.value
    )
    assert "sentences" not in str(said.value), "no remedy here"
    with pytest.raises(DataError, match=r"needs a gloss a clip, and 1 of 2 train clips have none \(clip-1\)"):
        check([("a", "b"), ()], Reads())


def test_sentences_under_a_loss_for_one_gloss() -> None:
    with pytest.raises(DataError, match=r"1 of 2 train clips have several \(clip-1\). --loss ctc takes") as said:
        check([("a",), ("a", "b")], ClassLoss())
    assert "Give" not in str(said.value)
    with pytest.raises(
        DataError, match=r"2 of 3 train clips have none or several \(clip-0, clip-2\). Give .* --loss ctc"
    ):
        check([(), ("a",), ("a", "b")], ClassLoss())


def test_five_clips_are_named() -> None:
    with pytest.raises(DataError, match=r"\(clip-0, clip-1, clip-2, clip-3, clip-4 and 2 more\)"):
        check([()] * 7, ClassLoss())
    with pytest.raises(DataError, match=re.escape("(clip-0, clip-1, clip-2, clip-3, clip-4).")):
        check([()] * 5, ClassLoss())


def test_a_head_that_does_not_fit_the_clips() -> None:
    with pytest.raises(DataError, match="head 'main' does not fit the clips: it wants 4"):
        check([("a",)], ClassLoss(), Narrow)


def test_clips_too_short_for_the_head() -> None:
    """The head wants four frames, whatever the label."""
    check([("a",), ("b",)], ClassLoss(), FrameHead, [4, 9])
    with pytest.raises(DataError, match=r"1 train clips are too short for head 'main' \(clip-1\)") as said:
        check([("a",), ("b",)], ClassLoss(), FrameHead, [4, 3])
    assert "'clip-1' has 3 frames, 3 after the encoder, and its label 'b' needs 4" in str(said.value)
    check([("a",)], Blind(), FrameHead, [1])
