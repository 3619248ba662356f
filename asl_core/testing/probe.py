"""Importing a plugin in a separate process, which it may crash, and where its imports can be counted."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import attrs

from asl_core.registry.discovery import HEAVY
from asl_core.testing.isolated import PluginPackage

__all__ = ["NOT_IN_A_CATALOGUE", "Probe", "probe"]

#: top-level modules that a catalogue does not need, and that would slow down every ``asl --help``
NOT_IN_A_CATALOGUE = (*HEAVY, "numpy", "scipy", "pandas", "sklearn", "matplotlib", "cv2", "mediapipe", "transformers")
TIMEOUT = 120  #: seconds

_SCRIPT = """
import json, sys
given = json.loads(sys.argv[1])
sys.path[:0] = given["roots"]
from importlib import metadata
from asl_core import Component, hookimpl, option
from asl_core.registry.discovery import discover
before = set(sys.modules)
entry = metadata.EntryPoint(given["name"], given["value"], given["group"])
record = discover([entry], {}).records[0]
new = {name.partition(".")[0] for name in set(sys.modules) - before}
answer = {"status": record.status, "reason": record.reason, "seconds": record.seconds,
          "heavy": sorted(new & set(given["heavy"]))}
print("\\n" + given["mark"] + json.dumps(answer), flush=True)
"""
_MARK = "asl-probe "


@attrs.frozen
class Probe:
    """The result of importing a plugin and calling its hooks."""

    fault: str  #: one paragraph; empty where it works
    seconds: float = 0.0  #: of its import, without that of asl_core
    heavy: tuple[str, ...] = ()  #: the modules of :data:`NOT_IN_A_CATALOGUE` that it imports


def probe(package: PluginPackage, entry: metadata.EntryPoint) -> Probe:
    """Import one plugin of a package in a new process, in which only asl_core is imported before it."""
    given: dict[str, Any] = {
        "name": entry.name,
        "value": entry.value,
        "group": entry.group,
        "roots": [str(r) for r in package.roots] + [p or str(Path.cwd()) for p in sys.path],
        "heavy": NOT_IN_A_CATALOGUE,
        "mark": _MARK,
    }
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and script
            [sys.executable, "-P", "-c", _SCRIPT, json.dumps(given)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Probe(f"its import of {entry.value!r} was not done after {TIMEOUT} s.")
    lines = [line for line in done.stdout.splitlines() if line.startswith(_MARK)]
    if not lines:
        last = (done.stderr.strip().splitlines() or ["without a message"])[-1]
        return Probe(f"its import of {entry.value!r} ended the process with code {done.returncode} ({last}).")
    answer = json.loads(lines[-1].removeprefix(_MARK))
    fault = "" if answer["status"] == "ok" else " ".join(answer["reason"].split())
    return Probe(fault, answer["seconds"], tuple(answer["heavy"]))
