"""The LSTM encoder: names and shapes of the reference checkpoint, and numbers of torch's own LSTM clip by clip."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from asl_core import testing
from asl_encoders import asl_encoders
from asl_encoders.lstm import LstmEncoder
from asl_encoders.options import LstmOptions

COMPONENT = next(c for c in asl_encoders() if c.name == "lstm")


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"projection": False, "norm": False},
        {"layers": 1, "bidirectional": False},
        {"hidden_size": 5, "layers": 3, "projection": False},
    ],
)
def test_contract(options: dict) -> None:
    testing.check_encoder(COMPONENT, **options)


def test_tensors_are_those_of_the_reference() -> None:
    names = {"input_projection.weight": (128, 36), "input_projection.bias": (128,)}
    for layer, inside in ((0, 128), (1, 256)):
        for end in ("", "_reverse"):
            names |= {
                f"lstm.weight_ih_l{layer}{end}": (512, inside),
                f"lstm.weight_hh_l{layer}{end}": (512, 128),
                f"lstm.bias_ih_l{layer}{end}": (512,),
                f"lstm.bias_hh_l{layer}{end}": (512,),
            }
    names |= {"layer_norm.weight": (256,), "layer_norm.bias": (256,)}
    encoder = LstmEncoder(LstmOptions(), 36)
    assert {n: tuple(t.shape) for n, t in encoder.state_dict().items()} == names
    assert encoder.output_size == 256


def test_without_projection_and_norm_it_is_the_lstm_on_the_features() -> None:
    encoder = LstmEncoder(LstmOptions(projection=False, norm=False, hidden_size=4), 36).double().eval()
    assert {n.partition(".")[0] for n in encoder.state_dict()} == {"lstm"}
    batch = testing.random_batch()
    with torch.no_grad():
        out = encoder(batch.features, batch.lengths)
        for place, length in enumerate(batch.lengths.tolist()):
            alone = encoder.lstm(batch.features[place : place + 1, :length])[0]
            torch.testing.assert_close(out[place, :length], alone[0], rtol=1e-10, atol=1e-12)


def test_no_activation_between_projection_and_lstm() -> None:
    """A projection scaled by -3 under an LSTM scaled by -1/3 changes nothing; an activation between would show."""
    torch.manual_seed(0)
    encoder: Any = LstmEncoder(LstmOptions(hidden_size=4, layers=1), 36).double().eval()
    batch = testing.random_batch()
    with torch.no_grad():
        before = encoder(batch.features, batch.lengths)
        encoder.input_projection.weight.mul_(-3)
        encoder.input_projection.bias.mul_(-3)
        encoder.lstm.weight_ih_l0.div_(-3)
        encoder.lstm.weight_ih_l0_reverse.div_(-3)
        torch.testing.assert_close(encoder(batch.features, batch.lengths), before, rtol=1e-9, atol=1e-12)


def test_dropout_in_training_alone() -> None:
    torch.manual_seed(0)
    encoder = LstmEncoder(LstmOptions(hidden_size=4, layers=1, dropout=0.5), 36)
    batch = testing.random_batch((9,), dtype=torch.float32)
    assert float((encoder.train()(batch.features, batch.lengths) == 0).float().mean()) > 0.2
    assert not bool((encoder.eval()(batch.features, batch.lengths) == 0).any())


def test_autocast_runs() -> None:
    encoder = LstmEncoder(LstmOptions(hidden_size=5), 36)
    batch = testing.random_batch(dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.isfinite(encoder(batch.features, batch.lengths).float()).all()
