"""Options are read strictly, and every fault is told."""

from __future__ import annotations

import math
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_core import NoOptions, option
from asl_core.registry.option_values import parse_text, structure, unstructure
from asl_core.registry.options import describe_type, option_specs


@attrs.frozen
class Everything:
    count: int = option(3, ge=1, le=9, help="a count")
    rate: float = option(0.5, gt=0, lt=1, help="a rate")
    size: float = option(1.0, help="any finite number")
    flag: bool = option(False, help="a switch")
    name: str = option("x", help="a name")
    mode: str = option("a", choices=("a", "b"), help="a mode")
    limit: int | None = option(None, ge=0, help="a limit")
    glosses: int | tuple[str, ...] | None = option(None, ge=1, help="how many, or which")
    sizes: tuple[int, ...] = option((1, 2), ge=1, help="several")


def faults(values: dict[str, Any], cls: type = Everything) -> dict[str, str]:
    made, problems = structure(cls, values)
    assert (made is None) == bool(problems)
    return {p.key: p.text for p in problems}


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("flag", "false", "'false' is not a true or false"),
        ("flag", 1, "1 is not a true or false"),
        ("count", 3.9, "3.9 is not a whole number"),
        ("count", 3.0, "3.0 is not a whole number"),
        ("count", True, "True is not a whole number"),
        ("count", "3", "'3' is not a whole number"),
        ("rate", True, "True is not a number"),
        ("rate", "0.5", "'0.5' is not a number"),
        ("name", 3, "3 is not a text"),
        ("limit", 1.5, "1.5 is not a whole number"),
        ("glosses", "book", "'book' is not a whole number or list of text"),
        ("glosses", [1, 2], "1 is not a text"),
        ("sizes", [1, True], "True is not a whole number"),
        ("sizes", 4, "4 is not a list of whole number"),
    ],
)
def test_no_lossy_step(key: str, value: Any, expected: str) -> None:
    found = faults({key: value})
    assert list(found) == [key]
    assert found[key].startswith(expected)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("count", 0, "at least 1 and at most 9"),
        ("count", 10, "at least 1 and at most 9"),
        ("rate", 0.0, "more than 0 and less than 1"),
        ("rate", 1, "more than 0 and less than 1"),
        ("size", math.nan, "a finite number"),
        ("size", math.inf, "a finite number"),
        ("rate", -math.inf, "a finite number"),
        ("mode", "c", "one of a, b"),
        ("limit", -1, "at least 0"),
        ("glosses", 0, "at least 1"),
        ("sizes", [3, 0], "at least 1"),
        ("size", 10**400, "too large"),
    ],
)
def test_out_of_range(key: str, value: Any, expected: str) -> None:
    found = faults({key: value})
    assert list(found) == [key]
    assert expected in found[key]


@pytest.mark.parametrize(("key", "value"), [("count", 1), ("count", 9), ("limit", 0), ("mode", "b")])
def test_bounds_belong_to_the_range(key: str, value: Any) -> None:
    made, problems = structure(Everything, {key: value})
    assert not problems
    assert getattr(made, key) == value


def test_a_whole_number_is_a_number() -> None:
    made, _ = structure(Everything, {"size": 2})
    assert made.size == 2.0
    assert isinstance(made.size, float)


def test_lists_become_tuples() -> None:
    made, _ = structure(Everything, {"glosses": ["book", "drink"], "sizes": []})
    assert made.glosses == ("book", "drink")
    assert made.sizes == ()


def test_every_fault_at_once() -> None:
    found = faults({"count": 0, "rate": "x", "flagg": True, "Mode": "a", "flag": "yes"})
    assert set(found) == {"count", "rate", "flagg", "Mode", "flag"}
    assert found["flagg"] == "no such option; did you mean 'flag'?"
    assert "did you mean 'mode'" in found["Mode"]


def test_keys_are_spelled_with_dashes() -> None:
    @attrs.frozen
    class Sized:
        hidden_size: int = option(1, help="units")

    assert structure(Sized, {"hidden-size": 5})[0].hidden_size == 5
    assert "did you mean 'hidden-size'" in faults({"hidden_size": 5}, Sized)["hidden_size"]


def test_required_ones_are_asked_for_with_their_meaning() -> None:
    @attrs.frozen
    class Needy:
        power: float = option(help="in watts")
        other: int = option(help="whatever")

    assert faults({"other": 1}, Needy) == {"power": "is required (number): in watts"}
    assert [s.required for s in option_specs(Needy)] == [True, True]


def test_rules_hold_in_python_too() -> None:
    with pytest.raises(ValueError, match="count is 0: expected at least 1 and at most 9"):
        Everything(count=0)
    with pytest.raises(TypeError):
        Everything(4)  # by name only: the order of options is nobody's contract


def test_a_fault_between_options_is_told() -> None:
    @attrs.frozen
    class Paired:
        low: int = option(0, help="from")
        high: int = option(1, help="to")

        def __attrs_post_init__(self) -> None:
            if self.low > self.high:
                raise ValueError("low is above high")

    assert faults({"low": 2}, Paired) == {"": "low is above high"}


@pytest.mark.parametrize(
    ("text", "tp", "value"),
    [
        ("5", int, 5),
        ("-2", int, -2),
        ("1e-3", float, 0.001),
        ("5", float, 5.0),
        ("true", bool, True),
        ("No", bool, False),
        ("off", bool, False),
        ("1", bool, True),
        ("1", str, "1"),
        ("none", int | None, None),
        ("7", int | None, 7),
        ("100", int | tuple[str, ...] | None, 100),
        ("book, drink", int | tuple[str, ...] | None, ("book", "drink")),
        ("book", int | tuple[str, ...], ("book",)),
        ("1,2", tuple[int, ...], (1, 2)),
        ("", tuple[int, ...], ()),
    ],
)
def test_text(text: str, tp: Any, value: Any) -> None:
    parsed = parse_text(text, tp)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("text", "tp", "expected"),
    [
        ("3.9", int, "'3.9' is not a whole number"),
        ("", int, "'' is not a whole number"),
        ("maybe", bool, "'maybe' is not a true or false"),
        ("2", bool, "'2' is not a true or false"),
        ("x", float, "'x' is not a number"),
        ("1,x", tuple[int, ...], "'x' is not a whole number"),
    ],
)
def test_text_of_another_type(text: str, tp: Any, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        parse_text(text, tp)


def test_specs_carry_what_help_shows() -> None:
    @attrs.frozen
    class Named:
        data_root: str | None = option(None, env="ASL_DATA", help="where")
        share: float = option(0.5, ge=0, le=1, help="how much")

    root, share = option_specs(Named)
    assert (root.key, root.rule.env, root.help, root.default) == ("data-root", "ASL_DATA", "where", None)
    assert (share.type_name, share.range, share.default) == ("number", "at least 0 and at most 1", 0.5)
    assert option_specs(NoOptions) == ()
    assert describe_type(int | tuple[str, ...] | None) == "whole number or list of text"


@given(
    st.builds(
        Everything,
        count=st.integers(1, 9),
        rate=st.floats(0, 1, exclude_min=True, exclude_max=True),
        size=st.floats(allow_nan=False, allow_infinity=False),
        flag=st.booleans(),
        name=st.text(),
        mode=st.sampled_from("ab"),
        limit=st.none() | st.integers(0),
        glosses=st.none() | st.integers(1) | st.lists(st.text()).map(tuple),
        sizes=st.lists(st.integers(1)).map(tuple),
    )
)
def test_round_trip(made: Everything) -> None:
    assert structure(Everything, unstructure(made)) == (made, [])
