"""Encoder, heads and labels are checked against each other before anything is trained."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from toy_components import ClassLoss, FrameHead, LinearEncoder, MeanHead, SmallOptions, make_clips, registry

from asl_core import Clip, ClipStore, ConfigError, DataError, Vocabulary
from asl_core.config.resolve import resolve
from asl_core.config.sources import value_layer
from asl_core.model.objectives import Objective
from asl_core.model.recogniser import Recognizer, Standardiser, build_model
from asl_core.training.labels import check_labels


def build(width: Any = 3, classes: Any = 4, **values: Any) -> Recognizer:
    said = {k.replace("__", "."): v for k, v in values.items()}
    return build_model(resolve([value_layer(said, "script")], registry()), width, classes)


def test_standardised_frames_have_mean_0_and_deviation_1() -> None:
    rng = np.random.default_rng(0)
    frames = (rng.standard_normal((5000, 3)) * [3, 0.01, 100] + [1000, 0, -5]).astype(np.float32)
    store = ClipStore([Clip(id="a", features=frames), Clip(id="b", features=frames[:7])], Vocabulary(()))
    standardiser = Standardiser(3)
    standardiser.fit(torch.from_numpy(frames))
    np.testing.assert_allclose(standardiser.mean.numpy(), frames.astype(np.float64).mean(0), rtol=1e-5, atol=1e-6)
    out = standardiser(store.batch(torch.tensor([0, 1])))
    assert out.features[0].mean(0).abs().max() < 1e-3
    assert out.features[0].std(0, correction=0) == pytest.approx(1, abs=1e-3)
    assert (out.features[1, 7:] == 0).all(), "padding stays zero, though the mean was taken off"


def test_the_deviation_is_that_of_the_frames_themselves() -> None:
    """Of n, not of n - 1: with few frames the two are far apart."""
    standardiser = Standardiser(2)
    standardiser.fit(torch.tensor([[1.0, 0.0], [3.0, 4.0]]))
    assert standardiser.mean.tolist() == [2.0, 2.0]
    assert standardiser.scale.tolist() == [1.0, 2.0]


def test_statistics_are_summed_in_float64() -> None:
    """In float32 the sum of these frames is infinite."""
    frames = torch.full((5000, 1), 3e35)
    frames[::2] = 1e35
    standardiser = Standardiser(1)
    standardiser.fit(frames)
    assert standardiser.mean.tolist() == pytest.approx([2e35])


def test_slices_do_not_change_the_statistics() -> None:
    frames = torch.randn((1 << 16) + 1000, 2, generator=torch.Generator().manual_seed(0)) + 3
    standardiser = Standardiser(2)
    standardiser.fit(frames)
    torch.testing.assert_close(standardiser.mean, frames.double().mean(0).float())
    torch.testing.assert_close(standardiser.scale, frames.double().std(0, correction=0).float())


@pytest.mark.parametrize("value", [0.0, 0.1, -1.0, 1e6, 1 / 3])
def test_constant_dimensions_are_only_centred(value: float) -> None:
    frames = torch.full((1000, 1), value)
    standardiser = Standardiser(1)
    standardiser.fit(frames)
    assert standardiser.scale.tolist() == [1.0]
    batch = ClipStore([Clip(id="a", features=frames.numpy() + 1)], Vocabulary(())).batch(torch.tensor([0]))
    assert standardiser(batch).features.mean() == pytest.approx(1, abs=0.1)


def test_rounding_is_no_movement() -> None:
    frames = torch.full((1000, 1), 0.1)
    frames[::2] = torch.nextafter(frames[::2], torch.tensor(1.0))
    standardiser = Standardiser(1)
    standardiser.fit(frames)
    assert standardiser.scale.tolist() == [1.0]


def test_small_movements_are_no_constants() -> None:
    frames = 1e-5 * torch.randn(1000, 1, generator=torch.Generator().manual_seed(0))
    standardiser = Standardiser(1)
    standardiser.fit(frames)
    assert float(standardiser.scale) == pytest.approx(1e-5, rel=0.1)


@pytest.mark.slow
def test_statistics_travel_with_the_weights() -> None:
    one, other = build(), build()
    one.standardiser.fit(torch.randn(50, 3))
    other.load_state_dict(one.state_dict())
    assert torch.equal(other.standardiser.mean, one.standardiser.mean)
    assert one.parameter_count() == 3 * 8 + 8 + 8 * 4 + 4, "statistics are not trained"


def test_forward_is_standardise_encode_and_every_head() -> None:
    model = build(**{"head": "ctc", "heads.side.name": "ctc"})
    model.standardiser.fit(torch.randn(50, 3))
    batch = ClipStore(make_clips([4, 2]), Vocabulary(("a",))).batch(torch.tensor([0, 1]))
    outputs = model(batch)
    assert list(outputs) == ["main", "side"]
    frames, lengths = model.encode(model.standardiser(batch))
    assert torch.equal(outputs["side"].values, model.head("side")(frames, lengths).values)
    assert lengths is not None
    assert lengths.tolist() == [4, 2]


def test_a_pooling_encoder_has_no_lengths() -> None:
    model = build(encoder="pool")
    batch = ClipStore(make_clips([4, 2]), Vocabulary(("a",))).batch(torch.tensor([0, 1]))
    assert model.encode(batch)[1] is None
    assert model(batch)["main"].values.shape == (2, 4)


def test_the_first_head_that_ranks_is_evaluated() -> None:
    heads = {"a": FrameHead(None, 8, 2), "b": MeanHead(None, 8, 2), "c": MeanHead(None, 8, 2)}
    encoder = LinearEncoder(SmallOptions(), 3)
    assert Recognizer(Standardiser(3), encoder, heads).ranking_head == "b"
    assert Recognizer(Standardiser(3), encoder, {"a": heads["a"]}).ranking_head is None


def test_all_misfits_at_once() -> None:
    with pytest.raises(ConfigError) as raised:
        build(**{"encoder": "pool", "head": "ctc", "heads.side.name": "frames", "heads.side.losses.x.name": "plain"})
    assert raised.value.problems == (
        "head 'frames' needs one output a frame, and encoder 'pool' pools over time: choose another encoder, or a "
        "head such as mean",
        "loss 'plain' is for classes heads, and head 'side' (frames) is of kind 'frames': choose another with --loss",
    )


class AnyLabels(ClassLoss):
    labels = "any"


class NoLabels(ClassLoss):
    labels = "none"


def check(
    loss: ClassLoss, glosses: list[tuple[str, ...]], lengths: list[int] | None = None, head: str = "main"
) -> None:
    store = ClipStore(make_clips(lengths or [5] * len(glosses), glosses), Vocabulary(("a", "b")))
    heads = {"main": MeanHead(None, 8, 2), "frames": FrameHead(None, 8, 2)}
    model = Recognizer(Standardiser(3), LinearEncoder(SmallOptions(), 3), heads)
    check_labels(model, [Objective("it", head, loss, 1.0)], store)


def test_labels_that_a_loss_takes() -> None:
    check(ClassLoss(), [("a",), ("b",)])
    check(AnyLabels(), [("a",), ("a", "b")])
    check(NoLabels(), [(), ("a", "b")])


def test_labels_that_a_loss_does_not_take() -> None:
    with pytest.raises(DataError, match=r"'it' needs exactly one gloss a clip, and 2 of 3 .*\(clip-0, clip-2\)"):
        check(ClassLoss(), [("a", "b"), ("b",), ()])
    with pytest.raises(DataError, match=r"'it' needs a gloss a clip, and 1 of 3 train clips have none \(clip-2\)"):
        check(AnyLabels(), [("a", "b"), ("b",), ()])
    with pytest.raises(DataError, match=r"clip-0, clip-1, clip-2, clip-3, clip-4 and 2 more"):
        check(ClassLoss(), [()] * 7)


def test_clips_too_short_for_their_label() -> None:
    with pytest.raises(DataError, match=r"1 train clips are too short .*clip 'clip-1' has 3 frames, 3 after .*needs 4"):
        check(AnyLabels(), [("a",), ("a", "b")], [4, 3], head="frames")
    check(NoLabels(), [("a",), ("a", "b")], [4, 3], head="frames")
    check(AnyLabels(), [("a",), ("a", "b")], [4, 3], head="main")


class Short(nn.Module):
    """Every second frame, and no word of it."""

    frames, output_size = True, 3

    def output_lengths(self, lengths):
        return lengths

    def forward(self, features, lengths):
        return features[:, ::2]


class Wide:
    batchwise = True

    def output_width(self, width: int) -> int:
        return width

    def __call__(self, batch):
        return batch.with_features(torch.cat([batch.features, batch.features], 2))


def test_an_encoder_that_drops_frames_in_silence_is_named() -> None:
    from asl_core.errors import RunError
    from asl_core.testing import random_batch

    short: Any = Short()
    model = Recognizer(Standardiser(3), short, {})
    with pytest.raises(RunError, match=r"encoder test_recogniser.Short gave .*\(4, 12, 3\).* 23 of 3 numbers"):
        model(random_batch(width=3, dtype=torch.float32))


def test_a_transform_that_gives_another_width_than_it_says_is_named() -> None:
    from asl_core.errors import RunError
    from asl_core.testing import random_batch

    wide: Any = Wide()
    with pytest.raises(RunError, match=r"transform test_recogniser.Wide gave \(4, 23, 6\) .* say \(4, 23, 3\)"):
        Standardiser(3, [wide])(random_batch(width=3, dtype=torch.float32))
