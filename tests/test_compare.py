"""Paired comparison of two sets of runs."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from asl_core.cli import main
from asl_core.cli.compare import comparison_lines
from asl_core.errors import UsageError
from asl_core.studies.comparison import compare


def write(path: Path, correct: list[int], prefix: str = "c") -> Path:
    path.mkdir(parents=True)
    rows = "".join(f"{prefix}{i},x,{c}\n" for i, c in enumerate(correct))
    (path / "predictions-val.csv").write_text("clip,glosses,correct\n" + rows)
    return path


def sides(tmp_path: Path, a: np.ndarray, b: np.ndarray) -> tuple[list[Path], list[Path]]:
    first, second = (
        [write(tmp_path / side / str(i), row.tolist()) for i, row in enumerate(rows)]
        for side, rows in (("a", a), ("b", b))
    )
    return first, second


@pytest.mark.slow
def test_difference_and_intervals(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    a = (rng.random((5, 200)) < 0.5).astype(int)
    b = np.maximum(a, (rng.random((5, 200)) < 0.2).astype(int))
    found = compare(*sides(tmp_path, a, b), range(5))
    assert found.difference == pytest.approx((b - a).mean())
    assert found.first == pytest.approx(a.mean(1))
    assert found.interval[0] < found.difference < found.interval[1]
    assert found.interval[0] > 0
    # The same answers differ in nothing, and say so exactly.
    same = compare(*sides(tmp_path / "same", a, a), range(5))
    assert same.difference == 0
    assert same.interval == (0, 0)


def test_clips_widen_the_interval(tmp_path: Path) -> None:
    """A gain on one clip in ten, the same with every seed: seeds alone would call it certain."""
    a = np.zeros((3, 20), dtype=int)
    b = a.copy()
    b[:, :2] = 1
    found = compare(*sides(tmp_path, a, b), range(3))
    assert found.seed_interval == pytest.approx((0.1, 0.1))
    assert found.interval[0] == 0
    assert found.interval[1] > 0.2


def test_every_seed_may_have_clips_of_its_own(tmp_path: Path) -> None:
    """Folds: each seed's two runs are paired, and no seed weighs more for having more clips."""
    rows = {"first": ([1, 0, 0, 0], [0, 0]), "second": ([1, 1, 0, 0], [1, 0])}
    first, second = (
        [write(tmp_path / side / str(n), row, prefix=f"fold{n}-") for n, row in enumerate(rows[side])] for side in rows
    )
    found = compare(first, second, [0, 1])
    assert found.first == (0.25, 0.0)
    assert found.second == (0.5, 0.5)
    assert found.difference == pytest.approx(0.375)
    assert found.interval[0] < 0.375 < found.interval[1]
    assert found.seed_interval == pytest.approx((0.25, 0.5))
    with pytest.raises(UsageError, match="different clips"):
        compare(first, second[::-1], [0, 1])


def write_sentences(path: Path, rows: list[tuple[str, str, int]]) -> Path:
    """Rows of (true glosses, text, edits)."""
    path.mkdir(parents=True)
    lines = [f"c{n},{g},{int(not e)},{t},{e},{len(g.split())}\n" for n, (g, t, e) in enumerate(rows)]
    (path / "predictions-val.csv").write_text("clip,glosses,correct,decoded,edits,length\n" + "".join(lines))
    return path


@pytest.mark.slow
def test_sentences_are_compared_whole_and_by_their_edits(tmp_path: Path) -> None:
    glosses = ["a b c", "b", "a c", "c b a b"]
    first = write_sentences(tmp_path / "one", [(g, "a", 1) for g in glosses])
    second = write_sentences(tmp_path / "two", [(g, g, 0) for g in glosses[:2]] + [(g, "b", 2) for g in glosses[2:]])
    found = compare([first], [second], [0])
    assert (found.measure, found.first, found.second) == ("whole sentences", (0.0,), (0.5,))
    wer = found.wer
    assert wer is not None
    assert (wer.first, wer.second) == ((pytest.approx(4 / 10),), (pytest.approx(4 / 10),))
    assert wer.difference == pytest.approx(0)
    assert wer.interval[0] < 0 < wer.interval[1]
    assert wer.first_interval[0] < 0.4 < wer.first_interval[1]
    text = "\n".join(comparison_lines("one", "two", found))
    assert "one                      whole sentences 0.0 %" in text
    assert "one                      word error rate 40.0 % (95 % interval " in text
    assert "top-1" not in text


@pytest.mark.slow
def test_equal_texts_have_no_interval_of_their_difference(tmp_path: Path) -> None:
    rows = [("a b", "a", 1), ("b", "b", 0), ("c a b", "c", 2)]
    found = compare([write_sentences(tmp_path / "one", rows)], [write_sentences(tmp_path / "two", rows)], [0])
    assert [*comparison_lines("one", "two", found)][-1] == (
        "two - one: word error rate +0.0 points, on every resample of the clips"
    )


@pytest.mark.slow
def test_runs_without_edits_have_no_word_error_rate(tmp_path: Path) -> None:
    """Isolated signs, and sentences of version 0.1, whose table has no edits."""
    assert compare([write(tmp_path / "a", [1, 0])], [write(tmp_path / "b", [1, 1])], [0]).wer is None
    old = tmp_path / "old"
    old.mkdir()
    (old / "predictions-val.csv").write_text("clip,glosses,correct,decoded\nx,a b,1,a b\ny,b,0,\n")
    found = compare([old], [old], [0])
    assert (found.measure, found.wer) == ("whole sentences", None)


def test_other_clips_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="different clips"):
        compare([write(tmp_path / "a", [1, 0])], [write(tmp_path / "b", [1, 0], prefix="d")], [0])


def test_a_run_that_was_cut_off(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    with pytest.raises(UsageError, match="--resume"):
        compare([write(tmp_path / "a", [1])], [tmp_path / "b"], [0])


@pytest.mark.slow
def test_command_runs_both_sides_once(tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    common = (
        '[dataset]\nname = "demo"\nglosses = 4\ntrain = 4\nval = 2\n[encoder]\nname = "gru"\nhidden-size = 4\n'
        'front-size = 4\n[run]\ndevice = "cpu"\n[train]\nepochs = '
    )
    for name, epochs in (("short", 1), ("long", 2)):
        Path(f"{name}.toml").write_text(common + f"{epochs}\n")

    def call(*more: str) -> str:
        with pytest.raises(SystemExit) as stop:
            main(["compare", "short.toml", "long.toml", "--seeds", "0-1", *more])
        said = capsys.readouterr()
        assert stop.value.code == 0, said.err
        return said.out

    assert "over seeds and clips" in call()
    stamp = Path("runs/compare/long-seed1/run/final.safetensors").stat().st_mtime_ns
    assert json.loads(call("--json"))["seeds"] == [0, 1]
    assert Path("runs/compare/long-seed1/run/final.safetensors").stat().st_mtime_ns == stamp
    with pytest.raises(SystemExit) as stop:
        main(["compare", "short.toml", "long.toml", "--seeds", "0-1", "--set", "train.batch-size=4"])
    assert stop.value.code == 2
    assert "was begun with other settings: train.batch-size" in capsys.readouterr().err


@pytest.mark.slow
def test_folds_are_held_out_in_place_of_val(tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Seed s holds out fold s mod N + 1, and folds have directories of their own."""
    monkeypatch.chdir(tmp_path)
    toml = (
        '[dataset]\nname = "demo"\nglosses = 4\ntrain = 4\nval = 2\n[encoder]\nname = "gru"\nhidden-size = 4\n'
        'front-size = 4\n[run]\ndevice = "cpu"\n[train]\nepochs = 1\n'
    )
    for name, more in (("one", ""), ("two", "batch-size = 4\n")):
        Path(f"{name}.toml").write_text(toml + more)
    with pytest.raises(SystemExit, match="0"):
        main(["compare", "one.toml", "two.toml", "--seeds", "0,3", "--folds", "2", "--json"])
    assert json.loads(capsys.readouterr().out)["seeds"] == [0, 3]
    held = {}
    for seed, fold in ((0, 1), (3, 2)):
        run = Path(f"runs/compare/one-seed{seed}-gloss-fold{fold}of2/run")
        assert f'fold = "{fold}/2"' in (run / "config.toml").read_text()
        held[fold] = {line.split(",")[0] for line in (run / "predictions-val.csv").read_text().splitlines()[1:]}
    assert held[1]
    assert not held[1] & held[2]


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ('[train]\nepochs = 60\n[dataset]\nname = "demo"\n[run]\nseed = 9\n', "come to the same settings"),
        ("[train]\nepochz = 60\n", "epochz"),
        (None, "two.toml: no such file"),
    ],
)
def test_both_sides_are_read_before_any_is_trained(
    tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str], second: str | None, words: str
) -> None:
    """A slip in the second file once showed after every run of the first."""
    monkeypatch.chdir(tmp_path)
    Path("one.toml").write_text("[train]\nepochs = 60\n")
    if second is not None:
        Path("two.toml").write_text(second)
    with pytest.raises(SystemExit, match="2"):
        main(["compare", "one.toml", "two.toml", "--seeds", "0-4"])
    assert words in " ".join(capsys.readouterr().err.split())
    assert not Path("runs").exists()


@pytest.mark.slow
def test_a_run_that_left_something_out_is_found_again(tmp_path: Path, monkeypatch, capsys) -> None:
    """The data set suggests an augmentation for another width: the run leaves it out, and is the run asked for."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for split, clips in (("train", 8), ("val", 4)):
        entries = {
            f"{split}{i}": {"features": rng.normal(size=(6, 10)).astype(np.float32), "gloss": "ab"[i % 2]}
            for i in range(clips)
        }
        Path(f"features_{split}_x.pkl").write_bytes(pickle.dumps(entries))
    Path("one.toml").write_text(
        '[dataset]\nname = "wlasl"\nroot = "."\n[encoder]\nname = "gru"\nhidden-size = 4\nfront-size = 4\n'
        '[run]\ndevice = "cpu"\n[train]\nepochs = 1\n'
    )
    Path("two.toml").write_text(Path("one.toml").read_text() + "batch-size = 4\n")
    for _ in range(2):
        with pytest.raises(SystemExit) as stop:
            main(["compare", "one.toml", "two.toml", "--seeds", "0"])
        assert stop.value.code == 0, capsys.readouterr().err
    assert "mirror36" not in Path("runs/compare/one-seed0/run/config.toml").read_text()
