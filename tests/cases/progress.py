"""Nothing is silent, and runs can be found: by a list, by their bare names, and next to each other."""

from __future__ import annotations

import functools
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import filelock
import numpy as np
import pytest
from small import flags, small

import asl_core as asl
from asl_core.training import progress_bar
from cases.table import asl as typed
from cases.table import case

CURRICULUM = """
name = "two"
[common.dataset]
name = "demo"
glosses = 3
train = 3
val = 2
[common.encoder]
name = "gru"
hidden-size = 8
front-size = 8
[common.train]
epochs = 1
[common.run]
device = "cpu"
[[stage]]
name = "stage1"
head.name = "mean"
[[stage]]
name = "stage2"
init = "stage1"
head.name = "mean"
"""


@functools.cache
def made() -> Path:
    """A working folder with two runs in ``runs/``, and the two stages of a curriculum."""
    place = Path(tempfile.mkdtemp())
    for name, head in (("first", "ctc"), ("second run", "mean")):
        words = flags(small(Path("runs"), train__epochs=1, run__name=name, head=head))
        assert typed(place, "run", *words, "--quiet").code == 0
    (place / "two.toml").write_text(CURRICULUM)
    assert typed(place, "run", "two.toml", "--quiet").code == 0
    return place


def copied(place: Path) -> Path:
    """The same, to be changed."""
    shutil.copytree(made(), place, dirs_exist_ok=True)
    return place


@case("a bar in the terminal, lines elsewhere, events with --json, nothing with --quiet", slow=True)
def shown(place: Path) -> str:
    words = flags(small(place / "runs", train__epochs=1))
    with mock.patch.object(progress_bar, "SILENCE", 0.0):
        lines = typed(place, "run", *words)
        assert "epoch 1/1: " in lines.err
        assert "reading train" in lines.err
        assert "epoch 1/1  loss" in lines.out
        quiet = typed(place, "run", *words, "--quiet")
        assert quiet.err == ""
        events = [json.loads(line) for line in typed(place, "run", *words, "--json").out.splitlines()]
        phases = {e["phase"] for e in events if e["event"] == "progress"}
        assert {"epoch 1/1", "evaluating", "reading train", "auditing val"} <= phases
        packed = typed(place, "pack", str(place / "packed"), "--dataset", "demo", "--dataset.glosses", "3")
        assert "packing train" in packed.err
        audited = typed(place, "audit", "--dataset", "demo", "--dataset.glosses", "3")
        assert "auditing train" in audited.err
    return " / ".join(lines.err.splitlines()[:3])


@case("an observer of api 1 is told once an event, however many steps there are", slow=True)
def once_an_event(place: Path) -> str:
    class Counts:
        def __init__(self) -> None:
            self.calls: list[str] = []

        def __getattr__(self, name: str) -> Any:
            if not name.startswith("on_") or name not in ("on_start", "on_epoch", "on_end"):
                raise AttributeError(name)
            return lambda *_: self.calls.append(name)

    counts: Any = Counts()
    asl.run(small(place, train__epochs=2, train__batch_size=1), [counts], environ={})
    assert counts.calls == ["on_start", "on_epoch", "on_epoch", "on_end"]
    return " ".join(counts.calls)


@case("asl runs lists all with their figures, stages together", slow=True)
def listed(place: Path) -> str:
    place = copied(place)
    (place / "runs" / "cut").mkdir()
    shutil.copy(place / "runs" / "first" / "config.toml", place / "runs" / "cut")
    (place / "runs" / "broken").mkdir()
    (place / "runs" / "broken" / "config.toml").write_text("[[[")
    (place / "runs" / "notes.txt").write_text("no run")
    with filelock.FileLock(place / "runs" / "cut" / ".lock"):
        found = {r["name"]: r for r in json.loads(typed(place, "runs", "--json").out)}
        assert found["cut"]["state"] == "running"
    said = typed(place, "runs")
    found = {r["name"]: r for r in json.loads(typed(place, "runs", "--json").out)}
    assert {name: r["state"] for name, r in found.items()} == {
        "first": "done", "second run": "done", "two/stage1": "done", "two/stage2": "done", "cut": "cut off",
        "broken": "damaged",
    }  # fmt: skip
    report = json.loads((place / "runs" / "first" / "summary.json").read_text())["report"]
    assert found["first"]["figures"] == {k: report["metrics"][k] for k in ("top1", "top5")}
    assert (found["first"]["epochs"], found["first"]["dataset"], found["first"]["heads"]) == (1, "demo", ["ctc"])
    assert f"{100 * report['metrics']['top1']:.1f}" in said.out
    assert "broken is damaged: " in said.err
    names = [line.split("  ")[0] for line in said.out.splitlines()]
    assert names.index("two/stage2") == names.index("two/stage1") + 1
    nowhere = typed(place, "runs", "elsewhere")
    assert (nowhere.code, "is not a folder; expected a folder of runs" in nowhere.error) == (2, True)
    return " / ".join(said.out.splitlines()[:2])


@case("a bare name means runs/NAME, for every verb that takes a run", slow=True)
def bare(place: Path) -> str:
    place = copied(place)
    np.save(place / "clip.npy", np.zeros((9, 36), np.float32))
    for words in (
        ["eval", "first", "--device", "cpu"], ["eval", "second run/best.safetensors"], ["predict", "first", "clip.npy"],
        ["eval", "two/stage2"], ["eval", "first", "--ensemble", "second run"], ["inspect", "first"],
        ["inspect", "run:first"], ["run", "--resume", "first", "--quiet"], ["compare", "first", "second run"],
        ["run", *flags(small(Path("runs"), train__epochs=1, run__name="third")), "--init", "run:first", "--quiet"],
        ["run", *flags(small(Path("runs"), train__epochs=1, run__name="fourth")), "--init", "first", "--quiet"],
    ):  # fmt: skip
        said = typed(place, *words)
        assert said.code == 0, (words, said.text)
    (place / "first").mkdir()
    assert "first is a folder; expected a run directory" in typed(place, "eval", "first").error, (
        "a path that is there is meant"
    )
    (place / "asl.toml").write_text('[run]\nout = "other"\n')
    (place / "other").mkdir()
    shutil.move(place / "runs" / "second run", place / "other" / "kept")
    assert typed(place, "eval", "kept", "--device", "cpu").code == 0
    return "eval, predict, inspect, resume, compare, --init and --ensemble take a bare name"


@case("a misspelled run names the nearest")
def misspelled(place: Path) -> str:
    place = made()
    np.save(place / "clip.npy", np.zeros((9, 36), np.float32))
    for words in (
        ["eval", "frist"], ["eval", "runs/frist"], ["predict", "frist", "clip.npy"], ["run", "--resume", "frist"],
        ["compare", "frist", "second run"], ["eval", "first", "--ensemble", "frist"], ["inspect", "run:frist"],
        ["run", *flags(small(Path("runs"), train__epochs=1, run__name="fifth")), "--init", "run:frist"],
    ):  # fmt: skip
        said = typed(place, *words)
        assert (said.code, "did you mean" in said.error, "first" in said.error) == (2, True, True), (words, said.text)
    return typed(place, "eval", "frist").error


@case("asl compare of two finished runs, paired by clip")
def compared(place: Path) -> str:
    place = copied(place)
    said = typed(place, "compare", "runs/first", "runs/second run")
    assert said.code == 0, said.text
    found = json.loads(typed(place, "compare", "first", "second run", "--json").out)
    figures = [asl.right_answers(place / "runs" / name) for name in ("first", "second run")]
    assert found["clips"] == len(figures[0]) == 12
    assert found["first"] == pytest.approx(np.mean(list(figures[0].values())))
    assert found["only_first"] == sum(figures[0][c] and not figures[1][c] for c in figures[0])
    assert found["difference"] == pytest.approx(found["second"] - found["first"])
    low, high = found["interval"]
    assert low < found["difference"] < high
    return said.out.splitlines()[-1]


@case("asl compare refuses runs of other clips, other data, and unfinished ones", slow=True)
def incomparable(place: Path) -> str:
    place = copied(place)
    settings: dict[str, dict[str, Any]] = {
        "fewer": {"dataset.val": 1},
        "patient": {"train.patience": 1},
        "noisy": {"dataset.noise": 0.5},
    }
    for name, more in settings.items():
        words = flags({**small(Path("runs"), train__epochs=1, run__name=name), **more})
        assert typed(place, "run", *words, "--quiet").code == 0
    fewer = typed(place, "compare", "first", "fewer")
    assert (fewer.code, "6 only in runs/first" in fewer.error) == (2, True), fewer.text
    noisy = typed(place, "compare", "first", "noisy")
    assert "the same ids and other features" in noisy.error, noisy.text
    assert "stopped by its figures on val" in typed(place, "compare", "first", "patient").err
    (place / "runs" / "patient" / "summary.json").unlink()
    for other, part in {"patient": "is not finished", "first": "the same run", "two": "name one of its stages"}.items():
        assert part in typed(place, "compare", "first", other).error, other
    assert "name two of a kind" in typed(place, "compare", "runs/first", "two.toml").error
    assert "leave it out" in typed(place, "compare", "first", "fewer", "--seeds", "0").error
    return fewer.error
