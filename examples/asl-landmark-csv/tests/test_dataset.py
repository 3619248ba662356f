"""The data set keeps its contract, reads every variant of the layout, and says where a file is wrong."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asl_core
import numpy as np
import pytest
from asl_core import Clip, DataError, testing
from conftest import COLUMNS, Write, clip

from asl_landmark_csv.dataset import LandmarkCsv, hold_missing
from asl_landmark_csv.options import LandmarkCsvOptions
from asl_landmark_csv.table import columns_of, read_rows


def dataset(folder: Path, **options: Any) -> LandmarkCsv:
    return LandmarkCsv(LandmarkCsvOptions(root=str(folder), **options))


def train(folder: Path, **options: Any) -> list[Clip]:
    return list(dataset(folder, **options).clips("train"))


@pytest.mark.parametrize("points", ["all", "hands", "body", "file"])
@pytest.mark.parametrize("missing", ["zero", "hold"])
def test_it_keeps_the_contract(folder: Path, points: str, missing: str, asl_registry: Callable[..., Any]) -> None:
    component = asl_registry("asl_landmark_csv").find("dataset", "landmark-csv").component
    sample = folder / "WLASL2_val_25fps.csv"
    testing.check_dataset(component, sample=sample, root=str(folder), points=points, missing=missing)


def test_the_whole_package_passes_every_check(folder: Path) -> None:
    results = testing.check_plugin(
        "asl_landmark_csv",
        options={"dataset.landmark-csv.root": str(folder)},
        samples={"landmark-csv": folder / "WLASL2_val_25fps.csv"},
    )
    assert [str(r) for r in results if r.failed] == []
    assert {r.check for r in results if r.status == "passed"} >= {"import", "light", "clips", "refuses", "read"}


def test_a_run_trains_on_it_and_predicts_a_file(
    folder: Path, tmp_path: Path, asl_registry: Callable[..., Any], asl_tiny_settings: dict[str, Any]
) -> None:
    registry = asl_registry("asl_landmark_csv")
    names = tmp_path / "names.json"
    names.write_text(json.dumps({"0": "left", "1": "right"}))
    settings = {k: v for k, v in asl_tiny_settings.items() if not k.startswith("dataset")}
    settings |= {"dataset": "landmark-csv", "dataset.root": str(folder), "dataset.names": str(names)}
    settings |= {"train.epochs": 8, "train.learning-rate": 1e-2, "train.ema": 0}
    config = asl_core.configure(settings, registry=registry, environ={}, project_file=False)
    result = asl_core.run(config, registry=registry)
    assert result.last["top1"] == 1.0
    predictions = asl_core.predict_file(result.path, folder / "WLASL2_val_25fps.csv", registry=registry)
    assert [t.top[0][0] for t in predictions] == ["left", "right", "left", "right"]


def test_a_frame_is_x_and_y_of_every_point_in_one_order(write: Write) -> None:
    row = clip(3, frames=2)
    folder = write("train.csv", [row]).parent
    (one,) = train(folder)
    assert one.features.shape == (2, 108)
    assert one.glosses == ("3",)
    np.testing.assert_allclose(one.features[:, 0], json.loads(row["nose_X"]), rtol=1e-6)
    np.testing.assert_allclose(one.features[:, 25], json.loads(row["wrist_left_Y"]), rtol=1e-6)
    reverse = dict(reversed(row.items()))
    write("train.csv", [reverse])
    np.testing.assert_array_equal(train(folder)[0].features, one.features)
    assert train(folder, points="hands")[0].features.shape == (2, 84)
    assert train(folder, points="body")[0].features.shape == (2, 24)
    np.testing.assert_array_equal(train(folder, points="hands")[0].features, one.features[:, 24:])


@pytest.mark.parametrize(("left", "right"), [("_Left_", "_Right_"), ("_0_", "_1_")])
def test_other_spellings_of_the_sides(write: Write, left: str, right: str) -> None:
    row = clip(0)
    spelled = {k.replace("_left_", left).replace("_right_", right): v for k, v in row.items()}
    folder = write("train.csv", [spelled]).parent
    expected = write("other_train.csv", [row])
    np.testing.assert_array_equal(
        train(folder, train="train.csv")[0].features, train(folder, train=expected.name)[0].features
    )


def test_points_of_the_file_are_those_of_train_for_every_split(write: Write) -> None:
    row = {"b_X": "[1, 2]", "b_Y": "[3, 4]", "a_X": "[5, 6]", "a_Y": "[7, 8]", "labels": "0"}
    write("train.csv", [row])
    folder = write("val.csv", [{**row, "c_X": "[0, 0]"}]).parent
    data = dataset(folder, points="file")
    (one,) = data.clips("val")
    assert one.features.tolist() == [[5, 7, 1, 3], [6, 8, 2, 4]]
    write("val.csv", [{k: v for k, v in row.items() if k != "a_Y"}])
    with pytest.raises(DataError, match=r"val\.csv line 1: 1 of the 4 columns of a frame are missing, a_Y"):
        list(dataset(folder, points="file").clips("val"))


def test_missing_values(write: Write) -> None:
    cells = {"nose_X": "[0, 0.5, 0, 0.7]", "nose_Y": "[0, 0.6, 0.0, 0.8]", "neck_X": "", "neck_Y": "0"}
    folder = write("train.csv", [clip(0, frames=4, **cells)]).parent
    as_stored = train(folder)[0].features
    assert as_stored[:, 0].tolist() == pytest.approx([0, 0.5, 0, 0.7])
    assert as_stored[:, 2:4].any() == 0
    held = train(folder, missing="hold")[0].features
    assert held[:, 0].tolist() == pytest.approx([0.5, 0.5, 0.5, 0.7])
    assert held[:, 1].tolist() == pytest.approx([0.6, 0.6, 0.6, 0.8])
    assert held[:, 2:4].any() == 0
    np.testing.assert_array_equal(held[:, 4:], as_stored[:, 4:])


def test_holding_keeps_a_zero_beside_a_value() -> None:
    """A coordinate of 0 on the image's edge is a place, as long as the other one is not 0 too."""
    frames = np.array([[0, 2], [0, 0], [3, 0]], dtype=np.float32)
    assert hold_missing(frames).tolist() == [[0, 2], [0, 2], [3, 0]]


def test_labels_and_names(write: Write, tmp_path: Path) -> None:
    rows = [clip(0), clip(1), clip(1, label_name="thank you", **{"labels": "1.0"})]
    folder = write("train.csv", rows, [*rows[0], "label_name"]).parent
    assert [c.glosses for c in train(folder)] == [("0",), ("1",), ("1",)]
    names = tmp_path / "names.txt"
    names.write_text("0 book\n1 chair\n")
    assert [c.glosses for c in train(folder, names=str(names))] == [("book",), ("chair",), ("chair",)]
    with pytest.raises(DataError, match=r"train\.csv line 2: clip 'train:1' has no label in column 'label_name'"):
        train(folder, label_column="label_name")
    names.write_text("0 book\n")
    with pytest.raises(DataError, match=r"line 3: clip 'train:2' has label '1', which .*names\.txt does not name"):
        train(folder, names=str(names))


def test_findings(write: Write, tmp_path: Path) -> None:
    blank = {c: str([0.0, 0.0]) for c in COLUMNS}
    folder = write("train.csv", [clip(0, frames=2), {**clip(1, frames=2), **blank}]).parent
    data = dataset(folder)
    list(data.clips("train"))
    assert [(f.level, f.code) for f in data.findings()] == [("note", "empty-frames"), ("note", "numbers-as-glosses")]
    assert "2 frames of train have no point" in data.findings()[0].message
    names = tmp_path / "names.json"
    names.write_text('{"0": "book", "1": "book"}')
    data = dataset(folder, names=str(names))
    assert {c.glosses for c in data.clips("train")} == {("book",)}
    assert "shared-glosses" in {f.code for f in data.findings()}


def test_ids_and_signers(write: Write) -> None:
    rows = [{**clip(0), "video_id": "07069", "signer_id": "4"}, {**clip(1), "video_id": "", "signer_id": ""}]
    folder = write("train.csv", rows).parent
    assert [(c.id, c.signer) for c in train(folder)] == [("07069", "4"), ("train:2", None)]
    assert train(folder)[1].source.endswith("train.csv line 3")


def test_splits_by_name_and_by_glob(folder: Path, write: Write) -> None:
    assert dataset(folder).splits() == ("train", "val")
    assert dataset(folder, val="none").splits() == ("train",)
    write("LSA64_60fps.csv", [clip(0)])
    write("part[1].csv", [clip(0)])
    assert len(train(folder, train="LSA64*.csv")) == 1
    assert len(train(folder, train="part[1].csv")) == 1
    assert len(train(folder, train=str(folder / "*_25fps.csv"))) == 16
    with pytest.raises(DataError, match=r"no file matches .*gone\.csv, for --dataset\.val; .* has LSA64_60fps\.csv"):
        dataset(folder, val="gone.csv").splits()
    with pytest.raises(DataError, match="needs its folder"):
        LandmarkCsv(LandmarkCsvOptions()).splits()
    with pytest.raises(DataError, match=r"has no CSV file"):
        dataset(folder / "nowhere").splits()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"nose_X": "[0.1, 0.2]"}, r"line 3: clip 'train:2' has 2 values in column nose_X and 9 in column nose_Y"),
        ({"neck_Y": "[1, 2, x]"}, r"line 3, column neck_Y \(clip 'train:2'\): .* is not a list of numbers"),
        ({c: "" for c in COLUMNS}, r"line 3: clip 'train:2' has no frames, all of its cells are empty"),
        ({c: "[]" for c in COLUMNS}, r"line 3: clip 'train:2' has no frames"),
        ({"labels": ""}, r"line 3: clip 'train:2' has no label in column 'labels'"),
    ],
)
def test_errors_in_a_row_name_line_and_clip(write: Write, change: dict[str, str], text: str) -> None:
    folder = write("train.csv", [clip(0), {**clip(1), **change}]).parent
    with pytest.raises(DataError, match=text) as fault:
        train(folder)
    assert str(folder / "train.csv") in str(fault.value)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "is empty; expected a line with the names of the columns"),
        (b"\xff\xfe\x00", "is not text in UTF-8"),
        (b"labels,nose_X\n1,2\n", "columns of a frame are missing"),
        (b"a_X,a_X,labels\n", "column 'a_X' occurs twice"),
        (b'labels,nose_X\n1,"2\n', "columns of a frame are missing"),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path: Path, content: bytes, text: str) -> None:
    (tmp_path / "train.csv").write_bytes(content)
    with pytest.raises(DataError, match=text):
        train(tmp_path)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_tables_as_spreadsheets_write_them(write: Write, delimiter: str, encoding: str) -> None:
    row = clip(3, 4, signer_id="7.0")
    file = write("train.csv", [row])
    before = train(file.parent)[0]
    with file.open("w", newline="", encoding=encoding) as text:
        csv.writer(text, delimiter=delimiter).writerows([row.keys(), row.values()])
    (after,) = train(file.parent)
    np.testing.assert_array_equal(after.features, before.features)
    assert (after.glosses, after.signer) == (("3",), "7")


@pytest.mark.parametrize("name", ["label", "Gloss", "sign", "WORD", "class", "label_name", "text"])
def test_labels_under_other_names(write: Write, name: str) -> None:
    rows = [{name if k == "labels" else k: v for k, v in clip(n).items()} for n in range(2)]
    data = dataset(write("train.csv", rows).parent)
    assert [c.glosses for c in data.clips("train")] == [("0",), ("1",)]
    assert f"the classes of train are read from column {name!r}" in [f.message for f in data.findings()]
    with pytest.raises(DataError, match=r"no label in column 'labels'; .*names another one \(of 'video_fps'"):
        train(write("train.csv", rows).parent, label_column="labels")


def test_several_label_columns_are_reported(write: Write) -> None:
    data = dataset(write("train.csv", [clip(0, gloss="book")]).parent)
    assert next(iter(list(data.clips("train")))).glosses == ("0",)
    assert any("from column 'labels', not 'gloss' (--dataset.label-column)" in f.message for f in data.findings())


def test_labels_that_the_names_lack_are_counted_on_both_sides(write: Write, tmp_path: Path) -> None:
    folder = write("train.csv", [clip(n) for n in range(4)]).parent
    names = tmp_path / "names.txt"
    names.write_text("1 a\n2 b\n3 c\n4 d\n9 e\n")
    with pytest.raises(DataError) as fault:
        train(folder, names=str(names))
    assert "3 of 4 labels of the file match one of 5 numbers that it names" in str(fault.value)
    assert "1 labels of the file match none (first '0')" in str(fault.value)
    assert "from 0 or from 1" in str(fault.value)
    names.write_text("0 z\n1 a\n2 b\n3 c\n4 d\n9 e\n")
    data = dataset(folder, names=str(names))
    list(data.clips("train"))
    (note,) = [f.message for f in data.findings() if f.code == "names-unused"]
    assert "2 numbers of names.txt are not used (first '4')" in note


def test_tables_that_are_not_read_are_listed(write: Write) -> None:
    write("train.csv", [clip(0)])
    folder = write("dev_25fps.csv", [clip(0)]).parent
    data = dataset(folder)
    list(data.clips("train"))
    (finding,) = [f for f in data.findings() if f.code == "files-not-read"]
    assert finding.level == "warning"
    assert finding.message.endswith("--dataset.val 'dev_25fps.csv' reads the first")
    assert len(list(dataset(folder, val="dev_25fps.csv").clips("val"))) == 1


def test_a_row_that_is_cut_short(write: Write) -> None:
    file = write("train.csv", [clip(0), clip(1)])
    whole = file.read_text(encoding="utf-8")
    file.write_text(whole[: whole.rindex('"[')], encoding="utf-8")
    with pytest.raises(DataError, match=r"train\.csv line 3: \d+ cells; expected \d+"):
        train(file.parent)
    file.write_text(whole[: whole.rindex('"[') + 9], encoding="utf-8")
    with pytest.raises(DataError, match=r"train\.csv line 3: is not CSV"):
        train(file.parent)


def test_a_byte_order_mark_and_empty_lines_do_no_harm(write: Write) -> None:
    file = write("train.csv", [clip(0)])
    before = train(file.parent)[0]
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes() + b"\r\n")
    (after,) = train(file.parent)
    np.testing.assert_array_equal(after.features, before.features)


def test_nothing_of_the_readme_is_out_of_date() -> None:
    readme = Path(__file__).parent.parent / "README.md"
    if not readme.is_file():
        pytest.skip("the tests stand alone here, without their README")
    text = readme.read_text(encoding="utf-8")
    options = {f.name.replace("_", "-") for f in LandmarkCsvOptions.__attrs_attrs__}
    assert set(re.findall(r"--dataset\.([a-z-]+)", text)) <= options
    assert all(f"`{name}`" in text or f"--dataset.{name}" in text for name in options)


def test_a_small_file_does_not_fill_the_memory(tmp_path: Path) -> None:
    """Two letters of a missing column stand for as many zeros as the clip has frames; a heading may have any length."""
    many = tmp_path / "many.csv"
    many.write_text(",".join(f"c{n}" for n in range(100_000)) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match="100,000 columns"):
        columns_of(many)
    long = tmp_path / "long.csv"
    row = '"[' + "1," * 40_000 + '1]"' + ",0" * (len(COLUMNS) - 1)
    long.write_text(",".join(COLUMNS) + "\n" + f"{row}\n" * 30, encoding="utf-8")
    with pytest.raises(DataError, match="missing"):
        list(read_rows(long, COLUMNS, None))
