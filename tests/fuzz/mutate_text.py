"""Changes of JSON by its values, of CSV by its cells, and of TOML by its keys and values."""

from __future__ import annotations

import json
import re
from random import Random
from typing import Any

from fuzz.mutate_bytes import HOSTILE_INTS, HOSTILE_TEXTS, mangle

__all__ = ["change", "mutate_csv", "mutate_json", "mutate_labels", "mutate_toml"]


def _value(random: Random) -> Any:
    """A value that does not belong."""
    return random.choice(
        (None, True, False, 0.5, float("nan"), float("inf"), 1e300, [], {}, [[]], [None], {"": None}, {"a": {"b": 1}},
         random.choice(HOSTILE_INTS), random.choice(HOSTILE_INTS), random.choice(HOSTILE_TEXTS),
         random.choice(HOSTILE_TEXTS))
    )  # fmt: skip


def _places(value: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Every (container, key) below a value."""
    waiting = [value]
    while waiting and len(found) < 2000:
        top = waiting.pop()
        pairs = list(top.items() if isinstance(top, dict) else enumerate(top) if isinstance(top, list) else ())
        found += [(top, key) for key, _ in pairs]
        waiting += [inner for _, inner in pairs]
    return found


def change(value: Any, random: Random) -> Any:
    """The value with one thing in it replaced, dropped, renamed, doubled or moved; changed in place."""
    places = _places(value, [])
    if not places or random.random() < 0.02:
        return _value(random)
    container, key = random.choice(places)
    what = random.randrange(8)
    if what <= 2:
        container[key] = _value(random)
    elif what == 3:
        del container[key]
    elif what == 4:
        other, place = random.choice(places)
        container[key] = json.loads(json.dumps(other.get(place) if isinstance(other, dict) else 0))
    elif what == 5 and isinstance(container, dict):
        container[random.choice(HOSTILE_TEXTS)] = container.pop(key)
    elif what == 6 and isinstance(container[key], str):
        container[key] = random.choice(
            (container[key] * 2, container[key][:-1], container[key] + random.choice(HOSTILE_TEXTS))
        )
    elif isinstance(container[key], int | float) and not isinstance(container[key], bool):
        container[key] = random.choice(
            (-container[key], container[key] + 1, str(container[key]), container[key] * 1000)
        )
    else:
        container[key] = [container[key]] * random.choice((0, 1, 3))
    return value


def mutate_json(data: bytes, random: Random) -> bytes:
    """A changed JSON text, or one that is no JSON any more."""
    what = random.random()
    if what < 0.1:
        return mangle(data, random)
    if what < 0.2:
        return _wild_json(data, random)
    try:
        value = json.loads(data)
        for _ in range(random.choice((1, 1, 2, 4))):
            value = change(value, random)
        return json.dumps(value, ensure_ascii=random.random() < 0.9).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError, KeyError, AttributeError):
        return mangle(data, random)


def _wild_json(data: bytes, random: Random) -> bytes:
    """What only a text can be: too deep, too long a number, one key twice, another encoding."""
    at = random.randrange(len(data) + 1)
    depth = random.choice((10, 990, 3000, 20000))
    deep = random.choice((b"[" * depth, b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth))
    big = random.choice((b"9" * 5000, b"1e999", b"-Infinity", b"NaN", b"1" + b"0" * 400))
    return random.choice(
        (
            lambda: deep,
            lambda: data[:at] + deep + data[at:],
            lambda: re.sub(rb"\d+", lambda _: big, data, count=random.choice((1, 2, 0))),
            lambda: b"\xef\xbb\xbf" + data,
            lambda: data.decode("utf-8", "replace").encode(random.choice(("utf-16", "utf-32", "latin-1")), "replace"),
            lambda: data.replace(b"{", b'{"gloss_to_id": {"a": 1}, "gloss_to_id": 3, ', 1),
            lambda: data + data,
            lambda: data[:at] + b" " * 10000 + data[at:],
        )
    )()


def mutate_csv(data: bytes, random: Random) -> bytes:
    """A changed CSV text."""
    if random.random() < 0.1:
        return mangle(data, random)
    lines = data.decode("utf-8", "surrogateescape").splitlines() or [""]
    for _ in range(random.choice((1, 2, 4))):
        at = random.randrange(len(lines))
        cells = lines[at].split(",")
        place = random.randrange(len(cells))
        what = random.randrange(9)
        if what == 0:
            cells[place] = random.choice((*HOSTILE_TEXTS, "nan", "1e-400", "x" * 140_000))
        elif what == 1:
            cells[place] = f'"{cells[place]}' + random.choice(("", '"', '""', '"x'))
        elif what == 2:
            cells.insert(place, random.choice(HOSTILE_TEXTS))
        elif what == 3:
            del cells[place]
        elif what == 4:
            lines.insert(at, random.choice(lines))
        elif what == 5 and len(lines) > 1:
            del lines[at]
            continue
        elif what == 6:
            cells[place] += random.choice(("\r", "\0", "\x0b", "\x85", "\u2028", "\ufeff", ";", "\t"))
        else:
            other = random.choice(lines).split(",")
            cells[place] = random.choice(other)
        lines[at] = ",".join(cells)
    return random.choice(("\n", "\n", "\n", "\r\n", "\r")).join(lines).encode("utf-8", "surrogatepass")


def mutate_labels(data: bytes, random: Random) -> bytes:
    """A changed label or vocabulary file, whichever of the two forms it has."""
    return (mutate_json if data.lstrip()[:1] in (b"{", b"[") else mutate_csv)(data, random)


_TOML_VALUES = ("true", "false", "1", "-1", "0", "0.5", "1e999", "nan", "inf", "-inf", "9" * 5000, "1" + "0" * 400,
                "''", '"gru"',
                '"ctc"', '"\\u0000"', '"a\\nb"', '"..\\\\x"', "[]", "[[]]", "[1, 'a']", "['speed', 'speed']", "['']",
                "{}", "{ a = 1 }",
                "{ name = 'gru' }", "[{ name = 'gru' }]", "1979-05-27", "07:32:00", "1979-05-27T07:32:00Z",
                "0x7fffffffffffffff",
                "99999999999999999999", "'''x\ny'''", "[" * 200 + "]" * 200, "[" * 5000, "{a=" * 500 + "1" + "}" * 500,
                '"' + "x" * 3000 + '"', "'demo'", "'wlasl'", "'../../x'", "'/'", "'none'", "'convformer'",
                "'phonology'", "'1/2'",
                "'\u202e'", "'cuda:99'", "''' '''", "[nan]", "'hands'", "['hand-features']",
                "['landmarks', 'fill-gaps']", "'0/0'")  # fmt: skip
_TOML_KEYS = ("", "''", '"a.b"', "a.b.c", "name", "heads", "head", "losses", "loss", "train.epochs", "epochs",
              "encoder", "dataset",
              "stage", "init", "path", "names", "augment", "transform", "common", "weight", "'\\u0000'", '"\\n"',
              "é", "x" * 500,
              "heads.main.losses.main.name", "heads.'a b'.name", "run.out", "hidden-size", "-", "heads.a.losses",
              "stage.name")  # fmt: skip


def mutate_toml(data: bytes, random: Random) -> bytes:
    """A changed TOML text: most changes leave it TOML, so that what reads the settings is reached."""
    if random.random() < 0.06:
        return mangle(data, random)
    lines = data.decode("utf-8", "surrogateescape").splitlines() or [""]
    for _ in range(random.choice((1, 1, 2, 3, 5))):
        at = random.randrange(len(lines))
        key, equals, value = lines[at].partition("=")
        other = random.choice(lines).partition("=")
        what = random.randrange(10)
        if what <= 1 and equals:
            lines[at] = f"{key}= {random.choice(_TOML_VALUES)}"
        elif what == 2 and equals:
            lines[at] = f"{random.choice(_TOML_KEYS)} ={value}"
        elif what == 3 and equals and other[1]:
            lines[at] = f"{key}={other[2]}"
        elif what == 4:
            lines.insert(at, random.choice((f"[{random.choice(_TOML_KEYS)}]", f"[[{random.choice(_TOML_KEYS)}]]")))
        elif what == 5:
            lines.insert(at, f"{random.choice(_TOML_KEYS)} = {random.choice(_TOML_VALUES)}")
        elif what == 6 and len(lines) > 1:
            del lines[at]
        elif what == 7:
            lines.insert(at, random.choice(lines))
        elif what == 8 and lines[at].startswith("["):
            lines[at] = random.choice((f"[{lines[at]}]", lines[at].strip("[]"), lines[at].replace("]", ".x]")))
        else:
            place = random.randrange(len(lines[at]) + 1)
            lines[at] = lines[at][:place] + random.choice(HOSTILE_TEXTS) + lines[at][place + random.randrange(3) :]
    return "\n".join(lines).encode("utf-8", "surrogatepass")
