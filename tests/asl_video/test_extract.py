"""``asl extract``: folders and lists of videos to files that ``--dataset files`` reads."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import attrs
import numpy as np
import pytest
from filmed import film, sound_only

import asl_core as asl
from asl_core.cli import main
from asl_core.compute.progress import ProgressReport, listening
from asl_video.extraction import extract_all
from asl_video.model_files import HANDS, HOLISTIC
from asl_video.process import WorkerSettings
from asl_video.video_lists import list_videos

pytestmark = pytest.mark.slow  # each starts processes
SQUARES = ("--detector", "fake_detector:open_squares")


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["extract", *map(str, words)])
    return int(stop.value.code or 0)


def report_of(out: Path) -> dict:
    return json.loads((out / "extract.json").read_text(encoding="utf-8"))


def rows_of(out: Path) -> list[dict[str, str]]:
    with (out / "list.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def contents(out: Path) -> dict[str, str]:
    """File -> hash, of all but the lock."""
    paths = [path for path in sorted(out.rglob("*")) if path.is_file() and path.name != ".extract.lock"]
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    root = tmp_path / "videos"
    for gloss in ("book", "thank you", "手"):
        for number in range(2):
            film(root / gloss / f"{number}.mp4", 8 + number)
    return root


@pytest.mark.slow
def test_a_folder_to_a_data_set(videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert run(videos, "--out", out, *SQUARES, "--jobs", 2) == 0
    text = capsys.readouterr()
    assert "6 of 6 videos extracted\n" in text.out
    assert "landmarks by squares 1" in text.out
    assert f"--dataset.root {asl.as_word(out)}" in text.out
    values = {"dataset": "files", "dataset.root": str(out), "dataset.val-share": 0.0}
    dataset = asl.configure(values).dataset.build()
    clips = list(dataset.clips("train"))
    assert [clip.glosses for clip in clips] == [(g,) for g in ("book", "book", "thank you", "thank you", "手", "手")]
    assert {clip.detector for clip in clips} == {"squares 1"}
    assert [clip.fps for clip in clips] == [pytest.approx(25)] * 6
    assert [len(clip.features) for clip in clips] == [8, 9] * 3
    assert "left-hand" in str(clips[0].layout)
    assert not list(out.rglob("*.part*"))


@pytest.mark.slow
def test_progress_is_reported(videos: Path, tmp_path: Path) -> None:
    reports: list[ProgressReport] = []
    settings = WorkerSettings(detector=SQUARES[1])
    with listening(reports.append):
        extract_all(list_videos(videos, None).entries, tmp_path / "out", settings, jobs=2)
    assert (reports[0].phase, reports[0].done, reports[0].total) == ("extracting", 0, 6)
    assert (reports[-1].done, reports[-1].ended) == (6, True)


@pytest.mark.slow
def test_each_problem_is_reported_and_the_others_extracted(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    book = videos / "book"
    film(book / "no-hand.mp4", hand=False)
    film(book / "crowd.mp4", red=True)
    film(book / "uneven.mp4", 6, times=[0, 0.04, 0.08, 0.3, 0.34, 1.0])
    film(book / "slow.mp4", 6, rate=5)
    sound_only(book / "sound.mp4")
    (book / "empty.mp4").write_bytes(b"")
    (book / "picture.mov").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    cut = film(book / "cut.mp4", 100, faststart=True)
    cut.write_bytes(cut.read_bytes()[: cut.read_bytes().index(b"mdat") + 2000])
    out = tmp_path / "out"
    assert run(videos, "--out", out, *SQUARES) == 0
    problems = {kind: sorted(Path(name).name for name in names) for kind, names in report_of(out)["problems"].items()}
    assert problems == {
        "unreadable": ["empty.mp4", "picture.mov", "sound.mp4"],
        "cut short": ["cut.mp4"],
        "without hands": ["no-hand.mp4"],
        "several people": ["crowd.mp4"],
        "variable rate": ["uneven.mp4"],
        "odd rate": ["slow.mp4"],
    }
    names = {Path(row["file"]).name for row in rows_of(out) if row["gloss"] == "book"}
    assert names == {"0.npz", "1.npz", "crowd.npz", "uneven.npz", "slow.npz"}
    printed = capsys.readouterr().out
    assert "9 of 14 videos extracted" in printed
    assert "unreadable: 3" in printed
    assert "0 bytes" in printed


@pytest.mark.slow
def test_a_list_with_signers_splits_and_parts(videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = tmp_path / "list.csv"
    listed.write_text(
        "Video;Gloss;Subset;Signer_ID;frame_start;frame_end\nbook/0.mp4;read;train;7;1;-1\nbook/1;read;train;7;;\n"
        "thank you/1.mp4;thanks;dev;8;3;6\nbook/0.mp4;read;train;7;1;-1\ngone;thanks;train;;;\n",
        encoding="utf-8",
    )
    film(videos / "x" / "unlisted.mp4")
    out = tmp_path / "out"
    assert run(videos, "--out", out, "--list", listed, *SQUARES) == 0
    rows = rows_of(out)
    assert [(r["gloss"], r["split"], r["signer"]) for r in rows] == [
        ("read", "train", "7"), ("read", "train", "7"), ("thanks", "val", "8"),
    ]  # fmt: skip
    with np.load(out / rows[2]["file"]) as archive:
        assert archive["points"].shape == (4, 42, 3)
    report = report_of(out)
    assert report["problems"] == {"missing": {"gone": "gone is not there"}}
    assert report["repeated"] == ["book/0.mp4"]
    printed = capsys.readouterr().out
    assert "left: train 2 of 3, val 1 of 1" in printed
    assert "signs without a training clip: 1 of 2 (thanks)" in printed


@pytest.mark.slow
def test_wlasls_json(tmp_path: Path) -> None:
    root = tmp_path / "videos"
    for name in ("00001", "00002"):
        film(root / f"{name}.mp4", 12)
    instance = {"frame_start": 3, "frame_end": 7, "signer_id": 4, "split": "train", "fps": 25}
    content = [
        {"gloss": "book", "instances": [{"video_id": "00001", **instance}, {"video_id": "00009", **instance}]},
        {"gloss": "drink", "instances": [{"video_id": "00002", **instance, "frame_end": -1, "split": "test"}]},
    ]
    listed = tmp_path / "WLASL_v0.3.json"
    listed.write_text(json.dumps(content))
    for words, frames in (((), [5, 10]), (("--whole",), [12, 12])):
        out = tmp_path / f"out{len(words)}"
        assert run(root, "--out", out, "--list", listed, *words, *SQUARES) == 0
        rows = rows_of(out)
        assert [(r["file"], r["split"]) for r in rows] == [("book/00001.npz", "train"), ("drink/00002.npz", "test")]
        assert [len(np.load(out / r["file"])["points"]) for r in rows] == frames
        assert list(report_of(out)["problems"]["missing"]) == ["00009"]


@pytest.mark.slow
def test_the_same_command_again_reads_no_video(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(videos, "--out", out, *SQUARES) == 0
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.npz")}
    film(videos / "book" / "new.mp4")
    film(videos / "book" / "0.mp4", 11)  # another recording by its old name
    (out / "book" / "1.npz").write_bytes(b"PK damaged")
    assert run(videos, "--out", out, *SQUARES) == 0
    assert "7 of 7 videos extracted, 4 of them before" in capsys.readouterr().out
    after = {path: path.stat().st_mtime_ns for path in out.rglob("*.npz")}
    changed = {path.name for path in after if after[path] != before.get(path)}
    assert changed == {"0.npz", "1.npz", "new.npz"}
    assert len(np.load(out / "book" / "0.npz")["points"]) == 11
    assert run(videos, "--out", out, "--detector", "fake_detector:open_slow", "--model", "other") == 0
    assert {clip["detector"].item() for clip in map(np.load, out.rglob("*.npz"))} == {"squares other"}


def test_killed_three_times_the_files_are_those_of_one_left_alone(videos: Path, tmp_path: Path) -> None:
    for number in range(12):
        film(videos / "more" / f"{number}.mp4", 20)
    slow = ("--detector", "fake_detector:open_slow", "--jobs", "2")
    assert run(videos, "--out", tmp_path / "alone", *slow) == 0
    out = tmp_path / "killed"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "asl_core", "extract", str(videos), "--out", str(out), *slow]
    done = [0]
    for _ in range(3):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < end and len(list(out.rglob("[!.]*.npz"))) < done[-1] + 3:
            time.sleep(0.02)
        assert process.poll() is None, "it ended before it was killed"
        process.send_signal(signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
        process.wait()
        time.sleep(1)  # its workers end with their input
        done.append(len(list(out.rglob("[!.]*.npz"))))
    assert sorted(done) == done
    assert not (out / "list.csv").exists()
    assert run(videos, "--out", out, *slow) == 0
    assert contents(out) == contents(tmp_path / "alone")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((), "--out FOLDER"),
        (("--detector", "nothing"), "expected mediapipe-hands"),
        (("--detector", "fake_detector:open_nothing"), "no model file here"),
    ],
)
def test_what_cannot_work_is_refused_before_any_video(
    words: tuple[str, ...], reason: str, videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ("--out", tmp_path / "out") if words else ()
    assert run(videos, *out, *words) == 2
    assert reason in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.rglob("*.npz"))


def test_folders_that_are_not_what_was_meant(videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other"
    other.mkdir()
    assert run(other, "--out", tmp_path / "out", *SQUARES) == 2
    (other / "notes.txt").write_text("mine")
    assert run(videos, "--out", other, *SQUARES) == 2
    film(videos / "loose.mp4")
    assert run(videos, "--out", tmp_path / "out", *SQUARES) == 2
    printed = " ".join(capsys.readouterr().err.split())
    assert "holds no video" in printed
    assert "did not write" in printed
    assert "nothing says which sign" in printed
    assert [path.name for path in other.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("0;book;train;9;3", "start 9 after end 3"),
        ("0;book;train;x;3", "expected a frame"),
        ("0;book;later;1;3", "expected train, val or test"),
        ("0;;train;1;3", "says no gloss"),
        ("0;book;train;1;-1", "2 videos in"),
    ],
)
def test_a_wrong_line_is_named(row: str, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("a", "b"):
        film(tmp_path / "videos" / folder / "0.mp4", 2)
    listed = tmp_path / "list.csv"
    listed.write_text(f"file;gloss;split;start;end\n{row}\n")
    assert run(tmp_path / "videos", "--out", tmp_path / "out", "--list", listed, *SQUARES) == 2
    printed = " ".join(capsys.readouterr().err.split())
    assert reason in printed
    assert "line 2" in printed


@pytest.mark.slow
def test_two_at_once_are_refused(videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import filelock

    out = tmp_path / "out"
    assert run(videos, "--out", out, *SQUARES) == 0
    with filelock.FileLock(out / ".extract.lock"):
        assert run(videos, "--out", out, *SQUARES) == 2
    assert "another `asl extract` writes" in " ".join(capsys.readouterr().err.split())


def test_the_model_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ASL_HAND_MODEL", raising=False)
    monkeypatch.delenv("ASL_HOLISTIC_MODEL", raising=False)
    served = tmp_path / "served.task"
    served.write_bytes(b"model")
    wrong = attrs.evolve(HANDS, url=served.as_uri())
    right = attrs.evolve(wrong, sha256=hashlib.sha256(b"model").hexdigest())
    with pytest.raises(asl.DataError, match="asl extract --download-model"):
        HANDS.find()
    with pytest.raises(asl.DataError, match=r"download it from https://.*ASL_HOLISTIC_MODEL"):
        HOLISTIC.find()
    with pytest.raises(asl.DataError, match="--model none: no such file"):
        HANDS.find(Path("none"))
    with pytest.raises(asl.DataError, match="nothing was written"):
        wrong.download()
    assert not (tmp_path / "cache").exists()
    path = right.download()
    assert path.read_bytes() == b"model"
    assert right.find() == path
    with pytest.raises(asl.DataError, match="is not the model file that was downloaded"):
        wrong.find()
    monkeypatch.setenv("ASL_HAND_MODEL", str(served))
    assert wrong.find() == served
    with pytest.raises(asl.DataError, match="cannot be downloaded"):
        attrs.evolve(HANDS, url=(tmp_path / "none").as_uri()).download()


@pytest.mark.parametrize(("verb", "line"), [("extract", "--list FILE   "), ("convert", "packed  mapped files")])
def test_the_help_keeps_its_tables(verb: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    assert any(row.strip().startswith(line) for row in capsys.readouterr().out.splitlines())
