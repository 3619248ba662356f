"""Glosses that look the same: found, and printed so that they differ."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_components import make_clips

from asl_core.data.audit import audit_clips
from asl_core.data.names import look_alikes, told_apart

CAFE = "caf\u00e9"


@pytest.mark.parametrize(
    ("one", "other", "shown"),
    [
        (CAFE, unicodedata.normalize("NFD", CAFE), "'cafe\\u0301' / 'caf\\xe9'"),
        ("go", "go\u200b", "'go' / 'go\\u200b'"),
        ("\ufeffgo", "go", "'go' / '\\ufeffgo'"),
        ("soft", "so\u00adft", "'soft' / 'so\\xadft'"),
        ("thank you", "thank  you", "'thank\\x20\\x20you' / 'thank you'"),
        ("thank you", "thank\u00a0you", "'thank you' / 'thank\\xa0you'"),
        ("thank you", "thank you ", "'thank you' / 'thank you\\x20'"),
        ("thank_you", "thank-you", "'thank-you' / 'thank_you'"),
        ("thank you", "thank_you", "'thank you' / 'thank_you'"),
        ("THANK you", "thank_you", "'THANK you' / 'thank_you'"),
        ("cat", "c\u0430t", "'cat' / 'c\\u0430t'"),
        ("don't", "don\u2019t", "\"don't\" / 'don\\u2019t'"),
        ("fine", "\ufb01ne", "'fine' / '\\ufb01ne'"),
        ("x\u2014y", "x-y", "'x-y' / 'x\\u2014y'"),
    ],
)
def test_what_the_eye_cannot_tell(one: str, other: str, shown: str) -> None:
    (found,) = look_alikes([one, other, "plain", one])
    assert (found.level, found.code) == ("warning", "gloss-look")
    assert shown in found.message
    assert found.data["glosses"] == [" / ".join(sorted((one, other)))]


def test_case_alone_keeps_its_code() -> None:
    (found,) = look_alikes(["Book", "book", "books"])
    assert (found.level, found.code) == ("warning", "gloss-case")
    assert "1 glosses are written in several ways that differ only in case ('Book' / 'book')" in found.message


def test_different_names_are_left_alone() -> None:
    assert look_alikes(["book", "books", "look", "2", "22", CAFE, "cafe", "thankyou", "thank you", ""]) == []


def test_one_side_in_train_and_the_other_in_val() -> None:
    found = audit_clips({"train": make_clips([3], [CAFE]), "val": make_clips([3], ["cafe\u0301"], prefix="v")})
    assert "gloss-look" in {f.code for f in found.findings}


@given(st.lists(st.text(max_size=6), unique=True, max_size=6))
def test_names_are_always_printed_apart(names: list[str]) -> None:
    shown = told_apart(names)
    assert len(set(shown)) == len(names)
    assert all(text.isprintable() for text in shown)
