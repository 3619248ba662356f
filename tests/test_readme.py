"""README and manual are true: their links resolve, their commands parse, every built-in component is named."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from asl_core.cli import VERBS
from asl_core.cli.run import run
from asl_core.component import BUILTIN
from asl_core.plugins import discover

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "asl_core" / "docs").glob("*.md"))]
ALL = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


def commands(page: Path) -> list[str]:
    """Every ``asl …`` line of a page's shell blocks and every command among its text, without comments."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [re.sub(r"\s+#.*", "", line) for block in blocks for line in block.splitlines()]
    inline = re.findall(r"`((?:asl|--)[^`]*)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    return [line for line in [*lines, *inline] if line.startswith("asl ")]


def test_the_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 150


def test_every_built_in_component_is_named() -> None:
    missing = [
        o.component.name
        for o in discover().registry
        if o.distribution == BUILTIN and f"`{o.component.name}`" not in ALL
    ]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_verb_is_there(page: Path) -> None:
    used = {shlex.split(line)[1] for line in commands(page)}
    assert {word for word in used if word.isidentifier()} <= set(VERBS)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_flags_of_asl_run_are_accepted(page: Path) -> None:
    """Every ``asl run`` line resolves its flags, given that the paths in it are there."""
    for line in commands(page):
        words = shlex.split(line)[2:]
        if not line.startswith("asl run --") or "--help" in words:
            continue
        context = click.Context(run, info_name="run")
        with context:
            run.parse_args(context, words)
        assert not context.meta["asl.unknown"], line
