"""Every registered component keeps the contract of its slot."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch

from asl_core import testing
from asl_core.registry.component import Offer
from asl_core.registry.discovery import discover

REGISTRY = discover().registry


def offers(*slots: str) -> list[Any]:
    return [pytest.param(o, id=o.qualified) for slot in slots for o in REGISTRY.slot(slot)]


def loaded(offer: Offer) -> Any:
    return offer.component.load()


@pytest.mark.parametrize("offer", offers("dataset", "checkpoint-loader", "observer"))
def test_documented(offer: Offer) -> None:
    testing.check_component(offer.component)


@pytest.mark.parametrize("offer", offers("encoder"))
@pytest.mark.parametrize("downsample", [1, 3])
def test_encoder(offer: Offer, downsample: int) -> None:
    options = {"hidden_size": 8}
    if any(s.name == "downsample" for s in testing.option_specs(offer.component.options)):
        options["downsample"] = downsample
    testing.check_encoder(offer.component, **options)


@pytest.mark.parametrize("offer", offers("head"))
def test_head(offer: Offer) -> None:
    testing.check_head(offer.component)


PAIRS: list[Any] = [
    pytest.param(loss, head, id=f"{loss.component.name}-on-{head.component.name}")
    for loss, head in itertools.product(REGISTRY.slot("loss"), REGISTRY.slot("head"))
    if loaded(head).kind in loaded(loss).accepts
]


@pytest.mark.parametrize(("loss", "head"), PAIRS)
def test_loss(loss: Offer, head: Offer) -> None:
    testing.check_loss(loss.component, head.component, width=36)


def test_every_loss_has_a_head() -> None:
    assert {p.values[0].component.name for p in PAIRS} == {o.component.name for o in REGISTRY.slot("loss")}


#: numbers a frame that a component says it takes, of those that data sets here have
WIDTHS = (36, 126, 168, 212, 244)


def takes(offer: Offer) -> list[int]:
    made = offer.component.load()(offer.component.options())
    return [w for w in WIDTHS if not hasattr(made, "unfit") or made.unfit(w) is None]


@pytest.mark.parametrize("offer", offers("augment"))
def test_augment(offer: Offer) -> None:
    assert takes(offer)
    for width in takes(offer):
        testing.check_augment(offer.component, width=width)


@pytest.mark.parametrize("offer", offers("transform"))
def test_transform(offer: Offer) -> None:
    assert takes(offer)
    for width in takes(offer):
        testing.check_transform(offer.component, width=width)


@pytest.mark.parametrize("encoder", offers("encoder"))
@pytest.mark.parametrize("head", offers("head"))
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
def test_scores_alone_and_in_a_batch(encoder: Offer, head: Offer, dtype: torch.dtype, tolerance: float) -> None:
    """A clip's scores are the same alone and among longer clips, through encoder and head."""
    if not loaded(head).ranks:
        pytest.skip("the head ranks nothing")
    torch.manual_seed(0)
    enc = encoder.component.load()(encoder.component.options(), 36).to(dtype).eval()
    top = head.component.load()(head.component.options(), enc.output_size, 100).to(dtype).eval()
    lengths = (5, 60, 1, 33, 76)
    batch = testing.random_batch(lengths, classes=100, dtype=dtype)

    def scores(b):
        with torch.no_grad():
            return top.scores(top(enc(b.features, b.lengths), enc.output_lengths(b.lengths)))

    together = scores(batch)
    for place, length in enumerate(lengths):
        alone = scores(batch.rows(place, place + 1).with_features(batch.features[place : place + 1, :length]))
        torch.testing.assert_close(alone[0], together[place], rtol=tolerance, atol=0)
