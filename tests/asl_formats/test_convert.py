"""``asl convert``: the same points in another format."""

from __future__ import annotations

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
    before = clips_of("files", tree, fps=25.0, **{"val-share": 0.0})
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
    (tmp_path / "features_train_x.pkl").write_bytes(pickle.dumps(content))
    assert run("convert", tmp_path, tmp_path / "npz", "--to", "npz") == 0
    (clip,) = clips_of("files", tmp_path / "npz", **{"val-share": 0.0})
    assert clip.layout is not None
    assert [part.name for part in clip.layout.parts] == ["hand-1", "hand-2"]
    assert np.isnan(clip.features[:, 63:]).all()
    assert run("convert", tmp_path, tmp_path / "npz", "--to", "npz") == 2  # it exists


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
