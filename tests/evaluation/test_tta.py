"""Predictions averaged over views of a clip: the same in training's end, ``asl eval``, ``asl predict`` and by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from small import small

import asl_core as asl
from asl_core.cli import main
from asl_core.clips.store import ClipStore
from asl_core.data.splits import load_split
from asl_core.evaluation.inference import predict
from asl_core.evaluation.tta import find_views, mean_scores

Command = Callable[..., tuple[int | str | None, str]]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> asl.RunResult:
    chosen = {"augment": ["mirror36", "speed"], "train.tta": ["mirror", "slower"]}
    return asl.run(asl.configure(small(tmp_path_factory.mktemp("views")) | chosen))


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """``asl`` with these words in an empty folder: its exit code, and all that it said."""
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int | str | None, str]:
        with pytest.raises(SystemExit) as stop:
            main(list(words))
        said = capsys.readouterr()
        return stop.value.code, said.out + said.err

    return call


def val(loaded: asl.LoadedRun) -> ClipStore:
    return load_split(loaded.config, "val", loaded.vocabulary)


@pytest.mark.slow
def test_scores_are_the_mean_probability_of_all_looks(trained: asl.RunResult) -> None:
    loaded = asl.load(trained.path)
    store = val(loaded)
    mirror, slower = loaded.views
    assert [mirror.name, slower.name] == ["mirror", "slower"]
    looks = [[store.batch(torch.tensor([n]))] for n in range(len(store))]  # each clip alone, so padding cannot matter
    for one in looks:
        one += [mirror.change(one[0]), slower.change(one[0])]
    with torch.inference_mode():
        expected = torch.stack([_probability(loaded, batches) for batches in looks])
    found = loaded.predict(store)
    assert found.scores is not None
    torch.testing.assert_close(found.scores.exp(), expected, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(found.scores.exp().sum(1), torch.ones(len(store)))
    plain = predict(loaded.model, store, 4)
    assert plain.scores is not None
    assert not torch.allclose(plain.scores, found.scores, atol=1e-3)


def _probability(loaded: asl.LoadedRun, batches: list[asl.Batch]) -> torch.Tensor:
    """The mean over the looks, where speed sees standardised frames and the mirror stored ones."""
    model, (_, slower) = loaded.model, loaded.views
    seen = [model.standardiser(b) for b in batches[:2]]
    seen.append(slower.change(seen[0]))
    head = model.head("main")
    return torch.stack([head.scores(head(*model.encode(b))).exp()[0] for b in seen]).mean(0)


def test_prediction_equals_evaluation_equals_the_run(trained: asl.RunResult, tmp_path: Path) -> None:
    report, found, store = asl.evaluate_run(trained.path, device="cpu")
    assert report["per_class"] == trained.report["per_class"]
    assert report["metrics"]["top1"] == trained.last["top1"], "also the figures of an epoch"
    assert found.scores is not None
    np.save(tmp_path / "clip.npy", store.clip(3).numpy())
    (said,) = asl.predict_file(trained.path, tmp_path / "clip.npy")
    probability, place = found.scores[3].exp().max(0)
    gloss, stated = said.top[0]
    assert gloss == store.vocabulary.glosses[int(place)]
    assert stated == pytest.approx(float(probability), rel=1e-5)
    (plain,) = asl.predict_file(trained.path, tmp_path / "clip.npy", tta=())
    assert plain.top[0][1] != pytest.approx(said.top[0][1], rel=1e-4)


def test_the_flag_of_eval_and_predict(command: Command, trained: asl.RunResult) -> None:
    run = str(trained.path)
    rows = {}
    for names in ("none", "mirror", "speed", "slower,faster"):
        code, said = command("eval", run, "--device", "cpu", "--tta", names, "--csv", f"{names}.csv")
        assert code == 0, said
        expected = {"none": "final weights:", "mirror": "averaged with views mirror:"}
        assert expected.get(names, "averaged with views slower, faster:") in said
        rows[names] = Path(f"{names}.csv").read_text()
    assert rows["speed"] == rows["slower,faster"], "the name of an augmentation stands for all of its views"
    assert len(set(rows.values())) == 3
    assert command("eval", run, "--device", "cpu", "--csv", "own.csv")[0] == 0
    assert Path("own.csv").read_text() == (trained.path / "predictions-val.csv").read_text(), "the run's own setting"
    code, said = command("predict", run, "x.npy", "--tta", "mirrored")
    assert code == 2
    for word in ("mirrored", "mirror of mirror36", "slower of speed", "faster of speed"):
        assert word in said


def test_a_run_refuses_views_that_none_of_its_augmentations_has(tmp_path: Path) -> None:
    settings = small(tmp_path) | {"augment": ["noise"], "train.tta": ["mirror"]}
    with pytest.raises(asl.ConfigError, match=r"script: no augmentation of this run \(noise\) has a view mirror"):
        asl.run(asl.configure(settings))
    assert not list(tmp_path.iterdir()), "before anything is written"


def test_a_run_that_ranks_nothing_has_nothing_to_average(tmp_path: Path) -> None:
    stage1 = small(tmp_path, head="projection", loss="contrast-views") | {"augment": ["mirror36"]}
    with pytest.raises(asl.ConfigError, match="no head of this run ranks glosses"):
        asl.run(asl.configure({**stage1, "train.tta": ["mirror"]}))


def test_no_views_by_default(tmp_path: Path) -> None:
    config = asl.configure(small(tmp_path) | {"augment": ["mirror36"]})
    assert find_views(config) == ()
    assert [v.name for v in find_views(config, ["mirror"])] == ["mirror"]


def test_one_look_is_left_as_it_is_to_the_bit() -> None:
    scores = torch.randn(3, 4).log_softmax(1)
    assert mean_scores([scores]) is scores
    two = mean_scores([scores, torch.full_like(scores, -torch.inf)])
    torch.testing.assert_close(two, scores - np.log(2))
