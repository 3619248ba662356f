"""Which clips stand together in a batch: like lengths with like, in an order that is a pure function."""

from __future__ import annotations

import torch
from torch import Tensor

from asl_core.compute.seeding import mix_seed

__all__ = ["epoch_batches"]


def epoch_batches(lengths: Tensor, batch_size: int, seed: int, epoch: int, pool: int = 32) -> list[Tensor]:
    """Every clip once, in batches of ``batch_size``; the order depends on (seed, epoch) alone.

    Clips are shuffled, cut into pools of ``pool`` batches, and sorted by length within a pool, so that a batch
    holds clips of like length and little padding; then the batches are shuffled. With ``pool=1`` this is a
    plain random order. At most one batch is shorter than the rest.

    Args:
        lengths: (N,) frames of each clip.
        batch_size: clips a batch.
        seed: of the run.
        epoch: counted from 1.
        pool: batches that are sorted together; larger means less padding and less mixing.

    Returns:
        Index tensors (B,) int64.
    """
    generator = torch.Generator().manual_seed(mix_seed(seed, epoch, "order"))
    order = torch.randperm(len(lengths), generator=generator)
    batches: list[Tensor] = []
    for part in torch.split(order, batch_size * max(pool, 1)):
        ranked = part if pool <= 1 else part[torch.argsort(lengths[part], stable=True)]
        batches += torch.split(ranked, batch_size)
    shuffled = torch.randperm(len(batches), generator=generator)
    return [batches[i] for i in shuffled.tolist()]
