"""The one reader of TOML: encodings named, size and nesting bounded before parsing, lines of keys."""

from __future__ import annotations

import codecs
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_core.errors import ConfigError
from asl_core.files.toml_file import read_toml

SIZE = 1 << 17


def refused(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(ConfigError) as raised:
        read_toml(path)
    (problem,) = raised.value.problems
    assert problem.startswith(f"{path}: ")
    return problem


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (codecs.BOM_UTF16_LE + "a = 1".encode("utf-16-le"), "it is in UTF-16; save it as UTF-8"),
        (codecs.BOM_UTF16_BE + "a = 1".encode("utf-16-be"), "it is in UTF-16; save it as UTF-8"),
        (codecs.BOM_UTF32_LE + "a = 1".encode("utf-32-le"), "it is in UTF-32; save it as UTF-8"),
        ('a = "é"'.encode("utf-16-be"), "UTF-16"),
        ('[run]\nname = "Zürich"'.encode("latin-1"), "line 2 has the byte 0xfc"),
    ],
)
def test_another_encoding_is_named(tmp_path: Path, content: bytes, named: str) -> None:
    assert named in refused(tmp_path / "x.toml", content)


def test_a_byte_order_mark_of_utf8_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(codecs.BOM_UTF8 + b'[run]\r\nname = "a"\r\n')
    assert read_toml(path).values == {"run": {"name": "a"}}
    assert read_toml(path).lines == {("run", "name"): 2}


#: texts that are small, and large once they are parsed; of SIZE bytes each
BOMBS = {
    "a dotted key": ".".join(["a"] * (SIZE // 2)) + " = 1",
    "a header": "[" + ".".join(["a"] * (SIZE // 2)) + "]",
    "a header of an array": "[[" + ".".join(["a"] * (SIZE // 2)) + "]]",
    "quoted parts": ".".join(['"a"', "'a'"] * (SIZE // 8)) + " = 1",
    "blanks around dots": " \t. ".join(["a"] * (SIZE // 5)) + "=1",
    "a key of an inline table": "x = {" + ".".join(["a"] * (SIZE // 2)) + " = 1}",
    "inline tables": "a = " + "{a = " * (SIZE // 6) + "1" + "}" * (SIZE // 6),
    "arrays": "a = " + "[" * (SIZE // 2) + "]" * (SIZE // 2),
    "arrays over lines": "a = " + "[\n" * (SIZE // 3) + "]" * (SIZE // 3),
    "arrays and tables": "a = " + "[{a = " * (SIZE // 9) + "1" + "}]" * (SIZE // 9),
    "many tables": "".join(f"[a{n}]\n" for n in range(SIZE // 8)),
    "many arrays of tables": "[[a]]\n" * (SIZE // 6),
    "dotted keys in arrays of tables": "[[stage]]\na.b.c.d.e.f.g = 1\n" * (SIZE // 28),
    "many deep keys": "".join(f"a{n}.a.a.a.a.a.a.a.a.a.a.a.a.a = 1\n" for n in range(SIZE // 38)),
    "tables in an array": "a = [" + "{a = 1}," * (SIZE // 8) + "]",
    "digits": "a = " + "9" * SIZE,
    "digits of base 16": "a = 0x" + "f" * SIZE,
    "after a mark": "\ufeff" + ".".join(["a"] * (SIZE // 2)) + " = 1",
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_take_little_memory(tmp_path: Path, name: str) -> None:
    tracemalloc.start()
    try:
        problem = refused(tmp_path / "x.toml", BOMBS[name].encode())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(problem) < 600
    assert peak < 32 << 20


def test_what_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # a hole, where the file system has such
    with pytest.raises(ConfigError, match="larger than 262,144 bytes"):
        read_toml(path)


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a file"):
        read_toml(tmp_path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_toml(tmp_path / "nul\0")


def test_lines_of_keys(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(
        """top.'in ner'."q\\u0075oted" = '''
two
lines'''
[common.dataset]   # [no.header]
name = "a # b"
list = [
  "x = 1", { y = 2 },
]
table = { one = 1, two.three = 2 }
[[stage]]
name = "s1"
[stage.head]
name = "ctc"
[[stage]]
name = "s2"
stage.deep = 1
[[stage.extra]]
k = 1
[[stage.extra]]
k = 2
"""
    )
    assert read_toml(path).lines == {
        ("top", "in ner", "quoted"): 1,
        ("common", "dataset", "name"): 5,
        ("common", "dataset", "list"): 6,
        ("common", "dataset", "table"): 9,
        ("common", "dataset", "table", "one"): 9,
        ("common", "dataset", "table", "two", "three"): 9,
        ("stage", 0, "name"): 11,
        ("stage", 0, "head", "name"): 13,
        ("stage", 1, "name"): 15,
        ("stage", 1, "stage", "deep"): 16,
        ("stage", 1, "extra", 0, "k"): 18,
        ("stage", 1, "extra", 1, "k"): 20,
    }


WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=8)
VALUES = st.one_of(WORDS, st.integers(-(2**40), 2**40), st.floats(allow_nan=False), st.booleans())


@given(st.dictionaries(WORDS, st.one_of(VALUES, st.lists(VALUES, max_size=4), st.dictionaries(WORDS, VALUES))))
def test_what_tomli_w_writes_is_read_and_every_key_has_its_line(
    tmp_path_factory: pytest.TempPathFactory, table: dict[str, object]
) -> None:
    import tomli_w

    path = tmp_path_factory.getbasetemp() / "written.toml"
    path.write_text(tomli_w.dumps(table), encoding="utf-8", newline="\n")
    read = read_toml(path)
    assert read.values == table
    keys = {(k, *rest) for k, v in table.items() for rest in ([(i,) for i in v] if isinstance(v, dict) else [()])}
    assert set(read.lines) == keys
