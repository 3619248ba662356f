"""What a path on the command line is, told before torch is imported: runs, settings, clips, and which is which."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asl_core.cli.wrapping import say
from asl_core.config.runs import nearest_run, out_folder
from asl_core.errors import ConfigError, UsageError, as_word
from asl_core.files.curriculum_folder import of_curriculum
from asl_core.registry.options import option_specs
from asl_core.text import one_line, shortened

if TYPE_CHECKING:
    from asl_core.config.run_config import RunConfig

__all__ = [
    "DATA_SET",
    "check_data_folder",
    "check_data_paths",
    "check_run",
    "check_settings_file",
    "clip_files",
    "kind_of",
]

DATA_SET = "wlasl"  #: the data set that `asl audit FOLDER` reads, and that is suggested for a folder of files

_KINDS = {
    ".toml": "settings",
    ".safetensors": "weights",
    **dict.fromkeys((".pt", ".pth", ".ckpt", ".bin"), "checkpoint"),
    **dict.fromkeys(
        (".npy", ".npz", ".pkl", ".pickle", ".p", ".csv", ".json", ".mp4", ".mov", ".avi", ".webm"), "clips"
    ),
}


def kind_of(path: Path) -> str:
    """The kind of a path: ``run``, ``curriculum`` or ``folder``; a value of ``_KINDS`` or ``file``; or ``missing``."""
    if path.is_dir():
        if (path / "config.toml").is_file():
            return "run"
        return "curriculum" if (path / "curriculum.json").is_file() else "folder"
    if not os.path.lexists(path):
        return "missing"
    return next((kind for end, kind in _KINDS.items() if path.name.lower().endswith((end, f"{end}.gz"))), "file")


def check_settings_file(path: Path, verb: str = "run") -> None:
    """Refuse what is no file of settings, with the command that takes it.

    Raises:
        UsageError: it is something else.
    """
    kind, word = kind_of(path), as_word(path)
    if kind == "run":
        more = f"`asl run {as_word(path / 'config.toml')}` repeats it, `asl run --resume {word}` goes on with it"
        own = f"`asl {verb} {as_word(path / 'config.toml')}` takes its settings" if verb != "run" else more
        raise UsageError(f"{path} is a run, and no file of settings: {own}, `asl eval {word}` evaluates it.")
    if kind == "curriculum":
        raise UsageError(f"{path} holds the runs of a curriculum; give the TOML file that it was made from.")
    if kind == "folder":
        raise UsageError(
            f"{path} is a folder, and no file of settings. To train on the files in it: asl run --dataset {DATA_SET} "
            f"--dataset.root {word}; to see what is in them: asl audit {word}."
        )
    if kind == "clips":
        folder = as_word(path.parent)
        raise UsageError(
            f"{path} is a file of clips, and no file of settings. To train on it: asl run --dataset {DATA_SET} "
            f"--dataset.root {folder} --dataset.train {as_word(path.name)}; to name its signs: asl predict RUN {word}."
        )
    if kind in ("checkpoint", "weights"):
        raise UsageError(
            f"{path} holds weights, and no settings. To start from them: asl run --init {word}; to see what they are: "
            f"asl inspect {word}."
        )
    if kind == "missing":
        folder = "" if path.suffix else f"; a folder of features is given by --dataset.root {word}"
        raise UsageError(
            f"{path}: there is no such file or folder{_beside(path, '.toml')}; expected a TOML file of "
            f"settings{folder}."
        )


def check_run(path: Path, verb: str, others: Sequence[Path] = ()) -> None:
    """Refuse what is no run, with what to type instead.

    Args:
        path: a run directory, or a .safetensors file of one.
        verb: ``eval``, ``predict``, …, for the message.
        others: what else was given, where the two may have changed places.

    Raises:
        UsageError: it is something else.
    """
    kind, word = kind_of(path), as_word(path)
    swapped = next((o for o in others if kind_of(o) in ("run", "weights")), None)
    if kind in ("run", "weights"):
        return
    if swapped is not None and kind != "missing":
        rest = " ".join(as_word(o) for o in (path, *(o for o in others if o is not swapped)))
        raise UsageError(
            f"{path} is no run, and {swapped} is one: did you mean `asl {verb} {as_word(swapped)} {rest}`?"
        )
    if kind == "settings":
        raise UsageError(
            f"{path} is a file of settings, and no run"
            + (
                f"; the run is the folder that it is in: asl {verb} {as_word(path.parent)}."
                if path.name == "config.toml"
                else f"; train it first: asl run {word}."
            )
        )
    if kind == "clips":
        raise UsageError(f"{path} is a file of clips, and no run; give the run first: asl predict RUN {word}.")
    if kind == "checkpoint":
        raise UsageError(
            f"{path} is a checkpoint of another program, and no run; `asl inspect {word}` shows what it holds, "
            f"`asl run --init {word}` starts from it."
        )
    if kind == "curriculum":
        rest = "".join(f" {as_word(o)}" for o in others)
        more = " `asl run FILE.toml` of its file goes on with all of them." if verb == "run --resume" else ""
        raise UsageError(f"{of_curriculum(path, f'asl {verb} {{}}{rest}')}{more}")
    if kind == "folder":
        runs = [p for p in sorted(path.iterdir()) if (p / "config.toml").is_file()]
        if runs:
            names = shortened((p.name for p in runs), 8)
            raise UsageError(f"{path} holds runs ({names}); choose one: asl {verb} {as_word(runs[-1])}.")
        raise UsageError(
            f"{path} is not a run directory (it has no config.toml); expected one that `asl run` made, such as "
            f"runs/NAME."
        )
    if kind == "missing":
        near = _beside(path) or nearest_run(path, out_folder())
        raise UsageError(
            f"{path}: there is no such run{near}{' E' if near.endswith('?') else '; e'}xpected a run directory that "
            f"`asl run` made, its name in {out_folder()}, or a .safetensors file in one. `asl runs` lists all."
        )
    raise UsageError(f"{path} is no run; expected a run directory that `asl run` made, or a .safetensors file in one.")


def clip_files(paths: Sequence[Path]) -> list[Path]:
    """The files that are named, and those of folders that are named, in order.

    Of a folder those with an ending of clips are taken; what is passed over is said.

    Raises:
        UsageError: a folder holds no file, or is a run.
    """
    found: list[Path] = []
    for path in paths:
        kind = kind_of(path)
        if kind == "weights" and not (path.parent / "config.toml").is_file():
            kind = "clips"  # packed clips are such a file too, and the data set says so where it holds weights
        if kind in ("run", "weights", "curriculum", "settings"):
            raise UsageError(
                f"{path} is {_ARTICLES[kind]}, and no file of clips; expected asl predict RUN FILE…, further runs with "
                f"--ensemble {as_word(path)}."
            )
        if kind != "folder":
            found.append(path)
            continue
        inside = sorted(p for p in path.iterdir() if not p.name.startswith("."))
        files = [p for p in inside if p.is_file()]
        chosen = [p for p in files if p.name.lower().endswith(_ARRAYS)] or [p for p in files if kind_of(p) == "clips"]
        if not chosen:
            raise UsageError(
                f"{path} holds no file of clips ({len(files)} other files, {len(inside) - len(files)} folders); "
                f"expected .npy files, or files that the run's data set reads."
            )
        if left := [p.name + ("/" if p.is_dir() else "") for p in inside if p not in chosen]:
            say(one_line(f"note: {len(left)} entries of {path} are not read: {shortened(left)}"), err=True)
        found += chosen
    return found


_ARRAYS = (".npy", ".npz", ".pkl", ".pickle", ".p", ".pkl.gz", ".pickle.gz", ".npy.gz")
_ARTICLES = {
    "run": "a run",
    "weights": "a file of weights",
    "curriculum": "a folder of a curriculum's runs",
    "settings": "a file of settings",
}


def check_data_folder(path: Path) -> None:
    """Refuse as a folder of data what is a run, settings or weights.

    Raises:
        UsageError: with what to type instead.
    """
    kind, word = kind_of(path), as_word(path)
    said = {
        "run": f"a run; `asl eval {word}` evaluates it, and {path / 'audit.json'} is the audit of its data",
        "curriculum": "a folder of runs of a curriculum; `asl eval` evaluates one of them",
        "settings": f"a file of settings; `asl check {word}` checks it",
        "weights": f"a file of weights; `asl inspect {word}` shows what it holds",
        "checkpoint": f"a checkpoint; `asl inspect {word}` shows what it holds",
    }
    if kind in said:
        raise UsageError(f"{path} is {said[kind]}. Expected a folder of feature files.")


def check_data_paths(config: RunConfig) -> None:
    """Refuse a data set whose files are not where its options say, as far as the options say that they must be there.

    Raises:
        ConfigError: with every such option.
    """
    problems = []
    options: Any = type(config.dataset.options)
    for spec in option_specs(options):
        value = getattr(config.dataset.options, spec.name)
        if spec.rule.exists and isinstance(value, str) and not os.path.lexists(Path(value).expanduser()):
            key = f"dataset.{spec.key}"
            problems.append(
                f"{config.origin(key)}: {key}: there is no file or folder {value}{_beside(Path(value))}; "
                f"it is the {spec.help}"
            )
    if problems:
        raise ConfigError(problems)


def _beside(path: Path, ending: str = "") -> str:
    """The nearest name beside a path that is not there, or how far the path goes."""
    parent = path.parent
    if not parent.is_dir():
        there = next((p for p in parent.parents if p.is_dir()), None)
        return (
            f" (there is {there}, and nothing below it of that name)" if there and str(there) not in (".", "/") else ""
        )
    try:
        names = [p.name for p in parent.iterdir() if not ending or p.suffix == ending]
    except OSError:
        return ""
    close = difflib.get_close_matches(path.name, names, n=1, cutoff=0.6)
    return f" (did you mean {parent / close[0]}?)" if close else ""
