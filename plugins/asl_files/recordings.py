"""Recordings as an entry means them: its frames, its hand; and what there is to say of many of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import attrs
import numpy as np

from asl_core import DataError, Finding, Layout, Part, Recording, shortened
from asl_files.entries import Entry

__all__ = ["Unseen", "cut", "member_of", "note_findings", "with_side"]


def cut(entry: Entry, recording: Recording) -> Recording:
    """The frames that the entry names.

    A recording of less than the video that its list is about was cut before, and is taken whole.

    Raises:
        DataError: the recording has fewer frames.
    """
    frames = len(recording.points)
    last = frames if entry.end == -1 else entry.end
    if (entry.start, last) == (1, frames) or (entry.of_video and last > frames):
        return recording
    if not 1 <= entry.start <= last <= frames:
        raise DataError(
            f"{entry.where} names frames {entry.start} to {entry.end} of {entry.path}, which has {frames}; expected "
            f"frames counted from 1, and -1 for the last one."
        )
    times = recording.times
    part = slice(entry.start - 1, last)
    return attrs.evolve(recording, points=recording.points[part], times=None if times is None else times[part])


def member_of(entry: Entry, recordings: Sequence[Recording]) -> Sequence[Recording]:
    """The recordings of a file that an entry means: all of them, or the one that a list names.

    Raises:
        DataError: the file holds several, and none is the one that is named.
    """
    if entry.member is None or len(recordings) == 1:
        return recordings
    chosen = [recording for recording in recordings if recording.id == entry.member]
    if not chosen:
        raise DataError(
            f"{entry.where} names the recording {entry.member} of {entry.path}, which holds "
            f"{shortened(recording.id for recording in recordings)}."
        )
    return chosen


def with_side(recording: Recording, hand: str) -> Recording:
    """A recording of one hand, which is said to be the right or the left one."""
    layout = recording.layout
    if hand == "auto" or layout.part("hand-1") is None or layout.part("hand-2") is not None:
        return recording
    parts = tuple(Part(f"{hand}-hand", p.points, p.scheme) if p.name == "hand-1" else p for p in layout.parts)
    return attrs.evolve(recording, layout=Layout(parts, layout.axes, layout.unit))


@attrs.define
class Unseen:
    """In how many frames each part was not seen, and which layouts and detectors there are."""

    frames: Counter[str] = attrs.field(factory=Counter)
    lost: Counter[str] = attrs.field(factory=Counter)
    layouts: Counter[str] = attrs.field(factory=Counter)
    detectors: Counter[str] = attrs.field(factory=Counter)

    def add(self, recording: Recording) -> None:
        """Count the frames of a recording."""
        self.layouts[str(recording.layout)] += 1
        if recording.detector is not None:
            self.detectors[recording.detector] += 1
        missing = np.isnan(recording.points[:, :, 0])
        for part in recording.layout.parts:
            self.frames[part.name] += len(missing)
            self.lost[part.name] += int(missing[:, recording.layout.place(part.name)].all(1).sum())

    def findings(self, split: str) -> list[Finding]:
        """The share of frames in which each part was not seen at all."""
        findings = []
        if len(self.layouts) > 1:
            kinds = "; ".join(f"{count:,} of {layout}" for layout, count in self.layouts.most_common())
            text = f"recordings of {split} have {len(self.layouts)} layouts ({kinds}); --dataset.layout NAME takes one"
            findings.append(Finding("warning", "mixed-layouts", text))
        if len(self.detectors) > 1:
            kinds = "; ".join(f"{count:,} by {detector}" for detector, count in self.detectors.most_common())
            text = f"landmarks of {split} are of {len(self.detectors)} detectors ({kinds}); extract all with one"
            findings.append(Finding("warning", "mixed-detectors", text))
        shares = {name: self.lost[name] / count for name, count in self.frames.items() if count}
        if shares:
            text = ", ".join(f"{name} in {share:.0%}" for name, share in shares.items())
            text = f"not seen, of the frames of {split}: {text}"
            findings.append(Finding("note", "not-seen", text, {"share": shares}))
        return findings


def note_findings(split: str, notes: Mapping[str, Sequence[str]]) -> list[Finding]:
    """What formats have to say of recordings."""
    return [
        Finding(
            "note", "recordings", f"{len(ids)} recordings of {split} ({shortened(ids)}): {text}", {"ids": list(ids)}
        )
        for text, ids in notes.items()
    ]
