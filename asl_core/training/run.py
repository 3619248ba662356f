"""A run from its configuration to its end: everything checked, then trained, in one process or several."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import torch

from asl_core.checkpoints.held_out import check_run
from asl_core.checkpoints.initialise import Transfer, freeze, initialise
from asl_core.clips.store import ClipStore
from asl_core.compute.distributed import LostContactError, Processes
from asl_core.compute.host import drawing, seed_generators
from asl_core.compute.progress import Phase, listening, phase
from asl_core.compute.seeding import mix_seed
from asl_core.compute.torchrun import joined
from asl_core.config.given import registry_of
from asl_core.config.run_config import RunConfig
from asl_core.contracts import Observer
from asl_core.data.audit import Audit
from asl_core.data.lineage import TrainedOn
from asl_core.data.outliers import within_usual
from asl_core.data.pipeline import fit_augments
from asl_core.data.splits import load_data
from asl_core.errors import RunError, as_word, printable
from asl_core.evaluation.inference import report
from asl_core.evaluation.loading import LoadedRun, load
from asl_core.evaluation.predictions_csv import predictions_csv
from asl_core.files.atomic import write_text
from asl_core.files.rundir import RunDir
from asl_core.model.objectives import build_objectives
from asl_core.model.recogniser import Recognizer, build_model
from asl_core.registry.component import Registry
from asl_core.registry.discovery import discover
from asl_core.registry.environment import environment
from asl_core.training.circumstances import notes_of_resume, refuse_lost_state
from asl_core.training.coupling import check_batch_size, coupling_notes
from asl_core.training.labels import check_labels
from asl_core.training.loop import Trainer, fingerprints, predict_val, train, validate
from asl_core.training.observers import Audience, progress_listeners
from asl_core.training.selection import check_selection, deciding

__all__ = ["RunResult", "execute"]

_LOG = logging.getLogger("asl.audit")  #: for the callers of a script; the command line prints what goes there itself


@attrs.frozen(eq=False)
class RunResult:
    """What a run came to."""

    path: Path
    last: Mapping[str, float]  #: val metrics after the last epoch
    best: Mapping[str, float]  #: val metrics of the best epoch
    best_epoch: int
    report: Mapping[str, Any]  #: of the last weights on val, see :func:`asl_core.evaluation.inference.report`
    #: an entry an epoch, ``{"epoch": 1, "train": {"loss": …}, "val": {"top1": …}}``: the lines of metrics.jsonl
    history: Sequence[Mapping[str, Any]] = ()
    _registry: Registry | None = attrs.field(default=None, repr=False)

    def load(self, *, weights: str = "final", device: str = "cpu") -> LoadedRun:
        """The trained model, as :func:`asl_core.load` gives it, with the components that the script gave."""
        return load(self.path, weights=weights, device=device, registry=self._registry)


def execute(
    config: RunConfig, observers: Sequence[Observer], existing: RunDir | None, registry: Registry | None
) -> RunResult:
    """Check everything, then train; with ``existing``, from where it stopped. Several processes do so side by side."""
    with drawing("a run", training=True):
        processes = joined()
        with processes.told_once(), contextlib.ExitStack() as hearing:
            if processes.leads:
                hearing.enter_context(listening(*progress_listeners(observers)))
            hearing.enter_context(phase("working"))  # it ends with the run, however that ends
            return _execute_among(processes, config, observers, existing, registry, hearing)


def _execute_among(
    processes: Processes,
    config: RunConfig,
    observers: Sequence[Observer],
    existing: RunDir | None,
    registry: Registry | None,
    hearing: contextlib.ExitStack,
) -> RunResult:
    preparing = Phase("preparing")
    device = processes.device(config.run.device)
    check_batch_size(processes, config)
    if config.run.threads:
        torch.set_num_threads(config.run.threads)
    data = load_data(config)
    config = data.config
    if processes.leads:
        for finding in data.audit.of_level("warning"):
            _LOG.warning("the data: %s", printable(finding.message))
    seed_generators(mix_seed(config.run.seed, "weights"))
    model = build_model(config, data.train.width, len(data.vocabulary))
    described = within_usual(model.standardiser.described(data.train))
    config, transfer = _start(config, described, model, existing, registry)
    trained = TrainedOn.after(data.identities["train"], Path(transfer.record["checkpoint"]) if transfer else None)
    if existing is None or not existing.has_state:
        held = {split: clips for split, clips in data.identities.items() if split != "train"}
        config = attrs.evolve(config, notes=(*config.notes, *check_run(config, trained, held)))
    objectives = build_objectives(config)
    check_labels(model, objectives, data.train)
    for objective in objectives:
        objective.loss.prepare(described)
    del described
    config = fit_augments(config, data.train.width)
    # The first of several processes speaks and writes; what the others see of the run is the same.
    configured = [choice.build() for choice in config.observers] if processes.leads else []
    hearing.enter_context(listening(*progress_listeners(configured)))
    observers = [*observers, *configured] if processes.leads else []
    trainer = Trainer.new(config, data, model, objectives, device, transfer.loaded if transfer else (), processes)
    processes.agree("the configuration", config.values())
    processes.agree("the data set", fingerprints(data))
    if config.train.select != "auto":
        # Where val measures nothing, the figures of train choose: the sum and the objectives.
        figures = deciding(validate(trainer), dict.fromkeys(("loss", *trainer.loss_names), 0.0))
        check_selection(config.train.select, figures, trainer.loss_names)
    config = attrs.evolve(config, notes=(*config.notes, *coupling_notes(trainer)))

    run_dir = _place(config, existing, processes)
    audience = Audience(observers, run_dir.note)
    try:
        if processes.leads:
            if existing is None:
                _begin(run_dir, config)
            if not run_dir.trained_on.is_file():
                write_text(run_dir.trained_on, trained.to_json())
            if not run_dir.environment.is_file():
                _write_circumstances(run_dir, config, data.audit, trainer, transfer)
            config = attrs.evolve(config, notes=(*config.notes, *run_dir.note_processes(processes.size)))
            if existing is not None:
                refuse_lost_state(run_dir)
        if processes.gather(run_dir.has_state)[0]:
            damaged = trainer.restore(run_dir)
            processes.gather(None)  # all have read what is mended next
            if damaged is not None:
                config = attrs.evolve(config, notes=(*config.notes, damaged))
            if damaged is not None and processes.leads:
                run_dir.note(damaged)
                trainer.mend(run_dir)
            if processes.leads:
                run_dir.write_history(trainer.progress.history)  # a kill may have come before this line of it
                config = attrs.evolve(config, notes=(*config.notes, *notes_of_resume(run_dir, trainer)))
        elif transfer is not None and processes.leads:
            run_dir.write_json(run_dir.transfer, transfer.record)
            trainer.save(run_dir)  # from here on the run goes on without the checkpoint's file
        trainer.hold_together("before training", buffers_only=False)
        summary = _summary(run_dir, config, trainer, transfer) | {"processes": processes.size}
        audience.on_start(config, summary)
        preparing.end()
        started = time.perf_counter()
        progress = train(trainer, run_dir, [audience])
        for store in filter(None, (data.train, data.val)):
            store.verify()
        outcome = _finish(run_dir, trainer, time.perf_counter() - started)
        last = progress.history[-1]["val"] or progress.history[-1]["train"]
        best = progress.history[progress.best_epoch - 1]
        audience.on_end(outcome)
        return RunResult(
            path=run_dir.path,
            last=last,
            best=best["val"] or best["train"],
            best_epoch=progress.best_epoch,
            report=outcome["report"],
            history=tuple(progress.history),
            registry=registry_of(config, registry),
        )
    except BaseException as fault:
        audience.on_stop(fault)
        if not isinstance(fault, LostContactError):
            raise
        raise LostContactError(
            f"{fault} Finished epochs are kept; `asl run --resume {as_word(run_dir.path)}` goes on, with any number of "
            f"processes."
        ) from fault
    finally:
        run_dir.release()


def _place(config: RunConfig, existing: RunDir | None, processes: Processes) -> RunDir:
    """The run's directory, made and locked by the first process; the others are told where it is."""
    run_dir = existing
    if processes.leads:
        stem = "-".join([config.dataset.name, config.encoder.name, *(h.choice.name for h in config.heads.values())])
        run_dir = existing or RunDir.create(Path(config.run.out), config.run.name, stem.replace(":", "."))
        run_dir.lock()
        run_dir.settle()
        if existing is None and run_dir.config.is_file():  # begun by another process before it was locked
            run_dir.release()
            raise run_dir.taken()
    path = processes.gather(run_dir and str(run_dir.path))[0]
    return run_dir or RunDir(Path(str(path)))


def _begin(run_dir: RunDir, config: RunConfig) -> None:
    """Write the configuration: from here on it is a run that can be resumed. If that fails, there is no run."""
    try:
        write_text(run_dir.config, config.to_toml())
    except RunError:
        run_dir.release()
        RunDir.clear_if_unbegun(run_dir.path)
        raise


def _start(
    config: RunConfig, train: ClipStore, model: Recognizer, existing: RunDir | None, registry: Registry | None
) -> tuple[RunConfig, Transfer | None]:
    """Standardiser and first weights: from the clips, from a checkpoint, or later from the run's own state."""
    if config.init.path is None:
        if config.train.standardise:
            model.standardiser.fit(train.features)
        return config, None
    if existing is not None and existing.has_state:
        transfer = Transfer.read(existing.transfer)
    else:
        config, transfer = initialise(config, model, train, registry or discover().registry)
    if config.init.freeze:
        freeze(model.encoder, transfer)
    return config, transfer


def _summary(run_dir: RunDir, config: RunConfig, trainer: Trainer, transfer: Transfer | None) -> dict[str, Any]:
    """What the screen before training says."""
    return {
        "run": str(run_dir.path),
        "audit": trainer.data.audit,
        "classes": len(trainer.data.vocabulary),
        "parameters": trainer.model.parameter_count(),
        "encoder_parameters": sum(p.numel() for p in trainer.model.encoder.parameters()),
        "device": str(trainer.device),
        "threads": torch.get_num_threads(),
        "precision": str(trainer.precision.dtype or "fp32").removeprefix("torch."),
        "done": trainer.progress.epoch,
        "notes": config.notes,
        "transfer": transfer.lines if transfer else [],
    }


def _write_circumstances(
    run_dir: RunDir, config: RunConfig, audit: Audit, trainer: Trainer, transfer: Transfer | None
) -> None:
    """What the run found and where it ran; ``environment.json`` comes last and shows that all of it is there."""
    taken = transfer.lines if transfer else []
    run_dir.note(*(f"{f.level}: {f.message}" for f in audit.findings), *config.notes, *(f"init: {t}" for t in taken))
    run_dir.write_json(run_dir.audit, audit.to_json())
    run_dir.write_json(run_dir.environment, environment(fingerprints(trainer.data), trainer.device))


def _finish(run_dir: RunDir, trainer: Trainer, seconds: float) -> dict[str, Any]:
    """Evaluate the last weights on val in full and write what is left to write."""
    progress, val = trainer.progress, trainer.data.val
    full: dict[str, Any] = {}
    if val is not None:
        # Those of the last epoch, unless it was trained before this process began.
        found = trainer.validated or predict_val(trainer, val)
        full = report(found, val)
        if trainer.processes.leads:
            write_text(run_dir.path / "predictions-val.csv", predictions_csv(found, val))
    best = progress.history[progress.best_epoch - 1]
    outcome = {
        "epochs": progress.epoch,
        "best_epoch": progress.best_epoch,
        "best": best["val"] or best["train"],
        "report": full,
    }
    if trainer.processes.leads:
        run_dir.write_json(run_dir.summary, outcome)
        run_dir.note_timing({"seconds_training": round(seconds, 3)})
    trainer.processes.gather(None)  # whoever looks for the summary after this finds it
    return outcome | {"run": str(run_dir.path), "last": progress.history[-1], "next": _next(run_dir, trainer)}


def _next(run_dir: RunDir, trainer: Trainer) -> list[str]:
    """Commands that can be typed next: only those that work with this run."""
    run = as_word(run_dir.path)
    found = [f"asl eval {run}"] if trainer.data.val is not None else []
    if trainer.model.ranking_head is not None:
        found.append(f"asl predict {run} FILE")
    return found or [f"asl inspect {run}"]
