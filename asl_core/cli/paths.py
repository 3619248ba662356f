"""What a path on the command line is (a run, settings, clips, weights, …), and what to type where another is expected.

Imports no torch.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asl_core.cli.wrapping import say
from asl_core.config.runs import nearest_run, out_folder
from asl_core.errors import ConfigError, UsageError, as_word
from asl_core.files.paths import of_curriculum
from asl_core.registry.options import option_specs
from asl_core.text import one_line, shortened

if TYPE_CHECKING:
    from asl_core.config.run_config import RunConfig

__all__ = [
    "check_data_folder",
    "check_data_paths",
    "check_run",
    "check_settings_file",
    "clip_files",
    "data_set_of",
    "kind_of",
]


_KINDS = {
    ".toml": "settings",
    ".safetensors": "weights",
    **dict.fromkeys((".pt", ".pth", ".ckpt", ".bin"), "checkpoint"),
    **dict.fromkeys(
        (".npy", ".npz", ".pkl", ".pickle", ".p", ".csv", ".json", ".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm"),
        "clips",
    ),
}
_PICKLE = re.compile(r"\.(pkl|pickle|p)(\.(gz|bz2|xz|lzma|zip))?$", re.IGNORECASE)
_ARRAYS = (".npy", ".npz", ".pkl", ".pickle", ".p", ".pkl.gz", ".pickle.gz", ".npy.gz")
_NAMES = {
    "run": "a run",
    "curriculum": "the folder of a curriculum's runs",
    "folder": "a folder",
    "clips": "a file of clips",
    "checkpoint": "a checkpoint of another program",
    "weights": "a file of weights",
    "settings": "a file of settings",
    "file": "a file of another kind",
}
#: kind -> the commands that take such a path
_COMMANDS: Mapping[str, Callable[[Path], str]] = {
    "run": lambda path: (
        f"`asl eval {as_word(path)}` evaluates it, `asl run --resume {as_word(path)}` continues it, "
        f"`asl run {as_word(path / 'config.toml')}` repeats it"
    ),
    "curriculum": lambda path: of_curriculum(path, "asl eval {}") or "",
    "folder": lambda path: (
        f"`asl audit {as_word(path)}` shows which clips are in it, `asl run --dataset {data_set_of(path)} "
        f"--dataset.root {as_word(path)}` trains on them"
    ),
    "clips": lambda path: (
        f"`asl predict RUN {as_word(path)}` names its signs, `asl run --dataset wlasl --dataset.root "
        f"{as_word(path.parent)} --dataset.train {as_word(path.name)}` trains on it"
    ),
    "checkpoint": lambda path: (
        f"`asl inspect {as_word(path)}` shows what it holds, `asl run --init {as_word(path)}` starts from it"
    ),
    "settings": lambda path: (
        f"`asl eval {as_word(path.parent)}` evaluates the run that it belongs to"
        if path.name == "config.toml"
        else f"`asl run {as_word(path)}` trains with it, `asl check {as_word(path)}` checks it"
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


def _refusal(path: Path, expected: str, kind: str | None = None) -> UsageError:
    """The error for a path of the wrong kind: what it is, what was expected, and which commands take it."""
    kind = kind or kind_of(path)
    commands = _COMMANDS.get("checkpoint" if kind == "weights" else kind)
    advice = f" {commands(path).rstrip('.')}." if commands else ""
    return UsageError(f"{path} is {_NAMES[kind]}; expected {expected}.{advice}")


def check_settings_file(path: Path, verb: str = "run") -> None:
    """Refuse what is not a file of settings, with the command that takes it.

    Raises:
        UsageError: it is something else.
    """
    kind = kind_of(path)
    if kind == "missing":
        folder = "" if path.suffix else f"; a folder of features is given by --dataset.root {as_word(path)}"
        raise UsageError(
            f"{path}: no such file or folder{_beside(path, '.toml')}; expected a TOML file of settings{folder}."
        )
    if kind == "run" and verb != "run":
        raise _refusal(path, f"a file of settings, such as `asl {verb} {as_word(path / 'config.toml')}`")
    if kind not in ("settings", "file"):
        raise _refusal(path, "a file of settings")


def check_run(path: Path, verb: str, others: Sequence[Path] = ()) -> None:
    """Refuse what is not a run, with what to type instead.

    Args:
        path: a run directory, or a .safetensors file of one.
        verb: ``eval``, ``predict``, …, for the message.
        others: the other arguments, in case run and file were swapped.

    Raises:
        UsageError: it is something else.
    """
    kind = kind_of(path)
    if kind in ("run", "weights"):
        return
    if kind == "missing":
        near = _beside(path) or nearest_run(path, out_folder())
        raise UsageError(
            f"{path}: no such run{near}{' E' if near.endswith('?') else '; e'}xpected a run directory that `asl run` "
            f"made, its name in {out_folder()}, or a .safetensors file in one. `asl runs` lists all."
        )
    swapped = next((o for o in others if kind_of(o) in ("run", "weights")), None)
    if swapped is not None:
        rest = " ".join(as_word(o) for o in (path, *(o for o in others if o is not swapped)))
        raise UsageError(
            f"{path} is {_NAMES[kind]}, and {swapped} is a run: did you mean `asl {verb} {as_word(swapped)} {rest}`?"
        )
    if kind == "curriculum":
        rest = "".join(f" {as_word(o)}" for o in others)
        more = " `asl run FILE.toml` of its file continues all of them." if verb == "run --resume" else ""
        raise UsageError(f"{of_curriculum(path, f'asl {verb} {{}}{rest}')}{more}")
    runs = sorted(p for p in path.iterdir() if (p / "config.toml").is_file()) if kind == "folder" else []
    if runs:
        names = shortened((p.name for p in runs), 8)
        raise UsageError(f"{path} is a folder of runs ({names}); choose one: asl {verb} {as_word(runs[-1])}.")
    raise _refusal(path, "a run directory that `asl run` made, such as runs/NAME, or a .safetensors file in one")


def data_set_of(folder: Path) -> str:
    """The data set that reads a folder: of packed clips, of feature pickles, or of recordings of any format."""
    if (folder / "packed.json").is_file():
        return "packed"
    if folder.is_dir() and any(_PICKLE.search(path.name) for path in folder.iterdir() if path.is_file()):
        return "wlasl"
    return "files"


def clip_files(paths: Sequence[Path]) -> list[Path]:
    """The given files and those of the given folders, in order.

    Of a folder only files with an ending of clips are used; a note lists the others.

    Raises:
        UsageError: a folder has no such file, or is a run.
    """
    files: list[Path] = []
    for path in paths:
        kind = kind_of(path)
        if kind == "weights" and not (path.parent / "config.toml").is_file():
            kind = "clips"  # packed clips are .safetensors files too; the data set refuses weights
        if kind in ("run", "weights", "curriculum", "settings"):
            raise _refusal(path, f"a file of clips; further runs are given by --ensemble {as_word(path)}", kind)
        if kind != "folder":
            files.append(path)
            continue
        chosen = _in_folder(path)
        files += chosen
    return files


def _in_folder(path: Path) -> list[Path]:
    """The files of clips in a folder; or the folder itself, or the recordings below it, where a format knows them.

    Raises:
        UsageError: there are none.
    """
    from asl_core.data.formats import Formats

    if data_set_of(path) == "packed":
        return sorted(path.glob("*.safetensors"))
    formats = Formats.installed()
    if formats.of(path) is not None:
        return [path]
    inside = sorted(p for p in path.iterdir() if not p.name.startswith("."))
    files = [p for p in inside if p.is_file()]
    clips = [p for p in files if kind_of(p) == "clips"]
    tables = [p for p in clips if p.suffix.lower() in (".csv", ".json")]  # of clips, or lists of the clips beside them
    chosen = [p for p in files if p.name.lower().endswith(_ARRAYS)] or [p for p in clips if p not in tables]
    if not chosen:
        walked = list(formats.walk(path))
        if recordings := [p for p, taken in walked if taken is not None]:
            _note_unread(path, [str(p.relative_to(path)) for p, taken in walked if taken is None])
            return recordings
        chosen = tables
    if not chosen:
        raise UsageError(
            f"{path} has no file of clips ({len(files)} other files, {len(inside) - len(files)} folders); expected "
            f".npy files, recordings of a format that `asl ls format` lists, or files that the run's data set reads."
        )
    _note_unread(path, [p.name + ("/" if p.is_dir() else "") for p in inside if p not in chosen])
    return chosen


def _note_unread(folder: Path, names: Sequence[str]) -> None:
    if names:
        say(one_line(f"note: {len(names)} entries of {folder} are not read: {shortened(names)}"), err=True)


def check_data_folder(path: Path) -> None:
    """Refuse a run, settings or weights as a folder of data.

    Raises:
        UsageError: with what to type instead.
    """
    if kind_of(path) in ("run", "curriculum", "settings", "weights", "checkpoint"):
        raise _refusal(path, "a folder of feature files")


def check_data_paths(config: RunConfig) -> None:
    """Refuse a data set whose files or folders are missing, as far as its options say that they must exist.

    Raises:
        ConfigError: with every such option.
    """
    problems = []
    options: Any = type(config.dataset.options)
    for spec in option_specs(options):
        value = getattr(config.dataset.options, spec.name)
        if spec.rule.exists and isinstance(value, str) and not os.path.lexists(Path(value).expanduser()):
            key = f"dataset.{spec.key}"
            near = _beside(Path(value))
            problems.append(
                f"{config.origin(key)}: {key}: no such file or folder: {value}{near}; it is the {spec.help}"
            )
    if problems:
        raise ConfigError(problems)


def _beside(path: Path, ending: str = "") -> str:
    """The nearest name beside a missing path, or the part of the path that exists."""
    parent = path.parent
    if not parent.is_dir():
        existing = next((p for p in parent.parents if p.is_dir()), None)
        return f" ({existing} exists, {parent} does not)" if existing and str(existing) not in (".", "/") else ""
    try:
        names = [p.name for p in parent.iterdir() if not ending or p.suffix == ending]
    except OSError:
        return ""
    close = difflib.get_close_matches(path.name, names, n=1, cutoff=0.6)
    return f" (did you mean {parent / close[0]}?)" if close else ""
