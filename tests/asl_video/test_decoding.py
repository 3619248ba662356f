"""Frames, times and faults of videos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from filmed import HEIGHT, WIDTH, film, sound_only, turn

from asl_core import DataError
from asl_video.containers import known_container
from asl_video.decoding import Video


def middles(video: Video) -> np.ndarray:
    """(T, 2) x and y of the middle of the square, as shares of the picture."""
    places = []
    for image, _ in video.frames():
        y, x = np.nonzero(image[:, :, 0] > 128)
        places.append((x.mean() / image.shape[1], y.mean() / image.shape[0]))
    return np.array(places)


@pytest.mark.parametrize("name", ["a.mp4", "b.mov", "c.avi", "d.mkv", "é 手.mp4"])
def test_every_frame_with_its_time(name: str, tmp_path: Path) -> None:
    video = Video(film(tmp_path / name, 12, rate=25))
    times = [seconds for _, seconds in video.frames()]
    np.testing.assert_allclose(times, np.arange(12) / 25, atol=0.0011)
    assert (video.size, video.decoded, video.damaged, video.unordered) == ((WIDTH, HEIGHT), 12, 0, 0)
    assert not video.cut_short


def test_true_times_of_a_variable_rate(tmp_path: Path) -> None:
    times = [0, 0.04, 0.08, 0.3, 0.34, 1.0]
    video = Video(film(tmp_path / "a.mp4", 6, times=times))
    np.testing.assert_allclose([seconds for _, seconds in video.frames()], times, atol=0.0011)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_rotated_video_is_turned_as_players_show_it(degrees: int, tmp_path: Path) -> None:
    plain = middles(Video(film(tmp_path / "plain.mp4")))
    video = Video(turn(film(tmp_path / "turned.mp4"), degrees))
    x, y = plain.T
    shown = {90: (1 - y, x), 180: (1 - x, 1 - y), 270: (y, 1 - x)}[degrees]
    np.testing.assert_allclose(middles(video), np.stack(shown, axis=1), atol=0.03)
    assert video.size == ((WIDTH, HEIGHT) if degrees == 180 else (HEIGHT, WIDTH))


@pytest.mark.parametrize(("name", "media"), [("a.mp4", b"mdat"), ("a.mkv", b"\x1f\x43\xb6\x75"), ("a.avi", b"movi")])
def test_a_cut_file_is_noticed(name: str, media: bytes, tmp_path: Path) -> None:
    path = film(tmp_path / name, 100, faststart=name.endswith("mp4"))
    whole = Video(path)
    assert sum(1 for _ in whole.frames()) == 100
    path.write_bytes(path.read_bytes()[: path.read_bytes().index(media) + 2000])
    cut = Video(path)
    frames = sum(1 for _ in cut.frames())
    assert 10 < frames < 90
    assert cut.cut_short
    assert not whole.cut_short


def test_a_file_without_its_index_is_refused(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", 100)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match="cut short"):
        list(Video(path).frames())


def test_sound_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no video stream \(audio only\)"):
        list(Video(sound_only(tmp_path / "a.mp4")).frames())


def test_sound_beside_the_frames_changes_nothing(tmp_path: Path) -> None:
    video = Video(film(tmp_path / "a.mp4", audio=True))
    assert sum(1 for _ in video.frames()) == 12
    assert not video.cut_short


def test_damage_in_the_middle_is_counted(tmp_path: Path) -> None:
    path = film(tmp_path / "a.avi", 60)
    data = bytearray(path.read_bytes())
    random = np.random.default_rng(0)
    place = data.index(b"movi") + len(data) // 4
    data[place : place + len(data) // 3] = random.bytes(len(data) // 3)
    path.write_bytes(data)
    video = Video(path)
    frames = sum(1 for _ in video.frames())
    assert frames < 60 or video.damaged
    assert video.cut_short or video.damaged


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "0 bytes"),
        (b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n", "expected a video"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "expected a video"),
        (b"\x89PNG\r\n\x1a\n" + bytes(64), "expected a video"),
        (b"\xff\xd8\xff\xe0" + bytes(64), "expected a video"),
        (b"\x00\x00\x00\x18ftypmp42" + bytes(64), "cut short"),
    ],
)
def test_what_is_no_video_is_refused(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(DataError, match=reason):
        list(Video(path).frames())


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    folder = tmp_path / "clip.mp4"
    folder.mkdir()
    for path in (folder, tmp_path / "none.mp4", Path("http://127.0.0.1:9/a.mp4"), Path("concat:a.mp4")):
        assert known_container(path) is None
        with pytest.raises(DataError):
            list(Video(path).frames())


def test_a_reference_to_another_file_is_not_followed(tmp_path: Path) -> None:
    """An MP4 whose media stand in another file, by its ``dref``."""
    path = film(tmp_path / "a.mp4")
    data = path.read_bytes()
    assert b"url \x00\x00\x00\x01" in data  # media are in this file
    path.write_bytes(data.replace(b"url \x00\x00\x00\x01", b"url \x00\x00\x00\x00"))
    try:
        frames = sum(1 for _ in Video(path).frames())
    except DataError:
        frames = 0
    assert frames in (0, 12)  # its own media, or refused; never another file
