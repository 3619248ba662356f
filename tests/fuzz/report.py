"""The table of a fuzzing session: rows, and the study that is kept in a folder and goes on where it stopped."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

__all__ = ["HEAD", "Study", "row", "tell"]

HEAD = (
    "| reader | inputs | largest | accepted | refused | past the header | coverage | inputs/s | slowest | most memory "
    "| found |\n|---|---|---|---|---|---|---|---|---|---|---|"
)


def row(found: Mapping[str, Any]) -> str:
    """One reader: seconds are of the processor, memory is what the process had more than before an input."""
    runs = max(found["runs"], 1)
    shares = " | ".join(f"{100 * found.get(k, 0) / runs:.1f} %" for k in ("accepted", "refused", "beyond"))
    rate = found["runs"] / max(found.get("seconds", 0), 1e-9)
    return (
        f"| {found['reader']} | {found['runs']:,} | {found.get('largest', 0) / 2**20:.1f} MB | {shares} | "
        f"{found.get('coverage', 0):,} | {rate:.0f} | {found.get('slowest', 0):.2f} s | "
        f"{found.get('memory', 0) / 2**20:.0f} MB | {len(found['found'])} |"
    )


def tell(found: Mapping[str, Any]) -> list[str]:
    """What broke a rule, most often first."""
    lines = []
    for cause, facts in sorted(found["found"].items(), key=lambda pair: -pair[1]["times"]):
        since = f"{facts['times']} times from input {facts['run']:,} on"
        lines.append(f"{found['reader']}: {cause}, {since}: {facts['detail'][-2000:]!r}")
    if found["found"]:
        lines.append(f"inputs kept in {found.get('kept')}")
    return lines


class Study:
    """Sessions of several days: a line of JSON for each that ended, and a table of all, in one folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def _parts(self, reader: str) -> list[dict[str, Any]]:
        file = self.folder / f"{reader}.jsonl"
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.is_file() else []

    def done(self, reader: str) -> int:
        """Inputs that were read."""
        return sum(part["runs"] for part in self._parts(reader))

    def seeds(self, reader: str) -> set[int]:
        """Seeds that were used."""
        return {part["seed"] for part in self._parts(reader)}

    def add(self, figures: Mapping[str, Any]) -> None:
        """Keep a session, and write the table anew."""
        entry = {**figures, "commit": _commit(), "date": datetime.now(UTC).strftime("%Y-%m-%d")}
        with (self.folder / f"{figures['reader']}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        self.write()

    def whole(self, reader: str) -> dict[str, Any]:
        """All sessions of a reader as one."""
        parts = self._parts(reader)
        found: dict[str, Any] = {}
        for part in parts:
            for cause, facts in part["found"].items():
                known = found.setdefault(cause, {**facts, "times": 0})
                known["times"] += facts["times"]
        sums = {k: sum(p.get(k, 0) for p in parts) for k in ("runs", "accepted", "refused", "beyond", "seconds")}
        most = {k: max((p.get(k, 0) for p in parts), default=0) for k in ("coverage", "slowest", "memory", "largest")}
        kept = ", ".join(p["kept"] for p in parts if p["found"])
        return {"reader": reader, **sums, **most, "found": found, "kept": kept}

    def write(self) -> Path:
        """``table.md``."""
        readers = sorted(p.stem for p in self.folder.glob("*.jsonl"))
        parts = [part for reader in readers for part in self._parts(reader)]
        wholes = [self.whole(reader) for reader in readers]
        commits = ", ".join(dict.fromkeys(part["commit"] for part in parts))
        dates = sorted({part["date"] for part in parts})
        lines = [
            f"Hostile files, {' to '.join(dict.fromkeys((dates[0], dates[-1])))}, commit {commits}, "
            f"Python {platform.python_version()}, {platform.system()}. Every input within 64 MB + 10 × its size and "
            f"5 s of the processor, or it is found.",
            "",
            HEAD,
            *map(row, wholes),
            "",
            *(f"- {line}" for whole in wholes for line in tell(whole)),
        ]
        file = self.folder / "table.md"
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return file


def _commit() -> str:
    words: Sequence[str] = ("git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty")
    try:
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
