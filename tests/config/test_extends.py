"""A recipe can be extended: by another recipe, by a user's file, in a curriculum for all stages or for one."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from asl_core import api
from asl_core.config import extends
from asl_core.config.sources import flag_layer
from asl_core.errors import ConfigError
from asl_core.registry.recipes import find_recipe
from asl_core.studies.curriculum import load_curriculum

FROZEN = sorted((Path(__file__).resolve().parents[1] / "frozen_recipes").glob("*.toml"))
assert FROZEN, "the recipes as they were"


def configured(file: Path, **settings):
    return api.configure(settings, file=file, project_file=False, environ={})


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


#: Recipes that since 0.1 resample clips of known rate and leave those of unknown rate as they are: the one difference
RESAMPLED = {"hands-stage1"}


@pytest.mark.parametrize("file", FROZEN, ids=lambda f: f.stem)
def test_a_recipe_of_0_1_sets_what_it_set(file: Path) -> None:
    flags = flag_layer({"dataset.root": "x", "stage.stage1.dataset.root": "pool"})
    before = load_curriculum(file, flags, environ={}).stages
    now = load_curriculum(find_recipe(file.stem).path, flags, environ={}).stages
    expected = [(stage.name, stage.after, stage.config.values()) for stage in before]
    if file.stem in RESAMPLED:
        for _, _, values in expected:
            names = values["transform.names"]
            assert names[0] == "landmarks"
            values |= {"transform.resample.fps": 30.0, "transform.names": ["landmarks", "resample", *names[1:]]}
    assert [(stage.name, stage.after, stage.config.values()) for stage in now] == expected


def test_a_file_extends_a_recipe(tmp_path: Path) -> None:
    file = written(tmp_path / "own.toml", 'extends = "hands"\n[train]\nepochs = 3\n[head]\nname = "mean"\n')
    config = configured(file, dataset__root="x")
    assert (config.encoder.name, config.train.epochs, config.train.batch_size) == ("convformer", 3, 32)
    assert config.origins["encoder.name"].file == str(find_recipe("hands").path)
    assert config.origins["train.epochs"].file == str(file)
    assert any("loss.consistency" in note and "ignored" in note for note in config.notes), "nothing goes in silence"


def test_asl_toml_extends_a_recipe_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "asl.toml", 'extends = "hands"\n')
    config = api.configure({"dataset.root": "x"}, environ={})
    assert config.encoder.name == "convformer"
    assert "encoder.name" in config.notes[0]


def test_a_stage_extends_a_recipe(tmp_path: Path) -> None:
    text = '[[stage]]\nname = "a"\nextends = "hands"\n[stage.train]\nepochs = 2\n[[stage]]\nname = "b"\ninit = "a"\n'
    one, two = load_curriculum(written(tmp_path / "two.toml", text), flag_layer({"stage.a.dataset.root": "x"})).stages
    assert (one.config.encoder.name, one.config.train.epochs) == ("convformer", 2)
    assert two.config.encoder.name == "gru", "the other stage is as it was"


def test_recipes_extend_one_another_and_not_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "a": 'extends = "b"\n[run]\nseed = 3\n', "b": 'extends = "hands"\n[train]\nepochs = 5\n[run]\nseed = 1\n',
        "x": 'extends = "y"\n', "y": 'extends = "x"\n', "z": 'extends = "z"\n',
    }  # fmt: skip
    paths = {name: written(tmp_path / f"{name}.toml", text) for name, text in files.items()}
    monkeypatch.setattr(
        extends, "find_recipe", lambda name: SimpleNamespace(path=paths[name]) if name in paths else find_recipe(name)
    )
    config = configured(paths["a"], dataset__root="x")
    assert (config.encoder.name, config.train.epochs, config.run.seed) == ("convformer", 5, 3)
    for name in "xyz":
        with pytest.raises(ConfigError, match="extends itself"):
            configured(paths[name])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('extends = "hand"\n', "line 1: extends: there is no recipe 'hand'; did you mean 'hands'"),
        ("[train]\nepochs = 2\n[extends]\na = 1\n", "extends"),
        ('extends = ["hands"]\n', "is not the name of a recipe"),
        ('extends = "hands-stage1"\n', "is a curriculum"),
        ('[common]\nextends = "hand"\n[[stage]]\nname = "a"\n', "line 2: extends: there is no recipe 'hand'"),
        ('[[stage]]\nname = "a"\nextends = "hand"\n', "line 3: extends: there is no recipe 'hand'"),
        ('extends = "hands"\n[[stage]]\nname = "a"\n', r"it belongs in \[common\] or in a \[\[stage\]\]"),
    ],
)
def test_what_cannot_be_extended_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    file = written(tmp_path / "own.toml", text)
    with pytest.raises(ConfigError, match=expected):
        load_curriculum(file) if "[[stage]]" in text else configured(file)
