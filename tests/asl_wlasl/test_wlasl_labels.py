"""Label files and vocabulary.json."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from asl_core import DataError
from asl_wlasl.class_numbers import read_vocabulary
from asl_wlasl.label_files import read_labels
from asl_wlasl.labels import Labels, add_labels
from asl_wlasl.records import Record


def text_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "labels.txt"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text",
    [
        "1,book\n00002, go \n",
        "id,gloss\n1,book\n\n00002,go\n",
        "\ufeffvideo_id,Gloss\n1,book\n00002,go",
        '"1","book"\n"00002","go"\n',
        '{"1": "book", "00002": "go"}',
        '[{"gloss": "book", "instances": [{"video_id": "1"}]}, {"gloss": "go", "instances": [{"video_id": "00002"}]}]',
    ],
)
def test_three_forms(tmp_path: Path, text: str) -> None:
    assert read_labels(text_file(tmp_path, text)).glosses == {"1": "book", "00002": "go"}


BOTH = {"1": "book", "00002": "thank you, sir"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id;gloss\n1;book\n00002;thank you, sir\n", "columns separated by ';'"),
        ("1\tbook\n00002\tthank you, sir\n", "columns separated by tabs"),
        ("1|book\n00002|thank you, sir\n", "columns separated by '|'"),
        ("sep=;\nid;gloss\n1;book\n00002;thank you, sir\n", "columns separated by ';'"),
        ('Video ID,Label\n1,book\n00002,"thank you, sir"\n', "glosses from column 'Label'"),
        ('label,filename,signer\nbook,1,7.0\n"thank you, sir",00002,nan\n', "glosses from column 'label'"),
        ('id,label,sign\n1,4,book\n00002,5,"thank you, sir"\n', "glosses from column 'sign', not 'label'"),
        ('id,gloss,word\n1,7,book\n00002,8,"thank you, sir"\n', "glosses from column 'word', not 'gloss'"),
        (json.dumps([{"video_id": k, "Gloss": v} for k, v in BOTH.items()]), ""),
        (json.dumps({k: {"label": v, "signer_id": 7.0} for k, v in BOTH.items()}), ""),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_labels_as_spreadsheets_write_them(tmp_path: Path, text: str, said: str, encoding: str) -> None:
    (tmp_path / "labels.csv").write_bytes(text.replace("\n", "\r\n").encode(encoding))
    labels = read_labels(tmp_path / "labels.csv")
    assert labels.glosses == BOTH
    assert set(labels.signers.items()) <= {("1", "7"), ("00002", "7")}
    assert said in "; ".join(labels.notes)
    assert encoding.startswith("utf-8") or "text in UTF-" in labels.notes[0]


@pytest.mark.parametrize(
    "text", ["1,book\n2,\n", "id,gloss\n1,book\n2, \n", '{"1": "book", "2": null}', '{"1": "book", "2": ""}']
)
def test_blank_glosses_are_counted(tmp_path: Path, text: str) -> None:
    labels = read_labels(text_file(tmp_path, text))
    assert (dict(labels.glosses), labels.blank) == ({"1": "book"}, ("2",))
    (finding,) = labels.findings(["1"], 0)[:1]
    assert "1 ids of" in finding.message


def test_a_first_line_that_names_no_columns_is_a_clip(tmp_path: Path) -> None:
    assert read_labels(text_file(tmp_path, "65539,word\n1,class\n")).glosses == {"65539": "word", "1": "class"}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x80\x04]\x94.", "is a pickle"),
        (b"\x1f\x8b\x08rest", "gzip archive"),
        ("id,gloss\n1,größe\n".encode("latin-1"), "CSV UTF-8"),
    ],
)
def test_what_is_no_text_is_named(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "labels.csv").write_bytes(data)
    with pytest.raises(DataError, match=words):
        read_labels(tmp_path / "labels.csv")


def test_signers_that_are_numbers_or_missing(tmp_path: Path) -> None:
    signers = [7.0, float("nan"), None, "anna", [1]]
    instances = [{"video_id": str(n), "signer_id": signer} for n, signer in enumerate(signers)]
    labels = read_labels(text_file(tmp_path, json.dumps([{"gloss": "book", "instances": instances}])))
    assert labels.signers == {"0": "7", "3": "anna"}


def test_wlasl_json_gives_signers(tmp_path: Path) -> None:
    instances = [{"video_id": "1", "split": "train", "signer_id": 118}, {"video_id": "2"}]
    labels = read_labels(text_file(tmp_path, json.dumps([{"gloss": "book", "instances": instances}])))
    assert labels.signers == {"1": "118"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "labels no clip"),
        ("{}", "labels no clip"),
        ("id,gloss\n", "labels no clip"),
        ("1,book,x\n", "line 1: 3 columns"),
        ("id,gloss\n1,\n", "labels no clip.*1 ids have an empty gloss"),
        ("id,gloss\n,go\n", "line 2: 2 columns, or an empty id"),
        ("1,2,book\n", "line 1: 3 columns and no heading.*id,gloss,signer on top"),
        ('{"1": "book", "1": "go"}', "gives '1' two values, 'book' and 'go'"),
        ('{"1": {"subset": "train", "action": [1]}}', "a table without a gloss: action, subset"),
        ('{"1": 5}', "'1' has a int where a gloss belongs"),
        ("id,gloss\n1,book\n2,go\n1,go\n2,no\n", r"\(line 4\); 1 more lines"),
        ("1,book\n1,go\n", "two glosses, 'book' and 'go'"),
        ('{"1": "book"', "no valid JSON"),
        ('{"gloss_to_id": {"book": 1}}', "another layout"),
        ('[{"gloss": "book"}]', "another layout"),
        ("[1]", "another layout"),
        ("[" * 100_000, "no valid JSON"),
    ],
)
def test_faulty_label_files(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        read_labels(text_file(tmp_path, text))
    assert "labels.txt" in str(caught.value)


def test_a_label_file_that_is_binary_or_missing(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\xff\xfe\x00")
    for name in ("x", "none"):
        with pytest.raises(DataError, match="cannot be read as UTF-8"):
            read_labels(tmp_path / name)


def record(clip: str, gloss: str | None) -> Record:
    return Record(id=clip, gloss=gloss, features=np.zeros((1, 1), np.float32), file=Path("a.pkl"))


def test_labels_fill_and_are_compared() -> None:
    labels = Labels(Path("l.csv"), {"1": "book", "2": "go"}, {"1": "s"})
    filled, (finding,) = add_labels([record("1", None), record("2", "walk"), record("3", None)], labels)
    assert [(r.gloss, r.signer) for r in filled] == [("book", "s"), ("walk", None), (None, None)]
    assert finding.code == "label-disagreement"
    assert "1 of 3 clips" in finding.message
    assert "2: walk / go" in finding.message
    assert add_labels([record("1", None)], labels)[1] == []


TRAIN = {"book": {1}, "go": {2}}


def vocabulary_says(tmp_path: Path, text: str) -> list[tuple[str, str]]:
    (tmp_path / "vocabulary.json").write_text(text, encoding="utf-8")
    vocabulary = read_vocabulary(tmp_path)
    assert vocabulary is not None
    found = vocabulary.findings(TRAIN)
    assert all(f.code == "vocabulary-file" and "vocabulary.json" in f.message for f in found)
    return [(f.level, f.message) for f in found]


def test_a_missing_or_agreeing_vocabulary_says_nothing(tmp_path: Path) -> None:
    assert read_vocabulary(tmp_path) is None
    good = {"gloss_to_id": {"book": 1, "go": 2}, "id_to_gloss": {"1": "book", "2": "go"}, "num_glosses": 2}
    assert vocabulary_says(tmp_path, json.dumps(good)) == []


@pytest.mark.parametrize(
    "text", ["", "{}", '{"gloss_to_id": {}, "id_to_gloss": {}, "num_glosses": 0, "vocab_size": 1}']
)
def test_an_empty_vocabulary_is_a_note(tmp_path: Path, text: str) -> None:
    ((level, message),) = vocabulary_says(tmp_path, text)
    assert level == "note"
    assert "lists no gloss" in message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"gloss_to_id": {"book": 1}}, "lacks 1 glosses of train ('go')"),
        ({"gloss_to_id": {"book": 1, "go": 2, "x": 3}}, "lists 1 glosses that train lacks ('x')"),
        ({"gloss_to_id": {"book": 1, "go": 7}}, "gives 1 of 2 glosses another number"),
        ({"gloss_to_id": {"book": 1, "go": 2}, "num_glosses": 5}, "says num_glosses 5 and lists 2"),
        ({"gloss_to_id": {"book": 1, "go": 2}, "id_to_gloss": {"1": "go"}}, "contradicts itself: 1 entries"),
        ({"gloss_to_id": {"book": "one"}}, "cannot be read"),
        ({"gloss_to_id": {"book": float("inf")}}, "cannot be read"),
        ([1], "cannot be read"),
    ],
)
def test_a_contradicting_vocabulary_is_a_warning(tmp_path: Path, content: object, words: str) -> None:
    ((level, message),) = vocabulary_says(tmp_path, json.dumps(content))
    assert level == "warning"
    assert words in message
    assert "classes come from the glosses of train" in message


def test_a_cell_longer_than_csv_takes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(f"1,{'x' * 140_000}\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"labels\.csv is no valid CSV \(field larger than field limit"):
        read_labels(tmp_path / "labels.csv")


@pytest.mark.slow
@pytest.mark.parametrize("piece", ["[],", "{},", '"ab",', "1000,", "[[]],"])
def test_labels_take_memory_in_proportion(tmp_path: Path, piece: str) -> None:
    text = f"[{piece * (6_000_000 // len(piece))}1]"
    (tmp_path / "labels.json").write_text(text, encoding="utf-8")
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"labels\.json"):
            read_labels(tmp_path / "labels.json")
        assert tracemalloc.get_traced_memory()[1] < (64 << 20) + 10 * len(text)
    finally:
        tracemalloc.stop()


def test_labels_that_all_match_are_no_finding() -> None:
    labels = Labels(Path("l.csv"), {"1": "book", "2": "go"}, {})
    assert labels.findings(["1", "2"], 0) == []
    (one_more,) = labels.findings(["1"], 0)
    assert (one_more.level, one_more.code, one_more.data["unused"]) == ("note", "labels-joined", 1)
    (lacking,) = labels.findings(["1", "2", "3"], 1)
    assert (lacking.level, lacking.code, lacking.data["lacking"]) == ("warning", "labels-joined", ["3"])


def test_a_vocabulary_is_held_against_train_where_train_was_read(tmp_path: Path) -> None:
    (tmp_path / "vocabulary.json").write_text('{"gloss_to_id": {"Book": 1, "go": 2}}', encoding="utf-8")
    vocabulary = read_vocabulary(tmp_path)
    assert vocabulary is not None
    assert vocabulary.findings({}) == []
    (finding,) = vocabulary.findings(TRAIN)
    assert "spells glosses in another way" in finding.message


@pytest.mark.parametrize(("more", "read"), [(0, True), (1, False)])
def test_a_vocabulary_of_more_than_4_mib_is_none(tmp_path: Path, more: int, read: bool) -> None:
    text = '{"gloss_to_id": {"book": 1}}'
    (tmp_path / "vocabulary.json").write_text(text + " " * ((4 << 20) - len(text) + more), encoding="utf-8")
    vocabulary = read_vocabulary(tmp_path)
    assert vocabulary is not None
    assert vocabulary.numbers == ({"book": 1} if read else {})
    assert [("more than any vocabulary" in fault) for fault in vocabulary.faults] == ([] if read else [True])
