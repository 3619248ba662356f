"""A curriculum: one TOML file whose stages run in order, each from the weights of an earlier one.

    name = "wlasl36"                # the folder below --out; by default the file's name

    [common.dataset]                # settings that every stage starts from
    name = "wlasl"

    [[stage]]
    name = "stage1"
    [stage.head]
    name = "projection"

    [[stage]]
    name = "stage2"
    init = "stage1"                 # or [stage.init] with path = "stage1" and freeze = true

Finished stages are skipped and an interrupted one is resumed: give the same command until it ends.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from asl_core.checkpoints.held_out import Cache, check_stages
from asl_core.config.configure import configure
from asl_core.config.extends import merged_layer, table_layers
from asl_core.config.resolve import current_layers
from asl_core.config.run_config import RunConfig
from asl_core.config.sources import Layer, Setting, flatten, merge
from asl_core.errors import CheckpointError, ConfigError, UsageError, nearest
from asl_core.files.atomic import write_text
from asl_core.files.bounded import read_json
from asl_core.files.paths import is_folder_name
from asl_core.files.toml_file import read_toml
from asl_core.registry.component import Registry
from asl_core.registry.discovery import discover
from asl_core.training.completing import complete_run
from asl_core.training.events import Observer

__all__ = ["Curriculum", "Stage", "StageResult", "check_held_out", "is_curriculum", "load_curriculum", "run_curriculum"]

_PLAN = "curriculum.json"


@attrs.frozen
class Stage:
    """One stage: its name and its checked configuration, with ``run.name`` and ``init.path`` filled in."""

    name: str
    config: RunConfig
    after: str | None  #: the stage whose weights it starts from


@attrs.frozen
class Curriculum:
    """All stages, in order, and the folder of their runs."""

    path: Path
    stages: tuple[Stage, ...]


@attrs.frozen
class StageResult:
    """A finished stage."""

    stage: Stage
    path: Path
    done_before: bool  #: whether an earlier call finished it
    summary: Mapping[str, Any]  #: of ``summary.json``


def is_curriculum(file: Path) -> bool:
    """Whether a TOML file describes stages; False for a file that cannot be read."""
    try:
        return "stage" in read_toml(file).values
    except ConfigError:
        return False


def load_curriculum(
    file: Path, flags: Layer | None = None, registry: Registry | None = None, environ: Mapping[str, str] | None = None
) -> Curriculum:
    """Read and check every stage before the first run.

    Args:
        file: the TOML file.
        flags: settings that override the file, for every stage (``--seed 1``) or for one
            (``--set stage.NAME.dataset.root=FOLDER``).
        registry: components (default: those of the installed plugins).
        environ: environment (default: the process's).

    Raises:
        ConfigError: with the faults of all stages.
    """
    registry = discover().registry if registry is None else registry
    read = read_toml(file)
    content = read.values
    problems = [f"{file}: no such key {k!r}{_meant(k)}" for k in content if k not in _KEYS]
    tables = content["stage"] if isinstance(content.get("stage"), list) else []
    names = [t.get("name") if isinstance(t, dict) else None for t in tables]
    if not tables or not all(map(is_folder_name, names)):
        problems.append(f"{file}: every [[stage]] needs a name that can be a folder's; found {str(names)[:300]}")
    else:
        problems += [f"{file}: stage {n!r} occurs more than once" for n in dict.fromkeys(names) if names.count(n) > 1]
    if not isinstance(content.get("common", {}), dict):
        problems.append(f"{file}: common is {str(content['common'])[:300]}; expected tables such as [common.dataset]")
    if problems:
        raise ConfigError(problems)

    folder = _folder(file, content, flags)
    common = merged_layer(table_layers(content.get("common", {}), read, file, ("common",), "[common]"))
    shared, own_flags = _by_stage(flags or {}, [str(n) for n in names])
    stages = []
    for place, table in enumerate(tables):
        name = table.pop("name")
        try:
            layer = merged_layer(table_layers(table, read, file, ("stage", place), f"stage {name!r}"))
        except ConfigError as refused:
            problems += refused.problems
            continue
        after, fault = _earlier(layer, name, names[:place], names, folder.parent)
        if fault:
            problems.append(f"{file} stage {name!r}: {fault}")
            layer = {k: s for k, s in layer.items() if not k.startswith("init.")}
        fixed = {"run.out": str(folder), "run.name": name} | ({"init.path": f"run:{folder / after}"} if after else {})
        try:
            layers, twice = current_layers([common, layer, shared, own_flags.get(name, {})], registry)
            if twice:
                raise ConfigError(twice)
            merged, _ = merge(layers)
            config = configure(fixed, flags=merged, registry=registry, environ=environ or {}, project_file=False)
            stages.append(Stage(name, config, after))
        except ConfigError as refused:
            problems += [f"stage {name!r}: {p}" for p in refused.problems]
    if problems:
        raise ConfigError(problems)
    return Curriculum(folder, tuple(stages))


_KEYS = ("name", "common", "stage")


def _meant(key: str) -> str:
    return "; it belongs in [common] or in a [[stage]]" if key == "extends" else nearest(key, _KEYS)


def _folder(file: Path, content: Mapping[str, Any], flags: Layer | None) -> Path:
    """``--out``/``--name`` of the flags, else ``runs/`` and the curriculum's name.

    Raises:
        ConfigError: the name cannot be a folder's below ``--out``.
    """
    common = dict(flatten(content.get("common", {})))
    given = {k: s.value for k, s in (flags or {}).items()}
    out = given.get("run.out", common.get("run.out", "runs"))
    name = given.get("run.name", content.get("name", file.stem))
    if not is_folder_name(name):
        source = f"{flags['run.name'].origin}: run.name is" if flags and "run.name" in flags else f"{file}: name is"
        raise ConfigError([f"{source} {str(name)[:80]!r}; expected a folder's name, which is made below --out"])
    return Path(str(out)) / str(name)


def _by_stage(flags: Layer, names: Sequence[str]) -> tuple[Layer, dict[str, dict[str, Setting]]]:
    """Flags for all stages, and those for each.

    Raises:
        ConfigError: a flag names an unknown stage.
    """
    shared: dict[str, Setting] = {}
    own: dict[str, dict[str, Setting]] = {}
    problems = []
    for key, setting in flags.items():
        if not key.startswith("stage."):
            if key not in ("run.out", "run.name"):  # those name the curriculum's folder
                shared[key] = setting
            continue
        name, _, rest = key.removeprefix("stage.").partition(".")
        if name not in names or not rest:
            problems.append(f"{setting.origin}: expected stage.NAME.KEY, NAME one of {', '.join(names)}")
        own.setdefault(name, {})[rest] = setting
    if problems:
        raise ConfigError(problems)
    return shared, own


def _earlier(
    own: Layer, name: str, before: Sequence[Any], names: Sequence[Any], out: Path
) -> tuple[str | None, str | None]:
    """The earlier stage that ``init`` names, or a fault; neither for the path of a file."""
    setting = own.get("init.path")
    if setting is None:
        return None, None
    wanted = setting.value
    if wanted in before:
        return str(wanted), None
    if wanted == name:
        return None, f"init names the stage itself; expected an earlier one{nearest(str(wanted), map(str, before))}"
    if wanted in names:
        return None, f"init names {wanted!r}, which comes later; expected an earlier one"
    if isinstance(wanted, str):
        path = wanted.partition(":")[2] or wanted
        if os.path.exists(path) or os.path.exists(out / path):  # noqa: PTH110 - never raises
            return None, None
    return None, f"init is {wanted!r}, neither an earlier stage nor a file{nearest(str(wanted), map(str, before))}"


def run_curriculum(
    curriculum: Curriculum, observers: Callable[[Stage], Sequence[Observer]] = lambda _: (), *, checked: bool = False
) -> list[StageResult]:
    """Run the stages that are not finished, resuming an interrupted one.

    Args:
        curriculum: of :func:`load_curriculum`.
        observers: stage -> observers of its run.
        checked: whether :func:`check_held_out` has passed.

    Raises:
        UsageError: a stage was begun with other settings; nothing has been changed.
        DataError: a stage's evaluation clips are training clips of an earlier one; nothing has been trained.
    """
    plan = _unchanged(curriculum)
    if not checked:
        check_held_out(curriculum)
    _keep(curriculum, plan)
    results = []
    for stage in curriculum.stages:
        path = curriculum.path / stage.name
        summary = path / "summary.json"
        done = summary.is_file()
        complete_run(stage.config, observers(stage), None)
        results.append(StageResult(stage, path, done, summary_of(path)))
    return results


def check_held_out(curriculum: Curriculum, cache: Cache | None = None) -> None:
    """Refuse stages whose evaluation clips an earlier stage is trained on; see ``held_out``.

    Args:
        curriculum: of :func:`load_curriculum`.
        cache: shared by several curricula on the same files, to read them once.
    """
    check_stages(curriculum.stages, curriculum.path, discover().registry, cache)


def summary_of(run: Path) -> dict[str, Any]:
    """The ``summary.json`` of a finished run.

    Raises:
        CheckpointError: the file is damaged.
    """
    return read_json(run / "summary.json", "Remove it, and the same command finishes the run again.")


def _unchanged(curriculum: Curriculum) -> dict[str, Any]:
    """The plan, compared with that of the call before."""
    configs = {s.name: s.config for s in curriculum.stages}
    plan = {name: {**config.values(), "run.out": None} for name, config in configs.items()}
    file = curriculum.path / _PLAN
    remedy = "Remove it, if the runs beside it are those of this curriculum."
    before: dict[str, Any] = read_json(file, remedy) if file.exists() or file.is_symlink() else {}
    problems = []
    for name, values in before.items():
        if not is_folder_name(name) or not isinstance(values, dict):
            raise CheckpointError(f"{file} is not a plan of a curriculum: it has {name[:80]!r}. {remedy}")
        if not (curriculum.path / name / "config.toml").is_file():
            continue  # never begun
        if name not in plan:
            problems.append(f"stage {name!r} is no longer in the file")
            continue
        now = json.loads(json.dumps(plan[name]))
        changed = [k for k in configs[name].changed(values) if k != "run.out"]
        if changed:
            values = configs[name].current_names(values)
            shown = ", ".join(f"{k} was {values.get(k)!r} and is {now.get(k)!r}" for k in changed[:5])
            problems.append(f"stage {name!r} was begun with other settings: {shown}")
    if problems:
        raise UsageError(
            f"{curriculum.path} was begun with other settings, which never change during a run:\n"
            + "\n".join(f"  - {p}" for p in problems)
            + "\nPut the settings back, in the file or by --set KEY=VALUE, or choose another --name or --out."
        )
    return plan


def _keep(curriculum: Curriculum, plan: Mapping[str, Any]) -> None:
    """Save the plan for the next call."""
    try:
        curriculum.path.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise UsageError(
            f"{curriculum.path} cannot be made ({fault.strerror}); choose another folder with --out."
        ) from fault
    write_text(curriculum.path / _PLAN, json.dumps(plan, indent=1, sort_keys=True) + "\n")
