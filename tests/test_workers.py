"""Plugins and configuration are rebuilt from plain data in another process: nothing of them is pickled or forked."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from packages import ENCODER, plugin
from rebuilt import from_text, from_values, outcome
from small import small

from asl_core.api import configure
from asl_core.cli.plugin_flag import plugins_chosen

MINE = """
from asl_core import Component, hookimpl, option
import attrs

@attrs.frozen
class Options:
    size: int = option(5, help="numbers a frame")

@hookimpl
def asl_encoders():
    return [Component(name="mine", factory="plug_mine_model:Mine", options=Options, summary="a linear map")]
"""
MODEL = """
from asl_core import Encoder
from torch import nn

class Mine(Encoder):
    def __init__(self, options, input_size):
        super().__init__()
        self.output_size = options.size
        self.map = nn.Linear(input_size, options.size)

    def forward(self, features, lengths):
        return self.map(features)
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "site"
    plugin(folder, "mine-kit", "mine", MINE)
    (folder / "plug_mine_model.py").write_text(MODEL)
    plugin(folder, "other-kit", "other", ENCODER.format(name="mine"))
    plugin(folder, "third-kit", "third", ENCODER.format(name="third"))
    monkeypatch.syspath_prepend(folder)
    yield folder
    for name in [n for n in sys.modules if n.startswith("plug_")]:
        del sys.modules[name]


@pytest.mark.slow
def test_a_spawned_process_rebuilds_registry_configuration_and_model(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``ASL_PLUGINS`` and what ``-P`` adds to it travel in the environment; without them "mine" would mean two."""
    monkeypatch.setenv("ASL_PLUGINS", "-third")
    monkeypatch.delenv("ASL_STRICT_PLUGINS", raising=False)
    with plugins_chosen(["no:other-kit"]):
        values = small(tmp_path / "runs", train__epochs=1) | {"encoder": "mine", "encoder.size": 7, "run.seed": 3}
        values = {k: v for k, v in values.items() if k not in ("encoder.hidden-size", "encoder.front-size")}
        config = configure(values, environ={}, project_file=False)
        here = outcome(config)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            by_values = pool.apply(from_values, [values])
            by_saved = pool.apply(from_values, [config.values()])
            by_text = pool.apply(from_text, [config.to_toml(), str(tmp_path)])
    assert ("other-kit", "other", "blocked") in here["plugins"]
    assert ("third-kit", "third", "blocked") in here["plugins"]
    assert ("encoder", "mine", "plug_mine_model:Mine") in here["registry"]
    assert by_values == here
    assert by_saved == here
    assert by_text == here


def test_a_name_that_two_packages_offer_is_saved_as_its_own(site: Path, tmp_path: Path) -> None:
    """``dist:name`` survives the way through the saved configuration, whichever of the two was meant."""
    base = {k: v for k, v in small(tmp_path).items() if not k.startswith("encoder")}
    config = configure({**base, "encoder": "mine-kit:mine"}, environ={}, project_file=False)
    (tmp_path / "config.toml").write_text(config.to_toml(), encoding="utf-8")
    again = configure(file=tmp_path / "config.toml", environ={}, project_file=False)
    assert again == config
    assert again.encoder.name == "mine-kit:mine"
