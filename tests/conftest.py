"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

# Before torch is imported: threads that wait for each other spin, and tests of two processes would stand still.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# What is printed is wrapped where COLUMNS says, and some who start tests set it. So does readline, which pytest
# imports: below os.environ, where only the processes that tests start see it.
os.environ.pop("COLUMNS", None)
os.unsetenv("COLUMNS")
# Where no bytecode is written, as containers often have it, each process that a test starts compiles all it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# How long one example takes says nothing on a machine that does other work.
settings.register_profile("asl", deadline=None)
settings.load_profile("asl")

SHARED = Path(os.environ.get("ASL_SHARED_DATA", "../shared/data"))
if not SHARED.is_absolute():
    SHARED = Path(__file__).resolve().parent.parent / SHARED


@pytest.fixture(scope="session")
def shared() -> Path:
    """The real captures; a test that asks for them is skipped where they are absent."""
    if not (SHARED / "wlasl100").is_dir():
        pytest.skip(f"needs the real clips, which are not at {SHARED} (set ASL_SHARED_DATA)")
    return SHARED
