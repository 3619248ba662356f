"""``asl help``: pages of the manual."""

from __future__ import annotations

from pathlib import Path

import pytest
from cases.table import asl

from asl_core.cli import VERBS
from asl_core.cli.help import topics


def test_it_lists_every_page(tmp_path: Path) -> None:
    said = asl(tmp_path, "help")
    assert said.code == 0
    assert {line.split()[0] for line in said.out.splitlines()[3:]} == set(topics())


@pytest.mark.parametrize("topic", topics())
def test_a_page_is_printed_as_it_stands(topic: str, tmp_path: Path) -> None:
    assert asl(tmp_path, "help", topic).out == topics()[topic]


def test_on_a_terminal_lines_fit(tmp_path: Path) -> None:
    out = asl(tmp_path, "help", "guide", environ={"COLUMNS": "80"}).out
    assert max(map(len, out.splitlines())) <= 80
    assert "Coming from the guide" in out


def test_a_verb_shows_its_flags(tmp_path: Path) -> None:
    assert asl(tmp_path, "help", "eval").out.startswith("Usage: asl eval")


def test_a_wrong_topic_names_the_right_one(tmp_path: Path) -> None:
    said = asl(tmp_path, "help", "guid")
    assert said.code == 2
    assert "did you mean 'guide'? `asl help` lists them." in said.error


def test_help_is_a_verb() -> None:
    assert "help" in VERBS
