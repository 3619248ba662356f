"""Starting from a checkpoint: standardisation that goes with the weights, freezing, resuming, refusals."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from small import flags, small

from asl_core import api
from asl_core.checkpoints.format import load_tensors, save_tensors
from asl_core.checkpoints.initialise import Transfer
from asl_core.cli import main
from asl_core.config.run_config import RunConfig
from asl_core.errors import CheckpointError, ConfigError, UsageError


def of(out: Path, **more: Any) -> RunConfig:
    return api.configure(small(out, **more), environ={}, project_file=False)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on other clips, so that its statistics are not those of the run that starts from it."""
    return api.run(of(tmp_path_factory.mktemp("first"), dataset__seed=5, run__name="first")).path


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on features as stored."""
    return api.run(of(tmp_path_factory.mktemp("raw"), train__standardise=False, run__name="raw")).path


def record(path: Path) -> dict[str, Any]:
    return json.loads((path / "transfer.json").read_text(encoding="utf-8"))


def state(path: Path) -> dict[str, torch.Tensor]:
    return api.load(path).model.state_dict()


def encoder(path: Path) -> dict[str, torch.Tensor]:
    return {n: t for n, t in state(path).items() if n.startswith("encoder.")}


@pytest.mark.slow
def test_statistics_travel_with_the_weights(first: Path, tmp_path: Path) -> None:
    """The encoder sees the frames of the new clips as it saw those that it was trained on."""
    done = api.run(of(tmp_path, init=str(first), init__freeze=True))
    before, after = state(first), state(done.path)
    for name in (*encoder(first), "standardiser.mean", "standardiser.scale"):
        assert torch.equal(before[name], after[name]), name
    fresh = api.run(of(tmp_path))
    assert not torch.equal(state(fresh.path)["standardiser.mean"], after["standardiser.mean"])
    heads = [n for n in before if n.startswith("heads.")]
    assert not all(torch.equal(before[n], after[n]) for n in heads), "heads are not transferred"


def test_heads_start_as_they_would_without(first: Path, tmp_path: Path) -> None:
    """A comparison with and without transfer differs in the encoder alone."""
    from asl_core.compute.seeding import mix_seed
    from asl_core.model.recogniser import build_model

    config = of(tmp_path, init=str(first), train__learning_rate=1e-12, train__ema=0)
    torch.manual_seed(mix_seed(0, "weights"))
    fresh = build_model(config, 36, 6).state_dict()
    after = load_tensors(api.run(config).path / "final.safetensors").tensors
    heads = [n for n in fresh if n.startswith("heads.")]
    assert heads
    for name in heads:
        torch.testing.assert_close(fresh[name], after[name], rtol=0, atol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("which", "settings", "standardised", "own", "word"),
    [
        ("first", {}, True, False, "the checkpoint's own mean"),
        ("raw", {}, False, False, "left as stored"),
        ("raw", {"train__standardise": False}, False, False, "left as stored"),
        ("raw", {"init__features": "standardised"}, True, True, "warning: --init.features standardised departs"),
        ("first", {"init__features": "stored"}, False, False, "warning: --init.features stored departs"),
        ("first", {"init__features": "standardised"}, True, False, "the checkpoint's own mean"),
        ("first", {"init__features": "stored", "train__standardise": False}, False, False, "departs"),
    ],
)
def test_features(
    first: Path, raw: Path, tmp_path: Path, which: str, settings: dict, standardised: bool, own: bool, word: str
) -> None:
    path = {"first": first, "raw": raw}[which]
    done = api.run(of(tmp_path, init=str(path), train__epochs=1, **settings))
    after, before = state(done.path), state(path)
    if not standardised:
        assert float(after["standardiser.mean"].abs().max()) == 0
        assert float((after["standardiser.scale"] - 1).abs().max()) == 0
    else:
        assert torch.equal(after["standardiser.mean"], before["standardiser.mean"]) is not own
        assert float(after["standardiser.mean"].abs().max()) > 0
    said = record(done.path)
    assert said["standardised"] is standardised
    assert word in "\n".join(said["said"])
    assert word in (done.path / "log.txt").read_text(encoding="utf-8")
    assert f"standardise = {str(standardised).lower()}" in (done.path / "config.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("which", "settings", "words"),
    [
        ("raw", {"train__standardise": True}, ("train.standardise to true", "--init", "--init.features standardised")),
        ("first", {"train__standardise": False}, ("train.standardise to false", "--init.features stored")),
        ("raw", {"train__standardise": True, "init__features": "stored"}, ("--init.features stored", "contradicts it")),
        ("raw", {"init__min_coverage": 1.5}, ("init.min-coverage", "at most 1")),
        ("raw", {"init__freeze": True, "init__learning_rate_scale": 0.1}, ("leave out learning-rate-scale",)),
        (None, {"init__freeze": True}, ("none is given", "--init PATH")),
        (None, {"init": "nonsense:x"}, ("checkpoint-loader 'nonsense'", "stage1")),
    ],
)
def test_contradictions(
    first: Path, raw: Path, tmp_path: Path, which: str | None, settings: dict, words: tuple
) -> None:
    path = {} if which is None else {"init": str({"first": first, "raw": raw}[which])}
    with pytest.raises(ConfigError) as refused:
        api.run(of(tmp_path / "runs", **path, **settings))
    for word in words:
        assert word in str(refused.value)
    assert not (tmp_path / "runs").exists()


def test_augmentation_in_the_units_of_stored_features_is_told(raw: Path, tmp_path: Path) -> None:
    done = api.run(of(tmp_path, init=str(raw), augment="noise,drop", train__epochs=1))
    assert "augmentation (noise" in "\n".join(record(done.path)["said"])


def test_what_does_not_fit_stops_before_anything_is_made(first: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as refused:
        api.run(of(tmp_path / "runs", init=str(first), encoder__hidden_size=9))
    assert "gru.weight_hh_l0 (24 × 8 in the checkpoint, 27 × 9 in the encoder)" in str(refused.value)
    assert "--encoder.hidden-size 8" in str(refused.value)
    assert not (tmp_path / "runs").exists()


def test_a_lower_share_lists_what_is_left_at_random(first: Path, tmp_path: Path) -> None:
    config = of(tmp_path, init=str(first), encoder__hidden_size=9, init__min_coverage=0.05, init__freeze=True)
    done = api.run(config)
    said = record(done.path)
    assert 0.05 <= said["plan"]["share"] < 1
    assert "left at random, of another shape: gru." in "\n".join(said["said"])
    loaded = {f"encoder.{t['name']}" for t in said["plan"]["loaded"]}
    before, after = encoder(first), encoder(done.path)
    assert loaded
    assert all(torch.equal(before[n], after[n]) for n in loaded)
    assert not any(n.startswith("encoder.gru.weight") for n in loaded)


def test_no_tensor_in_common_is_refused_whatever_the_share(first: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="covers 0 of"):
        api.run(of(tmp_path / "runs", init=str(first), init__map=("=other",), init__min_coverage=1e-9))
    assert not (tmp_path / "runs").exists()


def test_width_of_other_clips_is_named(first: Path, tmp_path: Path) -> None:
    saved = load_tensors(first / "final.safetensors")
    tensors = dict(saved.tensors)
    tensors["encoder.front.project.weight"] = torch.ones(8, 126)
    tensors |= {"standardiser.mean": torch.zeros(126), "standardiser.scale": torch.ones(126)}
    save_tensors(tmp_path / "x.safetensors", tensors, {**saved.meta, "width": 126})
    with pytest.raises(CheckpointError, match="read 126 features per frame, and the clips have 36"):
        api.run(of(tmp_path / "runs", init=str(tmp_path / "x.safetensors")))


@pytest.mark.slow
def test_learning_rate_of_the_transferred(first: Path, tmp_path: Path) -> None:
    """At a thousandth of the rate the encoder moves a thousandth as far, and the head learns as before."""

    more = {"train__ema": 0, "train__epochs": 1, "train__weight_decay": 0}

    def moved(scale: float) -> tuple[float, float]:
        done = api.run(of(tmp_path, init=str(first), init__learning_rate_scale=scale, **more))
        after, before, start = state(done.path), encoder(first), heads
        return (
            max(float((before[n] - after[n]).abs().max()) for n in before),
            max(float((start[n] - after[n]).abs().max()) for n in start),
        )

    still = api.run(of(tmp_path, init=str(first), **{**more, "train__learning_rate": 1e-12}))
    heads = {n: t for n, t in state(still.path).items() if n.startswith("heads.")}
    (encoder_full, head_full), (encoder_slow, head_slow) = moved(1.0), moved(1e-3)
    assert 0 < encoder_slow < 0.002 * encoder_full
    assert head_slow > 0.5 * head_full


def test_everything_frozen_leaves_nothing_to_train(tmp_path: Path) -> None:
    from asl_core.config.tables import TrainOptions
    from asl_core.training.optimiser import make_optimizer, set_learning_rate

    layer = torch.nn.Linear(2, 2).requires_grad_(False)
    with pytest.raises(ConfigError, match="nothing is left to train"):
        make_optimizer([layer], TrainOptions(), torch.device("cpu"))
    two = torch.nn.ModuleList([torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)])
    optimizer = make_optimizer([two], TrainOptions(), torch.device("cpu"), list(two[1].parameters()), 0.1)
    set_learning_rate(optimizer, 0.5)
    rates = {id(p): g["lr"] for g in optimizer.param_groups for p in g["params"]}
    assert [rates[id(p)] for p in two.parameters()] == pytest.approx([0.5, 0.5, 0.05, 0.05])


@pytest.mark.slow
@pytest.mark.parametrize("more", [{"init__freeze": True}, {"init__learning_rate_scale": 0.1}])
def test_resume_needs_the_checkpoint_no_more(
    first: Path, tmp_path: Path, more: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut off after its first epoch and with the checkpoint gone, it ends with the same bits."""
    copy = tmp_path / "copy"
    shutil.copytree(first, copy)
    whole = api.run(of(tmp_path, init=str(copy), run__name="whole", **more)).path
    cut_off(monkeypatch, of(tmp_path, init=str(copy), run__name="cut", **more), after=1)
    shutil.rmtree(copy)
    cut = api.resume(tmp_path / "cut").path
    for name in ("metrics.jsonl", "final.safetensors", "best.safetensors", "transfer.json"):
        if name.endswith("safetensors"):
            one, two = (load_tensors(p / name).tensors for p in (whole, cut))
            assert all(torch.equal(one[n], two[n]) for n in one)
        else:
            assert (whole / name).read_bytes() == (cut / name).read_bytes()


class Cut(KeyboardInterrupt):  # an observer that raises anything else is left out, and the run goes on
    pass


def cut_off(monkeypatch: pytest.MonkeyPatch, config: RunConfig, after: int) -> None:
    """Run until that many epochs are kept, then die."""

    class Observer:
        def on_start(self, *_: object) -> None:
            if after == 0:
                raise Cut

        def on_epoch(self, report: Any) -> None:
            if report.epoch == after:
                raise Cut

        def on_end(self, *_: object) -> None:
            pass

    with pytest.raises(Cut):
        api.run(config, [Observer()])


@pytest.mark.slow
def test_cut_off_before_the_first_epoch(first: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(first, copy)
    whole = api.run(of(tmp_path, init=str(copy), run__name="whole")).path
    cut_off(monkeypatch, of(tmp_path, init=str(copy), run__name="cut"), after=0)
    shutil.rmtree(copy)
    cut = api.resume(tmp_path / "cut").path
    assert (whole / "metrics.jsonl").read_bytes() == (cut / "metrics.jsonl").read_bytes()


def test_resume_without_its_record_is_refused(first: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut_off(monkeypatch, of(tmp_path, init=str(first), run__name="cut"), after=1)
    (tmp_path / "cut/transfer.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"transfer\.json cannot be read"):
        api.resume(tmp_path / "cut")


@pytest.mark.slow
def test_config_file_of_the_run_repeats_it(first: Path, raw: Path, tmp_path: Path) -> None:
    for name, path in (("a", first), ("b", raw)):
        one = api.run(of(tmp_path, init=str(path), run__name=name)).path
        values = {"run.name": f"{name}2"}
        two = api.run(api.configure(values, file=one / "config.toml", environ={}, project_file=False)).path
        assert (one / "metrics.jsonl").read_bytes() == (two / "metrics.jsonl").read_bytes()
        assert record(one)["weights_sha256"] == record(two)["weights_sha256"]


def test_other_transforms_are_refused_or_said(first: Path, tmp_path: Path) -> None:
    saved = load_tensors(first / "final.safetensors")
    config = {**saved.meta["config"], "transform.names": ["mirror"]}
    path = tmp_path / "x.safetensors"
    save_tensors(path, saved.tensors, {**saved.meta, "config": config})
    with pytest.raises(CheckpointError, match=r"\['mirror'\] there and \[\] here"):
        api.run(of(tmp_path / "runs", init=str(path)))
    assert not (tmp_path / "runs").exists()
    done = api.run(of(tmp_path, init=str(path), init__transforms="any", train__epochs=1))
    assert "as --init.transforms any allows" in "\n".join(record(done.path)["said"])


def test_runs_that_are_none(first: Path, tmp_path: Path) -> None:
    unfinished = tmp_path / "unfinished"
    shutil.copytree(first, unfinished)
    (unfinished / "final.safetensors").unlink()
    saved = load_tensors(first / "final.safetensors")
    save_tensors(tmp_path / "bare.safetensors", saved.tensors, {})
    mean = {**saved.tensors, "standardiser.scale": torch.zeros(36)}
    save_tensors(tmp_path / "scale.safetensors", mean, saved.meta)
    (tmp_path / "cut.safetensors").write_bytes((first / "final.safetensors").read_bytes()[:2000])
    for path, word in (
        (unfinished, r"best\.safetensors takes the weights"),
        (first / "last" / "state.safetensors", "is not a run.s model"),
        (tmp_path / "bare.safetensors", "is not a run.s model"),
        (tmp_path / "scale.safetensors", "statistics are damaged"),
        (tmp_path / "cut.safetensors", "cannot be read"),
        (tmp_path / "nothing", "does not exist"),
    ):
        with pytest.raises(UsageError, match=word):
            api.run(of(tmp_path / "runs", init=f"run:{path}"))
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_best_weights_by_their_file(first: Path, tmp_path: Path) -> None:
    done = api.run(of(tmp_path, init=f"run:{first / 'best.safetensors'}", init__freeze=True))
    before = {n: t for n, t in load_tensors(first / "best.safetensors").tensors.items() if n.startswith("encoder.")}
    assert all(torch.equal(t, encoder(done.path)[n]) for n, t in before.items())


def test_record_is_read_back(tmp_path: Path) -> None:
    file = tmp_path / "transfer.json"
    file.write_text(json.dumps({"plan": {"loaded": [{"name": "a", "shape": [1]}]}, "said": ["x"]}))
    assert Transfer.read(file).loaded == ("a",)
    assert Transfer.read(file).lines == ["x"]


def test_screen_and_json_lines(first: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = small(tmp_path, init=str(first), train__epochs=1)
    for more in ([], ["--json"]):
        with pytest.raises(SystemExit) as stop:
            main(["run", *flags(values), "--freeze", *more])
        said = capsys.readouterr()
        assert stop.value.code == 0, said.err
        lines = said.out.splitlines() if not more else json.loads(said.out.splitlines()[0])["transfer"]
        text = "\n".join(lines)
        assert f"{first}: final weights of a run on demo (loader run)" in text
        assert "encoder tensors loaded" in text
        assert "the transferred weights are frozen" in text
