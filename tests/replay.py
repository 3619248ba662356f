"""Replays every fault that users and attackers met, a row each, and prints what happens now.

    python tests/replay.py                 # all
    python tests/replay.py data "val clips"  # those whose group or name holds one of the words

Exit code 1 if one of them is back. pytest runs the same cases (``tests/test_cases.py``).
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent))

import pytest
from cases.table import Case, all_cases

__all__ = ["replay"]


def replay(case: Case) -> tuple[str, str]:
    """``ok``, ``skipped`` or ``FAILED``, and what happened."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            return "ok", case.replay(Path(folder).resolve())
        except pytest.skip.Exception as reason:
            return "skipped", str(reason)
        except Exception as fault:
            return "FAILED", f"{type(fault).__name__}: {fault}"


def main(words: list[str]) -> int:
    """Print the table; the number of cases that failed, at most 1."""
    chosen = [c for c in all_cases() if not words or any(w in c.id for w in words)]
    failed = 0
    for case in chosen:
        started = time.perf_counter()
        state, happened = replay(case)
        failed += state == "FAILED"
        print(f"{state:8}{time.perf_counter() - started:6.1f} s  {case.id}\n{'':17} {' '.join(happened.split())[:400]}")
    print(f"{len(chosen)} cases, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
