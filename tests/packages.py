"""Packages as ``pip install`` leaves them: a module and a ``.dist-info`` folder, written anywhere on the path."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HEAD = "from asl_core import Component, hookimpl\n"
ENCODER = HEAD + '@hookimpl\ndef asl_encoders():\n    return [Component(name="{name}", factory="a:b", summary="x")]\n'


def install(
    folder: Path,
    distribution: str,
    sources: Mapping[str, str],
    entry_points: Mapping[str, Mapping[str, str]] | bytes,
    version: str = "1.2",
    metadata: bool = True,
) -> None:
    """Write a distribution.

    Args:
        folder: to be put on ``sys.path`` or ``PYTHONPATH``.
        distribution: its name.
        sources: path of a file -> its text.
        entry_points: group -> name -> value, or the bytes of a damaged list.
        version: its version.
        metadata: whether there is a METADATA file; an interrupted uninstall leaves none.
    """
    for name, text in sources.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    info = folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    if metadata:
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
    if isinstance(entry_points, bytes):
        (info / "entry_points.txt").write_bytes(entry_points)
        return
    lines = [
        line
        for group, names in entry_points.items()
        for line in (f"[{group}]", *(f"{n} = {v}" for n, v in names.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")


def plugin(folder: Path, distribution: str, name: str, source: str, **more: Any) -> None:
    """Write a distribution with one plugin ``name``, whose module is ``plug_NAME``."""
    install(folder, distribution, {f"plug_{name}.py": source}, {"asl.plugins": {name: f"plug_{name}"}}, **more)


def asl(*words: str, path: tuple[Path, ...] = (), cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """The real command in a process of its own, with these folders of packages on its path."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("ASL_")}
    environ = {**inherited, "PYTHONPATH": os.pathsep.join(map(str, path)), **environ}
    command = Path(sys.executable).with_name("asl.exe" if os.name == "nt" else "asl")
    start = [str(command)] if command.is_file() else [sys.executable, "-m", "asl_core"]
    return subprocess.run(
        [*start, *words], capture_output=True, text=True, cwd=cwd, env=environ, timeout=120, check=False
    )
