"""The checkpoint that the reference project wrote: what our encoder gives is what torch makes of its tensors."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from asl_core import api
from asl_core.cli import main
from asl_core.data.splits import load_split


def by_torch_alone(content: dict[str, Tensor], clip: Tensor) -> Tensor:
    """Linear, two-layer bidirectional LSTM, layer norm, on one clip as stored: (T, 36) to (T, 256)."""
    projected = nn.functional.linear(clip, content["input_projection.weight"], content["input_projection.bias"])
    lstm = nn.LSTM(128, 128, num_layers=2, bidirectional=True, batch_first=True, dtype=clip.dtype)
    lstm.load_state_dict({n.removeprefix("lstm."): t for n, t in content.items() if n.startswith("lstm.")})
    with torch.no_grad():
        frames = lstm(projected[None])[0][0]
    return nn.functional.layer_norm(frames, (256,), content["layer_norm.weight"], content["layer_norm.bias"])


def words(shared: Path, out: Path, *more: str) -> list[str]:
    return [
        "run", "--dataset", "wlasl", "--dataset.root", str(shared / "wlasl100"), "--dataset.glosses", "4",
        "--init", f"stage1:{shared / 'stage1' / 'checkpoint_best.pt'}", "--epochs", "1", "--device", "cpu",
        "--threads", "1", "--out", str(out), *more,
    ]  # fmt: skip


def call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(list(arguments))
    return int(stop.value.code or 0)


@pytest.fixture
def file(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = shared / "stage1" / "checkpoint_best.pt"
    if not path.is_file():
        pytest.skip(f"needs the reference checkpoint, which is not at {path}")
    return path


@pytest.mark.slow
def test_the_whole_input_path_equals_torch_alone(
    file: Path, shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*words(shared, tmp_path / "runs", "--encoder", "lstm", "--freeze", "--name", "r")) == 0
    said = capsys.readouterr().out
    assert "20 of 20 encoder tensors loaded (664,704 of 664,704 parameters, 100 %)" in said
    assert "left as stored" in said
    record = json.loads((tmp_path / "runs/r/transfer.json").read_text(encoding="utf-8"))
    assert len(record["plan"]["loaded"]) == 20
    assert record["plan"]["share"] == 1.0
    assert record["standardised"] is False

    # In double precision, so that only a difference in what is computed shows, not one in the order of rounding.
    content = {n: t.double() for n, t in torch.load(file, weights_only=True)["encoder_state_dict"].items()}
    loaded = api.load(tmp_path / "runs/r")
    model = loaded.model.double()
    store = load_split(loaded.config, "val", loaded.vocabulary)
    batch = store.batch(torch.arange(len(store)))
    with torch.no_grad():
        frames, lengths = model.encode(model.standardiser(batch.with_features(batch.features.double())))
    assert lengths is not None
    with (shared / "wlasl100" / "features_val_wlasl100.pkl").open("rb") as pickled:
        clips = pickle.load(pickled)
    assert len(store) > 5
    for place, name in enumerate(store.ids):
        expected = by_torch_alone(content, torch.from_numpy(clips[name]["features"]).double())
        torch.testing.assert_close(frames[place, : int(lengths[place])], expected, rtol=0, atol=1e-9)


def test_another_encoder_stops_before_anything_is_made(
    file: Path, shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*words(shared, tmp_path / "runs", "--encoder", "gru")) == 2
    said = capsys.readouterr().err
    for text in ("lstm.weight_ih_l0 (512 × 128)", "front.project.weight (128 × 36)",
                 "--encoder lstm --encoder.hidden-size 128 --encoder.layers 2"):  # fmt: skip
        assert text in said
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_other_input_is_refused_or_said(
    file: Path, shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lstm = words(shared, tmp_path / "runs", "--encoder", "lstm", "--name", "r")
    assert call(*lstm, "--standardise", "true") == 2
    said = capsys.readouterr().err
    assert "flag --standardise" in said
    assert "--init stage1:" in said
    assert not (tmp_path / "runs").exists()
    assert call(*lstm, "--init.features", "standardised") == 0
    assert "departs from what the weights were trained on" in capsys.readouterr().out
    assert float((api.load(tmp_path / "runs/r").model.standardiser.mean).abs().max()) > 0


def test_inspect_the_real_file(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("inspect", str(file), "--encoder", "lstm", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["loader"], found["width"], found["facts"]["epoch"]) == ("stage1", 36, 4)
    assert found["plan"]["share"] == 1.0
    assert len(found["tensors"]) == 20
    assert {t["name"].partition(".")[0] for t in found["others"]} == {"vq_state_dict", "projection_head_state_dict"}
