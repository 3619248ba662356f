"""A run in four steps: prepare, open its folder, train, finish; in one process or several."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import torch

from asl_core.compute.distributed import LostContactError, Processes
from asl_core.compute.host import drawing
from asl_core.compute.progress import Phase, listening, phase
from asl_core.compute.torchrun import joined
from asl_core.config.given import registry_of
from asl_core.config.run_config import RunConfig
from asl_core.errors import RunError, as_word
from asl_core.evaluation.loading import LoadedRun, load
from asl_core.evaluation.predictions_csv import predictions_csv
from asl_core.evaluation.scoring import report
from asl_core.files.atomic import write_text
from asl_core.files.rundir import RunDir
from asl_core.registry.component import Registry
from asl_core.registry.environment import environment
from asl_core.training.circumstances import notes_of_resume, refuse_lost_state
from asl_core.training.events import AnyObserver, RunStarted, RunStopped
from asl_core.training.loop import Trainer, fingerprints, predict_val, train
from asl_core.training.observers import Audience, progress_listeners
from asl_core.training.prepare import Prepared, prepare

__all__ = ["RunResult", "execute"]


@attrs.frozen(eq=False)
class RunResult:
    """What a run came to."""

    path: Path
    last: Mapping[str, float]  #: val metrics after the last epoch
    best: Mapping[str, float]  #: val metrics of the best epoch
    best_epoch: int
    report: Mapping[str, Any]  #: of the last weights on val, see :func:`asl_core.evaluation.scoring.report`
    #: an entry an epoch, ``{"epoch": 1, "train": {"loss": …}, "val": {"top1": …}}``: the lines of metrics.jsonl
    history: Sequence[Mapping[str, Any]] = ()
    _registry: Registry | None = attrs.field(default=None, repr=False)

    def load(self, *, weights: str = "final", device: str = "cpu") -> LoadedRun:
        """The trained model, as :func:`asl_core.load` gives it, with the components that the script gave."""
        return load(self.path, weights=weights, device=device, registry=self._registry)


def execute(
    config: RunConfig, observers: Sequence[AnyObserver], existing: RunDir | None, registry: Registry | None
) -> RunResult:
    """Check everything, then train; with ``existing``, from where it stopped. Several processes do so side by side."""
    with drawing("a run", training=True):
        processes = joined()
        with processes.reported_once(), contextlib.ExitStack() as until_end:
            if processes.leads:
                until_end.enter_context(listening(*progress_listeners(observers)))
            until_end.enter_context(phase("working"))
            preparing = Phase("preparing")
            prepared = prepare(config, registry, existing=existing, processes=processes)
            if processes.leads:
                configured = [choice.build() for choice in prepared.config.observers]
                until_end.enter_context(listening(*progress_listeners(configured)))
                observers = [*observers, *configured]
            # Of several processes the first one reports and writes; all see the same run.
            with open_run(prepared, existing, observers if processes.leads else ()) as (run_dir, audience):
                preparing.end()
                started = time.perf_counter()
                train(prepared.trainer, run_dir, audience.tell)
                return finish(prepared.trainer, run_dir, audience, time.perf_counter() - started, registry)


@contextlib.contextmanager
def open_run(
    prepared: Prepared, existing: RunDir | None, observers: Sequence[AnyObserver]
) -> Iterator[tuple[RunDir, Audience]]:
    """The run's folder, made or gone on with, locked until the end; observers hear of the start, and of a fault."""
    trainer, processes = prepared.trainer, prepared.trainer.processes
    run_dir = _folder(prepared.config, existing, processes)
    audience = Audience(observers, run_dir.note)
    try:
        if processes.leads:
            _write_start(prepared, run_dir, existing)
        if processes.gather(run_dir.has_state)[0]:
            _restore(prepared, run_dir)
        elif prepared.transfer is not None and processes.leads:
            run_dir.write_json(run_dir.transfer, prepared.transfer.record)
            trainer.save(run_dir)  # from here on the run goes on without the checkpoint's file
        trainer.hold_together("before training", buffers_only=False)
        audience.tell(RunStarted(prepared.config, _summary(prepared, run_dir)))
        yield run_dir, audience
    except BaseException as fault:
        audience.stop(fault)
        if not isinstance(fault, LostContactError):
            raise
        raise LostContactError(
            f"{fault} Finished epochs are kept; `asl run --resume {as_word(run_dir.path)}` goes on, with any number of "
            f"processes."
        ) from fault
    finally:
        run_dir.release()


def finish(
    trainer: Trainer, run_dir: RunDir, audience: Audience, seconds: float, registry: Registry | None
) -> RunResult:
    """Evaluate the last weights on val in full, write the outcome, and report it."""
    data, progress = trainer.data, trainer.progress
    for store in filter(None, (data.train, data.val)):
        store.verify()
    full: dict[str, Any] = {}
    if data.val is not None:
        # Those of the last epoch, unless it was trained before this process began.
        predictions = trainer.validated or predict_val(trainer, data.val)
        full = report(predictions, data.val)
        if trainer.processes.leads:
            write_text(run_dir.path / "predictions-val.csv", predictions_csv(predictions, data.val))
    last, best = progress.history[-1], progress.history[progress.best_epoch - 1]
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
    more = {"run": str(run_dir.path), "last": last, "next": _next(run_dir, trainer)}
    audience.tell(RunStopped("finished", summary=outcome | more))
    return RunResult(
        path=run_dir.path,
        last=last["val"] or last["train"],
        best=best["val"] or best["train"],
        best_epoch=progress.best_epoch,
        report=full,
        history=tuple(progress.history),
        registry=registry_of(trainer.config, registry),
    )


def _folder(config: RunConfig, existing: RunDir | None, processes: Processes) -> RunDir:
    """The run's folder, made and locked by the first process; the others learn its path."""
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


def _write_start(prepared: Prepared, run_dir: RunDir, existing: RunDir | None) -> None:
    """What a run writes before training, as far as it is not there; then it can be resumed."""
    if existing is None:
        try:
            write_text(run_dir.config, prepared.config.to_toml())
        except RunError:
            run_dir.release()
            RunDir.clear_if_unbegun(run_dir.path)
            raise
    if not run_dir.trained_on.is_file():
        write_text(run_dir.trained_on, prepared.trained_on.to_json())
    if not run_dir.environment.is_file():
        audit, transfer, trainer = prepared.trainer.data.audit, prepared.transfer, prepared.trainer
        run_dir.note(
            *(f"{finding.level}: {finding.message}" for finding in audit.findings),
            *prepared.notes,
            *(f"init: {line}" for line in (transfer.lines if transfer else ())),
        )
        run_dir.write_json(run_dir.audit, audit.to_json())
        # The last: it shows that all of them are there.
        run_dir.write_json(run_dir.environment, environment(fingerprints(trainer.data), trainer.device))
    prepared.notes.extend(run_dir.note_processes(prepared.trainer.processes.size))
    if existing is not None:
        refuse_lost_state(run_dir)


def _restore(prepared: Prepared, run_dir: RunDir) -> None:
    """Go on from the run's state, and note what differs from its start."""
    trainer, notes = prepared.trainer, prepared.notes
    damaged = trainer.restore(run_dir)
    trainer.processes.gather(None)  # all have read what is mended next
    if damaged is not None:
        notes.append(damaged)
    if trainer.processes.leads:
        if damaged is not None:
            run_dir.note(damaged)
            trainer.mend(run_dir)
        run_dir.write_history(trainer.progress.history)  # a kill may have come before this line of it
        notes.extend(notes_of_resume(run_dir, trainer))


def _summary(prepared: Prepared, run_dir: RunDir) -> dict[str, Any]:
    """What the screen before training shows."""
    trainer, transfer = prepared.trainer, prepared.transfer
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
        "notes": tuple(prepared.notes),
        "transfer": transfer.lines if transfer else [],
        "processes": trainer.processes.size,
    }


def _next(run_dir: RunDir, trainer: Trainer) -> list[str]:
    """Commands to type next: only those that work with this run."""
    run = as_word(run_dir.path)
    commands = [f"asl eval {run}"] if trainer.data.val is not None else []
    if trainer.model.ranking_head is not None:
        commands.append(f"asl predict {run} FILE")
    return commands or [f"asl inspect {run}"]
