"""``asl convert``: the same points in another format."""

from __future__ import annotations

import errno
import shlex
from pathlib import Path

import numpy as np
import pytest

import asl_core as asl
from asl_core.cli import main


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Six recordings of two signs; the left hand is never seen, and one frame shows no hand."""
    random = np.random.default_rng(0)
    for sign in ("book", "a/b".replace("/", " ")):
        for number in range(6):
            folder = tmp_path / "tree" / sign / str(number)
            folder.mkdir(parents=True)
            for frame in range(5):
                values = random.uniform(0.1, 0.9, 126).astype(np.float32)
                values[:63] = 0
                if frame == 2:
                    values[:] = 0
                np.save(folder / f"{frame}.npy", values)
    return tmp_path / "tree"


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main([str(word) for word in words])
    return int(stop.value.code or 0)


def clips_of(name: str, root: Path, **options: object) -> list[asl.Clip]:
    values = {"dataset": name, "dataset.root": str(root), **{f"dataset.{k}": v for k, v in options.items()}}
    dataset = asl.configure(values).dataset.build()
    return [clip for split in dataset.splits() for clip in dataset.clips(split)]


@pytest.mark.parametrize(("kind", "name"), [("npz", "files"), ("packed", "packed"), ("pickle", "wlasl")])
def test_the_same_points_bit_for_bit(kind: str, name: str, tree: Path, tmp_path: Path) -> None:
    assert run("convert", tree, tmp_path / kind, "--to", kind, "--fps", 25) == 0
    before = clips_of("files", tree, fps=25.0, **({"val-share": 0.0} if name == "files" else {}))
    after = clips_of(name, tmp_path / kind, **({"val-share": 0.0} if name == "files" else {}))
    assert [clip.glosses for clip in after] == [clip.glosses for clip in before]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one.features, other.features)
        assert np.isnan(other.features[:, :63]).all()
    assert {clip.fps for clip in after} == {25.0}
    if name != "wlasl":
        assert [clip.layout for clip in after] == [clip.layout for clip in before]
        assert [clip.group for clip in after] == [clip.group for clip in before]


def test_pose_within_a_millionth(tree: Path, tmp_path: Path) -> None:
    pytest.importorskip("pose_format", reason="extra formats is not installed")
    assert run("convert", tree, tmp_path / "pose", "--to", "pose", "--fps", 25) == 0
    before = clips_of("files", tree, fps=25.0, **{"val-share": 0.0})
    after = clips_of("files", tmp_path / "pose", **{"val-share": 0.0})
    assert [clip.glosses for clip in after] == [clip.glosses for clip in before]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose(one.features, other.features, atol=1e-6)
        assert other.fps == 25


def test_pose_without_its_library_says_how_to_install_it(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pose_format", None)
    assert run("convert", tree, tmp_path / "pose", "--to", "pose") == 2
    assert "pip install 'asl-core[formats]'" in capsys.readouterr().err
    assert not list(tmp_path.glob("pose*"))


def test_splits_that_the_source_says_are_kept_and_made_ones_are_not(tree: Path, tmp_path: Path) -> None:
    (tree / "list.csv").write_text("file,gloss,split\nbook/0,book,train\nbook/1,book,val\n", encoding="utf-8")
    assert run("convert", tree, tmp_path / "npz", "--to", "npz") == 0
    dataset = asl.configure({"dataset": "files", "dataset.root": str(tmp_path / "npz")}).dataset.build()
    assert {split: len(list(dataset.clips(split))) for split in dataset.splits()} == {"train": 1, "val": 1}


def test_pickles_of_detected_hands_become_recordings_with_a_layout(tmp_path: Path) -> None:
    import pickle

    features = np.full((4, 126), 0.5, np.float32)
    features[:, 63:] = -1
    content = {"a1": {"features": features, "gloss": "book"}}
    source = tmp_path / "pickles"
    source.mkdir()
    (source / "features_train_x.pkl").write_bytes(pickle.dumps(content))
    assert run("convert", source, tmp_path / "npz", "--to", "npz") == 0
    (clip,) = clips_of("files", tmp_path / "npz", **{"val-share": 0.0})
    assert clip.layout is not None
    assert [part.name for part in clip.layout.parts] == ["hand-1", "hand-2"]
    assert np.isnan(clip.features[:, 63:]).all()
    assert run("convert", source, tmp_path / "npz", "--to", "npz") == 2  # it exists


def test_names_that_no_file_can_have_are_written_plainly(tmp_path: Path) -> None:
    from asl_formats.writers import WRITERS

    layout = asl.Layout((asl.Part("hand-1", 21, "hand21"),))
    clips = [
        asl.Clip(id=name, features=np.full((2, 63), 0.5), glosses=(gloss,), layout=layout)
        for name, gloss in (("../x", "a/../b"), ("..-x", "a.b"), (".. x", "A.B"), ("con?", "=cmd|' /C calc'!A0"))
    ]
    folder = tmp_path / "out"
    folder.mkdir()
    assert WRITERS["npz"]({"train": clips}, folder) == {"train": 4}
    files = list(folder.rglob("*.npz"))
    assert len(files) == 4
    assert all(path.resolve().is_relative_to(folder.resolve()) for path in files)
    again = clips_of("files", folder, **{"val-share": 0.0})
    assert [clip.glosses for clip in again] == [clip.glosses for clip in clips]


def test_features_that_are_no_landmarks_are_refused_but_for_pickles(tmp_path: Path) -> None:
    from asl_formats.writers import WRITERS

    clip = asl.Clip(id="a", features=np.zeros((2, 36)), glosses=("book",), source="x.pkl")
    with pytest.raises(asl.DataError, match=r"36 features per frame.*--to pickle"):
        WRITERS["npz"]({"train": [clip]}, tmp_path)
    assert WRITERS["pickle"]({"train": [clip]}, tmp_path) == {"train": 1}
    sentence = asl.Clip(id="a", features=np.zeros((2, 36)), glosses=("book", "read"))
    with pytest.raises(asl.DataError, match="sentence"):
        WRITERS["pickle"]({"train": [sentence]}, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["packed", "pickle"])
def test_a_made_val_split_is_kept_where_the_command_at_the_end_reads_it(
    kind: str, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command trains on clips with NaN as they are."""
    monkeypatch.chdir(tmp_path)
    assert run("convert", tree, tmp_path / "out", "--to", kind) == 0
    printed = capsys.readouterr().out
    assert "train: 10 clips\nval: 2 clips\n" in printed
    words = shlex.split(printed.rpartition("train on them: asl ")[2])
    assert words[:3] == ["run", "--recipe", "holistic"]
    assert run(*words, "--epochs", 1, "--device", "cpu", "--augment", "none") == 0
    assert run("run", "--dataset", words[4], "--dataset.root", tmp_path / "out", "--epochs", 1) == 2
    assert "--transform landmarks takes it" in capsys.readouterr().err.replace("\n", " ")


def test_a_made_val_split_is_not_stated_in_a_list(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("convert", tree, tmp_path / "out", "--to", "npz") == 0
    assert "train: 12 clips\nno split is stated in list.csv" in capsys.readouterr().out
    dataset = asl.configure({"dataset": "files", "dataset.root": str(tmp_path / "out")}).dataset.build()
    assert {split: len(list(dataset.clips(split))) for split in dataset.splits()} == {"train": 10, "val": 2}


def test_pack_prints_a_command_that_takes_nan(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("pack", tmp_path / "out", "--dataset", "files", "--dataset.root", tree) == 0
    assert "asl run --recipe holistic --dataset packed" in capsys.readouterr().out


def test_points_that_no_pickle_describes_get_no_command(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in tree.rglob("*.npy"):
        np.save(path, np.load(path)[63:])  # one hand
    assert run("convert", tree, tmp_path / "out", "--to", "pickle") == 0
    assert "63 features per frame): to train on them, use --to packed" in capsys.readouterr().out


def test_a_target_in_the_source_is_refused(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tree.parent)
    assert run("convert", "tree", "tree/../tree/Sub", "--to", "packed") == 2
    assert "error: tree/../tree/Sub lies in tree, and" in capsys.readouterr().err.replace("\\", "/")
    assert not (tree / "Sub").exists()


@pytest.mark.parametrize("kind", ["npz", "pickle"])
def test_a_full_disk_leaves_nothing_behind(
    kind: str, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from asl_formats.writers import WRITERS

    def full(splits: object, folder: Path) -> dict[str, int]:
        (folder / "begun").write_bytes(b"x")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setitem(WRITERS, kind, full)
    assert run("convert", tree, tmp_path / "Out", "--to", kind) == 1
    error = capsys.readouterr().err
    assert "Out cannot be written (No space left on device); make room, or choose another folder." in error
    assert not list(tmp_path.glob("Out*"))


def test_a_target_below_a_file_is_no_fault_of_asl(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert run("convert", tree, tmp_path / "file" / "out", "--to", "npz") == 1
    assert "out cannot be written (" in capsys.readouterr().err


def test_errors_keep_the_letters_of_a_path_and_name_the_flag(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "A-npz").mkdir()
    assert run("convert", tree, "A-npz", "--to", "npz") == 2
    assert "error: A-npz exists" in capsys.readouterr().err
    for words, said in (
        (["--set", "nope=3"], "flag --set: dataset.nope"), (["--fps", "nan"], "flag --fps: dataset.fps: nan"),
        (["--fps", "inf"], "flag --fps: dataset.fps: inf"), (["--fps", "0"], "flag --fps: dataset.fps: 0"),
    ):  # fmt: skip
        assert run("convert", tree, "out", "--to", "npz", *words) == 2
        assert said in capsys.readouterr().err


def test_the_help_has_a_line_for_each_kind(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("convert", "--help") == 0
    shown = capsys.readouterr().out
    assert "\\b" not in shown
    assert "\n  npz     a file per recording" in shown
    assert run("--help") == 0
    shown = capsys.readouterr().out
    assert "from asl-core" not in shown
    assert "convert  Write recordings" in shown
