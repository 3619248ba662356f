"""The README is true: its commands parse, its table of components is what is registered."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from asl_core.cli import VERBS
from asl_core.plugins import discover

TEXT = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")


def test_every_built_in_component_is_named() -> None:
    missing = [
        o.component.name
        for o in discover().registry
        if o.distribution == "asl-core" and f"`{o.component.name}`" not in TEXT
    ]
    assert not missing


def test_every_verb_it_uses_is_there() -> None:
    used = set(re.findall(r"^asl ([a-z]+)", TEXT, re.MULTILINE)) | set(re.findall(r"`asl ([a-z]+)[ `]", TEXT))
    assert used <= set(VERBS)
    assert {"run", "eval", "predict", "data", "ls", "show", "check", "compare", "inspect", "plugins"} <= used


def test_flags_it_shows_are_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every ``asl run`` line with flags resolves, given that the paths in it are there."""
    import click

    from asl_core.cli.run import run

    lines = [re.sub(r"\s+#.*", "", line) for line in re.findall(r"^asl run (--.+)$", TEXT, re.MULTILINE)]
    assert len(lines) >= 4
    for line in lines:
        if "--help" in line:
            continue
        context = click.Context(run, info_name="run")
        with context:
            run.parse_args(context, line.split())
        assert not context.meta["asl.unknown"], line
