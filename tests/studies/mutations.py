"""Would the tests notice? Puts small faults into the modules in which an error is silent, and runs their tests.

    python tests/studies/mutations.py            # the whole study; goes on where it was stopped
    python tests/studies/mutations.py --short    # the faults made by hand, and two more of each module
    python tests/studies/mutations.py --modules asl_core/training/selection.py --survivors

Each fault is one of ``mutants.py``, taken by a seed, or one of the list in ``known_mutants.py``. Of the tests named
below those run that execute the faulty line, the quickest first, until one fails. Prints a table in Markdown; exit code
1 if fewer than 95 % are noticed. Faults that change nothing anybody could notice stand in ``known_mutants.py``, each
with its reason, and are not counted. Needs ``os.fork``; some 20 CPU minutes.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import attrs

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from studies.known_mutants import EQUIVALENT, by_hand
from studies.mutant_runs import Covered, covered_by, noticed_by, warm_up
from studies.mutants import ROOT, Mutant, in_function, sampled

__all__ = ["MODULES", "TESTS", "Outcome", "choose", "study", "table"]

#: what is silent when it is wrong -> its modules, and how many faults are put into each
MODULES: dict[str, dict[str, int]] = {
    "labels": {"asl_core/training/labels.py": 10},
    "batches": {"asl_core/clips/batching.py": 8, "asl_core/clips/clip.py": 6, "asl_core/clips/batch.py": 8,
        "asl_core/clips/store.py": 10},
    "scores": {"plugins/asl_ctc/scores.py": 12, "plugins/asl_ctc/ctc_head.py": 12},
    "selection": {"asl_core/training/selection.py": 12},
    "resume": {"asl_core/training/trainer.py": 12, "asl_core/checkpoints/format.py": 12,
        "asl_core/compute/device.py": 6},
    "standardising": {
        "asl_core/model/recogniser.py": 10, "asl_core/model/statistics.py": 6, "asl_core/data/outliers.py": 8,
    },
    "transfer": {"asl_core/checkpoints/transfer.py": 14},
    "evaluation": {
        "asl_core/evaluation/inference.py": 12, "asl_core/evaluation/scoring.py": 14,
            "asl_core/evaluation/intervals.py": 8, "asl_core/evaluation/mistakes.py": 14,
    },
    "readers": {
        "plugins/asl_wlasl/records.py": 8, "plugins/asl_wlasl/labels.py": 12, "plugins/asl_wlasl/files.py": 10,
        "plugins/asl_wlasl/checks.py": 10,
    },
    "splits": {"asl_core/data/splits.py": 8, "asl_core/data/folds.py": 10},
    "packed": {"asl_core/clips/packed.py": 14},
}  # fmt: skip

#: the tests; which of them run a line is measured
TESTS = (
    "test_averaging.py", "clips/test_batching.py", "checkpoints/test_format.py", "clips/test_store.py",
    "compute/test_device.py", "evaluation/test_inference.py", "clips/test_frames.py",
    "checkpoints/test_initialise.py", "evaluation/test_intervals.py", "training/test_labels.py",
    "evaluation/test_mistakes.py", "model/test_recogniser.py", "model/test_objectives.py",
    "training/test_optimiser.py", "data/test_outliers.py", "training/test_selection.py", "data/test_splits.py",
    "training/test_loop.py", "training/test_trainer.py", "checkpoints/test_transfer.py",
    "asl_ctc/test_ctc_alignment.py", "asl_ctc/test_ctc_head.py", "asl_ctc/test_ctc_scores.py",
    "asl_packed/test_packed_files.py", "asl_packed/test_packed_runs.py", "asl_wlasl/test_wlasl_dataset.py",
    "asl_wlasl/test_wlasl_labels.py", "asl_wlasl/test_wlasl_layout.py",
)  # fmt: skip

SLOWEST = 6.0  #: CPU seconds of a test that is still run
MOST = 15.0  #: CPU seconds of all tests of one fault


@attrs.frozen
class Outcome:
    """What became of one fault."""

    mutant: Mutant
    noticed: str | None  #: the test, or how else
    tests: int  #: that run the line

    @property
    def equivalent(self) -> str | None:
        """Why nobody could notice it, where that is known."""
        return EQUIVALENT.get(self.mutant.id)


class _State:
    """What was done before, so that a study that was stopped goes on."""

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self._covered, self._outcomes = folder / "covered.json", folder / "outcomes.json"
        self._hashes: dict[str, str] = {}

    def covered(self, modules: Sequence[str]) -> list[Covered]:
        """The tests and their lines; files that changed, or whose modules did, are run again."""
        known = _json(self._covered)
        found: list[Covered] = []
        for name in TESTS:
            file = f"tests/{name}"
            entry = known.get(file)
            if entry is None or any(self.hash(f) != h for f, h in entry["of"].items()):
                print(f"running {file} …", file=sys.stderr, flush=True)
                tests = covered_by([file], modules)
                ran = {module for test in tests for module in test.lines}
                known[file] = {
                    "of": {f: self.hash(f) for f in (file, *sorted(ran))}, "tests": [attrs.asdict(t) for t in tests]
                }  # fmt: skip
                _write(self._covered, known)
            found += [Covered(**test) for test in known[file]["tests"]]
        return found

    def outcome(self, mutant: Mutant, tests: Sequence[Covered]) -> Outcome:
        """Of this fault with these tests: remembered, or found out now."""
        known = _json(self._outcomes)
        files = [mutant.module, *sorted({t.test.partition("::")[0] for t in tests})]
        of = hashlib.blake2b("".join(map(self.hash, files)).encode(), digest_size=8).hexdigest()
        entry = known.get(mutant.id)
        # What was noticed stays so while its module and the test that noticed it are the same.
        if entry is None or not (
            entry["of"] == of or (entry["noticed"] and all(self.hash(f) == h for f, h in entry["by"].items()))
        ):
            noticed = noticed_by(mutant, tests) if tests else None
            by = {f: self.hash(f) for f in {mutant.module, (noticed or "").partition("::")[0]} if (ROOT / f).is_file()}
            entry = known[mutant.id] = {"noticed": noticed, "of": of, "by": by}
            _write(self._outcomes, known)
        return Outcome(mutant, entry["noticed"], len(tests))

    def hash(self, file: str) -> str:
        """Of what a file holds; one that was moved since is another."""
        if file not in self._hashes:
            path = ROOT / file
            content = path.read_bytes() if path.is_file() else b"gone"
            self._hashes[file] = hashlib.blake2b(content, digest_size=8).hexdigest()
        return self._hashes[file]


def chosen(names: Iterable[str], seed: int, *, short: bool) -> list[Mutant]:
    """The faults that are put in."""
    names = set(names)
    found = [m for m in by_hand() if m.module in names]
    for modules in MODULES.values():
        for module, count in modules.items():
            if module in names:
                found += sampled(module, 2 if short else count, seed)
    return found


def choose(mutant: Mutant, covered: Sequence[Covered]) -> list[Covered]:
    """The tests that run a fault's lines, the quickest first; for one outside of functions, those of its module."""
    lines = set(range(mutant.line, mutant.end + 1))
    outside = not in_function(mutant)
    found, spent = [], 0.0
    for test in sorted(covered, key=lambda t: t.seconds):
        ran = test.lines.get(mutant.module)
        if ran is None or test.seconds > SLOWEST or not (outside or lines & set(ran)):
            continue
        if (spent := spent + test.seconds) > MOST:
            break
        found.append(test)
    return found


def study(state: _State, mutants: Sequence[Mutant]) -> list[Outcome]:
    """What becomes of each fault."""
    covered = state.covered(sorted({module for modules in MODULES.values() for module in modules}))
    outcomes = []
    for place, mutant in enumerate(mutants, start=1):
        outcome = state.outcome(mutant, choose(mutant, covered))
        print(f"{place}/{len(mutants)} {outcome.noticed or 'SURVIVED':<60.60} {mutant.id}", file=sys.stderr, flush=True)
        outcomes.append(outcome)
    return outcomes


def table(outcomes: Sequence[Outcome]) -> str:
    """A row for each kind of module, and the sum."""
    lines = [
        "| what is silent when it is wrong | modules | faults | equivalent | noticed | survived |",
        "|---|---|---|---|---|---|",
    ]
    for kind, modules in [*MODULES.items(), ("all", {m: 0 for of in MODULES.values() for m in of})]:
        own = [o for o in outcomes if o.mutant.module in modules]
        same = sum(o.noticed is None and o.equivalent is not None for o in own)
        noticed = sum(o.noticed is not None for o in own)
        names = ", ".join(Path(m).stem for m in modules) if kind != "all" else str(len(modules))
        share = f"{100 * noticed / (len(own) - same):.1f} %" if len(own) > same else "-"
        lines.append(f"| {kind} | {names} | {len(own)} | {same} | {noticed} ({share}) | {len(own) - same - noticed} |")
    return "\n".join(lines)


def _json(path: Path) -> dict[str, dict[str, Any]]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _write(path: Path, value: object) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps(value), encoding="utf-8")
    part.replace(path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    every = [module for modules in MODULES.values() for module in modules]
    parser.add_argument("--modules", nargs="+", choices=every, default=every)
    parser.add_argument("--seed", type=int, default=0, help="which faults are taken")
    parser.add_argument("--short", action="store_true", help="the faults made by hand, and two more of each module")
    parser.add_argument("--state", type=Path, default=ROOT / ".mutations", help="where results are kept")
    options = parser.parse_args()
    if not hasattr(os, "fork"):
        parser.error("this system has no os.fork")
    os.chdir(ROOT)
    warm_up()
    outcomes = study(_State(options.state), chosen(options.modules, options.seed, short=options.short))
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    print(f"{datetime.date.today().isoformat()}, commit {commit.stdout.strip() or 'unknown'}, seed {options.seed}\n")
    print(table(outcomes))
    survived = [o for o in outcomes if o.noticed is None]
    for outcome in survived:
        print(f"\n- {outcome.mutant.id}\n  {outcome.equivalent or 'SURVIVED'} ({outcome.tests} tests run it)")
    counted = [o for o in outcomes if o.noticed or not o.equivalent]
    return int(sum(o.noticed is not None for o in counted) < 0.95 * len(counted))


if __name__ == "__main__":
    sys.exit(main())
