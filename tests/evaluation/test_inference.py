"""Ranks, shares, intervals and reports, against plain counting."""

from __future__ import annotations

import math
from typing import Any

import attrs
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from toy_components import ClassLoss, FrameHead, LinearEncoder, MeanHead, PoolingEncoder, SmallOptions, make_clips

from asl_core import Batch, ClipStore, HeadOutput, LossResult, Sample, Vocabulary
from asl_core.clips.clip import UNKNOWN
from asl_core.compute.distributed import Processes
from asl_core.evaluation.inference import predict
from asl_core.evaluation.intervals import wer_interval, wilson_interval
from asl_core.evaluation.scoring import Predictions, answers, metrics, ranks, report, scored
from asl_core.model.objectives import Objective
from asl_core.model.recogniser import Recognizer, Standardiser

ABC = Vocabulary(("a", "b", "c"))


def predictions(scores: Any, **more: Any) -> Predictions:
    return Predictions(torch.tensor(scores, dtype=torch.float32), more.get("decoded"), more.get("figures", {}))


def store(glosses: list[Any], vocabulary: Vocabulary = ABC) -> ClipStore:
    return ClipStore(make_clips([2] * len(glosses), glosses), vocabulary)


def test_ranks() -> None:
    nan, inf = math.nan, math.inf
    rows = [
        ([3.0, 2, 1], 0, 0),
        ([3.0, 2, 1], 2, 2),
        ([2.0, 2, 1], 0, 1),  # a tie counts against
        ([2.0, 2, 2], 1, 2),  # as a model that says the same of everything is never right
        ([3.0, 2, 1], UNKNOWN, 3),
        ([nan, 2, 1], 0, 3),
        ([nan, 2, 1], 1, 0),
        ([-inf, -inf, 0], 0, 2),
    ]
    scores, targets = torch.tensor([r[0] for r in rows]), torch.tensor([r[1] for r in rows])
    assert ranks(scores, targets).tolist() == [r[2] for r in rows]


@given(st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=1, max_size=6), st.data())
def test_ranks_by_counting(rows: list[list[int]], data: st.DataObject) -> None:
    targets = [data.draw(st.integers(0, 3)) for _ in rows]
    expected = [sum(s >= row[t] for s in row) - 1 for row, t in zip(rows, targets, strict=True)]
    assert ranks(torch.tensor(rows, dtype=torch.float32), torch.tensor(targets)).tolist() == expected


def test_unknown_glosses_are_wrong_and_the_figure_without_them_stands_beside() -> None:
    vocabulary = Vocabulary(tuple("abcdefg"))
    scores = torch.zeros(4, 7)
    scores[0, 0] = scores[1, 0] = scores[3, 0] = 5.0
    scores[1] += torch.arange(7)
    found = metrics(Predictions(scores, None, {}), store(["a", "b", "zzz", "a"], vocabulary))
    assert found["top1"] == 0.5
    assert found["top1-known"] == pytest.approx(2 / 3)
    assert found["top5"] == 0.5
    assert found["top5-known"] == pytest.approx(2 / 3)
    assert "top1-known" not in metrics(Predictions(scores, None, {}), store(["a", "b", "c", "a"], vocabulary))


def test_top5_of_fewer_than_five_glosses() -> None:
    """Every ranked gloss is among the first five, but an unknown one, or one scored NaN, is not."""
    made = predictions([[1.0, 2, 3], [1, 2, 3], [math.nan, 2, 3]])
    assert metrics(made, store(["a", "zzz", "a"]))["top5"] == pytest.approx(1 / 3)
    assert [r["top5"] for r in report(made, store(["a", "zzz", "b"]))["per_class"]] == [1.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("decoded", "wer"),
    [
        ([[0, 1, 2], [1]], 0.0),
        ([[0, 2, 2], [1]], 0.25),  # substituted
        ([[0, 2], [1]], 0.25),  # deleted
        ([[0, 1, 2, 2], [1]], 0.25),  # inserted
        ([[], []], 1.0),
        ([[2, 1, 0, 0, 0], [1, 1]], 1.25),
    ],
)
def test_word_error_rate(decoded: list[list[int]], wer: float) -> None:
    sentences = store([("a", "b", "c"), ("b",)])
    found = metrics(predictions([[0.0, 0, 0]] * 2, decoded=decoded), sentences)
    assert found == {"wer": wer}


def test_a_gloss_that_train_lacks_is_an_error_in_a_sentence() -> None:
    found = metrics(predictions([[0.0, 0, 0]], decoded=[[0, 1]]), store([("a", "zzz")]))
    assert found == {"wer": 0.5}


def test_report() -> None:
    vocabulary = Vocabulary(("a", "b", "c", "d"))
    scores = [
        [9.0, 0, 0, 0],  # a, right
        [9.0, 1, 0, 0],  # a, right
        [9.0, 5, 0, 0],  # b said a
        [9.0, 5, 0, 0],  # b said a
        [0.0, 9, 8, 0],  # c said b
        [0.0, 8, 9, 0],  # c, right
    ]
    made = report(predictions(scores, figures={"loss": 0.5}), store(["a", "a", "b", "b", "c", "c"], vocabulary))
    assert made["metrics"] == {"loss": 0.5, "top1": 0.5, "top5": 1.0}
    assert (made["clips"], made["chance"]) == (6, 0.25)
    assert made["interval"] == wilson_interval(3, 6)
    assert made["class_top1"] == {"mean": 0.5, "glosses": 3, "without_clips": 1}
    assert [r["gloss"] for r in made["hardest"]] == ["b", "c", "a"]
    assert [r["gloss"] for r in made["easiest"]] == ["a", "c"]  # none of b was right
    assert made["confusions"] == [
        {"was": "b", "said": "a", "clips": 2},
        {"was": "c", "said": "b", "clips": 1},
    ]
    assert made["per_class"][1] == {"gloss": "b", "clips": 2, "top1": 0.0, "top5": 1.0, "mean_rank": 2.0}
    assert len(report(predictions(scores), store(["a", "a", "b", "b", "c", "c"], vocabulary), most=1)["hardest"]) == 1


def test_no_gloss_is_confused_with_itself() -> None:
    """In a tie the true gloss counts as wrong, and may be the first of the equals."""
    made = report(predictions([[1.0, 1, 0], [0, 0, 0], [0, 1, 0]]), store(["a", "a", "zzz"]))
    assert made["confusions"] == [
        {"was": "a", "said": "b", "clips": 2},
        {"was": "zzz", "said": "b", "clips": 1},
    ]


def test_sentences_have_an_interval_of_their_word_error_rate() -> None:
    made = report(predictions([[0.0, 0, 0]] * 3, decoded=[[0], [1, 2], []]), store([("a", "b"), ("b", "c"), ("c",)]))
    assert made["metrics"] == {"wer": 2 / 5}
    assert made["wer_interval"] == wer_interval([1, 0, 1], [2, 2, 1])
    assert "interval" not in made


def test_sentences_have_no_per_class_report() -> None:
    made = report(predictions([[0.0, 0, 0]], decoded=[[0]]), store([("a", "b")]))
    assert made == {"clips": 1, "scored": 1, "metrics": {"wer": 0.5}}


class Reader(MeanHead):
    """Also reads a sentence of one gloss, and has a figure."""

    def decode(self, output: HeadOutput) -> list[list[int]]:
        return [[int(n)] for n in output.values.argmax(1)]

    def figures(self, output: HeadOutput) -> dict[str, Tensor]:
        return {"top": output.values.max(1).values}


def recognizer(head: type[MeanHead] = Reader, heads: tuple[str, ...] = ("main",)) -> Recognizer:
    torch.manual_seed(0)
    model = Recognizer(Standardiser(3), LinearEncoder(SmallOptions(), 3), {n: head(None, 8, 3) for n in heads})
    model.standardiser.mean.copy_(torch.tensor([0.3, -0.2, 0.1]))
    return model


MIXED = ["a", "b", "zzz", "c", "a", "b", "zzz", "a", "c"]


@pytest.mark.parametrize("size", [1, 2, 4, 100])
def test_predict_does_not_depend_on_the_batch_size(size: int) -> None:
    clips = ClipStore(make_clips([4, 9, 2, 7, 5, 3, 8, 1, 6], MIXED), ABC)
    model: Any = recognizer().double()
    clips = clips.with_features(clips.features.double())
    loss = [Objective("class", "main", ClassLoss(), 2.0)]
    found = predict(model, clips, size, loss)
    assert found.scores is not None
    for place in range(len(clips)):  # each clip by itself, through nothing but the modules
        frames = model.encoder.layer(clips.clip(place) - model.standardiser.mean).mean(0)
        expected = model.heads["main"].layer(frames).log_softmax(0)
        torch.testing.assert_close(found.scores[place], expected.float().detach())
        assert found.decoded is not None
        assert found.decoded[place] == [int(expected.argmax())]
    known = [i for i, g in enumerate(MIXED) if g != "zzz"]
    targets = torch.tensor([clips.targets[i][0] for i in known])
    cross = float(torch.nn.functional.nll_loss(found.scores[known], targets))
    assert found.figures["class"] == pytest.approx(cross, rel=1e-6)
    assert found.figures["loss"] == pytest.approx(2 * cross, rel=1e-6)
    assert set(found.figures) == {"class", "loss", "top"}


def test_predict_leaves_the_model_as_it_was() -> None:
    clips = ClipStore(make_clips([4, 2], ["a", "b"]), ABC)
    model = recognizer().train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    predict(model, clips, 2, [Objective("class", "main", ClassLoss(), 1.0)])
    assert model.training
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert model.encoder.calls == 1, "the loss is computed on the frames that the scores are of"


def test_heads_that_do_not_read_and_figures_of_several() -> None:
    clips = ClipStore(make_clips([4, 2], ["a", "b"]), ABC)
    assert predict(recognizer(MeanHead), clips, 2).decoded is None
    assert set(predict(recognizer(Reader, ("one", "two")), clips, 2).figures) == {"one.top", "two.top"}


def labelled(labels: list[tuple[str, ...]], *, sentences: bool | None = None) -> ClipStore:
    """Clips with these labels, in a run whose train clips hold sentences, or do not, or of which nothing is known."""
    return store(labels, Vocabulary(ABC.glosses, sentences))


SURE_OF_A_B_C = [[9.0, 1, 0], [1, 9, 0], [0, 1, 9]]


def test_one_clip_without_a_gloss_leaves_the_figures_of_the_others() -> None:
    clips = labelled([("a",), (), ("a",)], sentences=False)
    made = report(predictions(SURE_OF_A_B_C, figures={"loss": 0.5}), clips)
    assert made["metrics"] == {"loss": 0.5, "top1": 0.5, "top5": 1.0}
    assert (made["clips"], made["scored"], made["unscored"]) == (3, 2, {"no gloss": ["clip-1"]})
    assert made["interval"] == wilson_interval(1, 2)
    assert [(r["gloss"], r["clips"]) for r in made["per_class"]] == [("a", 2)]
    assert made["confusions"] == [{"was": "a", "said": "c", "clips": 1}]
    assert answers(predictions(SURE_OF_A_B_C), clips) == [True, None, False]


def test_a_sentence_among_isolated_signs_is_left_out_and_counted() -> None:
    clips = labelled([("a",), ("b", "c"), ("c",)], sentences=False)
    made = report(predictions(SURE_OF_A_B_C, decoded=[[0], [1, 2], [0]]), clips)
    assert made["metrics"] == {"top1": 1.0, "top5": 1.0}
    assert (made["scored"], made["unscored"]) == (2, {"several glosses": ["clip-1"]})


def test_a_single_sign_among_sentences_is_read() -> None:
    made = report(
        predictions(SURE_OF_A_B_C, decoded=[[0], [1, 1], []]), labelled([("a",), ("b", "c"), ()], sentences=True)
    )
    assert made["metrics"] == {"wer": pytest.approx(1 / 3)}
    assert (made["scored"], made["unscored"]) == (2, {"no gloss": ["clip-2"]})


@pytest.mark.parametrize(
    ("labels", "figures"),
    [
        ([("a",), ("b",), ("b",)], {"wer": 1 / 3, "top1": 2 / 3, "top5": 1.0}),
        ([("a", "b"), ("b",), ("c", "a")], {"wer": 2 / 5}),
        ([("a",), (), ("c",)], {"wer": 0.0, "top1": 1.0, "top5": 1.0}),
    ],
)
def test_a_run_of_sentences_is_judged_by_what_it_reads_whatever_val_holds(labels: Any, figures: Any) -> None:
    said = predictions(SURE_OF_A_B_C, decoded=[[0], [1], [2]])
    assert metrics(said, labelled(labels, sentences=True)) == pytest.approx(figures)
    assert "interval" not in report(said, labelled(labels, sentences=True))


def test_sentences_under_a_run_of_isolated_signs_are_read() -> None:
    """Nothing else can be said of them."""
    made = metrics(predictions(SURE_OF_A_B_C[:1], decoded=[[0, 1]]), labelled([("a", "b")], sentences=False))
    assert made == {"wer": 0.0}


@pytest.mark.parametrize("decoded", [None, [[0], [1], [2]]])
def test_clips_without_any_gloss_have_no_figure(decoded: Any) -> None:
    clips = labelled([(), (), ()], sentences=False)
    made = report(predictions(SURE_OF_A_B_C, decoded=decoded), clips)
    assert made == {"clips": 3, "scored": 0, "metrics": {}, "unscored": {"no gloss": ["clip-0", "clip-1", "clip-2"]}}
    assert answers(predictions(SURE_OF_A_B_C, decoded=decoded), clips) == [None] * 3


def test_a_model_that_names_no_signs_leaves_nothing_unscored() -> None:
    """Stage 1: that its clips have no gloss is no fault."""
    assert scored(Predictions(None, None, {"loss": 1.0}), labelled([(), ("a",)])).rest == {}


def test_val_glosses_that_are_all_unknown_have_no_figure_without_them() -> None:
    made = metrics(predictions(SURE_OF_A_B_C), store(["x", "y", "z"]))
    assert made == {"top1": 0.0, "top5": 0.0}


LABELS = st.lists(st.lists(st.sampled_from("abx"), max_size=3).map(tuple), min_size=1, max_size=8)


@pytest.mark.slow
@given(LABELS, st.sampled_from([None, True, False]), st.booleans(), st.data())
def test_every_clip_is_scored_or_counted(labels: list[Any], sentences: Any, reads: bool, data: st.DataObject) -> None:
    clips = labelled(labels, sentences=sentences)
    row = st.lists(st.integers(-3, 3).map(float), min_size=3, max_size=3)
    said = predictions([data.draw(row) for _ in labels], decoded=[[0]] * len(labels) if reads else None)
    kept = scored(said, clips)
    rest = [p for places in kept.rest.values() for p in places]
    assert sorted([*kept.places, *rest]) == list(range(len(labels)))
    assert {p for p, t in enumerate(labels) if not t} == set(kept.rest.get("no gloss", ()))
    assert (kept.how == "nothing") == (not kept.places)
    right = answers(said, clips)
    assert [p for p, r in enumerate(right) if r is not None] == list(kept.places)
    made = report(said, clips)
    assert made["scored"] + sum(map(len, made.get("unscored", {}).values())) == made["clips"]
    if kept.how == "rank":
        assert made["metrics"]["top1"] == sum(map(bool, right)) / len(kept.places)


class Exact(Reader):
    """Has a figure in float64, whose sum depends on the order in which it is taken."""

    def figures(self, output: HeadOutput) -> dict[str, Tensor]:
        return {"root": output.values.double().exp().sum(1).sqrt()}


@attrs.frozen(eq=False)
class Beside(Processes):
    """One of several processes, which are asked one after another: what each gathers is kept for the last one."""

    kept: dict[int, Any] = attrs.field(factory=dict)

    def gather(self, value: Any) -> list[Any]:
        self.kept[self.rank] = value
        return [self.kept.get(rank, []) for rank in range(self.size)]


@pytest.mark.parametrize("size", [2, 3])
def test_several_processes_say_what_one_says(size: int) -> None:
    """To the bit, whichever had which batch; clips without a gloss and unknown ones among them."""
    labels = [(g,) if g else () for g in ["a", "b", "", "zzz", "a", "c", "b", "", "a", "c", "c"] * 4]
    clips = ClipStore(make_clips([1 + 7 * n % 11 for n in range(len(labels))], labels), ABC)
    model, loss = recognizer(Exact), [Objective("class", "main", ClassLoss(), 1.0)]
    alone = predict(model, clips, 7, loss)
    kept: dict[int, Any] = {}
    for rank in range(size):
        together = predict(model, clips, 7, loss, processes=Beside(rank, size, kept=kept))
    assert alone.scores is not None
    assert together.scores is not None
    assert torch.equal(alone.scores, together.scores)
    assert (alone.decoded, alone.figures) == (together.decoded, together.figures)
    assert report(alone, clips) == report(together, clips)
    assert report(together, clips)["scored"] == 36


class Blind(ClassLoss):
    """Asks for no label."""

    labels = "none"

    def forward(self, sample: Sample) -> LossResult:
        return LossResult(sample.output.values.mean() * 0)


def test_what_a_label_needs_of_a_head_is_asked_of_heads_that_labels_are_for() -> None:
    """The second head wants four frames a label, and is shown none."""
    heads = {"main": MeanHead(None, 8, 3), "frames": FrameHead(None, 8, 3)}
    model = Recognizer(Standardiser(3), LinearEncoder(SmallOptions(), 3), heads)
    clips = ClipStore(make_clips([3, 5], ["a", "b"]), ABC)
    blind, sees = Objective("blind", "frames", Blind(), 1.0), Objective("class", "main", ClassLoss(), 1.0)
    alone = predict(model, clips, 2, [sees]).figures["class"]
    assert predict(model, clips, 2, [sees, blind]).figures["class"] == pytest.approx(alone)
    clips = ClipStore(make_clips([3, 5], [("a",), ()]), ABC)
    assert predict(model, clips, 2, [blind]).figures.keys() == {"loss", "blind"}


@pytest.mark.parametrize(("asked", "used"), [("meta", "meta"), (None, "cpu")])
def test_batches_are_moved_to_the_device_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, asked: str | None, used: str
) -> None:
    moved: list[str] = []

    def to(batch: Batch, device: object) -> Batch:
        moved.append(str(device))
        return batch

    monkeypatch.setattr(Batch, "to", to)
    clips = ClipStore(make_clips([4, 2], ["a", "b"]), ABC)
    predict(recognizer(), clips, 1, device=torch.device(asked) if asked else None)
    assert moved == [used, used]


class Reads(ClassLoss):
    """Takes any number of glosses, and says how many it was given."""

    labels = "any"

    def forward(self, sample: Sample) -> LossResult:
        return LossResult(sample.output.values.mean() * 0 + sample.batch.target_lengths.double().mean())


def test_sentences_are_in_the_figures_of_losses_that_take_them() -> None:
    clips = ClipStore(make_clips([4, 2, 3], [("a", "b", "c"), ("b",), ()]), ABC)
    reads, one = Objective("reads", "main", Reads(), 1.0), Objective("class", "main", ClassLoss(), 1.0)
    assert predict(recognizer(), clips, 3, [reads]).figures["reads"] == pytest.approx(2)
    assert predict(recognizer(), clips, 3, [reads, one]).figures["reads"] == pytest.approx(1), "of those that both take"


class Louder:
    """An augmentation that changes everything."""

    def __call__(self, batch: Batch, random: object) -> Batch:
        return batch.with_features(batch.features * 100)


class Counted(ClassLoss):
    """Has a figure of its own."""

    def figures(self, sample: Sample) -> dict[str, Tensor]:
        return {"a-figure": sample.batch.lengths.double()}


def test_clips_are_evaluated_as_they_are_and_losses_have_figures() -> None:
    """Also those of a batch of which some clips are in no loss, which goes through the encoder again."""
    clips = ClipStore(make_clips([4, 2, 3], [("a",), (), ("b",)]), ABC)
    loss = [Objective("class", "main", Counted(), 1.0)]
    plain = predict(recognizer(), clips, 3, loss)
    assert predict(recognizer(), clips, 3, loss, [Louder()]).figures == plain.figures
    assert plain.figures["a-figure"] == pytest.approx(3.5), "the mean of the labelled ones"
    assert list(plain.figures) == sorted(plain.figures)


def test_labels_under_an_encoder_that_pools_need_no_frames() -> None:
    model = Recognizer(Standardiser(3), PoolingEncoder(SmallOptions(), 3), {"main": MeanHead(None, 8, 3)})
    clips = ClipStore(make_clips([4, 2], [("a",), ()]), ABC)
    assert "class" in predict(model, clips, 2, [Objective("class", "main", ClassLoss(), 1.0)]).figures
