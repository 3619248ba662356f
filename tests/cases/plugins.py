"""Plugins: what they are called, what is wrong with them, and what their authors are told."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from cases.table import asl, case


@case("a new plugin requires asl-core, not the stranger's asl")
def new_plugin(place: Path) -> str:
    assert asl(place, "plugins", "new", "my-encoder").code == 0
    project = tomllib.loads((place / "my-encoder/pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert any(r.startswith("asl-core>=") for r in project["dependencies"])
    assert not any(r.startswith(("asl>", "asl=", "asl<")) or r == "asl" for r in project["dependencies"])
    return f"it requires {', '.join(project['dependencies'])}"


@case("names saved as asl:NAME, -P asl")
def old_names(place: Path) -> str:
    shown = asl(place, "show", "encoder", "asl:gru", "--json")
    assert shown.code == 0, shown.text
    assert json.loads(shown.out)["from"] == "asl-core"
    (place / "old.toml").write_text('encoder.name = "asl:gru"\n[loss]\nname = "asl:ctc"\n[head]\nname = "asl:ctc"\n')
    checked = asl(place, "check", "old.toml")
    assert checked.code == 0, checked.text
    assert asl(place, "ls", "encoder", "-P", "asl").code == 0
    left_out = asl(place, "ls", "-P", "no:asl", "--json")
    assert json.loads(left_out.out) == []
    return shown.text[:60]
