"""The mean of the weights after each of the last epochs: what it is of, that it resumes, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from small import small
from torch import nn

from asl_core import api, load_tensors
from asl_core.errors import ConfigError
from asl_core.training.events import EpochReport
from asl_core.training.optimiser import averaged_equally


class AfterEpoch:
    """An observer that keeps the trained weights of every epoch, and pulls the plug after one of them."""

    def __init__(self, path: Path, stop: int = 0):
        self.path, self.stop = path, stop
        self.weights: list[dict[str, torch.Tensor]] = []

    def on_start(self, config: Any, summary: Any) -> None: ...

    def on_epoch(self, report: EpochReport) -> None:
        self.weights.append(load_tensors(self.path / "last" / "state.safetensors").under("model"))
        if report.epoch == self.stop:
            raise KeyboardInterrupt

    def on_end(self, summary: Any) -> None: ...


def config_of(out: Path, name: str, **more: Any) -> Any:
    values = small(out, run__name=name, train__epochs=4, train__ema=0.0, train__swa_epochs=3)
    return api.configure({**values, **more}, environ={}, project_file=False)


def test_the_mean_of_equal_parts() -> None:
    model = nn.BatchNorm1d(2)
    average = averaged_equally(model)
    for n in (1.0, 2.0, 6.0):
        with torch.no_grad():
            model.weight.fill_(n)
        model.running_var.fill_(10 * n)
        model.num_batches_tracked.fill_(int(n))
        average.update_parameters(model)
    mean: Any = average.module
    torch.testing.assert_close(mean.weight.detach(), torch.full((2,), 3.0))
    torch.testing.assert_close(mean.running_var, torch.full((2,), 30.0))
    assert int(mean.num_batches_tracked) == 6


@pytest.mark.slow
def test_final_weights_are_the_mean_after_each_of_the_last_epochs(tmp_path: Path) -> None:
    watch = AfterEpoch(tmp_path / "r")
    done = api.run(config_of(tmp_path, "r"), [watch])
    final = load_tensors(done.path / "final.safetensors").tensors
    assert len(watch.weights) == 4
    for name, value in final.items():
        parts = torch.stack([w[name].double() for w in watch.weights[1:]])
        torch.testing.assert_close(value.double(), parts.mean(0), rtol=1e-5, atol=1e-7)
    assert any(not torch.equal(final[k], watch.weights[-1][k]) for k in final)
    loaded = api.load(done.path)
    report, _, _ = api.evaluate_run(loaded.path, device="cpu")
    assert report["metrics"]["top1"] == done.last["top1"], "the last epoch's figure is that of the mean"


@pytest.mark.slow
@pytest.mark.parametrize("stop", [1, 3])
def test_cut_off_before_or_among_the_last_epochs_it_ends_with_the_same_bytes(tmp_path: Path, stop: int) -> None:
    whole = api.run(config_of(tmp_path, "whole"))
    with pytest.raises(KeyboardInterrupt):
        api.run(config_of(tmp_path, "cut"), [AfterEpoch(tmp_path / "cut", stop)])
    cut = api.resume(tmp_path / "cut")
    for name in ("metrics.jsonl", "best.safetensors", "final.safetensors", "last/state.safetensors"):
        assert (cut.path / name).read_bytes() == (whole.path / name).read_bytes(), name


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"train.ema": 0.99}, "swa-epochs 3 takes the place of the moving average.*set ema to 0"),
        ({"train.patience": 2}, "leave out patience"),
        ({"train.epochs": 2}, "swa-epochs is 3, and there are 2 epochs"),
    ],
)
def test_what_does_not_go_with_it_is_refused(tmp_path: Path, more: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        config_of(tmp_path, "r", **more)
