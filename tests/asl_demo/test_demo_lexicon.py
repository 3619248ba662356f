from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_core import DataError
from asl_demo import lexicon
from asl_demo.lexicon import FAMILIES, HANDSHAPES, LOCATIONS, MEMBERS, MOVEMENTS, ORIENTATIONS, SIGNS, TWICE, Lexicon


def test_stride_visits_every_family() -> None:
    assert math.gcd(lexicon._STRIDE, FAMILIES) == 1
    assert SIGNS > 1_000_000


def test_words_of_a_name_tell_their_part() -> None:
    words = [*HANDSHAPES, *LOCATIONS, *ORIENTATIONS, *filter(None, MOVEMENTS), *filter(None, lexicon.HANDS)]
    assert len(set(words)) == len(words)
    assert not [w for w in words if "-" in w]


@pytest.mark.parametrize("seed", [0, 1])
def test_names_are_unique(seed: int) -> None:
    names = Lexicon(50_000, seed).names(np.arange(50_000))
    assert len(set(names)) == 50_000


def test_names_and_parameters_go_together() -> None:
    """Two signs of one name would be one sign: over a sample, equal names are equal parameters and back."""
    numbers = np.arange(4000)
    book = Lexicon(4000, 5)
    signs = book.signs(numbers)
    rows = np.concatenate(
        [signs.places.reshape(4000, -1), signs.flexion.reshape(4000, -1), signs.normals.reshape(4000, -1)], axis=1
    )
    rows = np.column_stack([rows, signs.movement, signs.hands])
    assert len(np.unique(rows, axis=0)) == len(set(book.names(numbers))) == 4000


@given(family=st.integers(0, 500), seed=st.integers(0, 9))
def test_a_family_shares_its_poses(family: int, seed: int) -> None:
    members = family * len(MEMBERS) + np.arange(len(MEMBERS))
    signs = Lexicon(10_000, seed).signs(members)
    for part in (signs.places, signs.flexion, signs.normals):
        forward, back = part[0::2], part[1::2]
        np.testing.assert_array_equal(forward[:, ::-1], back)
        np.testing.assert_array_equal(forward, np.broadcast_to(forward[:1], forward.shape))
    assert len(np.unique(signs.bow, axis=0)) == 1
    assert len(np.unique(signs.hands)) == 1
    assert sorted(signs.movement.tolist()) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert (signs.places[:, 0] != signs.places[:, 1]).any()


def test_bow_is_a_unit_vector_across_the_path() -> None:
    signs = Lexicon(2000, 0).signs(np.arange(2000))
    path = signs.places[:, 1] - signs.places[:, 0]
    np.testing.assert_allclose((path[:, :2] * signs.bow[:, :2]).sum(1), 0.0, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(signs.bow, axis=1), 1.0)


def test_signs_do_not_depend_on_how_many_there_are() -> None:
    few, many = Lexicon(10, 3), Lexicon(3000, 3)
    assert few.names(np.arange(10)) == many.names(np.arange(10))
    assert few.names(np.arange(10)) != Lexicon(10, 4).names(np.arange(10))


def test_numbers_of_any_shape() -> None:
    book = Lexicon(50, 0)
    numbers = np.arange(12).reshape(4, 3)
    table, row = book.signs(numbers), book.signs(numbers.ravel())
    for name in ("places", "flexion", "normals", "bow", "movement", "hands"):
        one = getattr(row, name)
        np.testing.assert_array_equal(getattr(table, name), one.reshape(4, 3, *one.shape[1:]))
    assert (table.movement == TWICE).any()


def test_more_signs_than_there_are() -> None:
    with pytest.raises(DataError, match="glosses 1,088,641 is more"):
        Lexicon(SIGNS + 1, 0)
