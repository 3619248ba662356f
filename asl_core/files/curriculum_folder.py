"""The folder of a curriculum, which holds a run per stage, and the error where it is given in place of a run."""

from __future__ import annotations

from pathlib import Path

from asl_core.errors import as_word

__all__ = ["of_curriculum", "stages_of"]


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
