"""All checks of a run before anything is written: clips read, model made, weights taken over, losses and labels fit."""

from __future__ import annotations

import logging
from pathlib import Path

import attrs
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from asl_core.checkpoints.held_out import check_run
from asl_core.checkpoints.initialise import Transfer, find_start, freeze
from asl_core.clips.store import ClipStore
from asl_core.compute.distributed import ALONE, Processes
from asl_core.compute.host import seed_generators
from asl_core.compute.seeding import mix_seed
from asl_core.config.run_config import RunConfig
from asl_core.data.lineage import TrainedOn
from asl_core.data.outliers import within_usual
from asl_core.data.splits import RunData, load_data
from asl_core.errors import ConfigError, printable
from asl_core.files.rundir import RunDir
from asl_core.model.objectives import Objective, build_objectives
from asl_core.model.recogniser import Recognizer, build_model, facts_of
from asl_core.registry.component import Registry
from asl_core.registry.discovery import discover
from asl_core.training.labels import check_labels
from asl_core.training.loop import Trainer, fingerprints, validate
from asl_core.training.selection import check_selection, deciding

__all__ = ["Prepared", "coupling_notes", "prepare"]

_LOG = logging.getLogger("asl.audit")  #: for the callers of a script; the command line prints what goes there itself


@attrs.frozen(eq=False)
class Prepared:
    """A run that passed all checks and can be trained."""

    trainer: Trainer  #: with the configuration, the clips, the model and the losses
    transfer: Transfer | None  #: what was taken from a checkpoint
    trained_on: TrainedOn
    notes: list[str]  #: what the user should know before training, in the order it was found

    @property
    def config(self) -> RunConfig:
        """The configuration as it fits the clips and the checkpoint; it does not change any more."""
        return self.trainer.config


def prepare(
    config: RunConfig,
    registry: Registry | None = None,
    *,
    existing: RunDir | None = None,
    processes: Processes = ALONE,
) -> Prepared:
    """Check everything that a run would refuse; nothing is written.

    Args:
        config: as it was resolved.
        registry: holds the checkpoint loaders (default: those of the installed plugins).
        existing: the run to go on with, whose state replaces the first weights later.
        processes: all that train this run.

    Raises:
        UsageError: the configuration, the data or the checkpoint cannot be used.
    """
    resumes = existing is not None and existing.has_state
    device = processes.device(config.run.device)
    _check_batch_size(processes, config)
    if config.run.threads:
        torch.set_num_threads(config.run.threads)

    data = load_data(config)
    if processes.leads:
        for finding in data.audit.of_level("warning"):
            _LOG.warning("the data: %s", printable(finding.message))
    notes = [*config.notes, *data.notes]
    earlier = Transfer.read(existing.transfer) if resumes and existing and config.init.path else None
    config, model, described, transfer = _start(data, earlier, registry, fresh=not resumes)
    trained_on = TrainedOn.after(data.identities["train"], Path(transfer.record["checkpoint"]) if transfer else None)
    if not resumes:
        held_out = {split: clips for split, clips in data.identities.items() if split != "train"}
        notes += check_run(config, trained_on, held_out)
    objectives = _objectives(config, data, model, described)

    loaded = transfer.loaded if transfer else ()
    trainer = Trainer.new(config, data, model, objectives, device, loaded, processes)
    processes.agree("the configuration", config.values())
    processes.agree("the data set", fingerprints(data))
    if trainer.select != "auto":
        # Where val measures nothing, the figures of train choose: the sum and the objectives.
        figures = deciding(validate(trainer), dict.fromkeys(("loss", *trainer.loss_names), 0.0))
        check_selection(trainer.select, figures, trainer.loss_names)
    notes += coupling_notes(trainer)
    return Prepared(trainer, transfer, trained_on, notes)


def _start(
    data: RunData, earlier: Transfer | None, registry: Registry | None, *, fresh: bool
) -> tuple[RunConfig, Recognizer, ClipStore, Transfer | None]:
    """The model with its first weights: its own, a checkpoint's, or those that the state of a resumed run replaces.

    Returns:
        The configuration with ``train.standardise`` as a checkpoint needs it, the model, the train clips as its
        transforms give them (for statistics: without outliers), and what was transferred.
    """
    config = data.config
    model = _fresh(config, data)
    start = None
    if fresh and config.init.path is not None:
        start = find_start(config, model.encoder, model.standardiser.width, registry or discover().registry)
        if start.config != config:  # components are told whether features are standardised
            config, model = start.config, _fresh(start.config, data)
    described = within_usual(model.standardiser.described(data.train))
    if start is not None:
        earlier = start.give(model, described)
    elif config.init.path is None and config.train.standardise:
        model.standardiser.fit(described.features)
    if earlier is not None and config.init.freeze:
        freeze(model.encoder, earlier)
    return config, model, described, earlier


def _fresh(config: RunConfig, data: RunData) -> Recognizer:
    seed_generators(mix_seed(config.run.seed, "weights"))
    sentences, fps = data.vocabulary.sentences, data.train.fps
    return build_model(config, data.train.width, len(data.vocabulary), sentences=sentences, fps=fps)


def _objectives(config: RunConfig, data: RunData, model: Recognizer, described: ClipStore) -> list[Objective]:
    """The losses, which have seen the train clips."""
    vocabulary = data.vocabulary
    facts = facts_of(config, model.standardiser, len(vocabulary), vocabulary.sentences, data.train.fps)
    objectives = build_objectives(config, facts)
    check_labels(model, objectives, data.train)
    for objective in objectives:
        objective.loss.prepare(described)
    return objectives


def _check_batch_size(processes: Processes, config: RunConfig) -> None:
    """Every process gets a clip of every full batch."""
    size = config.train.batch_size
    if processes.size > size:
        raise ConfigError(
            [
                f"train.batch-size is {size}, which is shared among all processes, and there are {processes.size} of "
                f"them: start at most {size}, or take larger batches with --batch-size"
            ]
        )


def coupling_notes(trainer: Trainer) -> list[str]:
    """How a run in several processes differs from one in a single process; empty alone.

    That is where a clip's output or loss depends on the other clips of its batch, as components declare.
    """
    processes, size, model = trainer.processes, trainer.config.train.batch_size, trainer.model
    if processes.size == 1:
        return []
    modules: list[tuple[str, nn.Module]] = [("the encoder", model.encoder)]
    modules += [(f"head {name}", head) for name, head in model.heads.items()]
    modules += [(f"loss {o.name}", o.loss) for o in trainer.objectives]
    coupling = [name for name, module in modules if getattr(module, "couples_clips", False)]
    causes = [f"{name} compares the clips of a batch" for name in coupling]
    causes += [
        f"loss {o.name} takes its running mean over the clips of a batch" for o in trainer.objectives if o.loss.running
    ]
    if any(isinstance(module, _BatchNorm) for module in model.modules()):
        causes.append("batch norm takes its averages over the clips of a batch")
    if trainer.config.train.mixup:
        causes.append("mixup pairs the clips of a batch")
    each = -(-size // processes.size)
    return [
        f"{cause}, and each of {processes.size} processes sees its own {each} of the {size}: this run differs from one "
        f"in a single process, as one with --batch-size {each} --accumulate {processes.size} would"
        for cause in causes
    ]
