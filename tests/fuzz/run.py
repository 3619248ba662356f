"""Fuzz the readers of files: ``python tests/fuzz/run.py --reader pickle --runs 100000``, or ``--all``.

Needs atheris (``pip install atheris``; the extra ``fuzz``). Prints for each reader the inputs read, how many were
accepted and refused, how many got past the header, the coverage reached, and what was found; ``--plant`` puts known
bugs into the readers instead and tells after how many inputs each was found. Exit code 0 where nothing was found (with
``--plant``: where all were), 1 else.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
NAMES = ("pickle", "labels", "pt", "safetensors", "toml", "run", "npy")


def fuzz(name: str, runs: int, seed: int, plant: str = "") -> dict[str, Any]:
    """Fuzz one reader in a process of its own, and what came of it."""
    folder = Path(tempfile.mkdtemp(prefix=f"asl-fuzz-session-{name}-"))
    (folder / "grown").mkdir()
    words = [sys.executable, str(HERE / "worker.py"), name, str(runs), str(seed), str(folder), plant]
    environ = {**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(folder)}
    done = subprocess.run(words, capture_output=True, text=True, errors="replace", check=False, env=environ, cwd=folder)
    file = folder / "figures.json"
    found: dict[str, Any] = (
        json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {"reader": name, "runs": 0, "found": {}}
    )
    seen = re.findall(r"cov: (\d+)", done.stderr)
    found["coverage"] = int(seen[-1]) if seen else 0
    for crash in folder.glob("crash-*"):
        rule = crash.name.split("-")[1]
        found["found"][f"process: {rule}"] = {
            "run": found["runs"],
            "times": 1,
            "bytes": crash.stat().st_size,
            "detail": done.stderr[-1500:],
        }
    if done.returncode and not found["found"]:
        found["found"]["process: ended"] = {"run": found["runs"], "times": 1, "bytes": 0, "detail": done.stderr[-3000:]}
    found["kept"] = str(folder)
    for leftover in folder.glob("asl-fuzz-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    return found


def line(found: dict[str, Any]) -> str:
    """A row of the table."""
    runs = max(found["runs"], 1)
    shares = " | ".join(f"{100 * found.get(k, 0) / runs:.1f} %" for k in ("accepted", "refused", "beyond"))
    rate = found["runs"] / max(found.get("seconds", 0), 1e-9)
    return (
        f"| {found['reader']} | {found['runs']:,} | {shares} | {found['coverage']:,} | {rate:.0f} | "
        f"{found.get('slowest', 0):.2f} s | {len(found['found'])} |"
    )


def tell(found: dict[str, Any]) -> None:
    """What broke a rule, most often first."""
    for cause, facts in sorted(found["found"].items(), key=lambda pair: -pair[1]["times"]):
        since = f"{facts['times']} times from input {facts['run']:,} on"
        print(f"  {found['reader']}: {cause}, {since}: {facts['detail'][:2000]!r}")
    if found["found"]:
        print(f"  inputs kept in {found['kept']}")


def plants(names: list[str], runs: int, seed: int, jobs: int) -> int:
    """Whether every planted bug is found."""
    sys.path.insert(0, str(HERE.parent))
    from fuzz.plants import PLANTS

    pairs = [(name, plant) for name in names for plant in PLANTS[name]]
    missed = 0
    print("| reader | planted | found after | as |\n|---|---|---|---|", flush=True)
    with ThreadPoolExecutor(jobs) as pool:
        for (name, plant), found in zip(
            pairs, pool.map(lambda pair: fuzz(pair[0], runs, seed, pair[1]), pairs), strict=True
        ):
            first = min(found["found"].items(), key=lambda one: one[1]["run"], default=None)
            missed += first is None
            said = f"{first[1]['run']:,} inputs | {first[0]}" if first else f"not in {runs:,} inputs | "
            print(f"| {name} | {plant} | {said} |", flush=True)
    return 1 if missed else 0


def main() -> int:
    """Read the command line, fuzz, print."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--reader", choices=NAMES, action="append", help="which; may be given several times")
    words.add_argument("--all", action="store_true", help="every reader")
    words.add_argument("--runs", type=int, default=100_000, help="inputs for each reader")
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--jobs", type=int, default=1, help="readers at a time")
    words.add_argument("--plant", action="store_true", help="plant bugs and see that they are found")
    said = words.parse_args()
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed (pip install atheris): nothing was fuzzed. tests/fuzz/test_fuzz.py needs none.")
        return 0
    names = list(NAMES) if said.all or not said.reader else said.reader
    if said.plant:
        return plants(names, said.runs, said.seed, said.jobs)
    print("| reader | inputs | accepted | refused | past the header | coverage | inputs/s | slowest | found |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    every = []
    with ThreadPoolExecutor(said.jobs) as pool:
        for found in pool.map(lambda name: fuzz(name, said.runs, said.seed), names):
            every.append(found)
            print(line(found), flush=True)
    for found in every:
        tell(found)
    return 1 if any(found["found"] for found in every) else 0


if __name__ == "__main__":
    sys.exit(main())
