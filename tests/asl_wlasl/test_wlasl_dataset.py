"""The data set as the core meets it: splits, clips, findings, options."""

from __future__ import annotations

import gc
import gzip
import json
import pickle
import re
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asl_core import Clip, DataError
from asl_core.registry.option_values import parse_text, structure
from asl_core.registry.options import option_specs
from asl_wlasl import asl_datasets
from asl_wlasl.dataset import WlaslDataset
from asl_wlasl.options import WlaslOptions

Rows = list[tuple[str, str | None, int | None]]

TRAIN: Rows = [
    ("1", "book", 1), ("2", "book", 1), ("3", "book", 1), ("4", "go", 2), ("5", "go", 2), ("6", "walk", 3),
    ("7", "walk", 3), ("8", "apple", 4),
]  # fmt: skip
VAL: Rows = [("21", "book", 1), ("22", "go", 3), ("23", "walk", 2), ("24", "zebra", 1)]


def write(path: Path, rows: Rows, split: str = "train", width: int = 3, **more: object) -> Path:
    content = {
        clip: {"features": np.full((2, width), float(clip)), "gloss": gloss, "gloss_id": number, "video_id": clip}
        | {"split": split}
        | more
        for clip, gloss, number in rows
    }
    path.write_bytes(pickle.dumps(content))
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path / "features_train_wlasl100.pkl", TRAIN)
    write(tmp_path / "features_val_wlasl100.pkl", VAL, "val")
    return tmp_path


def dataset(root: Path | None = None, **options: Any) -> WlaslDataset:
    return WlaslDataset(WlaslOptions(root=None if root is None else str(root), **options))


def ids(clips: Any) -> list[str]:
    return [clip.id for clip in clips]


def messages(data: WlaslDataset, code: str) -> list[str]:
    return [f.message for f in data.findings() if f.code == code]


def test_the_component_loads() -> None:
    (component,) = asl_datasets()
    assert component.name == "wlasl"
    assert component.load() is WlaslDataset
    assert isinstance(component.options(), WlaslOptions)


def test_the_catalogue_imports_neither_torch_nor_numpy() -> None:
    code = "import sys, asl_wlasl; asl_wlasl.asl_datasets(); print([m for m in ('torch', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_clips_and_splits(root: Path) -> None:
    data = dataset(root)
    assert list(data.splits()) == ["train", "val"]
    first = next(iter(data.clips("train")))
    assert isinstance(first, Clip)
    assert (first.id, first.glosses, first.features.dtype) == ("1", ("book",), np.float32)
    assert first.source.endswith("features_train_wlasl100.pkl")
    assert ids(data.clips("val")) == ["21", "22", "23", "24"]


def test_nothing_is_read_before_it_is_asked_for(tmp_path: Path) -> None:
    data = dataset(tmp_path / "none")
    assert list(data.findings()) == []
    with pytest.raises(DataError, match="is no folder"):
        data.splits()


def test_without_a_root_both_ways_to_name_one_are_told() -> None:
    with pytest.raises(DataError, match=r"--dataset\.root DIR.*ASL_DATA"):
        dataset().splits()
    (spec,) = [s for s in option_specs(WlaslOptions) if s.key == "root"]
    assert spec.rule.env == "ASL_DATA"
    assert not spec.required


def test_absolute_names_need_no_root(root: Path) -> None:
    data = dataset(train=str(root / "features_train_wlasl100.pkl"), val="none", test="none")
    assert list(data.splits()) == ["train"]
    assert len(data.clips("train")) == 8
    data = dataset(train=str(root / "features_*_wlasl100.pkl"), val="none", test="none")
    assert len(data.clips("train")) == 12


def test_a_file_as_root_is_told_how(root: Path) -> None:
    with pytest.raises(DataError, match=r"is a file.*--dataset\.train 'features_train_wlasl100\.pkl'"):
        dataset(root / "features_train_wlasl100.pkl").splits()


def test_a_pool_without_val(tmp_path: Path) -> None:
    write(tmp_path / "features_train_x.pkl", TRAIN)
    data = dataset(tmp_path)
    assert list(data.splits()) == ["train"]
    with pytest.raises(DataError, match="there are no val clips"):
        data.clips("val")


def test_unknown_names_of_pickles_are_listed(tmp_path: Path) -> None:
    write(tmp_path / "features_pretrain_pool.pkl", TRAIN)
    with pytest.raises(DataError, match=r"features_pretrain_pool\.pkl.*--dataset\.train"):
        dataset(tmp_path).splits()
    assert len(dataset(tmp_path, train="features_pretrain_*.pkl").clips("train")) == 8
    assert len(dataset(tmp_path, train="features_pretrain_pool.pkl").clips("train")) == 8


def test_a_folder_without_pickles(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no pickles in that folder"):
        dataset(tmp_path).splits()


@pytest.mark.parametrize(
    ("names", "level", "words"),
    [
        (
            ["features_dev_0.pkl"],
            "warning",
            "1 file of .* is not read .'features_dev_0.pkl'.*--dataset.val features_dev_0.pkl reads",
        ),
        (["features_dev_0.pkl", "features_dev_1.pkl"], "warning", r"--dataset.val '?features_dev_\*.pkl'? reads them"),
        (["valid.p"], "warning", "--dataset.val valid.p"),
        (["val/clips.pickle"], "warning", "--dataset.val val/clips.pickle"),
        (["features_train_0.pickle"], "note", r"--dataset.train '?features_train_\*'? reads them"),
        (["other.pkl"], "note", r"--dataset.train \(or val, test\) other.pkl"),
        (["features_val_0.pkl.gz"], "warning", "'features_val_0.pkl.gz' is a gzip archive.*import gzip, shutil"),
        (["a.npy", "b.mp4"], "note", "2 files of .* are not read .*'a.npy' is a single .npy array of float32 of shape"),
    ],
)
def test_files_that_are_not_read_are_listed_with_the_flag_that_would(
    tmp_path: Path, names: list[str], level: str, words: str
) -> None:
    write(tmp_path / "features_train_x.pkl", TRAIN)
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        if name.endswith(".gz"):
            path.write_bytes(gzip.compress(pickle.dumps({})))
        elif name.endswith(".npy"):
            np.save(path, np.zeros((2, 3), "f4"))
        else:
            write(path, [(f"{names.index(name)}{clip}", gloss, number) for clip, gloss, number in VAL])
    (tmp_path / "vocabulary.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("mine")
    data = dataset(tmp_path)
    data.clips("train")
    (finding,) = [f for f in data.findings() if f.code == "files-not-read"]
    assert finding.level == level
    assert re.search(words, finding.message), finding.message
    assert finding.data["files"] == names
    # What it says to type works.
    flag = re.search(r"--dataset\.(train|val) ('[^']+'|\S+)(?= reads)", finding.message)
    if flag is not None:
        named = dataset(tmp_path, **{flag[1]: flag[2].strip("'")})
        assert {f"{n}{row[0]}" for n in range(len(names)) for row in VAL} <= set(ids(named.clips(flag[1])))


def test_a_split_that_was_switched_off_is_not_missed(root: Path) -> None:
    data = dataset(root, val="none")
    data.clips("train")
    assert messages(data, "files-not-read") == []


def test_a_named_split_that_is_missing_is_an_error(root: Path) -> None:
    with pytest.raises(DataError, match=r"--dataset\.val 'other_\*\.pkl' matches no file.*features_val_wlasl100"):
        dataset(root, val="other_*.pkl").splits()
    for unusable in ("", "a**b", "/"):
        with pytest.raises(DataError, match=r"--dataset\.test"):
            dataset(root, test=unusable).splits()


def test_val_none_switches_it_off(root: Path) -> None:
    assert list(dataset(root, val="none").splits()) == ["train"]


def test_names_with_glob_characters_are_names_first(tmp_path: Path) -> None:
    write(tmp_path / "clips[1].pkl", TRAIN)
    assert len(dataset(tmp_path, train="clips[1].pkl").clips("train")) == 8


def test_shards(tmp_path: Path) -> None:
    write(tmp_path / "features_train_0.pkl", TRAIN[:3])
    write(tmp_path / "features_train_1.pkl", TRAIN[3:])
    assert ids(dataset(tmp_path).clips("train")) == [row[0] for row in TRAIN]
    write(tmp_path / "features_train_2.pkl", TRAIN[2:3])
    with pytest.raises(DataError, match=r"clip '3' stands in .*train_0\.pkl and .*train_2\.pkl"):
        dataset(tmp_path).clips("train")


def test_widths_of_splits_are_compared(root: Path) -> None:
    write(root / "features_val_wlasl100.pkl", VAL, "val", width=4)
    data = dataset(root)
    data.clips("train")
    with pytest.raises(DataError, match=r"clip '21' .* has 4 features per frame, clip '1' .* has 3"):
        data.clips("val")


def test_class_numbers(root: Path) -> None:
    data = dataset(root)
    data.clips("train")
    assert messages(data, "class-numbers") == []
    data.clips("val")
    data.clips("val")
    (message,) = messages(data, "class-numbers")
    assert "1 of 4 val clips carry the number that train gives their gloss" in message
    assert message.endswith("classes are keyed by gloss")
    (finding,) = [f for f in data.findings() if f.code == "class-numbers"]
    assert finding.level == "warning"
    assert finding.data["val"] == {"agree": 1, "clips": 4}


def test_class_numbers_that_agree_are_not_mentioned(root: Path) -> None:
    write(root / "features_val_wlasl100.pkl", [("21", "book", 1), ("22", "zebra", 9)], "val")
    data = dataset(root)
    data.clips("train"), data.clips("val")
    assert messages(data, "class-numbers") == []


def test_class_numbers_of_train_alone_and_of_the_vocabulary(root: Path) -> None:
    write(root / "features_train_wlasl100.pkl", [("1", "book", 1), ("2", "book", 2), ("3", "go", 2)])
    (root / "vocabulary.json").write_text(json.dumps({"gloss_to_id": {"book": 1, "go": 1}}))
    data = dataset(root)
    data.clips("train")
    (message,) = messages(data, "class-numbers")
    assert "1 glosses of train carry several numbers ('book')" in message
    assert "vocabulary.json puts 2 glosses on 1 numbers" in message
    write(root / "features_train_wlasl100.pkl", [("1", "book", 2), ("3", "go", 2)])
    data = dataset(root)
    data.clips("train")
    assert "train puts 2 glosses on 1 numbers" in messages(data, "class-numbers")[0]


def test_classes_by_stored_number(root: Path) -> None:
    data = dataset(root, class_key="stored-number")
    assert [c.glosses for c in data.clips("train")][:4] == [("#1",), ("#1",), ("#1",), ("#2",)]
    data.clips("val")
    assert "as in the reference" in messages(data, "class-numbers")[0]
    write(root / "features_train_wlasl100.pkl", [("1", "book", None)])
    with pytest.raises(DataError, match=r"clip '1' .* has no gloss_id"):
        dataset(root, class_key="stored-number").clips("train")


@pytest.mark.parametrize(
    ("asked", "glosses"),
    [(1, {"book"}), (2, {"book", "go"}), (4, {"book", "go", "walk", "apple"}), (("walk", " go"), {"go", "walk"})],
)
def test_glosses(root: Path, asked: Any, glosses: set[str]) -> None:
    data = dataset(root, glosses=asked)
    val = data.clips("val")  # asked first: train is consulted all the same
    assert {g for c in val for g in c.glosses} == glosses - {"apple"}
    assert {g for c in data.clips("train") for g in c.glosses} == glosses
    notes = messages(data, "glosses-kept")
    assert f"{len(val)} of 4 val clips ({len(glosses)} glosses)" in notes[0]


def test_a_gloss_that_train_lacks_names_the_nearest(root: Path) -> None:
    with pytest.raises(DataError, match=r"'boook'.*Nearest to 'boook': 'book'"):
        dataset(root, glosses=("boook", "go")).clips("train")
    with pytest.raises(DataError, match="'zebra'"):
        dataset(root, glosses=("zebra",)).clips("val")
    with pytest.raises(DataError, match="train has 4 glosses"):
        dataset(root, glosses=5).clips("train")
    with pytest.raises(DataError, match="names no gloss"):
        dataset(root, glosses=()).clips("train")


def test_options_from_text() -> None:
    types = {spec.key: spec.type for spec in option_specs(WlaslOptions)}
    assert parse_text("20", types["glosses"]) == 20
    assert parse_text("book, go", types["glosses"]) == ("book", "go")
    assert parse_text("none", types["val"]) == "none"
    assert structure(WlaslOptions, {"glosses": 0})[1]
    assert structure(WlaslOptions, {"bad-clips": "ignore"})[1]
    assert structure(WlaslOptions, {"class-key": "stored-number"})[0].class_key == "stored-number"


def test_bad_clips(root: Path) -> None:
    content = pickle.loads((root / "features_train_wlasl100.pkl").read_bytes())
    content["6"]["features"][0, 0] = np.nan
    (root / "features_train_wlasl100.pkl").write_bytes(pickle.dumps(content))
    kept = {c.id: c.features for c in dataset(root).clips("train")}
    assert np.isnan(kept["6"][0, 0]), "a transform may know what NaN means; the run judges what is left of it"
    content["6"]["features"] = content["6"]["features"][:0]
    (root / "features_train_wlasl100.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(DataError, match=r"1 of 8 clips .* clip '6' of .*train_wlasl100\.pkl has no frames"):
        dataset(root).clips("train")
    data = dataset(root, bad_clips="drop")
    assert data.bad_clips == "drop"
    assert "6" not in ids(data.clips("train"))
    assert "clip '6'" in messages(data, "bad-clips")[0]


@pytest.mark.parametrize(
    ("features", "fault"),
    [
        ([[1.0, 2.0, 3.0]], "has a value of type list where its features belong"),
        (np.ones(3), r"has features of shape \(3,\)"),
        (np.ones((2, 3), dtype=bool), "has features of dtype bool"),
        (None, "has a value of type NoneType where its features belong"),
    ],
)
def test_features_that_are_no_array_are_dropped_like_other_bad_clips(root: Path, features: Any, fault: str) -> None:
    file = root / "features_train_wlasl100.pkl"
    content = pickle.loads(file.read_bytes())
    content["6"]["features"] = features
    file.write_bytes(pickle.dumps(content))
    with pytest.raises(DataError, match=rf"clip '6' of .*train_wlasl100\.pkl {fault}"):
        dataset(root).clips("train")
    data = dataset(root, bad_clips="drop")
    assert ids(data.clips("train")) == ["1", "2", "3", "4", "5", "7", "8"]
    (message,) = messages(data, "bad-clips")
    assert re.match(rf"dropped: 1 of 8 clips cannot be learned from: clip '6' of .* {fault}$", message)
    for clip in content.values():
        clip["features"] = features
    file.write_bytes(pickle.dumps(content))
    with pytest.raises(DataError, match="None is left"):
        dataset(root, bad_clips="drop").clips("train")


def test_older_caches_get_their_glosses_from_a_label_file(tmp_path: Path) -> None:
    (tmp_path / "features_train_20.pkl").write_bytes(pickle.dumps({"1": np.ones((2, 3)), "2": np.ones((3, 3))}))
    (tmp_path / "labels.csv").write_text("id,gloss\n1,book\n")
    bare = dataset(tmp_path)
    assert [c.glosses for c in bare.clips("train")] == [(), ()]
    assert [(f.level, f.code) for f in bare.findings()] == [("note", "unlabelled"), ("note", "files-not-read")]
    assert "--dataset.labels labels.csv reads the glosses" in messages(bare, "files-not-read")[0]
    for name in ("labels.csv", str(tmp_path / "labels.csv")):
        data = dataset(tmp_path, labels=name)
        assert [c.glosses for c in data.clips("train")] == [("book",), ()]
        assert [(f.level, f.code) for f in data.findings()] == [("warning", "unlabelled"), ("warning", "labels-joined")]
        assert "1 of 2 train clips have no gloss" in messages(data, "unlabelled")[0]
    with pytest.raises(DataError, match=r"--dataset\.labels 'none\.csv' matches 0 files in .*, and there is none in"):
        dataset(tmp_path, labels="none.csv").clips("train")


def test_labels_may_lie_in_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, here = tmp_path / "features", tmp_path / "here"
    root.mkdir()
    here.mkdir()
    monkeypatch.chdir(here)
    (root / "features_train_20.pkl").write_bytes(pickle.dumps({"1": np.ones((2, 3))}))
    Path("mine.csv").write_text("id,gloss\n1,book\n")
    data = dataset(root, labels="mine.csv")
    assert [c.glosses for c in data.clips("train")] == [("book",)]
    assert messages(data, "labels-twice") == []
    (root / "mine.csv").write_text("id,gloss\n1,drink\n")
    data = dataset(root, labels="mine.csv")
    assert [c.glosses for c in data.clips("train")] == [("drink",)]
    (said,) = messages(data, "labels-twice")
    assert f"{root / 'mine.csv'} is read, in --dataset.root, and {here / 'mine.csv'}" in said


@pytest.mark.parametrize(
    ("ids", "kind"),
    [(("1.mp4", "2.mp4"), "file ending"), (("x/1", "x/2"), "folder"), (("01", "02"), "leading zeros")],
)
def test_labels_whose_ids_are_spelled_in_another_way(tmp_path: Path, ids: tuple[str, str], kind: str) -> None:
    (tmp_path / "features_train_20.pkl").write_bytes(pickle.dumps({"1": np.ones((2, 3)), "2": np.ones((3, 3))}))
    (tmp_path / "labels.csv").write_text("".join(f"{clip},drink\n" for clip in (*ids, "other")))
    with pytest.raises(DataError) as caught:
        dataset(tmp_path, labels="labels.csv").clips("train")
    text = str(caught.value)
    assert "0 of 2 train clips match one of 3 of its entries" in text
    assert f"2 differ only in {kind}: '1' is written '{ids[0]}' there" in text
    assert "--dataset.label-ids loose" in text
    data = dataset(tmp_path, labels="labels.csv", label_ids="loose")
    assert [c.glosses for c in data.clips("train")] == [("drink",), ("drink",)]
    (finding,) = [f for f in data.findings() if f.code == "labels-joined"]
    assert finding.level == "note"
    assert "as --dataset.label-ids loose says" in finding.message


def test_labels_of_other_clips_and_swapped_columns(tmp_path: Path) -> None:
    (tmp_path / "features_train_20.pkl").write_bytes(pickle.dumps({"1": np.ones((2, 3)), "2": np.ones((3, 3))}))
    (tmp_path / "labels.csv").write_text("drink,1\ngo,2\n")
    with pytest.raises(DataError, match=r"columns are swapped\. Put the line \"gloss,id\" on top"):
        dataset(tmp_path, labels="labels.csv").clips("train")
    (tmp_path / "labels.csv").write_text("gloss,id\ndrink,1\ngo,2\n")
    assert [c.glosses for c in dataset(tmp_path, labels="labels.csv").clips("train")] == [("drink",), ("go",)]
    (tmp_path / "labels.csv").write_text("x,drink\n")
    with pytest.raises(DataError, match=r"labels none of the train clips.*first '1'.*first 'x'.*Check that it is"):
        dataset(tmp_path, labels="labels.csv").clips("train")
    # To predict, labels are not needed: what the file says is used where it says something.
    assert dataset(tmp_path, labels="labels.csv").read(tmp_path / "features_train_20.pkl")[0].glosses == ()


def test_labels_of_train_alone_do_not_stop_an_unlabelled_val(tmp_path: Path) -> None:
    (tmp_path / "features_train_20.pkl").write_bytes(pickle.dumps({"1": np.ones((2, 3))}))
    (tmp_path / "features_val_20.pkl").write_bytes(pickle.dumps({"2": np.ones((2, 3))}))
    (tmp_path / "labels.csv").write_text("1,drink\n")
    data = dataset(tmp_path, labels="labels.csv")
    data.clips("train"), data.clips("val")
    assert "1 of 1 val clips have no gloss; labels.csv does not name them" in messages(data, "unlabelled")[0]
    assert "1 clips match none (first '2')" in messages(data, "labels-joined")[0]


def test_a_gloss_in_capitals_is_near(root: Path) -> None:
    with pytest.raises(
        DataError, match=r"1 of 2 of the names match one of 4 glosses of train.*--dataset\.glosses book,go"
    ):
        dataset(root, glosses=("BOOK", "go")).clips("train")


def test_clips_of_another_split_are_told(root: Path) -> None:
    write(root / "features_val_wlasl100.pkl", VAL, "train")
    data = dataset(root)
    data.clips("val")
    assert "of 4 clips read as val, 4 say 'train'" in messages(data, "split-names")[0]


def test_a_wrong_key_is_told_through_the_data_set(root: Path) -> None:
    write(root / "features_val_wlasl100.pkl", VAL, "val", video_id="x")
    data = dataset(root)
    data.clips("val")
    assert "4 of 4 clips" in messages(data, "key-mismatch")[0]


def test_reading_a_file_for_prediction(root: Path) -> None:
    data = dataset()  # no root needed
    clips = data.read(root / "features_val_wlasl100.pkl")
    assert ids(clips) == ["21", "22", "23", "24"]
    assert clips[0].glosses == ("book",)
    write(root / "new.pkl", [("1", None, None)])
    assert data.read(root / "new.pkl")[0].glosses == ()
    assert dataset(class_key="stored-number").read(root / "new.pkl")[0].glosses == ()
    (root / "page.pkl").write_text("<html>")
    with pytest.raises(DataError, match="web page"):
        data.read(root / "page.pkl")


def test_frames_are_not_kept_by_the_data_set(root: Path) -> None:
    data = dataset(root, glosses=3)
    clips = list(data.clips("train")) + list(data.clips("val"))
    held = [weakref.ref(clip.features) for clip in clips]
    data.findings()
    del clips
    gc.collect()
    assert [ref for ref in held if ref() is not None] == []


def test_messages_are_one_paragraph(root: Path) -> None:
    (root / "vocabulary.json").write_text("{}")
    data = dataset(root, glosses=2)
    data.clips("train"), data.clips("val")
    found = data.findings()
    assert len(found) >= 3
    assert all("\n" not in f.message and f.level in ("note", "warning") for f in found)
