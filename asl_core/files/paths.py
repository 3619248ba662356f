"""Names and paths from files and flags, and the folder of a curriculum. Imports no torch, since ``--help`` uses it."""

from __future__ import annotations

import os
import stat
from pathlib import Path, PureWindowsPath

from asl_core.errors import UsageError, as_word

__all__ = ["TRAINED_ON", "is_folder_name", "of_curriculum", "refuse_links", "stages_of"]

#: file of a run: the clips that it and the runs it starts from were trained on
TRAINED_ON = "trained-on.json"


def is_folder_name(name: object) -> bool:
    """Whether a name can be that of a subfolder on any system, and leads nowhere else."""
    return (
        isinstance(name, str)
        and name.isprintable()
        and name not in ("", ".", "..")
        and Path(name).name == name
        and PureWindowsPath(name).name == name  # runs are copied to Windows, where "a:b" is on another disk
    )


def refuse_links(folder: Path) -> None:
    """Refuse a run directory with links that lead out of it, or with other things than files and folders.

    With such a link, resuming a run of unknown origin would overwrite another file. The folder itself may be a link,
    and links may lead to other files of the run.

    Raises:
        UsageError: naming the first.
    """
    inside = os.path.realpath(folder)
    for parent in (folder, folder / "last"):
        if not parent.is_dir():
            continue
        for path in sorted(parent.iterdir()):
            kind = path.lstat().st_mode
            real = os.path.realpath(path)
            if not real.startswith(inside + os.sep):  # links, and Windows' junctions
                raise UsageError(
                    f"{path} is a link that leads out of the run directory (to {real}), and a run is read and written "
                    f"only there; replace the link by the file."
                )
            if not path.is_symlink() and not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
                raise UsageError(f"{path} is neither a file nor a folder; remove it from the run.")


def stages_of(path: Path) -> list[Path]:
    """The runs in the folder of a curriculum, in the order they began; none for other folders."""
    try:
        if not (path / "curriculum.json").is_file():
            return []
        begun = [p for p in path.iterdir() if (p / "config.toml").is_file()]
        return sorted(begun, key=lambda p: ((p / "config.toml").stat().st_mtime_ns, p.name))
    except OSError:
        return []


def of_curriculum(path: Path, command: str) -> str | None:
    """The error text for the folder of a curriculum; None for other folders.

    Args:
        path: that folder.
        command: one that takes a run, with ``{}`` in its place: ``asl eval {}``.
    """
    if not (path / "curriculum.json").is_file():
        return None
    stages = stages_of(path)
    if not stages:
        return f"{path} holds the runs of a curriculum, and none is begun."
    names = ", ".join(stage.name for stage in stages)
    return (
        f"{path} holds the runs of a curriculum ({names}); name one of them, such as the last: "
        f"`{command.format(as_word(stages[-1]))}`."
    )
