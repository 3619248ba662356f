"""Ensembles: the mean of probabilities, whatever the order of glosses and clips in each run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from small import small

import asl_core as asl
from asl_core.cli import main
from asl_core.clips.clip import Vocabulary
from asl_core.errors import UsageError
from asl_core.evaluation.ensemble import Member, average_members
from asl_core.evaluation.scoring import Predictions


def member(run: str, glosses: str, ids: str, probabilities: list[list[float]] | None) -> Member:
    scores = None if probabilities is None else torch.tensor(probabilities).log()
    return Member(run, Vocabulary(tuple(glosses)), tuple(ids), Predictions(scores, [[0]] * len(ids), {"loss": 1.0}))


ONE = member("one", "abc", "xy", [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1]])


def test_the_mean_of_probabilities_in_the_first_runs_order() -> None:
    other = member("other", "cab", "yx", [[0.5, 0.3, 0.2], [0.1, 0.5, 0.4]])
    found = average_members([ONE, other])
    assert found.scores is not None
    expected = torch.tensor([[(0.7 + 0.5) / 2, (0.2 + 0.4) / 2, 0.1], [(0.1 + 0.3) / 2, (0.8 + 0.2) / 2, 0.3]])
    torch.testing.assert_close(found.scores.exp(), expected)
    assert found.figures == {"loss": 1.0}
    assert average_members([ONE]) is ONE.predictions


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (member("other", "abd", "xy", [[1.0, 1.0, 1.0]] * 2), ["other", "one", "'c', 'd'", "glosses"]),
        (member("other", "abc", "xz", [[1.0, 1.0, 1.0]] * 2), ["other", "one", "'y', 'z'", "clips"]),
        (member("other", "abc", "xy", None), ["other", "ranks", "--ensemble"]),
    ],
)
def test_runs_that_do_not_answer_the_same_question(other: Member, words: list[str]) -> None:
    with pytest.raises(UsageError) as refused:
        average_members([ONE, other])
    assert all(word in str(refused.value) for word in words)


@pytest.mark.slow
def test_a_run_counts_once(runs: list[Path]) -> None:
    for ask in (
        lambda: asl.evaluate_run(runs[0], device="cpu", ensemble=[runs[1], runs[0]]),
        lambda: asl.predict_file(runs[0], "clip.npy", ensemble=[runs[0] / ".." / runs[0].name]),
    ):
        with pytest.raises(UsageError, match="named 2 times"):
            ask()


def test_a_fault_names_the_run_that_has_it(runs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"{re.escape(str(runs[1]))}: .*no split 'nope'"):
        asl.evaluate_run(runs[1], device="cpu", split="nope", ensemble=[runs[0]])
    np.save(tmp_path / "clip.npy", np.zeros((9, 5), np.float32))
    with pytest.raises(UsageError, match=f"{re.escape(str(runs[0]))}.*: .* 5 features per frame"):
        asl.predict_file(runs[0], tmp_path / "clip.npy", ensemble=[runs[1]])


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    out = tmp_path_factory.mktemp("runs")
    return [asl.run(asl.configure(small(out, run__name=f"r{seed}", run__seed=seed))).path for seed in (0, 1)]


def test_an_evaluation_of_two_runs(runs: list[Path]) -> None:
    one, other = runs
    report, found, store = asl.evaluate_run(one, device="cpu", ensemble=[other])
    alone = torch.stack([asl.evaluate_run(run, device="cpu")[1].scores for run in runs])  # type: ignore[misc]
    assert not torch.equal(*alone)
    expected = alone.exp().mean(0)
    torch.testing.assert_close(found.scores.exp(), expected)
    names = np.array(store.vocabulary.glosses)[expected.argmax(1)]
    right = [(name,) == glosses for name, glosses in zip(names, store.glosses, strict=True)]
    assert report["metrics"]["top1"] == pytest.approx(np.mean(right))
    assert report["together_with"] == [str(other)]
    explained = asl.explain_run(one, device="cpu", ensemble=[other])
    assert explained.report["metrics"] == report["metrics"]


def test_one_file_on_the_command_line(runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = asl.evaluate_run(runs[0], device="cpu")[2]
    np.save(tmp_path / "clip.npy", store.clip(0).numpy())

    def said(*words: object) -> str:
        with pytest.raises(SystemExit) as stop:
            main([str(word) for word in words])
        assert stop.value.code == 0
        return capsys.readouterr().out

    def asked(*words: object) -> dict[str, float]:
        (clip,) = json.loads(said("predict", runs[0], tmp_path / "clip.npy", "--json", "--top", 100, *words))
        return {entry["gloss"]: entry["probability"] for entry in clip["top"]}

    one, both = asked(), asked("--ensemble", runs[1])
    (other,) = asl.predict_file(runs[1], tmp_path / "clip.npy", top=100)
    assert both == pytest.approx({gloss: (one[gloss] + p) / 2 for gloss, p in other.top}, abs=1e-6)
    assert both != pytest.approx(one, abs=1e-3)
    assert f"ensemble with {runs[1]}" in " ".join(said("eval", runs[0], "--ensemble", runs[1]).split())
