"""What plugins and scripts stand on is written down in ``interface.txt``: changing it is a decision, with news of it.

Changed on purpose? This rewrites the file and puts the line that goes with it into CHANGELOG.md:

    python tests/test_interface.py --write "encoder gru gains the option zoneout"
"""

from __future__ import annotations

import difflib
import enum
import hashlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import attrs
import pytest

import asl_core
from asl_core import testing
from asl_core.cli import VERBS
from asl_core.config.tables import TABLES
from asl_core.registry import hookspecs
from asl_core.registry.component import API, BUILTIN, SLOTS
from asl_core.registry.discovery import discover
from asl_core.registry.options import option_specs

SNAPSHOT = Path(__file__).with_name("interface.txt")
CHANGELOG = Path(__file__).resolve().parent.parent / "CHANGELOG.md"
REWRITE = 'python tests/test_interface.py --write "what changed, in words"'
SPECIAL = ("__call__", "__iter__", "__len__")  #: methods with such names are part of the interface too


def interface() -> str:
    """Everything that others stand on, a line each, the same on every Python and every machine."""
    lines = [f"plugin api {API}", "", "verbs: " + " ".join(VERBS), "", "# Hooks"]
    lines += [f"{slot}: {_function(hook, getattr(hookspecs, hook))}" for slot, hook in SLOTS.items()]
    # Imported here: pytest rewrites the asserts of fixtures, and warns where they were imported before it could.
    from asl_core.testing import fixtures, strategies

    for module in (asl_core, testing, fixtures, strategies):
        lines += ["", f"# Names of {module.__name__}"]
        for name in sorted(module.__all__):
            lines += _name(name, getattr(module, name))
    lines += ["", "# Settings of a run"]
    for table, cls in TABLES.items():
        lines += _options(table, cls)
    lines += ["", "# Built-in components and their options"]
    for offer in discover(environ={"ASL_PLUGINS": ""}).registry:
        if offer.distribution == BUILTIN:
            title = f"{offer.slot} {offer.component.name}"
            lines += [title, *_options(title, offer.component.options)]
    return "\n".join(lines) + "\n"


def _name(name: str, value: Any) -> Iterator[str]:
    if inspect.isclass(value):
        yield from _class(name, value)
    elif inspect.isfunction(value):
        yield _function(name, value)
    else:
        yield f"{name} = {_plain(value)}" if isinstance(value, int | tuple) else name


def _class(name: str, cls: type) -> Iterator[str]:
    """The members of a class that are ours, in order of their names."""
    bases = ", ".join(b.__name__ for b in cls.__bases__ if b is not object)
    yield f"class {name}({bases})" if bases else f"class {name}"
    if attrs.has(cls) and attrs.fields(cls):
        yield f"    made by {name}{_parameters(inspect.signature(cls))}"
    members: dict[str, str] = {}
    for owner in reversed([c for c in cls.__mro__ if c.__module__.partition(".")[0] == "asl_core"]):
        members |= _members(owner)
    yield from (f"    {members[key]}" for key in sorted(members))


def _members(owner: type) -> dict[str, str]:
    """What one class adds, as it is written there."""
    found = {}
    fields = {a.name: a for a in attrs.fields(owner)} if attrs.has(owner) else {}
    for name, annotation in inspect.get_annotations(owner).items():
        field = fields.get(name)
        default = field.default if field else vars(owner).get(name, attrs.NOTHING)
        found[name] = f"{name}: {annotation}{'' if default is attrs.NOTHING else f' = {_plain(default)}'}"
    for name, value in vars(owner).items():
        if name in found or (name.startswith("_") and name not in SPECIAL and name != "__init__"):
            continue
        if isinstance(value, property):
            getter: Any = value.fget
            found[name] = f"{name}: property -> {inspect.signature(getter).return_annotation}"
        elif isinstance(value, staticmethod | classmethod):
            found[name] = f"{type(value).__name__} {_function(name, value.__func__)}"
        elif inspect.isfunction(value) and _own(value, name, owner):
            found[name] = _function(name, value)
        elif isinstance(value, int | str | enum.Enum):
            found[name] = f"{name} = {_plain(value)}"
    return {name: line for name, line in found.items() if not name.startswith("_") or name in (*SPECIAL, "__init__")}


def _own(function: Callable[..., Any], name: str, owner: type) -> bool:
    """Not made by attrs or typing."""
    return name != "__init__" or not (attrs.has(owner) or getattr(owner, "_is_protocol", False))


def _function(name: str, function: Callable[..., Any]) -> str:
    """Its signature as it is written: annotations are text, whatever the Python."""
    signature = inspect.signature(function)
    parameters = [
        p.replace(annotation=_shown(p.annotation, _written), default=_shown(p.default, _plain))
        for p in signature.parameters.values()
    ]
    told = signature.replace(parameters=parameters, return_annotation=_shown(signature.return_annotation, _written))
    return f"def {name}{told}"


def _parameters(signature: inspect.Signature) -> inspect.Signature:
    """The names alone, in the order in which they may be given."""
    empty = inspect.Parameter.empty
    names = [p.replace(annotation=empty, default=empty) for p in signature.parameters.values()]
    return signature.replace(parameters=names, return_annotation=empty)


class _Shown:
    """A default or an annotation, printed in our way."""

    def __init__(self, text: str):
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _shown(value: Any, as_text: Callable[[Any], str]) -> Any:
    return value if value is inspect.Parameter.empty else _Shown(as_text(value))


def _written(annotation: Any) -> str:
    """As text; what a library (hypothesis) put together is its own affair."""
    return annotation if isinstance(annotation, str) else "…"


def _plain(value: Any) -> str:
    if isinstance(value, cast("Any", attrs.Factory)):
        made = value.factory
        return f"{getattr(made, '__name__', type(made).__name__)}()"
    if isinstance(value, frozenset):
        return "{" + ", ".join(sorted(map(repr, value))) + "}"
    if isinstance(value, type):
        return value.__name__
    if callable(value):
        return getattr(value, "__name__", type(value).__name__)
    text = repr(value)
    return re.sub(r" at 0x[0-9a-f]+", "", text)


def _options(stem: str, cls: type) -> Iterator[str]:
    for spec in option_specs(cls):
        default = "required" if spec.required else f"= {_plain(spec.default)}"
        parts = (spec.range, spec.rule.env and f"variable {spec.rule.env}", spec.former and f"was {spec.former[0]}")
        more = "".join(f"; {part}" for part in parts if part)
        yield f"    {stem} {spec.key}: {spec.type_name} {default}{more}"


def digest(text: str) -> str:
    """Eight letters that stand for it in CHANGELOG.md."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def unreleased(changelog: str) -> str:
    """The part of CHANGELOG.md that says what the next version brings."""
    parts = re.split(r"^(?=## )", changelog, flags=re.MULTILINE)
    found = [p for p in parts if "(unreleased)" in p.partition("\n")[0]]
    assert len(found) == 1, 'CHANGELOG.md needs one heading "## VERSION (unreleased)"'
    return found[0]


def test_the_interface_is_the_one_that_is_written_down() -> None:
    expected, now = SNAPSHOT.read_text(encoding="utf-8"), interface()
    changes = [
        line
        for line in difflib.unified_diff(expected.splitlines(), now.splitlines(), lineterm="", n=0)
        if line[:1] in "+-" and line[:3] not in ("+++", "---")
    ]
    assert not changes, (
        "what plugins and scripts stand on has changed:\n" + "\n".join(changes) + f"\nIf it is meant to, run: {REWRITE}"
    )


def test_its_last_change_has_an_entry_in_the_changelog() -> None:
    mark = f"Interface `{digest(SNAPSHOT.read_text(encoding='utf-8'))}`"
    news = unreleased(CHANGELOG.read_text(encoding="utf-8"))
    assert mark in news, (
        f"tests/interface.txt has changed, and CHANGELOG.md does not say so. Add under its unreleased heading a line\n"
        f"- {mark}: what changed, and what a plugin has to do about it.\nor run: {REWRITE}"
    )


def test_hooks_slots_and_names_are_all_in_it() -> None:
    text = SNAPSHOT.read_text(encoding="utf-8")
    for slot, hook in SLOTS.items():
        assert f"{slot}: def {hook}() -> list[Component]" in text
    for name in asl_core.__all__:
        assert re.search(rf"^(class |def )?{name}\b", text, re.MULTILINE), name
    assert re.search(r"^    encoder gru hidden-size: whole number = \d+; at least 1", text, re.MULTILINE)
    assert "0x" not in text
    assert str(Path.home()) not in text


def more(self: Any) -> int:
    """A method for the test below."""
    return 1


@pytest.mark.parametrize(
    ("members", "line"),
    [
        ({"more": more}, "def more(self: Any) -> int"),
        ({"__annotations__": {"extra": "int"}, "extra": 3}, "extra: int = 3"),
        ({"flag": True}, "flag = True"),
        ({"size": property(more)}, "size: property -> int"),
    ],
)
def test_a_member_more_is_seen(members: dict[str, Any], line: str) -> None:
    """The snapshot is not blind: a member of any kind that is added to a contract changes it."""
    grown = type("Grown", (asl_core.Encoder,), {"__module__": "asl_core.later", **members})
    before, after = (list(_class("Encoder", c)) for c in (asl_core.Encoder, grown))
    assert set(after) - set(before) - {"class Encoder(Encoder)"} == {f"    {line}"}


def test_writing_adds_the_entry_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.SNAPSHOT", tmp_path / "interface.txt")
    monkeypatch.setattr(f"{__name__}.CHANGELOG", tmp_path / "CHANGELOG.md")
    before = "# Changes\n\n## 0.2.0 (unreleased)\n\nNews.\n\n## 0.1.0\n\nOld news.\n"
    CHANGELOG.write_text(before)
    mark = f"Interface `{digest(interface())}`"
    assert write("").endswith(f"{mark}: what changed")
    assert CHANGELOG.read_text() == before
    assert write("a hook more") == f"CHANGELOG.md says: - {mark}: a hook more."
    now = CHANGELOG.read_text()
    assert now == before.replace("News.\n", f"News.\n\n- {mark}: a hook more.\n")
    assert write("the same again") == "nothing changed since the last entry."
    CHANGELOG.write_text(now.replace(digest(interface()), "0" * 8))
    write("one more")
    assert f"`00000000`: a hook more.\n- {mark}: one more.\n\n## 0.1.0" in CHANGELOG.read_text()


def write(words: str) -> str:
    """Rewrite the snapshot, and add the entry to the changelog where ``words`` say what has changed.

    Returns:
        What is left to do.
    """
    text = interface()
    SNAPSHOT.write_text(text, encoding="utf-8", newline="\n")
    mark = f"- Interface `{digest(text)}`: "
    changelog = CHANGELOG.read_text(encoding="utf-8")
    section = unreleased(changelog)
    if mark in section:
        return "nothing changed since the last entry."
    if not words:
        return f"add to CHANGELOG.md, under its unreleased heading: {mark}what changed"
    said = section.rstrip()
    between = "\n" if said.splitlines()[-1].startswith("- ") else "\n\n"
    end = "\n" if changelog.endswith(section) else "\n\n"
    grown = changelog.replace(section, f"{said}{between}{mark}{words}.{end}")
    CHANGELOG.write_text(grown, encoding="utf-8", newline="\n")
    return f"CHANGELOG.md says: {mark}{words}."


if __name__ == "__main__":
    if sys.argv[1:2] != ["--write"] or len(sys.argv) > 3:
        sys.exit(__doc__)
    print(write(sys.argv[2].strip().rstrip(".") if len(sys.argv) > 2 else ""))
