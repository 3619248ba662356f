"""Mixup (Zhang et al. 2018): pairs of clips, and the loss of either's gloss.

A clip's frames are mixed with those of another clip of its batch, the loss is taken against both glosses and weighed
by their shares. That needs no soft targets, so it works for every loss that takes one gloss a clip.
"""

from __future__ import annotations

import attrs
import numpy as np
import torch
from torch import Tensor

from asl_core.data import Batch
from asl_core.random import ClipRandom

__all__ = ["Mixed", "mix"]


@attrs.frozen(eq=False)
class Mixed:
    """A batch of mixed clips."""

    first: Batch  #: the mixed frames with the glosses of the clips that weigh more
    second: Batch  #: the same frames with the glosses of their partners
    share: float  #: of the first in every pair, at least 0.5


def mix(batch: Batch, random: ClipRandom, alpha: float) -> Mixed | None:
    """Half of all batches mixed, clip by clip in pairs; None for the other half, which keep the clips as they are.

    A pair's frames are added from the first on, so the longer clip's end stands alone, weighed by its share. The share
    is drawn from Beta(alpha, alpha) once a batch. All randomness comes from the keys of the batch's clips.

    Args:
        batch: standardised and augmented clips of one gloss each.
        random: numbers of this batch.
        alpha: of the Beta distribution; small values leave most pairs nearly unmixed.
    """
    drawn = np.random.default_rng([int(k) & (2**63 - 1) for k in random.keys.tolist()])
    if len(batch) < 2 or drawn.random() >= 0.5:
        return None
    share = float(drawn.beta(alpha, alpha))
    share = max(share, 1 - share)
    partner = torch.from_numpy(drawn.permutation(len(batch))).to(batch.features.device)
    features = share * batch.features + (1 - share) * batch.features[partner]
    lengths: Tensor = torch.maximum(batch.lengths, batch.lengths[partner])
    first = batch.with_features(features, lengths)
    return Mixed(first, attrs.evolve(first, targets=batch.single[partner]), share)
