"""The data set ``files``: what is on the disk as clips, and what was taken for what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import asl_core as asl
from asl_files.dataset import FilesDataset
from asl_files.options import FilesOptions

SIGNS = ("book", "drink", "-")


def recording(folder: Path, frames: int = 4, width: int = 126, seed: int = 0) -> None:
    """A folder of .npy frames."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(seed)
    for number in range(frames):
        np.save(folder / f"{number}.npy", random.uniform(0.1, 0.9, width))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Twelve recordings of three signs."""
    root = tmp_path / "signs"
    for sign in SIGNS:
        for number in range(12):
            recording(root / sign / str(number), seed=number)
    return root


def dataset(root: Path, **options: Any) -> FilesDataset:
    return FilesDataset(FilesOptions(root=str(root), **options))


def ids(data: FilesDataset, split: str) -> list[str]:
    return [clip.id for clip in data.clips(split)]


def codes(data: FilesDataset) -> dict[str, str]:
    return {finding.code: finding.message for finding in data.findings()}


def test_a_tree_of_frames_is_clips_of_the_signs_that_their_folders_name(tree: Path) -> None:
    data = dataset(tree)
    assert data.splits() == ("train", "val")
    clips = [clip for split in data.splits() for clip in data.clips(split)]
    assert len(clips) == 36
    assert {clip.glosses for clip in clips} == {(sign,) for sign in SIGNS}
    assert all(clip.glosses[0] == clip.id.split("/")[0] for clip in clips)
    assert clips[0].features.shape == (4, 126)
    assert clips[0].layout is not None
    assert [part.name for part in clips[0].layout.parts] == ["left-hand", "right-hand"]
    assert "36 npy-frames" in codes(data)["formats"]


def test_names_are_sorted_as_people_count(tree: Path) -> None:
    train = ids(dataset(tree, val_share=0.0), "train")
    assert [clip for clip in train if clip.startswith("book")] == [f"book/{n}" for n in range(12)]


def test_a_made_val_holds_the_last_neighbours_of_every_sign_and_is_said_and_written_down(tree: Path) -> None:
    data = dataset(tree, val_share=0.25)
    assert sorted(ids(data, "val")) == sorted(f"{sign}/{n}" for sign in SIGNS for n in (9, 10, 11))
    made = next(f for f in data.findings() if f.code == "val-made")
    assert made.level == "note"
    assert made.data["val"] == [f"{s}/{n}" for s in ("-", "book", "drink") for n in (9, 10, 11)]
    assert not set(ids(data, "val")) & set(ids(data, "train"))


def test_folds_keep_neighbours_together(tree: Path) -> None:
    base = {"dataset": "files", "dataset.root": str(tree), "dataset.val-share": 0.0, "transform.names": ()}
    held = []
    for fold in range(1, 6):
        config = asl.configure({**base, "split.fold": f"{fold}/5"})
        audit = asl.audit_data(config)
        held.append(audit.splits["val"].clips)
    assert sum(held) == 36
    groups = {clip.id: clip.group for clip in dataset(tree, val_share=0.0).clips("train")}
    assert groups["book/0"] == groups["book/1"] != groups["book/11"]
    assert len(set(groups.values())) == 15


def test_splits_of_folders_are_taken(tmp_path: Path) -> None:
    for split in ("train", "validation", "test"):
        recording(tmp_path / split / "book" / "0")
    data = dataset(tmp_path)
    assert data.splits() == ("train", "val", "test")
    assert ids(data, "val") == ["validation/book/0"]
    assert next(iter(data.clips("val"))).glosses == ("book",)


def test_signers_are_kept_out_of_train_where_a_list_says_them(tree: Path) -> None:
    lines = [f"{sign}/{n},{sign},{n % 4}" for sign in SIGNS for n in range(12)]
    (tree / "list.csv").write_text("file,gloss,signer\n" + "\n".join(lines), encoding="utf-8")
    data = dataset(tree)
    signers = {split: {clip.signer for clip in data.clips(split)} for split in data.splits()}
    assert len(signers["val"]) == 1
    assert not signers["val"] & signers["train"]
    assert "signers are val" in codes(data)["val-made"]
    again = dataset(tree)
    assert ids(again, "val") == ids(data, "val")


def test_a_list_says_frames_rate_and_split_and_missing_files_are_counted(tree: Path) -> None:
    (tree / "list.csv").write_text(
        "\ufefffile;gloss;split;start;end;fps\nbook/3;read;train;2;3;25\nbook/4;read;dev;1;-1;\nbook/99;read;train;1;-1;\n",
        encoding="utf-8",
    )
    data = dataset(tree, fps=30.0)
    (clip,) = data.clips("train")
    whole = next(c for c in dataset(tree, manifest="none", val_share=0.0).clips("train") if c.id == "book/3")
    np.testing.assert_array_equal(clip.features, whole.features[1:3])
    assert (clip.glosses, clip.fps) == (("read",), 25)
    assert next(iter(data.clips("val"))).fps == 30
    assert "1 of 3" in codes(data)["missing-files"]
    assert "book/99" in codes(data)["missing-files"]
    assert "34 recordings" in codes(data)["not-listed"]


def test_wlasl_json_in_its_two_forms(tree: Path) -> None:
    for number in range(3):
        (tree / "book" / str(number)).rename(tree / f"0000{number}")
    instances = [{"video_id": f"0000{n}", "split": s, "signer_id": n, "frame_start": 1, "frame_end": -1, "fps": 25}
                 for n, s in enumerate(("train", "val", "test"))]  # fmt: skip
    (tree / "WLASL_v0.3.json").write_text(json.dumps([{"gloss": "read", "instances": instances}]), encoding="utf-8")
    data = dataset(tree)
    assert data.splits() == ("train", "val", "test")
    assert [(c.id, c.glosses, c.signer, c.fps) for c in data.clips("val")] == [("00001", ("read",), "1", 25)]
    (tree / "WLASL_v0.3.json").unlink()
    nslt = {f"0000{n}": {"subset": s, "action": [7, 1, 2]} for n, s in enumerate(("train", "val", "test"))}
    (tree / "nslt_100.json").write_text(json.dumps(nslt), encoding="utf-8")
    assert next(iter(dataset(tree).clips("train"))).glosses == ("#7",)
    (tree / "wlasl_class_list.txt").write_text("7\tread\n", encoding="utf-8")
    clip = next(iter(dataset(tree).clips("train")))
    assert (clip.glosses, len(clip.features)) == (("read",), 2)


def test_kaggle_csv_is_a_list(tree: Path) -> None:
    (tree / "train.csv").write_text(
        "path,participant_id,sequence_id,sign\nbook/1,26734,1000035562,blow\n", encoding="utf-8"
    )
    (clip,) = dataset(tree, val_share=0.0).clips("train")
    assert (clip.glosses, clip.signer) == (("blow",), "26734")


def test_the_hand_of_recordings_of_one_hand_is_said_by_an_option(tmp_path: Path) -> None:
    recording(tmp_path / "a" / "0", width=63)
    for hand, name in (("auto", "hand-1"), ("left", "left-hand"), ("right", "right-hand")):
        (clip,) = dataset(tmp_path, hand=hand, val_share=0.0).clips("train")
        assert [part.name for part in clip.layout.parts] == [name]


def test_a_class_that_looks_like_rest_is_one_unless_it_is_left_out(tree: Path) -> None:
    data = dataset(tree, leave_out=("-",))
    assert {clip.glosses[0] for clip in data.clips("train")} == {"book", "drink"}
    assert "12 recordings of -" in codes(data)["left-out"]
    assert {clip.glosses[0] for clip in dataset(tree, glosses=("-", "book")).clips("train")} == {"book", "-"}


def test_what_was_not_seen_is_counted_by_part(tree: Path) -> None:
    for number in range(4):
        frame = np.load(tree / "book" / "0" / f"{number}.npy")
        frame[:63] = 0
        np.save(tree / "book" / "0" / f"{number}.npy", frame)
    data = dataset(tree, val_share=0.0, glosses=("book",))
    clip = min(data.clips("train"), key=lambda clip: asl.natural_order(clip.id))
    assert np.isnan(clip.features[:, :63]).all()
    assert "left-hand in 8%" in codes(data)["not-seen"]


def test_prediction_reads_a_folder_of_frames_a_tree_and_nothing_else(tree: Path) -> None:
    data = dataset(tree)
    assert len(data.read(tree / "book" / "3")) == 1
    assert {clip.glosses for clip in data.read(tree)} == {()}
    (tree / "notes.bin").write_bytes(b"not a recording")
    with pytest.raises(asl.DataError, match="no recording of a known format"):
        data.read(tree / "notes.bin")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,gloss\n../../etc/passwd,a\n", "line 2 names .*not in the folder"),
        ("file,gloss\n/etc/passwd,a\n", "not in the folder"),
        ("file,gloss,split\nbook/0,a,somewhere\n", "line 2 says split 'somewhere'"),
        ("file,gloss,fps\nbook/0,a,fast\n", "line 2 says fps 'fast'"),
        ("file,gloss,start\nbook/0,a,x\n", "line 2 says start 'x'"),
        ("file,gloss,start\nbook/0,a,9\n", "names frames 9 to -1 of .* which has 4"),
        ("file,gloss\n,a\n", "line 2 names no file"),
        ("file,gloss\nbook/99,a\n", "none of them is in"),
        ("file,gloss\n", "lists no recording"),
    ],
)
def test_a_list_that_cannot_be_used_says_where_and_what(tree: Path, text: str, message: str) -> None:
    (tree / "list.csv").write_text(text, encoding="utf-8")
    with pytest.raises(asl.DataError, match=message):
        list(dataset(tree, val_share=0.0).clips("train"))


@pytest.mark.parametrize("text", ['{"00000": {"subset": "train"}}', '[{"instances": [3]}]', '{"a": {"subset": 1', "[]"])
def test_json_that_is_no_list_of_recordings(tree: Path, text: str) -> None:
    (tree / "list.json").write_text(text, encoding="utf-8")
    with pytest.raises(asl.DataError, match=r"list\.json"):
        dataset(tree, manifest="list.json").splits()


def test_two_lists_are_not_chosen_between(tree: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tree / name).write_text("file,gloss\nbook/0,a\n", encoding="utf-8")
    with pytest.raises(asl.DataError, match=r"a\.csv, b\.csv.*--dataset\.manifest"):
        dataset(tree).splits()
    assert ids(dataset(tree, manifest="b.csv", val_share=0.0), "train") == ["book/0"]


def test_a_link_out_of_the_folder_is_not_followed(tree: Path, tmp_path: Path) -> None:
    recording(tmp_path / "elsewhere" / "0")
    (tree / "book" / "99").symlink_to(tmp_path / "elsewhere" / "0", target_is_directory=True)
    data = dataset(tree, val_share=0.0)
    assert "book/99" not in ids(data, "train")
    assert "book/99" in codes(data)["links"]


def test_an_empty_folder_and_one_without_signs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(asl.DataError, match="holds no recording"):
        dataset(tmp_path).splits()
    recording(tmp_path / "0")
    with pytest.raises(asl.DataError, match="have no gloss"):
        dataset(tmp_path).splits()
    with pytest.raises(asl.DataError, match=r"--dataset\.root FOLDER"):
        FilesDataset(FilesOptions(root=None)).splits()


def test_files_that_are_not_read_are_named(tree: Path) -> None:
    (tree / "book" / "old.bin").write_bytes(b"?")
    assert "book/old.bin" in codes(dataset(tree))["unread"]


def test_several_roots_are_one_data_set(tree: Path, tmp_path: Path) -> None:
    recording(tmp_path / "more" / "eat" / "0")
    data = dataset(tree, more_roots=(str(tmp_path / "more"),), val_share=0.0)
    assert "more-2/eat/0" in ids(data, "train")


def test_mixed_layouts_are_said_and_one_can_be_named(tmp_path: Path) -> None:
    recording(tmp_path / "a" / "0")
    recording(tmp_path / "a" / "1")
    frame = np.load(tmp_path / "a" / "1" / "0.npy")
    frame[63:] = -1  # as a detector writes a slot without a hand
    np.save(tmp_path / "a" / "1" / "0.npy", frame)
    data = dataset(tmp_path, val_share=0.0)
    list(data.clips("train"))
    assert "2 layouts" in codes(data)["mixed-layouts"]
    assert "--dataset.layout" in codes(data)["mixed-layouts"]
    named = dataset(tmp_path, val_share=0.0, layout="detected")
    assert {clip.layout.parts[0].name for clip in named.clips("train")} == {"hand-1"}
    assert "mixed-layouts" not in codes(named)
    with pytest.raises(asl.DataError, match="layout is 'nonsense'"):
        dataset(tmp_path, layout="nonsense").splits()


def test_a_file_of_several_recordings_is_as_many_clips(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    (tmp_path / "book").mkdir()
    np.savez(tmp_path / "book" / "all.npz", one=random.random((4, 126)), two=random.random((5, 126)))
    assert ids(dataset(tmp_path, val_share=0.0), "train") == ["book/all/one", "book/all/two"]
    assert [clip.id for clip in dataset(tmp_path).read(tmp_path / "book" / "all.npz")] == ["all/one", "all/two"]


def test_ids_keep_dots_and_are_distinct(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    (tmp_path / "a").mkdir()
    for number in range(1, 7):
        np.savez(tmp_path / "a" / f"take.{number}.npz", clip=random.random((4, 126)))
    data = dataset(tmp_path)
    assert ids(data, "train") == [f"a/take.{n}" for n in range(1, 6)]
    assert ids(data, "val") == ["a/take.6"]


def test_a_link_to_a_folder_is_not_followed_round_and_round(tree: Path) -> None:
    (tree / "self").symlink_to(tree, target_is_directory=True)
    (tree / "book" / "up").symlink_to(tree, target_is_directory=True)
    data = dataset(tree, val_share=0.0)
    assert len(ids(data, "train")) == 36
    assert "2 links" in codes(data)["links"]


@pytest.mark.parametrize(("share", "held"), [(0.99, 11), (0.5, 6), (0.01, 1), (0.0, 0)])
def test_every_share_leaves_each_sign_in_train_and_holds_out_what_it_says(tree: Path, share: float, held: int) -> None:
    data = dataset(tree, val_share=share)
    assert len(ids(data, "train")) == 3 * (12 - held)
    assert (f"{3 * held} of 36 recordings are val" in codes(data).get("val-made", "")) == bool(held)


def test_a_val_split_is_made_beside_train_and_test_and_where_there_is_none_it_is_said(tmp_path: Path) -> None:
    for number in range(5):
        recording(tmp_path / "two" / "train" / "book" / str(number))
    recording(tmp_path / "two" / "test" / "book" / "9")
    data = dataset(tmp_path / "two")
    assert data.splits() == ("train", "val", "test")
    assert ids(data, "val") == ["train/book/4"]
    for sign in ("a", "b"):
        recording(tmp_path / "one" / sign / "0")
    assert "one recording alone" in codes(dataset(tmp_path / "one"))["no-val"]


def test_a_sign_may_be_called_test(tmp_path: Path) -> None:
    for sign in ("hello", "test", "train"):
        for number in range(2):
            recording(tmp_path / sign / str(number))
    data = dataset(tmp_path)
    assert {clip.glosses[0] for clip in data.clips("train")} == {"hello", "test", "train"}
    assert data.splits() == ("train", "val")


def test_signs_are_named_and_an_unpacked_archive_is_looked_into(tmp_path: Path) -> None:
    for sign in ("a", "b"):
        for number in range(2):
            recording(tmp_path / "MP_Data" / sign / str(number))
    data = dataset(tmp_path)
    assert codes(data)["signs"] == "2 signs: a, b"
    assert "MP_Data" in codes(data)["top"]
    assert {clip.glosses for clip in data.clips("train")} == {("a",), ("b",)}
    for split in ("train", "val"):
        recording(tmp_path / "MP_Data" / "a" / split / "9")
    assert "train, val" in codes(dataset(tmp_path))["splits-below"]


def test_parts_of_one_recording_are_clips_of_their_own(tree: Path) -> None:
    (tree / "list.csv").write_text("file,gloss,start,end\nbook/0,a,1,2\nbook/0,b,3,-1\n", encoding="utf-8")
    clips = list(dataset(tree, val_share=0.0).clips("train"))
    assert [(clip.id, clip.glosses, len(clip.features)) for clip in clips] == [
        ("book/0:1-2", ("a",), 2),
        ("book/0:3--1", ("b",), 2),
    ]


def test_what_is_odd_about_a_list_is_said(tree: Path) -> None:
    text = "file,gloss,singer,note\nbook/0,a,P1,x\nbook/0,a,P1,x\nbook/1,a,P2,x\n"
    (tree / "list.csv").write_text(text, encoding="utf-8")
    said = codes(dataset(tree))
    assert "'singer' (did you mean signer?)" in said["columns-unused"]
    assert "1 recordings more than once (book/0)" in said["listed-twice"]
    for text, message in (
        ("file,gloss\nbook/0,a\nbook/0,b\n", "line 2 and .*line 3 list one recording, book/0, as 'a' and 'b'"),
        ("file,gloss,gloss\nbook/0,a,b\n", "several columns called gloss"),
        ("file,gloss,start,end\nbook/0,a,1,2720\n", "names frames 1 to 2720 of .* which has 4"),
        ("file,gloss,start\nbook/0,a,0\n", "line 2 says start '0'"),
        ("file,gloss\nBOOK/0,a\n", "in other capitals"),
    ):
        (tree / "list.csv").write_text(text, encoding="utf-8")
        with pytest.raises(asl.DataError, match=message):
            list(dataset(tree, val_share=0.0).clips("train"))


def test_why_signers_could_not_be_kept_apart_is_said(tree: Path) -> None:
    lines = [f"{sign}/{n},{sign},{n % 4 if (sign, n) != ('book', 5) else ''}" for sign in SIGNS for n in range(12)]
    (tree / "list.csv").write_text("file,gloss,signer\n" + "\n".join(lines), encoding="utf-8")
    assert "the signer of 1 of 36 recordings is not known" in codes(dataset(tree))["val-made"]


def test_damaged_recordings_are_all_named_or_dropped(tree: Path) -> None:
    for number in (1, 2):
        (tree / "book" / str(number) / "3.npy").write_bytes(b"")
    with pytest.raises(asl.DataError, match=r"2 recordings cannot be read.*--dataset\.bad-clips drop"):
        list(dataset(tree, val_share=0.0).clips("train"))
    data = dataset(tree, val_share=0.0, bad_clips="drop")
    assert len(ids(data, "train")) == 34
    assert "2 recordings" in codes(data)["bad-clips"]


def test_a_folder_of_frames_with_one_that_is_none_is_named(tree: Path) -> None:
    (tree / "book" / "2" / "0.npy").write_bytes(b"junk")
    assert "in book/2, where not all are frames" in codes(dataset(tree)).get("unread", "")
