"""Recipes are found in plugins, resolve, and are settings like any other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from asl_core import api
from asl_core.cli import main
from asl_core.config.sources import flag_layer
from asl_core.errors import ConfigError
from asl_core.registry.recipes import find_recipe, recipes
from asl_core.studies.curriculum import is_curriculum, load_curriculum
from asl_landmarks.layout import unfit_raw
from asl_landmarks.layout36 import unfit36


@pytest.mark.parametrize("recipe", recipes(), ids=lambda r: r.name)
def test_every_recipe_resolves_and_says_what_it_is_for(recipe) -> None:
    assert len(recipe.summary) > 20
    if is_curriculum(recipe.path):
        assert load_curriculum(recipe.path, flag_layer({"dataset.root": "x"})).stages
    else:
        config = api.configure({"dataset.root": "x"}, recipe=recipe.name, project_file=False, environ={})
        assert str(recipe.path) in {origin.file for origin in config.origins.values()}


def test_what_is_not_there_is_told_with_what_is() -> None:
    with pytest.raises(ConfigError, match="no recipe 'hand'; did you mean 'hands'"):
        find_recipe("hand")
    with pytest.raises(ConfigError, match="give one of them"):
        api.configure(recipe="hands", file="x.toml")


def call(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as stop:
        main(list(args))
    said = capsys.readouterr()
    return int(stop.value.code or 0), said.out + said.err


def test_the_command_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, said = call(capsys, "ls", "recipe", "--json")
    assert code == 0
    assert {"hands"} <= {row["name"] for row in json.loads(said)}
    code, said = call(capsys, "run", "--recipe", "hands", "--help")
    assert code == 0
    assert "--encoder.stochastic-depth" in said, "the options of what the recipe chooses"
    code, said = call(capsys, "run", "--recipe", "hands-stage1", "--help")
    assert "--encoder.stochastic-depth" in said, "and of what all stages of a curriculum share"
    code, said = call(capsys, "run", "--recipe", "nothing")
    assert code == 2
    assert "there is no recipe 'nothing'" in said
    (tmp_path / "a.toml").touch()
    code, said = call(capsys, "run", str(tmp_path / "a.toml"), "--recipe", "hands")
    assert code == 2
    assert "give one of them" in said


@pytest.mark.slow
def test_a_recipe_trains_on_real_landmarks_and_predicts_as_it_evaluated(shared: Path, tmp_path: Path) -> None:
    settings = {
        "dataset.root": str(shared / "wlasl100-hands"), "dataset.glosses": 6, "train.epochs": 2,
        "run.out": str(tmp_path), "run.device": "cpu",
    }  # fmt: skip
    done = api.run(api.configure(settings, recipe="hands", project_file=False, environ={}))
    loaded = api.load(done.path)
    clips = list(loaded.config.dataset.build().clips("val"))
    assert {c.features.shape[1] for c in clips} == {126}, "raw landmarks go in"
    from asl_core.evaluation.prediction import predict_clips

    rows = {r.split(",")[0]: r.split(",") for r in (done.path / "predictions-val.csv").read_text().splitlines()[1:]}
    for clip in clips:
        (alone,) = predict_clips(loaded, [clip], top=1)
        gloss, probability = alone.top[0]
        assert rows[clip.id][3] == gloss
        assert float(rows[clip.id][4]) == pytest.approx(probability, abs=2e-6)


@pytest.mark.parametrize(("width", "other"), [(126, "recipe hands"), (1662, "recipe hands"), (40, None)])
def test_clips_of_another_layout_name_the_recipe_for_them(width: int, other: str | None) -> None:
    told = unfit36(width)
    assert told is not None
    assert (other in told) if other else ("recipe" not in told)


def test_the_36_numbers_name_their_recipe() -> None:
    assert "recipe numbers36" in (unfit_raw(36) or "")
    told = unfit_raw(40)
    assert told is not None
    assert "recipe" not in told
