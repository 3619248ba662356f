"""How long a tree of .npy frames takes to read, beside reading the bytes of its files and nothing else.

    python tests/bench/frames.py [CLIPS] [FRAMES] [VALUES]

Default: 10,000 clips of 20 frames of 258 values, 200,000 files, as the tutorials' trees have them. The files are in the
page cache for both, the two take turns, and of each the fastest of three is shown.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from asl_core import Formats


def write(root: Path, clips: int, frames: int, values: int) -> None:
    """A tree of ``clips`` folders in folders of a hundred."""
    row = np.random.default_rng(0).random(values)
    for clip in range(clips):
        folder = root / str(clip // 100) / str(clip % 100)
        folder.mkdir(parents=True)
        for frame in range(frames):
            np.save(folder / f"{frame}.npy", row)


def folders(root: Path) -> list[Path]:
    """Those of clips."""
    return [clip for sign in sorted(root.iterdir()) for clip in sorted(sign.iterdir())]


def read_bytes(root: Path) -> int:
    """The bytes of every file."""
    total = 0
    for clip in folders(root):
        for frame in clip.iterdir():
            with frame.open("rb") as file:
                total += len(file.read())
    return total


def read_clips(root: Path) -> int:
    """The recording of every folder, found and recognised first, as the data set ``files`` does it."""
    found = Formats.installed().walk(root)
    return sum(len(r.points) for clip, taken in found if taken for r in taken[1].read(clip))


def main(clips: int = 10_000, frames: int = 20, values: int = 258) -> None:
    """Print both times."""
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), clips, frames, values)
        times: dict[Callable[[Path], int], list[float]] = {read_bytes: [], read_clips: []}
        for _ in range(3):
            for action, seconds in times.items():
                start = time.perf_counter()
                action(Path(name))
                seconds.append(time.perf_counter() - start)
    bytes_alone, clips_read = (min(seconds) for seconds in times.values())
    print(
        f"{clips * frames:,} files of {values} values: their bytes {bytes_alone:.2f} s, "
        f"as recordings {clips_read:.2f} s, {clips_read / bytes_alone:.2f} times as long"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
