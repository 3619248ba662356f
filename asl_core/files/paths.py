"""Names and paths that come from files and flags: where they may lead. No torch, since ``--help`` needs it."""

from __future__ import annotations

import os
import stat
from pathlib import Path, PureWindowsPath

from asl_core.errors import UsageError

__all__ = ["TRAINED_ON", "is_folder_name", "refuse_links"]

#: of a run's folder: the clips that it and the runs before it were trained on
TRAINED_ON = "trained-on.json"


def is_folder_name(name: object) -> bool:
    """Whether a name can be that of a folder below another, and leads nowhere else, on any system."""
    return (
        isinstance(name, str)
        and name.isprintable()
        and name not in ("", ".", "..")
        and Path(name).name == name
        and PureWindowsPath(name).name == name  # a run may be copied to Windows, where "a:b" is on another disk
    )


def refuse_links(folder: Path) -> None:
    """Refuse a run directory in which a name leads out of it, or to something that is neither file nor folder.

    Somebody else's run may hold a link by which a resume would write over a file of one's own. The folder itself may
    be a link, and links may lead to other files of the run.

    Raises:
        UsageError: naming what is there.
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
                    f"{path} is a link that leads out of the run's folder (to {real}), and a run is read and written "
                    f"only there; put the file itself in its place."
                )
            if not path.is_symlink() and not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
                raise UsageError(f"{path} is neither a file nor a folder, and has no place in a run; remove it.")
