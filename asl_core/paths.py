"""Names and paths that come from files and flags: where they may lead. No torch, since ``--help`` needs it."""

from __future__ import annotations

from pathlib import Path, PureWindowsPath

__all__ = ["is_folder_name"]


def is_folder_name(name: object) -> bool:
    """Whether a name can be that of a folder below another, and leads nowhere else, on any system."""
    return (
        isinstance(name, str)
        and name.isprintable()
        and name not in ("", ".", "..")
        and Path(name).name == name
        and PureWindowsPath(name).name == name  # a run may be copied to Windows, where "a:b" is on another disk
    )
