"""Joins by key: both sides are counted, and keys that differ only in spelling are found."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_core import join_keys

KEYS = st.text("ab01_.", min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("one", "other", "differ"),
    [
        ("65539", "65539.mp4", ("file ending",)),
        ("65539", "65539.0", ("file ending",)),
        ("65539", "clips/65539", ("folder",)),
        ("65539", "clips\\65539.npy", ("folder", "file ending")),
        ("335", "00335", ("leading zeros",)),
        ("clip_7", "clip_007", ("leading zeros",)),
        ("Book", "book", ("capital letters",)),
        ("thank you", "thank_you", ("'_', '-' and spaces",)),
        ("a", " a ", ("space or quotes around it",)),
        ("a", '"a"', ("space or quotes around it",)),
        ("größe", unicodedata.normalize("NFD", "größe"), ("Unicode form or invisible characters",)),
        ("book", "bo\u00adok", ("Unicode form or invisible characters",)),
        ("7", "x/007.MP4", ("folder", "file ending", "leading zeros")),
    ],
)
def test_spellings(one: str, other: str, differ: tuple[str, ...]) -> None:
    for wanted, given_ in ((one, other), (other, one)):
        found = join_keys([wanted], [given_])
        assert found.near == {wanted: given_}
        assert found.differ == differ
        assert "1 differ only in " in found.near_miss()


@pytest.mark.parametrize(("one", "other"), [("a.1", "a.2"), ("7", "8"), ("ab", "abc"), ("10", "1"), ("v1.5", "v1")])
def test_other_keys_are_not_near(one: str, other: str) -> None:
    assert join_keys([one], [other]).near == {}


def test_a_spelling_that_may_mean_two_keys_means_none() -> None:
    assert join_keys(["7"], ["07", "007"]).near == {}
    assert join_keys(["7", "07"], ["007"]).near == {}
    assert join_keys(["7", "07"], ["7", "007"]).near == {}


def test_counts_and_examples_of_both_sides() -> None:
    found = join_keys(["1", "2", "3", "3"], ["3", "4", "5"])
    assert (found.matched, found.lacking, found.unused) == (("3",), ("1", "2"), ("4", "5"))
    assert found.counts("clips", "entries of x.csv") == (
        "1 of 3 clips match one of 3 entries of x.csv; 2 clips match none (first '1'); "
        "2 entries of x.csv are not used (first '4')"
    )
    assert join_keys(["1"], ["1"]).counts("clips", "entries") == "1 of 1 clips match one of 1 entries"


def test_keys_that_look_alike_are_shown_apart_and_long_ones_in_part() -> None:
    one, other = "größe", unicodedata.normalize("NFD", "größe")
    text = join_keys([one], [other]).near_miss()
    assert ascii(one) in text
    assert ascii(other) in text
    assert len(join_keys(["a" * 9999], ["b" * 9999]).counts("clips", "entries")) < 400
    assert "\\x1b" in join_keys(["\x1b[2J"], ["b"]).counts("clips", "entries")


@given(st.lists(KEYS), st.lists(KEYS))
def test_every_key_is_in_one_place(wanted: list[str], table: list[str]) -> None:
    found = join_keys(wanted, table)
    assert sorted(found.matched + found.lacking) == sorted(set(wanted))
    assert sorted(found.matched + found.unused) == sorted(set(table))
    assert set(found.near) <= set(found.lacking)
    assert set(found.near.values()) <= set(found.unused)
    assert len(set(found.near.values())) == len(found.near)
    assert bool(found.differ) == bool(found.near)
