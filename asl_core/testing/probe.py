"""A plugin imported in a process of its own: what it breaks there is broken there, and what it imports can be seen."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import attrs

from asl_core.registry.discovery import HEAVY
from asl_core.testing.isolated import Found

__all__ = ["NOT_IN_A_CATALOGUE", "Probe", "probe"]

#: top-level modules that a catalogue has no use for, and that every ``asl --help`` would wait for
NOT_IN_A_CATALOGUE = (*HEAVY, "numpy", "scipy", "pandas", "sklearn", "matplotlib", "cv2", "mediapipe", "transformers")
PATIENCE = 120  #: seconds

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
found = {"status": record.status, "reason": record.reason, "seconds": record.seconds,
         "heavy": sorted(new & set(given["heavy"]))}
print("\\n" + given["mark"] + json.dumps(found), flush=True)
"""
_MARK = "asl-probe "


@attrs.frozen
class Probe:
    """What came of importing a plugin and calling its hooks."""

    fault: str  #: one paragraph, empty where it works
    seconds: float = 0.0  #: time of its import, that of asl_core left out
    heavy: tuple[str, ...] = ()  #: those of :data:`NOT_IN_A_CATALOGUE` that it imports


def probe(found: Found, entry: metadata.EntryPoint) -> Probe:
    """Import one plugin of a package in a new process, with nothing but asl before it."""
    given: dict[str, Any] = {
        "name": entry.name,
        "value": entry.value,
        "group": entry.group,
        "roots": [str(r) for r in found.roots] + [p or str(Path.cwd()) for p in sys.path],
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
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Probe(f"its import of {entry.value!r} was not done after {PATIENCE} s.")
    told = [line for line in done.stdout.splitlines() if line.startswith(_MARK)]
    if not told:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return Probe(f"its import of {entry.value!r} ended the process with code {done.returncode} ({last}).")
    answer = json.loads(told[-1].removeprefix(_MARK))
    fault = "" if answer["status"] == "ok" else " ".join(answer["reason"].split())
    return Probe(fault, answer["seconds"], tuple(answer["heavy"]))
