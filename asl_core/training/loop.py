"""The training loop: :func:`train`, over small functions that each do one step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from asl_core.checkpoints.format import save_tensors
from asl_core.clips.batching import epoch_batches
from asl_core.clips.store import ClipStore
from asl_core.compute.device import memory_errors
from asl_core.compute.host import seed_generators
from asl_core.compute.progress import track
from asl_core.compute.seeding import ClipRandom, mix_seed
from asl_core.compute.signals import unbroken
from asl_core.evaluation.inference import predict
from asl_core.evaluation.scoring import Predictions, metrics
from asl_core.files.rundir import RunDir
from asl_core.model.objectives import compute
from asl_core.training.events import EpochReport
from asl_core.training.not_finite import of_gradient, of_loss
from asl_core.training.optimiser import learning_rate, set_learning_rate
from asl_core.training.selection import deciding, selection_value
from asl_core.training.skipped import NotFinite, NotFiniteError, Skipped
from asl_core.training.trainer import Progress, Trainer, fingerprints

__all__ = [
    "Progress",
    "Trainer",
    "backward",
    "fingerprints",
    "predict_val",
    "train",
    "train_epoch",
    "train_step",
    "validate",
]


def train(trainer: Trainer, run: RunDir, tell: Callable[[EpochReport], object]) -> Progress:
    """Train to the last epoch, and write ``best``, ``last`` and ``final`` into ``run``.

    The global generators are seeded from (seed, epoch) at the start of every epoch, so that dropout is the same in a
    resumed run.

    Args:
        trainer: where the run stands.
        run: its folder.
        tell: gets the report of each epoch.

    Raises:
        NotFiniteError: a loss or a gradient is not finite, and ``train.on-nan`` is ``stop``, or too many are skipped.
        RunError: memory ran out, or a file cannot be written; finished epochs are kept.
    """
    options, progress = trainer.config.train, trainer.progress
    spent: list[float] = []
    while progress.epoch < options.epochs and not _out_of_patience(trainer):
        started = time.perf_counter()
        epoch = progress.epoch + 1
        # With one seed, several processes would draw the same dropout for different clips.
        rank = (trainer.processes.rank,) if trainer.processes.size > 1 else ()
        seed_generators(mix_seed(trainer.config.run.seed, epoch, "dropout", *rank))
        smaller = f"--batch-size {max(1, options.batch_size // 2)} --accumulate {2 * options.accumulate}"
        with memory_errors(f"in epoch {epoch} with batches of {options.batch_size}", trainer.device, smaller):
            trained = train_epoch(trainer, epoch)
        trainer.average_epoch(epoch)
        trainer.hold_together(f"after epoch {epoch}", buffers_only=True)
        validated = validate(trainer)
        progress.epoch = epoch
        entry = {"epoch": epoch, "train": trained, "val": validated}
        progress.history.append(entry | ({"skipped": trainer.skipped.steps} if trainer.skipped.steps else {}))
        value = selection_value(trainer.select, deciding(validated, trained), trainer.loss_names)
        better = value > progress.best_value or not progress.best_epoch
        if better:
            progress.best_value, progress.best_epoch = value, epoch
        if trainer.processes.leads:
            with unbroken():
                if better:
                    save_model(trainer, run.best)
                trainer.save(run)
                run.write_history(progress.history)
                run.note(*trainer.skipped.log_lines())
        spent.append(time.perf_counter() - started)
        if trainer.processes.leads:
            run.note_timing({"epoch": epoch, "seconds": round(spent[-1], 4)})
        report = EpochReport(
            epoch=epoch,
            epochs=options.epochs,
            train=trained,
            val=validated,
            best_epoch=progress.best_epoch,
            warnings=tuple(_warnings(trainer, validated)),
            seconds=spent[-1],
            seconds_left=sum(spent) / len(spent) * (options.epochs - epoch),
        )
        tell(report)
    if trainer.processes.leads:
        save_model(trainer, run.final)
    return progress


def train_epoch(trainer: Trainer, epoch: int) -> dict[str, float]:
    """One pass over the training clips; mean loss and parts over the clips of the steps taken."""
    options, seed = trainer.config.train, trainer.config.run.seed
    store = trainer.data.train
    batches = epoch_batches(store.lengths, options.batch_size, seed, epoch, options.bucket_batches)
    steps_an_epoch = math.ceil(len(batches) / options.accumulate)
    trainer.model.train()
    for objective in trainer.objectives:
        objective.train()
    trainer.skipped = Skipped(epoch, steps_an_epoch)
    sums: dict[str, torch.Tensor] = {}
    for step in track(range(steps_an_epoch), f"epoch {epoch}/{options.epochs}"):
        group = batches[step * options.accumulate : (step + 1) * options.accumulate]
        rate = learning_rate(options, (epoch - 1) * steps_an_epoch + step, options.epochs * steps_an_epoch)
        set_learning_rate(trainer.optimizer, rate)
        for parts in train_step(trainer, group, epoch):
            for name, value in parts.items():
                sums[name] = sums.get(name, 0.0) + value
    trainer.skipped.end()
    totals = trainer.processes.total({name: float(value) for name, value in sorted(sums.items())})
    taken = len(store) - trainer.skipped.clips
    return {name: value / taken for name, value in sorted(totals.items())}


def train_step(trainer: Trainer, group: Sequence[torch.Tensor], epoch: int) -> list[dict[str, torch.Tensor]]:
    """One optimiser step on the batches of a group.

    Returns:
        For each batch, the sums over clips of the loss and its parts. A step that is skipped gives none, and changes
        neither weights nor averages nor buffers.
    """
    skips, options = trainer.config.train.on_nan == "skip", trainer.config.train
    before = [buffer.clone() for buffer in trainer.buffers] if skips else []
    clips = sum(len(index) for index in group)
    # A last batch may have fewer clips than there are processes.
    shares = [index for index in map(trainer.processes.share, group) if len(index)]
    sums: list[dict[str, torch.Tensor]] = []
    fault: NotFinite | None = None
    for index in shares:
        try:
            parts = backward(trainer, index, epoch, share=len(index) / clips)
        except NotFiniteError as error:
            if not skips:
                raise
            fault = error.fault
            break
        sums.append({name: value * len(index) for name, value in parts.items()})
    if skips:
        fault = next(filter(None, trainer.processes.gather(fault)), None)  # all skip what one has to
    if fault is None:
        trainer.processes.add_gradients(trainer.parameters)
        if trainer.precision.clip(trainer.optimizer, options.clip_norm):
            scaled = not trainer.precision.step(trainer.optimizer)
            trainer.skipped.note_taken(scaled_out=scaled)
            trainer.average_step()
            return sums
        # All processes have the gradient, but only one has the clip whose input was not finite.
        faults = trainer.processes.gather(of_gradient(trainer, shares, epoch))
        fault = next((f for f in faults if f.input_fault), faults[0])
        if not skips:
            raise NotFiniteError(fault)
    trainer.optimizer.zero_grad(set_to_none=True)
    for buffer, value in zip(trainer.buffers, before, strict=True):
        buffer.copy_(value)
    trainer.skipped.note(fault, clips)
    return []


def backward(trainer: Trainer, index: torch.Tensor, epoch: int, share: float) -> dict[str, torch.Tensor]:
    """Add one batch's gradient, weighted by its share of the step's clips.

    Raises:
        NotFiniteError: the loss is not finite.
    """
    seed = trainer.config.run.seed
    batch = trainer.data.train.batch(index).to(trainer.device)

    with trainer.precision.autocast():
        result = compute(
            trainer.model,
            trainer.objectives,
            batch,
            lambda purpose: ClipRandom.of(batch.index, seed, epoch, purpose),
            trainer.augments,
            mixup=trainer.config.train.mixup,
        )
    if not bool(torch.isfinite(result.total)):
        raise NotFiniteError(of_loss(trainer, batch, result, epoch))
    trainer.precision.backward(result.total * share)
    return {"loss": result.total.detach(), **result.parts}


def validate(trainer: Trainer) -> dict[str, float]:
    """Metrics of the evaluated weights on val; empty without val."""
    val = trainer.data.val
    if val is None:
        return {}
    trainer.validated = predict_val(trainer, val)
    return metrics(trainer.validated, val)


def predict_val(trainer: Trainer, val: ClipStore) -> Predictions:
    """The evaluated weights' predictions on val."""
    size = trainer.config.train.eval_batch_size
    with memory_errors(
        f"in validation with batches of {size}", trainer.device, f"--eval-batch-size {max(1, size // 2)}"
    ):
        return predict(
            trainer.evaluated,
            val,
            size,
            trainer.objectives,
            trainer.augments,
            trainer.device,
            trainer.processes,
            trainer.views,
        )


def save_model(trainer: Trainer, path: Path) -> None:
    """The evaluated weights with what prediction needs: configuration, vocabulary, width, metrics."""
    entry = trainer.progress.history[-1] if trainer.progress.history else {}
    meta = {
        "config": trainer.config.values(),
        "vocabulary": list(trainer.data.vocabulary.glosses),
        "sentences": trainer.data.vocabulary.sentences,
        "width": trainer.data.train.width,
        "fps": trainer.data.train.fps,
        "layout": trainer.data.train.layout and trainer.data.train.layout.to_json(),
        "detectors": list(trainer.data.train.detectors),
        "epoch": trainer.progress.epoch,
        "metrics": entry,
    }
    save_tensors(path, trainer.evaluated.state_dict(), meta)


def _out_of_patience(trainer: Trainer) -> bool:
    patience, progress = trainer.config.train.patience, trainer.progress
    return bool(patience) and progress.epoch - progress.best_epoch >= patience


def _warnings(trainer: Trainer, validated: dict[str, float]) -> list[str]:
    heads = trainer.model.heads
    warnings = trainer.skipped.warnings()
    warnings += [
        f"{name} of val is not a number: a val clip holds values far beyond those of train; `asl audit` shows them"
        for name, value in validated.items()
        if not math.isfinite(value)
    ]
    for name in heads:
        prefix = f"{name}." if len(heads) > 1 else ""
        figures = {k.removeprefix(prefix): v for k, v in validated.items()}
        figures["chance"] = 1 / max(1, len(trainer.data.vocabulary))
        if text := trainer.model.head(name).diagnose(figures):
            warnings.append(text)
    return warnings
