"""At the keyboard: wrong flags, verbs and paths."""

from __future__ import annotations

from pathlib import Path

from cases.table import asl, case


@case("--version")
def version(place: Path) -> str:
    said = asl(place, "--version")
    assert said.code == 0
    return said.text
