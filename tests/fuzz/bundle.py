"""A whole run directory as one input: a JSON table of its files, links and pipes, and its changes."""

from __future__ import annotations

import base64
import json
import os
import shutil
from pathlib import Path
from random import Random
from typing import Any

from fuzz.mutate_bytes import mangle
from fuzz.mutate_tensors import mutate_safetensors
from fuzz.mutate_text import mutate_csv, mutate_json, mutate_toml

__all__ = ["lay_out", "mutate_run", "packed", "size_of", "with_file"]

_NAMES = ("config.toml", "final.safetensors", "best.safetensors", "last/state.safetensors", "last", "summary.json",
          "environment.json", "metrics.jsonl", "timings.jsonl", "predictions-val.csv", "transfer.json",
          "curriculum.json",
          "log.txt", ".lock", "audit.json")  # fmt: skip
_TARGETS = ("../outside/kept.txt", "../outside", "/", "..", ".", "final.safetensors", "config.toml", "self",
            "/dev/zero",
            "../outside/new.txt", "last", "/dev/stdin")  # fmt: skip


def packed(folder: Path) -> bytes:
    """A folder's files as an input."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    table = {p.relative_to(folder).as_posix(): {"file": base64.b64encode(p.read_bytes()).decode()} for p in files}
    return json.dumps(table).encode()


def with_file(name: str, content: bytes) -> bytes:
    """The seed's run with one file in place of its own."""
    from fuzz.seeds import runs  # which makes that run, of inputs of this kind

    table = json.loads(runs()[0])
    return json.dumps(table | {name: {"file": base64.b64encode(content).decode()}}).encode()


def _entries(data: bytes) -> dict[str, Any]:
    try:
        table = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return {k: v for k, v in table.items() if isinstance(v, dict)} if isinstance(table, dict) else {}


def size_of(data: bytes) -> int:
    """Bytes of the files in it."""
    return sum(len(entry.get("file", "")) * 3 // 4 for entry in _entries(data).values())


def lay_out(data: bytes, folder: Path) -> Path:
    """Make the run directory ``folder/run`` anew, beside ``folder/outside``, which no run has to do with."""
    run, outside = folder / "run", folder / "outside"
    shutil.rmtree(run, ignore_errors=True)
    if run.is_symlink() or run.exists():
        run.unlink()
    run.mkdir()
    outside.mkdir(exist_ok=True)
    (outside / "kept.txt").write_text("kept\n", encoding="utf-8")
    for name, entry in _entries(data).items():
        path = run / name
        if ".." in path.parts or (path.is_absolute() and run not in path.parents):
            continue  # the input is the run; what it names is what leaves it
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if "link" in entry:
                path.symlink_to(str(entry["link"]))
            elif "pipe" in entry and hasattr(os, "mkfifo"):
                os.mkfifo(path)
            elif "folder" in entry:
                path.mkdir()
            else:
                path.write_bytes(base64.b64decode(entry.get("file", "")))
        except (OSError, ValueError, NotImplementedError):
            continue  # a name that this system does not know, or one that is there
    return run


def mutate_run(data: bytes, random: Random) -> bytes:
    """The run directory with files changed by their kind, taken out, swapped, or made links, pipes and folders."""
    table = _entries(data)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        what = random.random()
        names = list(table)
        if what < 0.72 and names:
            name = random.choice(names)
            if "file" in table[name]:
                content = _changed(name, base64.b64decode(table[name]["file"]), random)
                table[name] = {"file": base64.b64encode(content).decode()}
        elif what < 0.77 and names:
            del table[random.choice(names)]
        elif what < 0.82 and names:
            table[random.choice((*_NAMES, *names))] = table[random.choice(names)]
        elif what < 0.92:
            table[random.choice(_NAMES)] = {"link": random.choice(_TARGETS)}
        else:
            table[random.choice(_NAMES)] = random.choice(({"pipe": 1}, {"folder": 1}, {"file": ""}))
    return json.dumps(table).encode()


def _changed(name: str, content: bytes, random: Random) -> bytes:
    if name.endswith(".safetensors"):
        return mutate_safetensors(content, random)
    if name.endswith(".toml"):
        return mutate_toml(content, random)
    if name.endswith((".json", ".jsonl")):
        return mutate_json(content, random)
    return mutate_csv(content, random) if name.endswith(".csv") else mangle(content, random)
