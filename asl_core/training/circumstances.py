"""What differs at a resume from the start of the run, or is missing: reported, and recorded where it may matter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asl_core.checkpoints.format import is_whole
from asl_core.errors import CheckpointError, as_word, printable
from asl_core.files.bounded import read_json
from asl_core.files.rundir import RunDir
from asl_core.registry.environment import environment
from asl_core.registry.installed import BUILTIN, FORMER, current_name
from asl_core.training.loop import Trainer, fingerprints, save_model

__all__ = ["notes_of_resume", "refuse_lost_state"]


def refuse_lost_state(run_dir: RunDir) -> None:
    """Refuse to train finished epochs again after the state was removed.

    Raises:
        CheckpointError: it was.
    """
    lines = run_dir.metrics.read_bytes().count(b"\n") if run_dir.metrics.is_file() else 0
    if not run_dir.has_state and (lines or run_dir.summary.is_file()):
        kept = [file for file in (run_dir.final, run_dir.best) if file.is_file()]
        weights = f", with its weights: --init {as_word(f'run:{kept[0]}')}" if kept else ""
        raise CheckpointError(
            f"{run_dir.path} has finished epochs ({lines} in metrics.jsonl) and no state to go on from: "
            f"{run_dir.last} is missing. Put it back, or start a new run with `asl run {as_word(run_dir.config)}`"
            f"{weights}."
        )


def notes_of_resume(run_dir: RunDir, trainer: Trainer) -> list[str]:
    """Notes on what differs from the run's start, or is missing."""
    progress, notes = trainer.progress, []
    if run_dir.continues.is_file():
        origin = read_json(run_dir.continues, "It is a note of where the run began: remove it.")
        notes.append(f"this run began with the state of {origin.get('run')} after epoch {origin.get('epoch')}")
    if not run_dir.summary.is_file():
        now = environment(fingerprints(trainer.data), trainer.device)
        notes += _changed_circumstances(run_dir, now, progress.epoch)
    if progress.best_epoch and not is_whole(run_dir.best):
        lost = f"{run_dir.best} is missing or damaged: "
        if progress.best_epoch == progress.epoch:
            save_model(trainer, run_dir.best)
            notes.append(f"{lost}written again, since epoch {progress.epoch} is the last and the best")
        else:
            notes.append(
                f"{lost}the weights of epoch {progress.best_epoch} cannot be made again, and the file is only written "
                f"where a later epoch is better; put it back, if you have it"
            )
    run_dir.note(*(printable(note) for note in notes))
    return notes


def _changed_circumstances(run: RunDir, now: Mapping[str, Any], epoch: int) -> list[str]:
    """A note on what changed, which is also recorded in ``environment.json`` under ``resumed``."""
    kept: dict[str, Any] = read_json(run.environment, "Put the file back, or start a new run from its config.toml.")
    before = _facts(kept)
    resumes = kept.get("resumed") if isinstance(kept.get("resumed"), list) else []
    for earlier in resumes or []:
        if isinstance(earlier, dict) and isinstance(earlier.get("now"), dict):
            before |= {str(k): v for k, v in earlier["now"].items()}
    changed = {name: value for name, value in _facts(now).items() if name in before and before[name] != value}
    if not changed:
        return []
    run.write_json(run.environment, kept | {"resumed": [*(resumes or []), {"after_epoch": epoch, "now": changed}]})
    pairs = ", ".join(f"{name} was {before[name]} and is {value}" for name, value in changed.items())
    text = printable(
        f"the run goes on in other circumstances than it was begun in ({pairs}): its result is as good, but may differ "
        f"in bits from an uninterrupted run"
    )
    return [text]


def _facts(environment: Mapping[str, Any]) -> dict[str, Any]:
    """What the bits of a run may depend on, by name."""
    facts = {name: environment.get(name) for name in ("python", "device", "threads")}
    for table in ("packages", "plugins"):
        entries = environment.get(table)
        for name, version in (entries if isinstance(entries, Mapping) else {}).items():
            facts[BUILTIN if name == FORMER else current_name(str(name))] = version
    return {name: value for name, value in facts.items() if value is not None}
