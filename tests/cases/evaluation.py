"""Evaluation: sentences, clips that cannot be scored, intervals of few clips."""

from __future__ import annotations

import csv
import functools
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import attrs
import numpy as np
import pytest
from small import flags, small

from asl_core import Clip
from asl_demo.dataset import DemoDataset
from cases.table import Outcome, asl, case

Label = tuple[str, ...]
Relabel = Callable[[str, int, Label], Label]  #: the label of a clip by its split, its place and what it was
RUN = small(Path("runs"), dataset__glosses=3, dataset__train=3, dataset__val=3, train__epochs=1, run__name="r")
SENTENCES = {**RUN, "dataset.sentence-length": 3, "loss": "ctc"}


def relabelled(change: Relabel) -> Any:
    """The demo data set with other labels."""
    clips = DemoDataset.clips

    def changed(self: DemoDataset, split: str) -> Iterator[Clip]:
        for place, clip in enumerate(clips(self, split)):
            yield attrs.evolve(clip, glosses=change(split, place, clip.glosses))

    return mock.patch.object(DemoDataset, "clips", changed)


def as_it_is(_split: str, _place: int, label: Label) -> Label:
    """No change."""
    return label


def labelled(split: str, label: Label, *places: int) -> Relabel:
    """All labels as they are, but this one for these clips of a split, or for all of it."""
    return lambda of, n, was: label if of == split and (n in places or not places) else was


def trained(place: Path, settings: dict[str, Any], change: Relabel | None = None) -> tuple[Outcome, dict[str, Any]]:
    """A run, and its report."""
    with relabelled(change or as_it_is):
        said = asl(place, "run", *flags(settings))
    summary = place / "runs/r/summary.json"
    return said, json.loads(summary.read_text()) if summary.is_file() else {}


def rows(file: Path) -> list[dict[str, str]]:
    """A table of predictions."""
    with file.open(newline="") as text:
        return list(csv.DictReader(text))


@functools.cache
def sentence_run() -> Path:
    """A folder with a run that was trained on sentences, a clip of val as ``clip.npy``, and the clip's glosses."""
    place = Path(tempfile.mkdtemp())
    said, _ = trained(place, SENTENCES)
    assert said.code == 0, said.text
    from asl_core import load

    clip = next(c for c in load(place / "runs/r").config.dataset.build().clips("val") if len(c.glosses) > 1)
    np.save(place / "clip.npy", clip.features)
    return place


@case("predict after training on sentences with select = auto")
def predict_text(place: Path) -> str:
    made = sentence_run()
    said = asl(made, "predict", "runs/r", "clip.npy", "--json")
    assert isinstance(json.loads(said.out)[0]["text"], list), said.text
    plain = asl(made, "predict", "runs/r", "clip.npy").out
    assert "\n  reads " in plain, plain
    return plain


@case("predict with an alignment, alone and with another run, after training on sentences")
def predict_alignment(place: Path) -> str:
    made = sentence_run()
    if not (made / "runs/b").is_dir():
        assert asl(made, "run", *flags(SENTENCES | {"run.name": "b", "run.seed": 1})).code == 0
    alone = json.loads(asl(made, "predict", "runs/r", "clip.npy", "--alignment", "--json").out)[0]
    assert [s["gloss"] for s in alone["alignment"]["named"] if s["gloss"]] == alone["text"]
    said = asl(made, "predict", "runs/r", "clip.npy", "--ensemble", "runs/b", "--json")
    assert json.loads(said.out)[0]["text"] == alone["text"], "the text is that of the first run"
    table = asl(made, "eval", "runs/r", "--ensemble", "runs/b")
    assert "word error rate, is that of runs/r alone" in table.text, table.text
    return table.text


@case("eval of sentences that nobody has labelled, and their csv")
def unlabelled_sentences(place: Path) -> str:
    made = sentence_run()
    with relabelled(labelled("val", ())):
        said = asl(made, "eval", "runs/r", "--csv", "out.csv")
    assert said.code == 0, said.text
    assert "0 of 9 clips" in said.text, said.text
    assert "not scored, for no gloss: 9 clips" in said.text, said.text
    table = rows(made / "out.csv")
    assert {row["correct"] for row in table} == {""}
    assert "decoded" in table[0]
    return said.text


@case("select = auto on sentences chooses by word error rate, the smaller the better")
def select_sentences(place: Path) -> str:
    said, summary = trained(place, SENTENCES | {"train.epochs": 4, "train.ema": 0.0})
    rates = [json.loads(line)["val"]["wer"] for line in (place / "runs/r/metrics.jsonl").read_text().splitlines()]
    assert len(set(rates)) > 1, "or the case shows nothing"
    assert summary["best_epoch"] == rates.index(min(rates)) + 1, (summary["best_epoch"], rates)
    assert f"best epoch by val: {summary['best_epoch']} with word error rate" in said.text
    return f"word error rates {rates}, best epoch {summary['best_epoch']}"


@case("a run of 0.1, which does not say that it was trained on sentences")
def old_sentence_run(place: Path) -> str:
    import safetensors.torch

    from asl_core.checkpoints.format import load_tensors, save_tensors

    saved = load_tensors(sentence_run() / "runs/r/final.safetensors")
    meta = {k: v for k, v in saved.meta.items() if k not in ("sentences", "format")}
    save_tensors(place / "old.safetensors", saved.tensors, meta)
    assert safetensors.torch.load_file(place / "old.safetensors")
    said = asl(place, "predict", "old.safetensors", str(sentence_run() / "clip.npy"), "--json")
    assert "text" in json.loads(said.out)[0], said.text
    return said.text


@case("one clip of val without a gloss")
def one_unlabelled(place: Path) -> str:
    said, summary = trained(place, RUN, labelled("val", (), 4))
    assert said.code == 0, said.text
    assert "warning: 1 of 9 clips of val has no gloss" in said.text, said.text
    assert "8 of 9 clips" in said.text, said.text
    report = summary["report"]
    assert {"top1", "top5", "loss"} <= set(report["metrics"])
    assert {"top1"} <= set(summary["best"])
    table = rows(place / "runs/r/predictions-val.csv")
    unscored = [row["clip"] for row in table if row["correct"] == ""]
    assert report["unscored"] == {"no gloss": unscored}
    assert len(unscored) == 1
    assert report["metrics"]["top1"] == sum(row["correct"] == "1" for row in table) / 8
    findings = json.loads((place / "runs/r/audit.json").read_text())["findings"]
    assert [f["data"]["ids"] for f in findings if f["code"] == "not-scored"] == [unscored]
    with relabelled(labelled("val", (), 4)):
        why = asl(place, "eval", "runs/r", "--errors", "--json")
        both = asl(place, "eval", "runs/r/final.safetensors", "--ensemble", "runs/r/best.safetensors")
    assert json.loads(why.out)["why"]["clips"] == 8, why.text
    assert "8 of 9 clips" in both.text, both.text
    return said.text


@case("the gloss-less clip of val does not change which metric chooses, and comparisons leave it out")
def unlabelled_selection(place: Path) -> str:
    from asl_core import right_answers

    trained(place, RUN | {"train.epochs": 4, "train.learning-rate": 0.02}, labelled("val", (), 4))
    shares = [json.loads(line)["val"]["top1"] for line in (place / "runs/r/metrics.jsonl").read_text().splitlines()]
    best = json.loads((place / "runs/r/summary.json").read_text())["best_epoch"]
    assert best == shares.index(max(shares)) + 1, (best, shares)
    assert len(right_answers(place / "runs/r")) == 8
    return f"top-1 {shares}, best epoch {best}"


@case("a sentence of val without a gloss")
def one_unlabelled_sentence(place: Path) -> str:
    said, summary = trained(place, SENTENCES, labelled("val", (), 0))
    assert "8 of 9 clips" in said.text, said.text
    assert "wer" in summary["best"]
    return said.text


@case("a whole val without glosses")
def val_unlabelled(place: Path) -> str:
    said, summary = trained(place, RUN | {"train.epochs": 2}, labelled("val", ()))
    assert said.code == 0, said.text
    assert "9 of 9 clips of val have no gloss" in said.text, said.text
    assert "the loss of train chooses the best epoch" in said.text, said.text
    assert "0 of 9 clips" in said.text, said.text
    losses = [json.loads(line)["train"]["loss"] for line in (place / "runs/r/metrics.jsonl").read_text().splitlines()]
    assert summary["best_epoch"] == losses.index(min(losses)) + 1
    with relabelled(labelled("val", ())):
        refused = asl(place, "run", *flags(RUN | {"run.name": "t", "train.select": "top1"}))
        why = asl(place, "eval", "runs/r", "--errors")
    assert refused.code == 2, refused.text
    assert "'top1', which is not measured by this run (it needs a head that ranks glosses" in refused.error, (
        refused.error
    )
    assert "no clip of val has a gloss" in why.error, why.text
    return said.text


@case("a sentence among the isolated signs of val")
def one_sentence(place: Path) -> str:
    said, summary = trained(place, RUN, labelled("val", ("A", "B"), 2))
    assert said.code == 0, said.text
    assert "1 of 9 clips of val has several glosses" in said.text, said.text
    assert "not scored, for several glosses: 1 clips" in said.text, said.text
    assert {"top1", "top5", "loss"} <= set(summary["report"]["metrics"])
    assert "wer" not in summary["report"]["metrics"]
    table = rows(place / "runs/r/predictions-val.csv")
    assert [row["correct"] == "" for row in table] == [n == 2 for n in range(9)]
    assert "decoded" not in table[0]
    return said.text


@case("a sentence among the isolated signs of train")
def one_train_sentence(place: Path) -> str:
    twice = labelled("train", ("A", "B"), 2)
    refused, _ = trained(place, RUN, twice)
    assert refused.code == 2, refused.text
    assert "1 of 9 train clips have several" in refused.error, refused.error
    said, summary = trained(place, RUN | {"loss": "ctc"}, twice)
    assert said.code == 0, said.text
    assert "note: 1 of 9 clips of train has several glosses" in said.text, said.text
    assert "wer" in summary["report"]["metrics"]
    return said.text


@case("a clip of train without a gloss")
def one_train_unlabelled(place: Path) -> str:
    said, _ = trained(place, RUN, labelled("train", (), 0))
    assert said.code == 2, said.text
    assert "1 of 9 train clips have none (" in said.error, said.error
    assert "leave these clips out" in said.error, said.error
    assert "takes sentences" not in said.error, "that is no remedy"
    assert not (place / "runs/r").exists()
    return said.error


@case("val glosses that train lacks, all of them")
def unknown_glosses(place: Path) -> str:
    said, summary = trained(place, RUN, labelled("val", ("ELSE",)))
    assert said.code == 0, said.text
    assert summary["report"]["metrics"]["top1"] == 0
    assert "top1-known" not in summary["report"]["metrics"], "the share of none of them is no figure"
    assert "9 clips of val have a gloss that train lacks" in said.text
    return said.text


def _interval(said: str) -> Sequence[str]:
    return said.partition("95 % interval ")[2].partition(")")[0].split(" % to ")


@case("the interval of all right and of none right")
def interval(place: Path) -> str:
    said, summary = trained(place, RUN, lambda *_: ("A",))
    low, high = _interval(said.out)
    assert (low, high) == ("70.1", "100.0 %"), said.out
    assert summary["report"]["interval"] == pytest.approx([9 / (9 + 1.959963984540054**2), 1.0])
    none, _ = trained(place, RUN | {"run.out": "other"}, labelled("val", ("B",)))
    assert _interval(none.out) == ["0.0", "29.9 %"], none.out
    return f"9 of 9: {low} to {high}, 0 of 9: {' to '.join(_interval(none.out))}"
