"""Where a clip's loss depends on the other clips of its batch, which several processes share out among them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from asl_core.compute.distributed import Processes
from asl_core.compute.seeding import ClipRandom
from asl_core.config.run_config import RunConfig
from asl_core.errors import ConfigError
from asl_core.evaluation.inference import inference
from asl_core.model.objectives import compute
from asl_core.training.trainer import Trainer

__all__ = ["check_batch_size", "coupled", "coupling_notes"]

_CLIPS = 8  #: clips that losses are tried on


def check_batch_size(processes: Processes, config: RunConfig) -> None:
    """Every process is to have a clip of every full batch.

    Raises:
        ConfigError: there are more processes than clips in a batch.
    """
    size = config.train.batch_size
    if processes.size > size:
        raise ConfigError(
            [
                f"train.batch-size is {size}, which is shared among all processes, and there are {processes.size} of "
                f"them: start at most {size}, or take larger batches with --batch-size"
            ]
        )


def coupling_notes(trainer: Trainer) -> list[str]:
    """What a run in several processes does not have in common with one in a single process; empty alone."""
    processes, size = trainer.processes, trainer.config.train.batch_size
    if processes.size == 1:
        return []
    found = [f"loss {name} compares the clips of a batch" for name in coupled(trainer)]
    found += [
        f"loss {o.name} takes its running mean over the clips of a batch" for o in trainer.objectives if o.loss.running
    ]
    if any(isinstance(module, _BatchNorm) for module in trainer.model.modules()):
        found.append("batch norm takes its averages over the clips of a batch")
    if trainer.config.train.mixup:
        found.append("mixup pairs the clips of a batch")
    each = -(-size // processes.size)
    return [
        f"{what}, and each of {processes.size} processes sees its own {each} of the {size}: this run differs from one "
        f"in a single process, as one with --batch-size {each} --accumulate {processes.size} would"
        for what in found
    ]


def coupled(trainer: Trainer) -> list[str]:
    """The losses that are not the mean of their clips' losses, found by trying a few clips whole and in shares.

    Shares are taken as in training. A loss that is such a mean gives the same either way, but for rounding.
    """
    clips = torch.arange(min(_CLIPS, len(trainer.data.train)))
    shares = [part for part in (clips[0::2], clips[1::2]) if len(part)]
    for objective in trainer.objectives:
        objective.eval()
    with inference(trainer.model):
        whole = _parts(trainer, clips)
        parts = [(len(share) / len(clips), _parts(trainer, share)) for share in shares]
    split = {name: sum(weight * found[name] for weight, found in parts) for name in whole}
    return [
        o.name for o in trainer.objectives if abs(whole[o.name] - split[o.name]) > 1e-3 * max(1.0, abs(whole[o.name]))
    ]


def _parts(trainer: Trainer, index: Tensor) -> dict[str, float]:
    batch = trainer.data.train.batch(index).to(trainer.device)
    result = compute(trainer.model, trainer.objectives, batch, lambda purpose: ClipRandom.of(batch.index, purpose))
    return {name: float(value) for name, value in result.parts.items()}
