"""The library from a script: five lines, own components, own clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small import small

import asl_core as asl
from asl_core.registry.discovery import discover


def test_five_lines(tmp_path: Path) -> None:
    config = asl.configure(small(tmp_path), environ={})
    result = asl.run(config)
    loaded = asl.load(result.path)
    found = asl.predict_clips(loaded, [asl.Clip(id="mine", features=np.zeros((9, 36)).tolist())])
    assert found[0].top[0][0] in loaded.vocabulary.glosses


def test_nested_tables_paths_and_numpys_numbers(tmp_path: Path) -> None:
    values = {
        **small(tmp_path),
        "run.out": tmp_path,
        "train": {"epochs": np.int64(2), "learning-rate": np.float32(0.5)},
    }
    del values["train.epochs"]
    config = asl.configure(values, environ={})
    assert (config.train.epochs, config.train.learning_rate, config.run.out) == (2, 0.5, str(tmp_path))


@pytest.mark.slow
def test_a_registry_of_ones_own_is_used_throughout(tmp_path: Path) -> None:
    """A component that no package offers: trained, resumed, evaluated and predicted with."""
    mine = asl.Component(
        name="mine", factory="asl_encoders.gru:GruEncoder", summary="mine",
        options=discover().registry.find("encoder", "gru").component.options,
    )  # fmt: skip
    registry = asl.Registry([*discover().registry, asl.Offer("encoder", mine, "own", "own")])
    config = asl.configure({**small(tmp_path), "encoder": "mine"}, registry=registry, environ={})
    done = asl.run(config, registry=registry)
    assert asl.resume(done.path, registry=registry).last == done.last
    report, _, _ = asl.evaluate_run(done.path, device="cpu", registry=registry)
    assert report["metrics"]["top1"] == done.last["top1"]
    np.save(tmp_path / "clip.npy", np.zeros((9, 36), np.float32))
    assert asl.predict_file(done.path, tmp_path / "clip.npy", registry=registry)
    with pytest.raises(asl.AslError, match="mine"):
        asl.load(done.path)
