"""From pickles to clip records."""

from __future__ import annotations

import collections
import datetime
import os
import pickle
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from asl_core import DataError
from asl_wlasl.checks import check_shards, field_findings, key_findings, sound_records
from asl_wlasl.records import Record, name_some, read_records


class Strange:
    """A type that only its writer knows."""

    def __init__(self) -> None:
        self.state = {"a": 1}


class Calls:
    """Pickles as a call of ``function(*args)``."""

    def __init__(self, function: object, *args: object):
        self.call = (function, args)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call


def dumped(path: Path, content: object, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps(content, protocol))
    return path


def entry(clip: str, **fields: object) -> dict[str, object]:
    frames = np.arange(6, dtype="f4").reshape(2, 3)
    return {"features": frames, "gloss": "book", "gloss_id": 1, "video_id": clip, "split": "train"} | fields


def refusal(path: Path, content: object) -> str:
    with pytest.raises(DataError) as caught:
        read_records(dumped(path, content))
    text = str(caught.value)
    assert path.name in text
    assert "\n" not in text
    return text


def test_the_reference_layout(tmp_path: Path) -> None:
    content = {
        "00001": entry("00001", signer_id=12, gloss=" book "),
        "2": entry("2", gloss=np.str_("go"), gloss_id=np.int64(7), signer_id="anna"),
    }
    one, two = read_records(dumped(tmp_path / "a.pkl", content))
    assert (one.id, one.gloss, one.number, one.signer, one.split) == ("00001", "book", 1, "12", "train")
    assert (two.gloss, two.number, two.signer) == ("go", 7, "anna")
    assert one.features.tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("dtype", ["f2", ">f4", "f8", "i1", "u2", "i8"])
def test_features_become_float32_copies_that_can_be_changed(tmp_path: Path, dtype: str) -> None:
    frames = np.asfortranarray(np.arange(20).reshape(4, 5).astype(dtype))
    (record,) = read_records(dumped(tmp_path / "a.pkl", {"1": entry("1", features=frames)}))
    assert record.features.dtype == np.float32
    assert record.features.flags.c_contiguous
    assert record.features.flags.writeable
    assert record.features.flags.aligned
    assert np.array_equal(record.features, frames)


def test_older_caches(tmp_path: Path) -> None:
    frames = np.ones((4, 7), "f4")
    (record,) = read_records(dumped(tmp_path / "a.pkl", {"17": frames}))
    assert (record.id, record.gloss, record.number, record.features.shape) == ("17", None, None, (4, 7))
    (record,) = read_records(dumped(tmp_path / "b.pkl", {17: frames}))
    assert record.id == "17"
    one, two = read_records(dumped(tmp_path / "c.pkl", [entry("x"), {"video_id": 5, "features": frames}]))
    assert (one.id, one.gloss, two.id, two.gloss) == ("x", "book", "5", None)


@pytest.mark.parametrize("content", [{}, []])
def test_an_empty_pickle_is_refused(tmp_path: Path, content: object) -> None:
    assert "holds no clips" in refusal(tmp_path / "a.pkl", content)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (5, "holds a value of type int"),
        ("text", "holds a value of type str"),
        ({"1": {"gloss": "a"}}, "clip '1' .* has no 'features' .*'gloss'"),
        ({"1": entry("1", features=[[1.0]])}, "clip '1' .* type list where its features belong"),
        ({"1": None}, "clip '1' .* type NoneType"),
        ({"1": entry("1", features=np.ones(5))}, r"clip '1' .* shape \(5,\)"),
        ({"1": entry("1", features=np.ones((2, 3, 4)))}, r"clip '1' .* shape \(2, 3, 4\)"),
        ({"1": entry("1", features=np.ones((2, 0)))}, r"clip '1' .* shape \(2, 0\)"),
        ({"1": entry("1", features=np.ones((2, 2), bool))}, "clip '1' .* dtype bool"),
        ({"1": entry("1", gloss=5)}, "clip '1' .* 'gloss' of type int; expected text"),
        ({"1": entry("1", gloss=datetime.date(2026, 1, 1))}, r"clip '1' .* 'gloss' of type datetime\.date"),
        ({"1": datetime.date(2026, 1, 1)}, r"clip '1' .* type datetime\.date where its features belong"),
        (datetime.date(2026, 1, 1), r"a value of type datetime\.date and no clips"),
        (np.ones((2, 2)), "of type ndarray and no clips.*numpy.save"),
        ((np.ones((2, 2)), np.ones((2, 2))), "is a tuple whose item 0 has no 'video_id'.*enumerate"),
        ({"1": {"keypoints": np.ones((2, 2))}}, r"clip\['features'\] = clip\.pop\('keypoints'\)"),
        ({"1": entry("1", features=np.ones((20, 27, 3)))}, r"\(frames, points, coordinates\): store x\.reshape"),
        (
            {"1": entry("1", features=np.ones((3, 20, 27, 2)))},
            r"\(coordinates, frames, points, people\): store x\[\.\.\.",
        ),
        ({"train": {"1": entry("1")}, "dev": {"2": entry("2")}}, r"several splits, 'train', 'dev'.*in content\.items"),
        ({"X": [np.ones((2, 3))], "y": ["a"]}, r"columns, 'X', 'y'.*zip\(content\['X'\], content\['y'\]\)"),
        ({"features": np.ones((2, 3, 4)), "labels": np.ones(2)}, r"columns.*content\['labels'\]"),
        ({None: entry("1")}, "key of type NoneType"),
        ([{"features": np.ones((1, 1))}], "item 0 has no 'video_id'"),
        ([np.ones((1, 1))], "item 0 has no 'video_id'"),
    ],
)
def test_other_layouts_are_refused(tmp_path: Path, content: object, words: str) -> None:
    assert re.search(words, refusal(tmp_path / "a.pkl", content))


def test_a_clip_may_be_called_as_a_split_is(tmp_path: Path) -> None:
    content = {"train": entry("train", gloss="train"), "test": entry("test")}
    assert [r.id for r in read_records(dumped(tmp_path / "a.pkl", content))] == ["train", "test"]


def records_of(tmp_path: Path, **fields: object) -> list[Record]:
    return read_records(dumped(tmp_path / "a.pkl", {"1": entry("1", **fields), "2": entry("2")}))


@pytest.mark.parametrize(
    ("signer", "read"),
    [(float("nan"), None), (7.0, "7"), ("7.0", "7"), (7, "7"), (" anna ", "anna"), ("nan", None), (np.float32(7), "7")],
)
def test_signers_as_tables_write_them(tmp_path: Path, signer: object, read: str | None) -> None:
    one, _ = records_of(tmp_path, signer_id=signer)
    assert (one.signer, one.skipped) == (read, ())


@pytest.mark.parametrize(("stored", "read"), [("2", 2), (2.0, 2), ("2.0", 2), (float("nan"), None), (None, None)])
def test_class_numbers_as_tables_write_them(tmp_path: Path, stored: object, read: int | None) -> None:
    one, _ = records_of(tmp_path, gloss_id=stored)
    assert (one.number, one.skipped) == (read, ())


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [
        ("signer_id", [1], "list"),
        ("signer_id", 7.5, "float"),
        ("gloss_id", True, "bool"),
        ("gloss_id", "two", "str"),
        ("split", {"a": 1}, "dict"),
        ("video_id", 1.5, "float"),
        ("taken", datetime.datetime(2026, 1, 1), "datetime.datetime"),
        ("file", Path("x"), "pathlib"),
        ("tags", {1, 2}, "set"),
        ("tags", frozenset("a"), "set"),
        ("z", 1j, "complex"),
        ("names", np.array(["a", None], object), "an array of Python objects"),
        ("names", np.array(["a", "b"]), "an array of dtype U1"),
        ("when", np.datetime64("2026-01-01"), "dtype 'M8'"),
        ("both", np.zeros(2, "f4,i4"), "dtype 'V8'"),
        ("more", collections.OrderedDict(a=collections.Counter("ab")), "collections.OrderedDict"),
        ("mine", Strange(), "Strange"),
    ],
)
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_fields_that_decide_nothing_are_skipped_and_counted(
    tmp_path: Path, field: str, value: object, kind: str, protocol: int
) -> None:
    content = {str(n): entry(str(n)) | {field: value} for n in range(3)} | {"9": entry("9")}
    records = read_records(dumped(tmp_path / "a.pkl", content, protocol))
    assert [r.gloss for r in records] == ["book"] * 4
    assert records[0].features.tolist() == [[0, 1, 2], [3, 4, 5]]
    (finding,) = field_findings(records)
    assert (finding.level, finding.code) == ("note", "field-skipped")
    assert f"the field {field!r} of 3 of 4 clips" in finding.message
    assert kind in finding.message


@pytest.mark.parametrize("function", [os.system, eval, getattr, np.load, subprocess.Popen])
def test_a_field_that_calls_a_function_is_hostile(tmp_path: Path, function: object) -> None:
    text = refusal(tmp_path / "a.pkl", {"1": entry("1", extra=Calls(function, f"echo > {tmp_path / 'it-ran'}"))})
    assert "Nothing in it was run" in text
    assert not (tmp_path / "it-ran").exists()


@pytest.mark.parametrize("field", ["label", "Gloss", "sign", "Word", "class", "text", "label name", "GLOSS"])
def test_glosses_under_other_names(tmp_path: Path, field: str) -> None:
    frames = np.ones((2, 3), "f4")
    content = {str(n): {"features": frames, field: f"g{n}", "Signer": 3} for n in range(2)}
    records = read_records(dumped(tmp_path / "a.pkl", content))
    assert [(r.gloss, r.signer) for r in records] == [("g0", "3"), ("g1", "3")]
    (finding,) = field_findings(records)
    assert (finding.level, finding.code) == ("note", "gloss-field")
    assert f"the glosses of 2 of 2 clips are read from their field {field!r}" in finding.message


def test_of_several_names_the_one_with_words_is_read(tmp_path: Path) -> None:
    frames = np.ones((2, 3), "f4")
    content = {str(n): {"features": frames, "gloss": None, "label": 4, "Word": "go"} for n in range(2)}
    records = read_records(dumped(tmp_path / "a.pkl", content))
    assert [(r.gloss, r.number, r.gloss_field) for r in records] == [("go", 4, "Word")] * 2


def test_differing_widths_name_both_clips(tmp_path: Path) -> None:
    one = read_records(dumped(tmp_path / "a.pkl", {"1": entry("1")}))
    two = read_records(dumped(tmp_path / "b.pkl", {"2": entry("2", features=np.ones((2, 4)))}))
    with pytest.raises(DataError, match=r"clip '2' of .*b\.pkl has 4 features per frame, clip '1' of .*a\.pkl has 3"):
        check_shards(one + two)


def test_duplicate_ids_name_both_files(tmp_path: Path) -> None:
    one = read_records(dumped(tmp_path / "a.pkl", {"1": entry("1")}))
    two = read_records(dumped(tmp_path / "b.pkl", {"1": entry("1")}))
    with pytest.raises(DataError, match=r"clip '1' stands in .*a\.pkl and .*b\.pkl"):
        check_shards(one + two)
    with pytest.raises(DataError, match=r"clip '1' stands twice in .*c\.pkl"):
        check_shards(read_records(dumped(tmp_path / "c.pkl", [entry("1"), entry("1")])))
    with pytest.raises(DataError, match="clip '1' stands twice"):  # a number and its text are one id
        check_shards(read_records(dumped(tmp_path / "d.pkl", {"1": entry("1"), 1: entry("1")})))


def bad_clips(tmp_path: Path) -> Path:
    holes = np.ones((4, 3))
    holes[1, 2] = np.nan
    holes[2] = np.inf
    content = {
        "nan": entry("nan", features=holes),
        "fine": entry("fine"),
        "empty": entry("empty", features=np.ones((0, 3))),
        "large": entry("large", features=np.full((1, 3), 1e300)),
    }
    return dumped(tmp_path / "bad.pkl", content)


def test_bad_clips_stop(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        sound_records(read_records(bad_clips(tmp_path)), "stop")
    text = str(caught.value)
    assert "1 of 4 clips" in text
    assert text.count("bad.pkl") == 1
    assert "clip 'empty'" in text
    assert "no frames" in text
    assert "--dataset.bad-clips drop" in text


def test_bad_clips_dropped_are_told(tmp_path: Path) -> None:
    kept, (finding,) = sound_records(read_records(bad_clips(tmp_path)), "drop")
    assert [r.id for r in kept] == ["nan", "fine", "large"], "numbers are judged after the transforms"
    assert (finding.level, finding.code) == ("warning", "bad-clips")
    assert "1 of 4" in finding.message
    assert finding.data["ids"] == ["empty"]


def test_dropping_all_is_an_error(tmp_path: Path) -> None:
    path = dumped(tmp_path / "a.pkl", {"1": entry("1", features=np.ones((0, 3)))})
    with pytest.raises(DataError, match="None is left"):
        sound_records(read_records(path), "drop")


def test_a_key_that_is_not_the_video_id_is_told(tmp_path: Path) -> None:
    records = read_records(dumped(tmp_path / "a.pkl", {"1": entry("1"), "2": entry("9")}))
    (finding,) = key_findings(records)
    assert finding.code == "key-mismatch"
    assert "1 of 2 clips" in finding.message
    assert "'2'" in finding.message
    assert "'9'" in finding.message
    assert key_findings(records[:1]) == []


def test_one_array_under_many_ids_cannot_fill_the_memory(tmp_path: Path) -> None:
    frames = np.zeros((1000, 100), "u1")
    few = read_records(dumped(tmp_path / "few.pkl", {str(i): frames for i in range(3)}))
    assert few[0].features is few[2].features
    assert "repeats the same arrays" in refusal(tmp_path / "many.pkl", {str(i): frames for i in range(400)})


def test_names_in_messages_are_few_and_short() -> None:
    assert name_some(["a", "b", "c"], 2) == "'a', 'b' and 1 more"
    assert name_some(["[" * 6000]) == repr("[" * 60 + "…")


@pytest.mark.parametrize(
    ("bad", "said"), [(5, "clip 'c4' of a.pkl has no frames"), (6, "; and 1 more"), (8, "; and 3 more")]
)
def test_five_clips_without_frames_are_named_and_the_rest_counted(bad: int, said: str) -> None:
    empty = [
        Record(id=f"c{n}", gloss="a", features=np.zeros((0, 2), np.float32), file=Path("a.pkl")) for n in range(bad)
    ]
    whole = Record(id="whole", gloss="a", features=np.zeros((1, 2), np.float32), file=Path("a.pkl"))
    kept, (finding,) = sound_records([*empty, whole], "drop")
    assert kept == [whole]
    assert finding.message.endswith(said)
    assert finding.message.count("has no frames") == 5
