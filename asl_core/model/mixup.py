"""Mixup (Zhang et al. 2018): pairs of clips, and the loss of either's gloss.

A clip's frames are mixed with those of another clip of its batch; the loss is taken for each of the two glosses and
weighted by their shares. That needs no soft targets, so it works for every loss that takes one gloss per clip.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
import torch

from asl_core.clips.batch import Batch
from asl_core.compute.seeding import ClipRandom

__all__ = ["Mixed", "mix"]


@attrs.frozen(eq=False)
class Mixed:
    """A batch of mixed clips, in one view or several."""

    first: list[Batch]  #: of each view, the mixed frames with the glosses of the clips that weigh more
    second: list[Batch]  #: the same frames with the glosses of their partners
    share: float  #: of the first, at least 0.5


def mix(views: Sequence[Batch], random: ClipRandom, alpha: float) -> Mixed | None:
    """Mix the clips of a batch in pairs; None for half of all batches, which stay as they are.

    A pair's frames are added from the first on, and the end of the longer clip is weighted by its share. The share is
    drawn from Beta(alpha, alpha) once per batch, from the keys of its clips. Each view is mixed with the same view of
    the partner.

    Args:
        views: standardised and augmented clips of one gloss each, the same clips in each view.
        random: numbers of this batch.
        alpha: of the Beta distribution; small values leave most pairs nearly unmixed.
    """
    drawn = np.random.default_rng([int(k) & (2**63 - 1) for k in random.keys.tolist()])
    if len(views[0]) < 2 or drawn.random() >= 0.5:
        return None
    share = float(drawn.beta(alpha, alpha))
    share = max(share, 1 - share)
    partner = torch.from_numpy(drawn.permutation(len(views[0]))).to(views[0].features.device)
    first = []
    for view in views:
        features = share * view.features + (1 - share) * view.features[partner]
        first.append(view.with_features(features, torch.maximum(view.lengths, view.lengths[partner])))
    second = [attrs.evolve(mixed, targets=view.single[partner]) for mixed, view in zip(first, views, strict=True)]
    return Mixed(first, second, share)
