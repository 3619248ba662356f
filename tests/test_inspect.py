"""``asl inspect``: what is in a file, in text and JSON, and the plan for an encoder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from asl_core.cli import main


def call(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(["inspect", *words])
    said = capsys.readouterr()
    return int(stop.value.code or 0), said.out, said.err


@pytest.fixture
def file(tmp_path: Path) -> str:
    lstm = nn.LSTM(36, 3, 1, batch_first=True)
    content = {
        "model_state_dict": {f"encoder.lstm.{n}": t for n, t in lstm.state_dict().items()},
        "epoch": 12, "val_acc": float("nan"), "gloss_to_id": {"book": 1}, "config": {"hidden_dim": 3},
    }  # fmt: skip
    torch.save(content, tmp_path / "x.pt")
    return str(tmp_path / "x.pt")


def test_text(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(capsys, file)
    assert code == 0, err
    for text in (
        "loader stage1", "4 tensors, 492 numbers", "reads       36 features per frame", "as stored, not standardised",
        "--encoder lstm --encoder.hidden-size 3 --encoder.layers 1 --encoder.bidirectional false",
        "vocabulary  1 glosses", "epoch       12", "hidden_dim 3", "lstm.weight_ih_l0  12 × 36  432  float32",
    ):  # fmt: skip
        assert text in out, out
    assert "plan" not in out


def test_json_is_json_even_with_nan(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, file, "--json")

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    found = json.loads(out, parse_constant=refuse)
    assert code == 0
    assert found["facts"]["val_acc"] is None
    assert (found["plan"], found["glosses"]) == (None, ["book"])


FITS = ["--encoder", "lstm", "--encoder.hidden-size", "3", "--encoder.layers", "1", "--encoder.bidirectional", "false"]


def test_plan(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    fits = [*FITS, "--encoder.projection", "false", "--encoder.norm", "false"]
    assert "4 of 4 encoder tensors loaded (492 of 492 parameters, 100 %)" in call(capsys, file, *fits)[1]
    out = call(capsys, file, *FITS)[1]
    assert "mismatched  lstm.weight_ih_l0 (12 × 36 in the checkpoint, 12 × 3 in the encoder)" in out
    assert "missing     input_projection.weight (3 × 36)" in out


def test_width_and_map_for_a_file_that_says_neither(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = [f"torch:{file}", *FITS, "--encoder.projection", "false", "--encoder.norm", "false"]
    code, _, err = call(capsys, *words)
    assert code == 2
    assert "--width" in err
    code, out, err = call(capsys, *words, "--width", "36", "--map", "encoder=")
    assert code == 0, err
    assert "100 %" in out
    assert "4 of 4" not in call(capsys, *words, "--width", "35", "--map", "encoder=")[1]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["nowhere.pt"], "does not exist"),
        (["{file}", "--encoder", "lstmm"], "did you mean 'lstm'"),
        (["{file}", "--encoder", "lstm", "--encoder.layers", "0"], "at least 1"),
        (["{file}", "--map", "nothing="], "no tensor of the checkpoint starts with"),
        (["{file}", "--width", "0"], "--width"),
        (["{file}", "--epochs", "3"], "epochs"),
        ([], "CHECKPOINT"),
    ],
)
def test_wrong_usage(file: str, capsys: pytest.CaptureFixture[str], words: list[str], text: str) -> None:
    code, _, err = call(capsys, *(w.replace("{file}", file) for w in words))
    assert code == 2
    assert text in err


def test_help_names_the_options_of_the_encoder_alone(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "--encoder", "lstm", "--help")
    assert code == 0
    assert "--encoder.projection" in out
    assert "--epochs" not in out
