"""The library: configure, run, load, evaluate. The command line is a thin layer over these functions."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import torch

from asl_core import rundir as rundir_module
from asl_core.atomic import write_text
from asl_core.audit import Audit
from asl_core.checkpoint import load_tensors
from asl_core.component import Registry
from asl_core.config import RunConfig, is_resolved
from asl_core.contracts import Observer
from asl_core.coupling import check_batch_size, coupling_notes
from asl_core.data import ClipStore, Vocabulary
from asl_core.device import choose_device
from asl_core.distributed import LostContactError, Processes
from asl_core.errors import CheckpointError, ConfigError, RunError, UsageError
from asl_core.evaluate import Predictions, predict, report
from asl_core.fitting import fit_augments
from asl_core.initial import Transfer, freeze, initialise
from asl_core.labels import check_labels
from asl_core.layers import Layer, env_layer, toml_layer, value_layer
from asl_core.model import Recognizer, build_model
from asl_core.objectives import build_objectives
from asl_core.options import option_specs
from asl_core.plugins import discover
from asl_core.random import mix_seed
from asl_core.recipes import find_recipe
from asl_core.resolve import resolve
from asl_core.rundir import RunDir, predictions_csv
from asl_core.selection import check_selection
from asl_core.splits import load_audit, load_data, load_split
from asl_core.torchrun import joined
from asl_core.train import Trainer, fingerprints, train, validate

__all__ = ["LoadedRun", "RunResult", "audit_data", "complete", "configure", "evaluate_run", "load", "resume", "run"]


def configure(
    values: Mapping[str, Any] | None = None,
    *,
    file: str | os.PathLike[str] | None = None,
    recipe: str | None = None,
    flags: Layer | None = None,
    registry: Registry | None = None,
    environ: Mapping[str, str] | None = None,
    project_file: bool = True,
) -> RunConfig:
    """A checked configuration: defaults < ``asl.toml`` < ``file`` < environment < ``flags`` < ``values``.

    Args:
        values: dotted keys to values, ``{"encoder": "gru", "encoder.hidden-size": 256}``.
        file: a TOML file of settings, such as a run's ``config.toml``.
        recipe: instead of a file, one that a plugin ships, by its name.
        flags: a layer from the command line.
        registry: components (default: those of the installed plugins).
        environ: environment (default: the process's).
        project_file: whether ``asl.toml`` in the working directory counts.

    Raises:
        ConfigError: with every fault found.
    """
    if recipe is not None:
        if file is not None:
            raise ConfigError([f"recipe {recipe!r} is a file of settings, and so is {file}: give one of them"])
        file = find_recipe(recipe).path
    registry = discover().registry if registry is None else registry
    environ = os.environ if environ is None else environ
    layers: list[Layer] = []
    # A resolved configuration is whole: what asl.toml says now must not change what it repeats.
    if project_file and Path("asl.toml").is_file() and not (file is not None and is_resolved(Path(file))):
        layers.append(toml_layer(Path("asl.toml")))
    if file is not None:
        layers.append(toml_layer(Path(file)))
    said = [env_layer(environ), flags or {}, value_layer(values or {}, "script")]
    return resolve([*layers, *_with_variables(layers, said, environ, registry)], registry)


def _with_variables(
    layers: Sequence[Layer], said: list[Layer], environ: Mapping[str, str], registry: Registry
) -> list[Layer]:
    """Environment, flags and script with the variables that the chosen data set's options name (``ASL_DATA``).

    They join the strongest layer that chooses the data set, weaker than what that layer says itself: in the
    environment's own place a later ``--dataset`` would take them for options of the data set before.
    """
    chosen = next((m["dataset.name"].value for m in reversed([*layers, *said]) if "dataset.name" in m), None)
    try:
        offer = registry.find("dataset", chosen) if isinstance(chosen, str) else None
    except ConfigError:
        offer = None  # told by resolve, with its origin
    if offer is None:
        return said
    named = {s.rule.env: f"dataset.{s.key}" for s in option_specs(offer.component.options) if s.rule.env}
    found = {k: s for k, s in env_layer(environ, named).items() if k in named.values()}
    place = max(i for i, layer in enumerate(said) if i == 0 or "dataset.name" in layer)
    said[place] = {**found, **said[place]}
    return said


@attrs.frozen(eq=False)
class RunResult:
    """What a run came to."""

    path: Path
    last: Mapping[str, float]  #: val metrics after the last epoch
    best: Mapping[str, float]  #: val metrics of the best epoch
    best_epoch: int
    report: Mapping[str, Any]  #: of the last weights on val, see :func:`asl_core.evaluate.report`


def run(config: RunConfig, observers: Sequence[Observer] = (), *, registry: Registry | None = None) -> RunResult:
    """Train as configured in a new run directory.

    Nothing is written before the data, the model and the labels have been checked.

    Args:
        config: of :func:`configure`.
        observers: told of the run's events, beside those that the configuration names.
        registry: holds the checkpoint loaders (default: those of the installed plugins).

    Raises:
        UsageError: the configuration, the data or the run directory cannot be used.
        RunError: something failed while running.
    """
    return _execute(config, observers, None, registry)


def resume(
    path: str | os.PathLike[str], observers: Sequence[Observer] = (), *, registry: Registry | None = None
) -> RunResult:
    """Go on with a run that was cut off; it ends with the same bits as one left alone.

    Args:
        path: the run directory.
        observers: told of the run's events from here on.
        registry: components (default: those of the installed plugins).

    Raises:
        UsageError: there is no run at ``path``, or another process is writing it.
    """
    run_dir = RunDir.open(Path(path))
    config = configure(file=run_dir.config, environ={}, project_file=False, registry=registry)
    return _execute(config, observers, run_dir, registry)


def complete(config: RunConfig, observers: Sequence[Observer] = (), *, registry: Registry | None = None) -> Path:
    """The finished run named by ``run.out`` and ``run.name``: found done, resumed where it was cut off, or made.

    Whether a run that is there was made with these settings is the caller's to know.

    Raises:
        UsageError, RunError: as :func:`run` and :func:`resume`.
    """
    if config.run.name is None:
        raise ConfigError(["run.name is not set: a run can only be found again by its name"])
    path = Path(config.run.out) / config.run.name
    if not (path / "summary.json").is_file():
        RunDir.clear_if_unbegun(path)  # a kill between making the folder and its first file leaves it empty
        if (path / "config.toml").is_file():
            resume(path, observers, registry=registry)
        else:
            run(config, observers, registry=registry)
    return path


def _execute(
    config: RunConfig, observers: Sequence[Observer], existing: RunDir | None, registry: Registry | None
) -> RunResult:
    """Check everything, then train; with ``existing``, from where it stopped. Several processes do so side by side."""
    processes = joined()
    with processes.told_once():
        return _execute_among(processes, config, observers, existing, registry)


def _execute_among(
    processes: Processes,
    config: RunConfig,
    observers: Sequence[Observer],
    existing: RunDir | None,
    registry: Registry | None,
) -> RunResult:
    device = processes.device(config.run.device)
    check_batch_size(processes, config)
    if config.run.threads:
        torch.set_num_threads(config.run.threads)
    data = load_data(config)
    config = data.config
    torch.manual_seed(mix_seed(config.run.seed, "weights"))
    model = build_model(config, data.train.width, len(data.vocabulary))
    described = model.standardiser.described(data.train)
    config, transfer = _start(config, described, model, existing, registry)
    objectives = build_objectives(config)
    check_labels(model, objectives, data.train)
    for objective in objectives:
        objective.loss.prepare(described)
    del described
    config = fit_augments(config, data.train.width)
    # The first of several processes speaks and writes; what the others see of the run is the same.
    observers = [*observers, *(choice.build() for choice in config.observers)] if processes.leads else []
    trainer = Trainer.new(config, data, model, objectives, device, transfer.loaded if transfer else (), processes)
    processes.agree("the configuration", config.values())
    processes.agree("the data set", fingerprints(data))
    if config.train.select != "auto":
        # Without val the figures of train choose: the sum and the objectives.
        check_selection(config.train.select, validate(trainer) or {"loss", *trainer.loss_names}, trainer.loss_names)
    config = attrs.evolve(config, notes=(*config.notes, *coupling_notes(trainer)))

    run_dir = _place(config, existing, processes)
    try:
        if processes.leads:
            if existing is None:
                _begin(run_dir, config)
            if not run_dir.environment.is_file():
                _write_circumstances(run_dir, config, data.audit, trainer, transfer)
            config = attrs.evolve(config, notes=(*config.notes, *run_dir.note_processes(processes.size)))
        if processes.gather(run_dir.last.is_file())[0]:
            trainer.restore(run_dir)
            if processes.leads:
                run_dir.write_history(trainer.progress.history)  # a kill may have come before this line of it
        elif transfer is not None and processes.leads:
            run_dir.write_json(run_dir.transfer, transfer.record)
            trainer.save(run_dir)  # from here on the run goes on without the checkpoint's file
        trainer.hold_together("before training", buffers_only=False)
        summary = _summary(run_dir, config, trainer, transfer) | {"processes": processes.size}
        for observer in observers:
            observer.on_start(config, summary)
        started = time.perf_counter()
        progress = train(trainer, run_dir, observers)
        outcome = _finish(run_dir, trainer, time.perf_counter() - started)
        last = progress.history[-1]["val"] or progress.history[-1]["train"]
        best = progress.history[progress.best_epoch - 1]
        for observer in observers:
            observer.on_end(outcome)
        return RunResult(run_dir.path, last, best["val"] or best["train"], progress.best_epoch, outcome["report"])
    except LostContactError as fault:
        raise LostContactError(
            f"{fault} Finished epochs are kept; `asl run --resume {run_dir.path}` goes on, with any number of "
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
    if existing is not None and existing.last.is_file():
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
    run_dir.write_json(run_dir.environment, rundir_module.environment(fingerprints(trainer.data), trainer.device))


def _finish(run_dir: RunDir, trainer: Trainer, seconds: float) -> dict[str, Any]:
    """Evaluate the last weights on val in full and write what is left to write."""
    progress, val = trainer.progress, trainer.data.val
    full: dict[str, Any] = {}
    if val is not None:
        size = trainer.config.train.eval_batch_size
        found = predict(
            trainer.evaluated, val, size, trainer.objectives, trainer.augments, trainer.device, trainer.processes
        )
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
    return outcome | {"run": str(run_dir.path), "last": progress.history[-1]}


@attrs.frozen(eq=False)
class LoadedRun:
    """A trained model with all it needs to be used."""

    path: Path
    config: RunConfig
    model: Recognizer
    vocabulary: Vocabulary
    width: int
    epoch: int

    def predict(self, store: ClipStore, batch_size: int = 64) -> Predictions:
        """Scores of every clip of a store; see :func:`asl_core.evaluate.predict`."""
        return predict(self.model, store, batch_size, device=next(self.model.parameters()).device)


def load(
    path: str | os.PathLike[str], *, weights: str = "final", device: str = "cpu", registry: Registry | None = None
) -> LoadedRun:
    """A trained model from a run directory or one of its .safetensors files.

    Args:
        path: run directory, or file.
        weights: which of a directory's: ``final`` (last epoch) or ``best``.
        device: where to put it.
        registry: components (default: those of the installed plugins).

    Raises:
        CheckpointError: damaged, or of other components than are installed.
    """
    path = Path(path)
    if path.is_dir():
        file = path / f"{weights}.safetensors"
        if not file.is_file():
            there = ", ".join(sorted(p.name for p in path.glob("*.safetensors"))) or "none"
            raise UsageError(
                f"{path} has no {file.name} (checkpoints there: {there}); a run that was cut off has its final weights "
                f"after `asl run --resume {path}`, and --weights best where an epoch is done."
            )
        path = file
    saved = load_tensors(path)
    try:
        values, glosses, width = saved.meta["config"], saved.meta["vocabulary"], saved.meta["width"]
        vocabulary = Vocabulary(tuple(glosses))
        config = resolve([value_layer(values, str(path))], registry or discover().registry)
        model = build_model(config, width, len(vocabulary))
        model.load_state_dict(saved.tensors)
    except (KeyError, TypeError, AttributeError, RuntimeError) as fault:
        raise CheckpointError(f"{path} does not hold what a run saves ({type(fault).__name__}: {fault}).") from fault
    model.to(choose_device(device)).eval()
    return LoadedRun(path, config, model, vocabulary, width, saved.meta.get("epoch", 0))


def evaluate_run(
    path: str | os.PathLike[str], *, split: str = "val", weights: str = "final", device: str = "auto",
    values: Mapping[str, Any] | None = None, registry: Registry | None = None,
) -> tuple[dict[str, Any], Predictions, ClipStore]:  # fmt: skip
    """Evaluate a run on a split of its data set.

    ``test`` is never looked at by training; an evaluation on it is noted in the run's log.

    Args:
        path: run directory or checkpoint file.
        split: ``val``, ``test`` or ``train``.
        weights: ``final`` or ``best``.
        device: where to compute.
        values: settings of the data set to change, ``{"dataset.root": "elsewhere"}``.
        registry: components (default: those of the installed plugins).

    Returns:
        The report of :func:`asl_core.evaluate.report`, the predictions, and the clips.
    """
    loaded = load(path, weights=weights, device=device, registry=registry)
    config = loaded.config
    if values:
        config = resolve(
            [value_layer(config.values(), str(path)), value_layer(values, "script")], registry or discover().registry
        )
    store = load_split(config, split, loaded.vocabulary)
    if store.width != loaded.width:
        raise UsageError(
            f"the clips of {split} have {store.width} numbers a frame, and {path} was trained on {loaded.width}; "
            f"name the files it was trained on."
        )
    found = loaded.predict(store, config.train.eval_batch_size)
    full = report(found, store)
    directory = Path(path) if Path(path).is_dir() else Path(path).parent
    if split == "test" and (directory / "config.toml").is_file():
        RunDir(directory).note(f"evaluated on test ({weights}): {json.dumps(full['metrics'], sort_keys=True)}")
    return full, found, store


def audit_data(config: RunConfig) -> Audit:
    """The audit alone: what a run on this configuration would find in its data."""
    return load_audit(config)[1]
