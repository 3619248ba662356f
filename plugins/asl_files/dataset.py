"""The ``files`` data set: what is on the disk as clips, with what was taken for what."""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import attrs
import numpy as np

from asl_core import Clip, DataError, Finding, Format, Formats, Layout, Part, Recording, shortened, track
from asl_files.entries import Entry, natural
from asl_files.folders import Found, find_recordings
from asl_files.lists import find_list, read_list
from asl_files.options import FilesOptions
from asl_files.splitting import divide

__all__ = ["FilesDataset"]

_ORDER = ("train", "val", "test")


@attrs.define
class _Index:
    """What is known before recordings are read."""

    entries: list[Entry]
    of_path: dict[Path, tuple[str, Format]]
    splits: tuple[str, ...]
    split_of: dict[str, str]
    group_of: dict[str, str]
    findings: list[Finding]
    held: dict[str, Recording] = attrs.field(factory=dict)  #: recordings of files that hold several, by id


class FilesDataset:
    """Recordings of any format, one class a gloss. Nothing is read before it is asked for.

    Args:
        options: where the files are, and what says which sign they show.
    """

    def __init__(self, options: FilesOptions):
        self._options = options
        self.bad_clips = options.bad_clips  #: what a run does with numbers that no model can take
        self._noticed: dict[str, list[Finding]] = {}

    def splits(self) -> Sequence[str]:
        """The splits that the files say, or that are made of them.

        Raises:
            DataError: no folder was named, or there is no recording in it.
        """
        return self._index.splits

    def clips(self, split: str) -> Iterator[Clip]:
        """The recordings of a split, in the order of their names as people count.

        Raises:
            DataError: a file is damaged, or not of the format that it seemed to be of.
        """
        index = self._index
        if split not in index.splits:
            raise DataError(f"{self._options.root} holds no split {split!r}; there is {', '.join(index.splits)}.")
        entries = [entry for entry in index.entries if index.split_of[entry.id] == split]
        unseen, notes = _Unseen(), defaultdict[str, list[str]](list)
        for entry in track(entries, f"reading {split}"):
            for recording in self._recordings(entry):
                unseen.add(recording)
                for note in recording.notes:
                    notes[note].append(recording.id)
                yield self._clip(entry, recording, index.group_of.get(entry.id))
        self._noticed[split] = [*unseen.findings(split), *_notes(split, notes)]

    def findings(self) -> Sequence[Finding]:
        """What every file was taken for, how splits were made, and what was not seen."""
        return [*self._index.findings, *(f for found in self._noticed.values() for f in found)]

    def read(self, path: Path) -> Sequence[Clip]:
        """Every recording in a file or folder, for prediction; their glosses are not known.

        Raises:
            DataError: no format recognises it.
        """
        found = _found(path, self._formats, self._options)
        if not found.entries:
            raise DataError(f"{path} is no recording of a known format (`asl ls format` lists them).")
        clips = []
        for entry in found.entries:
            for recording in found.of_path[entry.path][1].read(entry.path):
                clips.append(self._clip(attrs.evolve(entry, glosses=()), recording, None))
        return clips

    @functools.cached_property
    def _formats(self) -> Formats:
        return Formats.installed()

    @functools.cached_property
    def _index(self) -> _Index:
        options = self._options
        if options.root is None:
            raise DataError("the data set 'files' has no folder: give --dataset.root FOLDER, or set ASL_DATA.")
        found, findings = Found(), list[Finding]()
        for number, root in enumerate(map(Path, (options.root, *options.more_roots))):
            if not root.is_dir():
                raise DataError(f"{root} is no folder; expected one of recordings.")
            one = _found(root, self._formats, options)
            listed = _listing(root, options)
            if listed is not None:
                one.entries, more = _match(listed, read_list(listed, root), one, root)
                findings += more
            if number:
                one.entries = [attrs.evolve(e, id=f"{root.name}-{number + 1}/{e.id}") for e in one.entries]
            findings += _taken(root, one, listed)
            found.entries += one.entries
            found.of_path |= one.of_path
        if not found.entries:
            raise DataError(_nothing(options))
        held: dict[str, Recording] = {}
        entries = [e for entry in found.entries for e in _expanded(entry, found.of_path, held)]
        return self._divided(_Index(entries, found.of_path, (), {}, {}, findings, held))

    def _divided(self, index: _Index) -> _Index:
        options, entries = self._options, index.entries
        if bare := [entry.id for entry in entries if not entry.glosses]:
            text = f"{len(bare)} of {len(entries)} recordings have no gloss ({shortened(bare)})"
            if len(bare) == len(entries):
                raise DataError(f"{text}; expected folders named after signs, or a list: --dataset.manifest FILE.")
            index.findings.append(Finding("warning", "unlabelled", text))
        if options.leave_out:
            left_out = [entry for entry in entries if set(entry.glosses) & set(options.leave_out)]
            entries = [entry for entry in entries if not set(entry.glosses) & set(options.leave_out)]
            names = ", ".join(options.leave_out)
            text = f"--dataset.leave-out leaves out {len(left_out)} recordings of {names}"
            index.findings.append(Finding("note" if left_out else "warning", "left-out", text))
        said = Counter(entry.split for entry in entries)
        if set(said) == {None}:
            division = divide(entries, options.val_share, options.split_by)
            index.group_of = division.group
            index.split_of = {e.id: "val" if e.id in division.val else "train" for e in entries}
            if division.val:
                ids = sorted(division.val, key=natural)
                index.findings.append(Finding("note", "val-made", f"nothing says which are val: {division.rule}", {"val": ids}))
        else:
            if said[None]:
                text = f"{said[None]} of {len(entries)} recordings do not say their split; they are train"
                index.findings.append(Finding("warning", "split-unknown", text))
            index.split_of = {e.id: e.split or "train" for e in entries}
        entries = self._chosen(entries, index)
        index.entries = entries
        index.splits = tuple(s for s in _ORDER if any(index.split_of[e.id] == s for e in entries))
        return index

    def _chosen(self, entries: list[Entry], index: _Index) -> list[Entry]:
        """The entries of the glosses that are asked for."""
        asked = self._options.glosses
        if asked is None:
            return entries
        counts = Counter(g for e in entries if index.split_of[e.id] == "train" for g in e.glosses)
        if isinstance(asked, int):
            if asked > len(counts):
                raise DataError(f"--dataset.glosses {asked}: train has {len(counts)} glosses; expected at most that.")
            chosen = set(sorted(counts, key=lambda gloss: (-counts[gloss], gloss))[:asked])
        else:
            chosen = set(asked)
            if lacking := sorted(chosen - set(counts)):
                raise DataError(f"--dataset.glosses names {shortened(lacking)}, which no train recording shows.")
        kept = [entry for entry in entries if entry.glosses and set(entry.glosses) <= chosen]
        text = f"--dataset.glosses keeps {len(kept)} of {len(entries)} recordings ({len(chosen)} glosses)"
        index.findings.append(Finding("note", "glosses-kept", text))
        return kept

    def _recordings(self, entry: Entry) -> Iterable[Recording]:
        index = self._index
        if entry.id in index.held:
            return [index.held[entry.id]]
        return index.of_path[entry.path][1].read(entry.path)

    def _clip(self, entry: Entry, recording: Recording, group: str | None) -> Clip:
        recording = _cut(entry, recording)
        clip = _with_side(recording, self._options.hand).to_clip()
        fps = entry.fps or recording.fps or self._options.fps
        return attrs.evolve(
            clip,
            id=entry.id,
            glosses=entry.glosses or recording.glosses,
            signer=entry.signer or recording.signer,
            source=recording.source or str(entry.path),
            fps=fps,
            group=group,
        )


def _found(root: Path, formats: Formats, options: FilesOptions) -> Found:
    """What is in a folder, or what one file is."""
    only = None if options.format == "auto" else formats.named(options.format)
    own = (options.format, only) if only is not None else formats.of(root)
    if own is not None and (root.is_file() or own[1].recognises(root)):
        entry = Entry(id=root.name.split(".")[0] or root.name, path=root)
        return Found([entry], Counter([own[0]]), {root: own})
    return find_recordings(root, formats, only, options.format) if root.is_dir() else Found()


def _listing(root: Path, options: FilesOptions) -> Path | None:
    """The file that lists the recordings of a folder."""
    if options.manifest == "none":
        return None
    if options.manifest is None:
        return find_list(root)
    for path in (root / options.manifest, Path(options.manifest)):
        if path.is_file():
            return path
    raise DataError(f"--dataset.manifest {options.manifest}: no such file, neither in {root} nor here.")


def _match(listed: Path, entries: Sequence[Entry], found: Found, root: Path) -> tuple[list[Entry], list[Finding]]:
    """The listed recordings that are there, by their path or by their name without folder and ending.

    Raises:
        DataError: none is there.
    """
    by_name: dict[str, list[Path]] = defaultdict(list)
    for path in found.of_path:
        by_name[path.name if path.is_dir() else path.name.split(".")[0]].append(path)
    there, missing = [], []
    for entry in entries:
        path = entry.path
        if path not in found.of_path:
            near = by_name.get(path.name, by_name.get(path.stem, []))
            if len(near) != 1:
                missing.append(entry)
                continue
            path = near[0]
        there.append(attrs.evolve(entry, path=path))
    if not there:
        first = missing[0]
        raise DataError(
            f"{listed} lists {len(missing)} recordings, and none of them is in {root} as a file of a known format (first: "
            f"{first.path}, {first.where}). `asl audit {root} --dataset.manifest none` says what is in the folder."
        )
    findings = []
    if missing:
        names = [str(entry.path.relative_to(root)) for entry in missing]
        text = f"{len(missing)} of {len(entries)} recordings that {listed.name} lists are not in {root} ({shortened(names)})"
        findings.append(Finding("warning", "missing-files", f"{text}; the others are used", {"missing": names}))
    used = {entry.path for entry in there}
    if extra := [str(path.relative_to(root)) for path in found.of_path if path not in used]:
        text = f"{len(extra)} recordings in {root} are not listed in {listed.name} ({shortened(extra)}); they are not used"
        findings.append(Finding("note", "not-listed", text))
    return there, findings


def _expanded(entry: Entry, of_path: Mapping[Path, tuple[str, Format]], held: dict[str, Recording]) -> list[Entry]:
    """An entry for each recording of a file that holds several; those are read at once, for what they say."""
    form = of_path[entry.path][1]
    if not getattr(form, "several", False) and entry.glosses:
        return [entry]
    expanded = []
    for recording in form.read(entry.path):
        if entry.member is not None and recording.id != entry.member:
            continue
        alone = not getattr(form, "several", False) or entry.member is not None
        one = attrs.evolve(
            entry,
            id=entry.id if alone else f"{entry.id}/{recording.id}",
            glosses=entry.glosses or recording.glosses,
            split=entry.split or recording.split,
            signer=entry.signer or recording.signer,
        )
        held[one.id] = recording
        expanded.append(one)
    return expanded


def _taken(root: Path, found: Found, listed: Path | None) -> list[Finding]:
    """What the files of a folder were taken for."""
    kinds = ", ".join(f"{count:,} {name}" for name, count in found.formats.most_common())
    listing = f", listed in {listed.name}" if listed is not None else ""
    findings = [Finding("note", "formats", f"{root}: {kinds or 'no recording'}{listing}")]
    if len(found.formats) > 1:
        text = f"{root} holds recordings of {len(found.formats)} formats ({kinds}); --dataset.format NAME takes one alone"
        findings.append(Finding("warning", "mixed-formats", text))
    if found.unknown:
        names = [str(path.relative_to(root)) for path in found.unknown]
        text = f"{len(names)} files of {root} are of no known format and are not read ({shortened(names)})"
        findings.append(Finding("warning", "unread", text))
    if found.outside:
        names = [str(path.relative_to(root)) for path in found.outside]
        text = f"{len(names)} links lead out of {root} and are not followed ({shortened(names)})"
        findings.append(Finding("warning", "links", text))
    return findings


def _nothing(options: FilesOptions) -> str:
    chosen = "" if options.format == "auto" else f" of format {options.format}"
    return (
        f"{options.root} holds no recording{chosen} that a known format reads; expected folders named after signs with "
        f"recordings in them. `asl ls format` lists the formats, `asl help data` shows the layouts of folders."
    )


def _cut(entry: Entry, recording: Recording) -> Recording:
    """The frames that the entry names."""
    last = len(recording.points) if entry.end == -1 else entry.end
    if (entry.start, last) == (1, len(recording.points)):
        return recording
    start = max(entry.start - 1, 0)
    if start >= min(last, len(recording.points)):
        raise DataError(
            f"{entry.where} names frames {entry.start} to {entry.end} of {entry.path}, which has {len(recording.points)}."
        )
    times = recording.times
    return attrs.evolve(
        recording, points=recording.points[start:last], times=None if times is None else times[start:last]
    )


def _with_side(recording: Recording, hand: str) -> Recording:
    """A recording of one hand, which is said to be the right or the left one."""
    layout = recording.layout
    if hand == "auto" or layout.part("hand-1") is None or layout.part("hand-2") is not None:
        return recording
    parts = tuple(Part(f"{hand}-hand", p.points, p.scheme) if p.name == "hand-1" else p for p in layout.parts)
    return attrs.evolve(recording, layout=Layout(parts, layout.axes, layout.unit))


@attrs.define
class _Unseen:
    """In how many frames each part was not seen."""

    frames: Counter[str] = attrs.field(factory=Counter)
    lost: Counter[str] = attrs.field(factory=Counter)

    def add(self, recording: Recording) -> None:
        missing = np.isnan(recording.points[:, :, 0])
        for part in recording.layout.parts:
            self.frames[part.name] += len(missing)
            self.lost[part.name] += int(missing[:, recording.layout.place(part.name)].all(1).sum())

    def findings(self, split: str) -> list[Finding]:
        shares = {name: self.lost[name] / count for name, count in self.frames.items() if count}
        text = ", ".join(f"{name} in {share:.0%}" for name, share in shares.items())
        return [Finding("note", "not-seen", f"not seen, of the frames of {split}: {text}", {"share": shares})] if text else []


def _notes(split: str, notes: Mapping[str, Sequence[str]]) -> list[Finding]:
    """What formats have to say of recordings."""
    return [
        Finding("note", "recordings", f"{len(ids)} recordings of {split} ({shortened(ids)}): {text}", {"ids": list(ids)})
        for text, ids in notes.items()
    ]
