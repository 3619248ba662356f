"""Videos to files of landmarks: several processes at once, each clip written whole, a stopped extraction continued."""

from __future__ import annotations

import csv
import io
import json
import os
import queue
import re
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import attrs
import filelock
import numpy as np

import asl_core as asl
from asl_video.process import Job, UnusableError, Worker, WorkerSettings, worker
from asl_video.recordings import cut_short, problems_of, recording_of, share_seen
from asl_video.video_lists import Entry

__all__ = ["Outcome", "extract_all"]

_LOCK = ".extract.lock"


@attrs.frozen(kw_only=True)
class Outcome:
    """What became of one video."""

    entry: Entry
    file: str = ""  #: in the folder; empty where nothing was written
    fps: float | None = None
    reused: bool = False  #: whether an earlier extraction had written it
    problems: dict[str, str] = attrs.field(factory=dict)  #: kind -> sentence


def extract_all(
    entries: Sequence[Entry], out: Path, settings: WorkerSettings, jobs: int = 1
) -> tuple[list[Outcome], str]:
    """Write a file for each video, and ``list.csv`` with all of them.

    Files that an earlier extraction wrote with the same detector of the same video are kept.

    Returns:
        What became of each, in order, and the detector's name and version.

    Raises:
        UsageError: the folder is another program's, or another extraction writes to it.
        DataError: the detector cannot be used.
    """
    _prepare(out)
    with ExitStack() as stack:
        lock = filelock.FileLock(out / _LOCK, timeout=0)
        try:
            stack.enter_context(lock)
        except filelock.Timeout as fault:
            raise asl.UsageError(
                f"another `asl extract` writes to {out}; wait for its end, or choose another folder."
            ) from fault
        for part in out.rglob(".*.part.npz"):  # of an extraction that was killed
            part.unlink(missing_ok=True)
        workers = queue.SimpleQueue[Worker]()
        made = [stack.enter_context(worker(settings)) for _ in range(max(1, min(jobs, len(entries))))]
        detector = made[0].detector()
        for one in made:
            workers.put(one)
        stamp = {"detector": detector, "mirror": settings.mirror}
        tasks = list(zip(entries, _names(entries), strict=True))
        outcomes: dict[int, Outcome] = {}
        pool = ThreadPoolExecutor(len(made))
        try:
            futures: dict[Future[Outcome], int] = {
                pool.submit(_one, entry, name, out, stamp, workers): number
                for number, (entry, name) in enumerate(tasks)
            }
            for future in asl.track(as_completed(futures), "extracting", len(futures)):
                outcomes[futures[future]] = future.result()
        finally:
            for one in made:  # those at work end at once, so that their threads do
                one.close()
            pool.shutdown(cancel_futures=True)
        ordered = [outcomes[number] for number in range(len(tasks))]
        _write(out / "list.csv", _listing(ordered))
        return ordered, detector


def _prepare(out: Path) -> None:
    """The folder, new or of an earlier extraction."""
    if out.exists() and not out.is_dir():
        raise asl.UsageError(f"{out} is a file; expected a folder to write to.")
    if out.is_dir() and any(out.iterdir()) and not (out / _LOCK).exists():
        raise asl.UsageError(f"{out} holds files that `asl extract` did not write; choose a new folder.")
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / _LOCK).touch()
    except OSError as fault:
        raise asl.UsageError(
            f"{out} cannot be written to ({fault.strerror or fault}); choose another folder."
        ) from fault


def _one(entry: Entry, name: str, out: Path, stamp: dict[str, Any], workers: queue.SimpleQueue[Worker]) -> Outcome:
    """Extract one video, unless that was done."""
    if entry.video is None:
        return Outcome(entry=entry, problems={"missing": f"{entry.name} is not there"})
    path = out / name
    try:
        stamp = stamp | {
            "video": entry.name, "bytes": entry.video.stat().st_size, "gloss": entry.gloss, "split": entry.split,
            "signer": entry.signer, "start": entry.start, "end": entry.end,
        }  # fmt: skip
    except OSError as fault:
        return Outcome(entry=entry, problems={"unreadable": f"{entry.video} cannot be read ({fault.strerror})"})
    if (done := _stamp_of(path)) is not None and {k: done.get(k) for k in stamp} == stamp:
        return Outcome(entry=entry, file=name, fps=done["fps"], problems=done["problems"], reused=True)
    process = workers.get()
    try:
        answer = process.extract(Job(video=entry.video, start=entry.start, end=entry.end))
    except UnusableError:
        raise
    except asl.DataError as fault:
        return Outcome(entry=entry, problems={"unreadable": str(fault)})
    finally:
        workers.put(process)
    if (text := cut_short(answer)) is not None:
        return Outcome(entry=entry, problems={"cut short": f"{entry.video} {text}; nothing was written"})
    recording = recording_of(answer, entry.video, path.stem)
    problems = problems_of(answer, recording.fps, even=recording.times is None)
    if not share_seen(recording):
        frames = len(recording.points)
        return Outcome(entry=entry, problems=problems | {"without hands": f"no hand in any of its {frames} frames"})
    recording = attrs.evolve(
        recording, glosses=(entry.gloss,), signer=entry.signer, split=entry.split, source=entry.name
    )
    stamp |= {"fps": recording.fps, "problems": problems}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.{os.getpid()}.part.npz")
    try:
        recording.save(part, extraction=np.array(json.dumps(stamp, sort_keys=True)))
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as fault:
        part.unlink(missing_ok=True)
        raise asl.RunError(
            f"{path} cannot be written ({fault.strerror or fault}); make room, and type the same again."
        ) from fault
    return Outcome(entry=entry, file=name, fps=recording.fps, problems=problems)


def _stamp_of(path: Path) -> dict[str, Any] | None:
    """What an earlier extraction wrote of a file, or None where there is none or it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            stamp: Any = asl.parse_json(str(archive["extraction"]))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return stamp if isinstance(stamp, dict) and {"fps", "problems"} <= stamp.keys() else None


def _names(entries: Sequence[Entry]) -> Iterator[str]:
    """The file of each entry, ``GLOSS/VIDEO.npz``; no two are the same on any system."""
    taken: set[str] = set()
    for entry in entries:
        stem = Path(entry.name).name
        stem = stem.rpartition(".")[0] if entry.video is not None and stem == entry.video.name else stem
        name = free = f"{_plain(entry.gloss)}/{_plain(stem)}"
        number = 1
        while free.lower() in taken:
            number += 1
            free = f"{name}-{number}"
        taken.add(free.lower())
        yield f"{free}.npz"


def _plain(name: str) -> str:
    """A name that can be that of a file on any system; letters of every script stay."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._")[:100] or "_"


def _listing(outcomes: Sequence[Outcome]) -> str:
    """The list that ``--dataset files`` reads."""
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("file", "gloss", "split", "signer", "fps"))
    for outcome in outcomes:
        if outcome.file:
            entry, rate = outcome.entry, "" if outcome.fps is None else repr(outcome.fps)
            rows.writerow((outcome.file, entry.gloss, entry.split or "", entry.signer or "", rate))
    return text.getvalue()


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8", newline="")
    part.replace(path)
