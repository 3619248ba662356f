"""Every stage-1 objective in whole runs: the contract, figures that move, joint training, resume, collapse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from small import small

import asl_core as asl
from asl_core import testing
from asl_core.registry.discovery import discover
from asl_core.training.loop import Trainer
from asl_stages.encoded import EncodedOutput, effective_rank, spread
from asl_stages.objective_options import ProjectionOptions
from asl_stages.projection import ProjectionHead

REGISTRY = discover().registry
PAIRS = {
    "contrast-time": "projection",
    "contrast-views": "projection",
    "masked-frames": "reconstruct",
    "phonology": "codes",
}
#: objective -> its figure, and whether it grows
FIGURES = {
    "contrast-time": ("time-retrieval", True),
    "contrast-views": ("view-retrieval", True),
    "masked-frames": ("masked-error", False),
    "phonology": ("code-accuracy", True),
}


def settings(out: Path, loss: str, **more: Any) -> dict[str, Any]:
    chosen = {"head": PAIRS[loss], "loss": loss, "augment": "speed,crop,noise"}
    return small(out, dataset__glosses=12, encoder__dropout=0.0, **more) | chosen


def run(values: dict[str, Any], **more: Any) -> asl.RunResult:
    return asl.run(asl.configure(values, environ={}, project_file=False), **more)


class History:
    """Keeps what is told after every epoch."""

    def __init__(self) -> None:
        self.reports: list[asl.EpochReport] = []

    def on_start(self, config: Any, summary: Any) -> None: ...

    def on_epoch(self, report: asl.EpochReport) -> None:
        self.reports.append(report)

    def on_end(self, summary: Any) -> None: ...


@pytest.mark.parametrize("head", sorted(set(PAIRS.values())))
def test_head_keeps_the_contract(head: str) -> None:
    component = REGISTRY.find("head", head).component
    testing.check_head(component)
    pooled = component.load()(component.options(), 16, 1)
    with pytest.raises(ValueError, match="expected frames"):
        pooled(torch.zeros(2, 16), None)


@pytest.mark.slow
@pytest.mark.parametrize(("loss", "head"), PAIRS.items())
def test_loss_keeps_the_contract(loss: str, head: str) -> None:
    on = REGISTRY.find("head", head).component
    testing.check_loss(REGISTRY.find("loss", loss).component, on, width=36)
    assert on.suggests["loss.name"] in PAIRS


@pytest.mark.slow
@pytest.mark.parametrize("predict", ["ahead", "same"])
def test_phonology_keeps_the_contract_in_its_other_forms(predict: str) -> None:
    offers = REGISTRY.find("loss", "phonology"), REGISTRY.find("head", "codes")
    testing.check_loss(*(o.component for o in offers), width=36, predict=predict)


@pytest.mark.slow
@pytest.mark.parametrize("loss", PAIRS)
def test_a_few_epochs_move_the_figure(loss: str, tmp_path: Path) -> None:
    seen = History()
    values = settings(tmp_path, loss, train__epochs=6, train__learning_rate=0.01, train__ema=0.0)
    values |= {"encoder.hidden-size": 16, "encoder.front-size": 16}
    if loss == "phonology":
        values |= {"dataset.train": 12, "head.codes": 8, "loss.codes": 8}
    run(values, observers=[seen])
    figure, grows = FIGURES[loss]
    first, last = seen.reports[0].val[figure], seen.reports[-1].val[figure]
    assert (last > first + 0.05) if grows else (last < first - 0.05)
    assert last < 1 if loss == "masked-frames" else last > 0
    if loss == "phonology":
        assert last > seen.reports[-1].val["code-majority"]
    assert 0 < seen.reports[-1].val["spread"] <= 1
    assert seen.reports[-1].val["effective-rank"] > 1.5
    assert seen.reports[-1].warnings == ()


@pytest.mark.slow
@pytest.mark.parametrize("loss", PAIRS)
def test_padding_and_downsampling_in_a_whole_run(loss: str, tmp_path: Path) -> None:
    result = run(settings(tmp_path, loss, train__epochs=1, encoder__downsample=3))
    assert result.last["loss"] == result.last["loss"]
    assert FIGURES[loss][0] in result.last
    assert "top1" not in result.last


@pytest.mark.slow
@pytest.mark.parametrize("loss", PAIRS)
def test_a_gradient_reaches_the_whole_encoder(loss: str, tmp_path: Path) -> None:
    before: dict[str, torch.Tensor] = {}

    class Weights(History):
        def on_epoch(self, report: asl.EpochReport) -> None:
            state = asl.load(out / "run", weights="best").model.encoder.state_dict()
            before.update({k: v for k, v in state.items() if k not in before})

    out = tmp_path
    run(settings(out, loss, train__epochs=2, run__name="run", train__ema=0.0, train__weight_decay=0.0),
        observers=[Weights()])  # fmt: skip
    after = asl.load(out / "run").model.encoder.state_dict()
    assert before
    assert [k for k, v in after.items() if v.is_floating_point() and torch.equal(v, before[k])] == []


@pytest.mark.slow
def test_joint_with_ctc_on_one_encoder(tmp_path: Path) -> None:
    values = small(tmp_path, train__epochs=2, augment="speed") | {
        "heads.gloss.name": "ctc",
        "heads.codes.name": "codes",
        "heads.codes.losses.main.name": "phonology",
        "heads.codes.losses.main.weight": 0.3,
        "heads.near.name": "projection",
        "heads.near.losses.time.name": "contrast-time",
        "heads.near.losses.views.name": "contrast-views",
    }
    seen = History()
    result = run(values, observers=[seen])
    train = seen.reports[-1].train
    parts = {n: train[n] for n in ("gloss.ctc-isolated", "codes.phonology", "near.time", "near.views")}
    weights = {"codes.phonology": 0.3}
    assert train["loss"] == pytest.approx(sum(weights.get(n, 1.0) * v for n, v in parts.items()), rel=1e-4)
    assert "codes.phonology/handshape-left" in train
    for figure in ("top1", "code-accuracy", "time-retrieval", "view-retrieval", "codes.spread", "near.effective-rank"):
        assert figure in result.last


@pytest.mark.slow
def test_code_books_survive_a_resume_to_the_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run(settings(tmp_path, "phonology", run__name="whole"))
    save = Trainer.save

    def stop(self: Trainer, to: Any) -> None:
        save(self, to)
        if self.progress.epoch == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "save", stop)
    with pytest.raises(KeyboardInterrupt):
        run(settings(tmp_path, "phonology", run__name="cut"))
    monkeypatch.setattr(Trainer, "save", save)
    resumed = asl.resume(tmp_path / "cut")
    assert resumed.last == whole.last
    one, other = (asl.load(tmp_path / n).model.state_dict() for n in ("whole", "cut"))
    assert all(torch.equal(one[k], other[k]) for k in one)


@pytest.mark.slow
def test_width_and_standardising_are_facts_and_not_options(tmp_path: Path) -> None:
    values = settings(tmp_path, "masked-frames") | {"head.width": 20, "train.epochs": 1}
    config = asl.configure(values, environ={})
    assert any("head.width is no longer needed" in note for note in config.notes)
    loaded = asl.run(config).load()
    assert loaded.model.heads["main"].linear.out_features == 36
    losses = {}
    for raw in (False, True):
        said = settings(tmp_path, "phonology", train__standardise=not raw, train__epochs=1)
        trained = asl.run(asl.configure(said | {"loss.standardised": raw}, environ={}))
        losses[raw] = trained.last["loss"]
        assert 0 < trained.last["code-accuracy"] < 1
    assert losses[True] != losses[False]


def test_spread_and_rank() -> None:
    generator = torch.Generator().manual_seed(0)
    cloud = torch.randn(4000, 8, generator=generator, dtype=torch.float64)
    assert float(spread(cloud)) == pytest.approx(1.0, abs=0.01)
    assert float(effective_rank(cloud)) == pytest.approx(8.0, abs=0.1)
    assert float(effective_rank(cloud[:5])) == pytest.approx(float(effective_rank(cloud[:5].repeat(9, 1))))
    line = cloud[:, :1] * torch.ones(8, dtype=torch.float64)
    assert float(effective_rank(line)) == pytest.approx(1.0)
    assert float(spread(cloud * 1e-3 + 1)) < 0.01
    constant = torch.ones(50, 8)
    assert float(spread(constant)) == 0.0
    assert float(effective_rank(constant)) == 0.0


@pytest.mark.parametrize("head", sorted(set(PAIRS.values())))
@pytest.mark.parametrize("fault", ["alike", "line"])
def test_collapse_is_named(head: str, fault: str) -> None:
    component = REGISTRY.find("head", head).component
    module = component.load()(component.options(), 16, 1)
    frames = torch.randn(3, 20, 16, generator=torch.Generator().manual_seed(0))
    lengths = torch.tensor([20, 7, 1])

    def said(encoded: torch.Tensor) -> str | None:
        found = module.figures(module(encoded, lengths))
        return module.diagnose({k: float(v.mean()) for k, v in found.items()})

    assert said(frames) is None
    collapsed = frames * 1e-3 + 1 if fault == "alike" else frames[:, :, :1].expand(-1, -1, 16)
    collapsed = collapsed.masked_fill(torch.arange(20)[None, :, None] >= lengths[:, None, None], 1e3)  # padding
    text = said(collapsed)
    assert text is not None
    assert "collapsed" in text
    assert "--learning-rate" in text


def test_rows_of_an_encoded_output_keep_their_frames() -> None:
    head = ProjectionHead(ProjectionOptions(size=4, hidden_size=4), 6, 1)
    output = head(torch.randn(4, 5, 6), torch.tensor([5, 4, 3, 2])).rows(1, 3)
    assert isinstance(output, EncodedOutput)
    assert output.encoded.shape == (2, 5, 6)
    assert head.figures(output)["spread"].shape == (2,)
