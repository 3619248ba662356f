"""Mixup is the weighed loss of two glosses, drawn from the clips' keys, and refused where it means nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small import small

from asl_core import ClipRandom, api
from asl_core.errors import ConfigError
from asl_core.model.mixup import mix
from asl_core.model.objectives import build_objectives, compute
from asl_core.model.recogniser import build_model
from asl_core.testing import random_batch


def key(seed: int) -> ClipRandom:
    return ClipRandom.of(torch.arange(4), seed)


def a_mixing_seed() -> int:
    return next(s for s in range(50) if mix([random_batch()], key(s), 0.4) is not None)


def test_frames_are_added_by_their_shares_and_the_longer_clip_s_end_stays() -> None:
    batch = random_batch()
    mixed = mix([batch], key(a_mixing_seed()), 0.4)
    assert mixed is not None
    (first,), (second,) = mixed.first, mixed.second
    assert 0.5 <= mixed.share <= 1
    for place in range(len(batch)):
        (partner,) = (second.single[place] == batch.single).nonzero().flatten().tolist()
        expected = mixed.share * batch.features[place] + (1 - mixed.share) * batch.features[partner]
        torch.testing.assert_close(first.features[place], expected)
        assert first.lengths[place] == max(batch.lengths[place], batch.lengths[partner])
    assert torch.equal(first.single, batch.single)
    assert sorted(second.single.tolist()) == sorted(batch.single.tolist())
    assert bool((first.features[~first.mask] == 0).all())


def test_half_of_the_batches_are_mixed_and_the_same_keys_mix_the_same() -> None:
    found = [mix([random_batch()], key(s), 0.4) for s in range(400)]
    share = sum(m is not None for m in found) / len(found)
    assert 0.4 < share < 0.6
    again = mix([random_batch()], key(a_mixing_seed()), 0.4)
    first = found[a_mixing_seed()]
    assert first is not None
    assert again is not None
    assert torch.equal(first.first[0].features, again.first[0].features)
    assert mix([random_batch((5,))], ClipRandom.of(torch.arange(1), a_mixing_seed()), 0.4) is None


def test_the_loss_is_that_of_both_glosses_by_their_shares(tmp_path: Path) -> None:
    config = api.configure(small(tmp_path, head="mean", train__mixup=0.4), project_file=False, environ={})
    torch.manual_seed(0)
    model = build_model(config, 36, 5).double().eval()
    objectives = build_objectives(config)
    batch, seed = random_batch(), a_mixing_seed()
    total = compute(model, objectives, batch, lambda _: key(seed), mixup=0.4).total
    mixed = mix([model.standardiser(batch)], key(seed), 0.4)
    assert mixed is not None
    one = compute(model, objectives, mixed.first[0], lambda _: key(seed)).total
    two = compute(model, objectives, mixed.second[0], lambda _: key(seed)).total
    torch.testing.assert_close(total, mixed.share * one + (1 - mixed.share) * two)
    plain = compute(model, objectives, batch, lambda _: key(seed)).total
    assert not torch.isclose(total, plain)


def test_it_is_refused_where_a_loss_has_no_glosses(tmp_path: Path) -> None:
    settings = small(tmp_path, head="reconstruct", loss="masked-frames", train__mixup=0.4)
    with pytest.raises(ConfigError, match=r"mixup mixes clips of one gloss.*masked-frames"):
        api.run(api.configure(settings, project_file=False, environ={}))
    assert not any(tmp_path.iterdir())


@pytest.mark.slow
def test_a_mixed_run_repeats_to_the_bit(tmp_path: Path) -> None:
    files = []
    for name in ("one", "two"):
        config = api.configure(small(tmp_path / name, train__mixup=0.4), project_file=False, environ={})
        files.append((api.run(config).path / "metrics.jsonl").read_bytes())
    assert files[0] == files[1]
