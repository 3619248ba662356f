"""The ``files`` data set: what is on the disk as clips, with what was taken for what."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

from asl_core import Clip, DataError, Finding, Formats, MissingExtraError, Recording, shortened, track
from asl_files.entries import Entry
from asl_files.index import Index, build_index, found_in
from asl_files.options import FilesOptions
from asl_files.recordings import Unseen, cut, member_of, note_findings, with_side

__all__ = ["FilesDataset"]


class FilesDataset:
    """Recordings of any format, one class a gloss. Nothing is read before it is asked for.

    Args:
        options: where the files are, and what says which sign they show.
    """

    reads_formats = True  #: files for prediction are read by their format, arrays too

    def __init__(self, options: FilesOptions):
        self._options = options
        self.bad_clips = options.bad_clips  #: what a run does with numbers that no model can take
        self._noticed: dict[str, list[Finding]] = {}

    def splits(self) -> Sequence[str]:
        """The splits that the files say, or that are made of them.

        Raises:
            DataError: no folder was named, or there is no recording in it.
        """
        return tuple(self._index.entries)

    def clips(self, split: str) -> Iterator[Clip]:
        """The recordings of a split, in the order of their names as people count.

        Raises:
            DataError: there is no such split; a file is damaged, or not of the format that it seemed to be of.
        """
        index = self._index
        if split not in index.entries:
            raise DataError(f"{self._options.root} holds no split {split!r}; there is {', '.join(index.entries)}.")
        unseen, notes = Unseen(), defaultdict[str, list[str]](list)
        faults: list[DataError] = []
        for entry in track(index.entries[split], f"reading {split}"):
            try:
                recordings = self._recordings(entry)
                clips = [self._clip(_named(entry, r, recordings), r, index.group.get(entry.id)) for r in recordings]
            except MissingExtraError:
                raise
            except DataError as fault:
                faults.append(fault)
                continue
            for recording in recordings:
                unseen.add(recording)
                for note in recording.notes:
                    notes[note].append(entry.id)
            yield from clips
        if faults and self.bad_clips != "drop":
            raise DataError(_several(faults))
        self._noticed[split] = [*unseen.findings(split), *note_findings(split, notes)]
        if faults:
            self._noticed[split].append(Finding("warning", "bad-clips", f"dropped: {_several(faults)}"))

    def findings(self) -> Sequence[Finding]:
        """What every file was taken for, how splits were made, and what was not seen."""
        return [*self._index.findings, *(finding for found in self._noticed.values() for finding in found)]

    def read(self, path: Path) -> Sequence[Clip]:
        """Every recording in a file or folder, for prediction; their glosses are not known.

        Raises:
            DataError: no format recognises it.
        """
        content = found_in(path, self._formats, self._options)
        if not content.entries:
            raise DataError(f"{path} is no recording of a known format (`asl ls format` lists them).")
        clips = []
        for entry in content.entries:
            recordings = list(content.of_path[entry.path][1].read(entry.path))
            bare = attrs.evolve(entry, glosses=())
            clips += [self._clip(_named(bare, recording, recordings), recording) for recording in recordings]
        return clips

    @functools.cached_property
    def _formats(self) -> Formats:
        layout = self._options.layout
        return Formats.installed() if layout is None else Formats.installed(layout=layout)

    @functools.cached_property
    def _index(self) -> Index:
        return build_index(self._options, self._formats)

    def _recordings(self, entry: Entry) -> Sequence[Recording]:
        index = self._index
        if entry.id in index.held:
            return [index.held[entry.id]]
        return member_of(entry, list(index.of_path[entry.path][1].read(entry.path)))

    def _clip(self, entry: Entry, recording: Recording, group: str | None = None) -> Clip:
        clip = with_side(cut(entry, recording), self._options.hand).to_clip()
        return attrs.evolve(
            clip,
            id=entry.id,
            glosses=entry.glosses or recording.glosses,
            signer=entry.signer or recording.signer,
            source=recording.source or str(entry.path),
            fps=entry.fps or recording.fps or self._options.fps,
            group=group,
        )


def _named(entry: Entry, recording: Recording, recordings: Sequence[Recording]) -> Entry:
    """The entry of one recording; those of a file that holds several have ids of their own."""
    return entry if len(recordings) == 1 else attrs.evolve(entry, id=f"{entry.id}/{recording.id}")


def _several(faults: Sequence[DataError]) -> str:
    """What is wrong with files, the first in full."""
    if len(faults) == 1:
        return str(faults[0])
    shown = shortened([str(fault) for fault in faults], 3, "; ")
    return f"{len(faults)} recordings cannot be read: {shown}. --dataset.bad-clips drop leaves them out."
