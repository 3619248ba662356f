"""Lines fit the terminal and break between words; in a pipe they are whole."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest
from cases.keyboard import clip, trained
from cases.table import asl
from hypothesis import given, settings
from hypothesis import strategies as st
from packages import ENCODER, plugin

from asl_core.cli import VERBS
from asl_core.cli.tables import table_lines
from asl_core.cli.wrapping import cells, wrapped

WORDS = st.lists(st.text("abcé漢/-.", min_size=1, max_size=30), min_size=1, max_size=30)


@settings(max_examples=50)
@given(WORDS, st.integers(20, 100), st.sampled_from(["", "  ", "    - ", "error: ", "train  "]))
def test_nothing_is_lost_and_no_line_is_longer(words: list[str], width: int, start: str) -> None:
    text = start + " ".join(words)
    lines = wrapped(text, width)
    assert all(cells(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert wrapped(text, None) == [text]
    short = [w for w in words if cells(w) <= width - 8]
    assert set(short) <= set(" ".join(lines).split()) or len(short) < len(words)


def test_what_continues_a_line_stands_under_its_first_word() -> None:
    assert wrapped("  - one two three four five", 20) == ["  - one two three", "    four five"]
    assert wrapped("train  36 clips, 6 glosses", 22) == ["train  36 clips, 6", "       glosses"]
    assert wrapped("error: aaaa bbbb cccc dddd", 20) == ["error: aaaa bbbb", "  cccc dddd"]
    assert wrapped("/a/long/path/of/a/file.npy", 20) == ["/a/long/path/of/a/", "file.npy"]
    assert wrapped("x" * 45, 20) == ["x" * 20, "x" * 20, "x" * 5]


@settings(max_examples=50)
@given(st.lists(st.tuples(*[st.text("ab é漢/", max_size=40)] * 4), min_size=1, max_size=5), st.integers(30, 120))
def test_tables_fit(rows: list[tuple[str, ...]], width: int) -> None:
    lines = table_lines(["one", "two", "three", "four"], rows, width)
    assert all(cells(line) <= width for line in lines)
    cell = ("one", "two", "three", "four", *(c for r in rows for c in r))
    assert sorted("".join("".join(lines).split())) == sorted("".join("".join(cell).split()))


def test_a_table_in_a_pipe_is_as_wide_as_it_needs() -> None:
    assert table_lines(["a", "b"], [["x", "word " * 40]]) == ["a  b", f"x  {'word ' * 40}".rstrip()]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short path, so that only what we say is long."""
    folder = tmp_path_factory.mktemp("t")
    shutil.copytree(trained(), folder / "r")
    clip(folder / "c.npy")
    (folder / "c.toml").write_text("[encoder]\nname = 'gru'\nhidden = 3\nlayers = 'two'\n")
    return folder


SMALL = (
    "--dataset.glosses 2 --dataset.train 4 --dataset.val 2 --encoder.hidden-size 4 --encoder.front-size 4 --epochs 1 "
    "--augment none --device cpu --name x"
)
TYPED = [
    *(f"{verb} --help" for verb in VERBS), "--help", f"run {SMALL}",
    *"""plugins check --help
plugins new --help
run --encoder transformer --loss ctc --augment mirror36,speed --help
eval r --device cpu
eval r --device cpu --errors
predict r c.npy
predict r c.npy --alignment
inspect r
inspect r --encoder gru
audit --dataset demo
pack packed --dataset demo
ls
ls recipe
show encoder gru
show loss ctc-isolated
show recipe hands-stage1
plugins
doctor --no-torch
check c.toml
check r/config.toml
run --lr 1 --hidden-dim 3 --dataset.root x --gpu
train
eval r --bogus
run r
audit r
predict c.npy r
ls encoders
show encoder
eval
xyzzy
plugins new mine
plugins check nowhere
-P no:nobody ls recipe""".splitlines(),
]  # fmt: skip


@pytest.mark.parametrize("typed", TYPED)
def test_every_verb_at_80_columns(place: Path, typed: str) -> None:
    quick = "--help" not in typed and not typed.startswith(("run --dataset", "pack", "audit", "eval r --device"))
    wide = asl(place, *typed.split(), environ={"COLUMNS": "10000"}) if quick else None
    shutil.rmtree(place / "mine", ignore_errors=True)
    narrow = asl(place, *typed.split(), environ={"COLUMNS": "80"})
    lines = [*narrow.out.splitlines(), *narrow.err.splitlines()]
    assert lines, typed
    assert [line for line in lines if cells(line) > 80] == []
    if wide is not None and wide.code == narrow.code:
        words = set(re.findall(r"[A-Za-z]{4,}", wide.out + wide.err))
        broken = [w for line in lines for w in re.findall(r"[A-Za-z]{4,}", line) if w not in words]
        assert broken == [], "a word that is only part of one"


def test_a_long_warning_of_a_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    site.mkdir()
    plugin(site, "raising-kit", "raising", "import no_such_library\n" + ENCODER.format(name="raising"))
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])
    for typed in ("plugins", "ls recipe", "ls encoder", "doctor --no-torch"):
        said = asl(tmp_path, *typed.split(), environ={"COLUMNS": "80"})
        assert [x for x in (*said.out.splitlines(), *said.err.splitlines()) if cells(x) > 80] == []
    assert "no_such_library" in said.text
