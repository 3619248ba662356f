"""A run on packed clips is the run on the files they were packed from, to the last bit."""

from __future__ import annotations

import gc
import json
import os
import pickle
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch
from click.testing import CliRunner, Result
from small import SMALL
from toy_components import offer

import asl_core as asl
from asl_core import Clip, Component
from asl_core.cli import cli
from asl_core.clips.clip import Vocabulary
from asl_core.clips.frames import is_mapped
from asl_core.clips.store import ClipStore
from asl_core.files.watched import Watched
from asl_core.registry.component import Registry
from asl_core.registry.discovery import discover

TRAIN: dict[str, Any] = {
    **{k: v for k, v in SMALL.items() if not k.startswith("dataset")},
    "train.epochs": 2,
    "train.learning-rate": 2e-3,
}


@pytest.fixture(scope="module")
def pickles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made-up signs as the reference's pickles hold them."""
    root = tmp_path_factory.mktemp("pickles")
    values = {"dataset.glosses": 5, "dataset.train": 4, "dataset.val": 2}
    demo = asl.configure(values, environ={}, project_file=False).dataset.build()
    for split in ("train", "val", "test"):
        records = {c.id: {"features": c.features, "gloss": c.glosses[0]} for c in demo.clips(split)}
        (root / f"features_{split}_demo.pkl").write_bytes(pickle.dumps(records))
    return root


def command(*words: object) -> Result:
    found = CliRunner().invoke(cli, [str(w) for w in words])
    assert found.exit_code == 0, found.output
    return found


@pytest.fixture(scope="module")
def packed(pickles: Path) -> Path:
    out = pickles / "packed"
    said = command("pack", "--dataset", "wlasl", "--dataset.root", pickles, out).output
    assert "train: 20 clips" in said
    assert f"asl run --dataset packed --dataset.root {out}" in said
    return out


class Backwards:
    """A transform of clips, which packed ones get when a run begins, as others do."""

    def __init__(self, options: object):
        """Without options."""

    def __call__(self, clip: Clip) -> Clip:
        return attrs.evolve(clip, features=clip.features[::-1])


def run(out: Path, name: str, dataset: str, root: Path, **more: Any) -> Path:
    values = {**TRAIN, "dataset": dataset, "dataset.root": str(root), "run.out": str(out), "run.name": name, **more}
    backwards = Component(name="backwards", factory="test_packed_runs:Backwards", summary="the last frame first")
    registry = Registry([*discover().registry, offer("transform", backwards)])
    config = asl.configure(values, environ={}, project_file=False, registry=registry)
    return asl.run(config, registry=registry).path


@pytest.mark.slow
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"transform": "backwards", "augment": "none"},
        {"split.fold": "1/2", "head": "mean"},
    ],
)
def test_the_same_bits(pickles: Path, packed: Path, tmp_path: Path, more: dict[str, Any]) -> None:
    one, other = (run(tmp_path, name, name, root, **more) for name, root in (("wlasl", pickles), ("packed", packed)))
    for file in ("metrics.jsonl", "audit.json", "predictions-val.csv", "summary.json"):
        assert (one / file).read_bytes() == (other / file).read_bytes(), file
    for file in ("best.safetensors", "final.safetensors", "last/state.safetensors"):
        a, b = (asl.load_tensors(path / file).tensors for path in (one, other))
        assert a.keys() == b.keys()
        assert all(torch.equal(a[k], b[k]) for k in a), file


def test_frames_stay_in_the_file(packed: Path) -> None:
    config = asl.configure({"dataset": "packed", "dataset.root": str(packed)}, environ={}, project_file=False)
    clips = config.dataset.build().clips("train")
    assert all(is_mapped(c.features) for c in clips)
    store = ClipStore(clips, Vocabulary.of(clips))
    assert store.features.data_ptr() == clips[0].features.__array_interface__["data"][0]


@pytest.mark.slow
def test_the_other_verbs(packed: Path, pickles: Path, tmp_path: Path) -> None:
    one, other = (run(tmp_path, name, name, root) for name, root in (("wlasl", pickles), ("packed", packed)))
    for split in ("val", "test"):
        figures = [json.loads(command("eval", path, "--split", split, "--json").output) for path in (one, other)]
        assert figures[0] == figures[1]
        assert figures[0]["clips"] == 10 if split == "val" else 20
    said = json.loads(command("predict", other, packed / "val.safetensors", "--json").output)
    assert said == json.loads(command("predict", one, pickles / "features_val_demo.pkl", "--json").output)
    audits = [
        json.loads(command("audit", "--dataset", name, "--dataset.root", root, "--json").output)
        for name, root in (("wlasl", pickles), ("packed", packed))
    ]
    assert audits[0] == audits[1]


@pytest.mark.slow
def test_a_resumed_run(packed: Path, tmp_path: Path) -> None:
    whole = run(tmp_path, "whole", "packed", packed)
    cut = run(tmp_path, "cut", "packed", packed)
    (cut / "final.safetensors").unlink()
    (cut / "summary.json").unlink()
    asl.resume(cut)
    for file in ("metrics.jsonl", "final.safetensors"):
        assert (whole / file).read_bytes() == (cut / file).read_bytes()


def test_pack_says_what_it_wrote(tmp_path: Path) -> None:
    words = ("--dataset", "demo", "--dataset.glosses", 3, "--dataset.train", 2, "--dataset.val", 1)
    rows = json.loads(command("pack", *words, "--dataset.test", 0, tmp_path / "out", "--json").output)
    assert [(r["name"], r["clips"], r["width"]) for r in rows] == [("train", 6, 36), ("val", 3, 36)]
    assert [(tmp_path / "out" / f"{r['name']}.safetensors").stat().st_size for r in rows] == [r["size"] for r in rows]


class Meanwhile:
    """Does something to a file after the first epoch."""

    def __init__(self, change: Callable[[Path], object], path: Path):
        self.change, self.path = change, path

    def on_start(self, config: object, summary: object) -> None: ...

    def on_epoch(self, report: asl.EpochReport) -> None:
        if report.epoch == 1:
            self.change(self.path)

    def on_end(self, summary: object) -> None: ...


def cut_short(path: Path) -> None:
    os.truncate(path, 5000)


def written_over(path: Path) -> None:
    """In place, by as many bytes."""
    with path.open("r+b") as file:
        file.seek(4096 + 400)
        file.write(bytes(400))


def written_over_unseen(path: Path) -> None:
    """By a file system that keeps no times."""
    written_over(path)
    for watched in [o for o in gc.get_objects() if isinstance(o, Watched)]:
        watched._stamp = watched._now()


def replaced(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"another file")
    other.replace(path)


def run_while(change: Callable[[Path], object], packed: Path, out: Path, split: str) -> Path:
    root = out / "data"
    shutil.copytree(packed, root)
    values = {**TRAIN, "dataset": "packed", "dataset.root": str(root), "run.out": str(out), "run.name": "a"}
    config = asl.configure(values, environ={}, project_file=False)
    return asl.run(config, [Meanwhile(change, root / f"{split}.safetensors")]).path


@pytest.mark.slow
@pytest.mark.parametrize("split", ["train", "val"])
@pytest.mark.parametrize(
    ("change", "said"),
    [(cut_short, "it had .* bytes and has 5,000"), (written_over, "its content differs"),
     (written_over_unseen, "its content differs")],
)  # fmt: skip
@pytest.mark.skipif(sys.platform == "win32", reason="a mapped file cannot be changed there")
def test_a_file_that_changes_under_a_run(
    change: Callable[[Path], object], said: str, split: str, packed: Path, tmp_path: Path
) -> None:
    with pytest.raises(asl.RunError, match=rf"{split}\.safetensors was changed while a run reads it \({said}\)"):
        run_while(change, packed, tmp_path, split)
    assert not (tmp_path / "a" / "summary.json").exists()
    shutil.rmtree(tmp_path / "data")
    shutil.copytree(packed, tmp_path / "data")
    if change is not written_over_unseen:  # in that run epochs were trained on other clips
        asl.resume(tmp_path / "a")
        whole = run(tmp_path, "whole", "packed", packed)
        assert (tmp_path / "a" / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("change", [Path.touch, replaced])
@pytest.mark.skipif(sys.platform == "win32", reason="a mapped file cannot be replaced there")
def test_a_file_that_stays_the_same_under_a_run(change: Callable[[Path], object], packed: Path, tmp_path: Path) -> None:
    found = run_while(change, packed, tmp_path, "train")
    whole = run(tmp_path, "whole", "packed", packed)
    assert (found / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()
