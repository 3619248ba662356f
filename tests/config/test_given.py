"""Components given by a script: how they are made, named, and found again."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch
from cases.python import Circles, Linear
from torch import nn

import asl_core as asl
from asl_core.config.configure import dotted


@attrs.frozen
class SizedOptions:
    """As a plugin's options are."""

    size: int = asl.option(4, help="numbers a frame", ge=1)


class Sized(Linear):
    """Made as a plugin's encoder is."""

    def __init__(self, options: SizedOptions, input_size: int):
        super().__init__(input_size, options.size)


class Doubled:
    """An augmentation, for which an object is enough."""

    def __init__(self, by: float):
        self.by = by

    def __call__(self, batch: asl.Batch, random: asl.ClipRandom) -> asl.Batch:
        return batch.with_features(batch.features * self.by)


def configured(**settings: Any) -> asl.RunConfig:
    return asl.configure(settings, environ={}, project_file=False)


def test_options_of_a_class_are_settings_and_come_back(tmp_path: Path) -> None:
    config = configured(encoder=Sized, encoder__size=7)
    assert config.encoder.build(2).output_size == 7
    file = tmp_path / "config.toml"
    file.write_text(config.to_toml())
    again = asl.configure(file=file, environ={}, registry=asl.registry_with(encoder=Sized))
    assert again.encoder.build(2).output_size == 7
    with pytest.raises(asl.ConfigError, match="at least 1"):
        configured(encoder=Sized, encoder__size=0)
    with pytest.raises(asl.ConfigError, match="no such option"):
        configured(encoder=Linear, encoder__size=3)


def test_what_is_called_and_what_is_used_as_it_is() -> None:
    made = [
        configured(encoder=thing).encoder.build(2).output_size
        for thing in (Linear, functools.partial(Linear, size=3), lambda width: Linear(width, 9), Linear(2, 5))
    ]
    assert made == [6, 3, 9, 5]
    given = Circles(3)
    assert configured(dataset=given).dataset.build() is given
    assert configured(dataset=lambda: given).dataset.build() is given


def test_a_module_is_copied_with_its_weights() -> None:
    mine = Linear(2)
    built = configured(encoder=mine).encoder.build(2)
    assert built is not mine
    with torch.no_grad():
        built.linear.weight.zero_()
    assert bool(mine.linear.weight.any())


def test_two_of_a_class_have_two_names() -> None:
    config = configured(augment=[Doubled(2.0), "noise", Doubled(3.0)])
    assert [c.saved_name for c in config.augments] == ["script:Doubled", "noise", "script:Doubled-2"]
    assert [config.augments[n].build().by for n in (0, 2)] == [2.0, 3.0]
    registry = asl.registry_with(augment=[Doubled(2.0), Doubled(3.0)])
    assert registry.find("augment", "script:Doubled-2").component.load()(asl.NoOptions()).by == 3.0


def test_a_component_is_taken_as_one() -> None:
    mine = asl.Component(name="mine", factory="cases.python:Circles", summary="circles")
    assert configured(dataset=mine).dataset.saved_name == "script:mine"


def test_a_slot_that_there_is_not() -> None:
    with pytest.raises(asl.ConfigError, match="no slot 'encodr'; did you mean 'encoder'"):
        asl.registry_with(encodr=Linear)
    with pytest.raises(asl.ConfigError, match="expected a class or an object"):
        asl.registry_with(encoder="gru")


def test_a_broken_constructor_is_told() -> None:
    def broken(width: int) -> nn.Module:
        raise RuntimeError("no luck")

    with pytest.raises(asl.ConfigError, match=r"broken\(input_size\) raised RuntimeError: no luck"):
        configured(encoder=broken).encoder.build(2)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"epochs": 2, "out": "x", "fold": "1/5"}, {"train.epochs": 2, "run.out": "x", "split.fold": "1/5"}),
        ({"init": "run:x", "freeze": True}, {"init": "run:x", "init.freeze": True}),
        ({"encoder__hidden_size": 3}, {"encoder.hidden-size": 3}),
        ({"encoder": {"name": "gru", "hidden-size": 3}}, {"encoder.name": "gru", "encoder.hidden-size": 3}),
        ({"heads.my_head.losses.a_b.label_smoothing": 1}, {"heads.my_head.losses.a_b.label-smoothing": 1}),
        ({"augment.fill_gaps": {"max_gap": 1}}, {"augment.fill-gaps.max-gap": 1}),
    ],
)
def test_spellings(values: dict[str, Any], expected: dict[str, Any]) -> None:
    assert dotted(values) == expected


def test_a_key_that_is_no_text_and_tables_without_end() -> None:
    with pytest.raises(asl.ConfigError, match="expected the name of a setting"):
        dotted({3: 1})  # type: ignore[dict-item]
    endless: dict[str, Any] = {}
    endless["a"] = endless
    with pytest.raises(asl.ConfigError, match="nested more than"):
        dotted(endless)


def test_a_failed_run_takes_its_bar_away_and_a_broken_observer_does_not_end_one(tmp_path: Path) -> None:
    import threading

    class Breaks(asl.ProgressBar):
        def on_progress(self, report: asl.ProgressReport) -> None:
            raise OSError("the server is gone")

    with pytest.raises(asl.AslError):
        asl.run(
            {"dataset": "wlasl", "dataset.root": tmp_path / "none", "out": tmp_path}, [asl.ProgressBar()], environ={}
        )
    assert "asl-progress" not in [t.name for t in threading.enumerate()]
    result = asl.run(dataset=Circles(), encoder=Linear, epochs=1, out=tmp_path, observers=[Breaks()], environ={})
    assert result.load().embed(list(Circles(2).clips("val"))).pooled.shape == (2, 6)
