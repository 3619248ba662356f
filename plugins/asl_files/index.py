"""What a data set knows of its recordings before they are read: which there are, of which format, sign and split."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from asl_core import DataError, Finding, Format, Formats, Recording, as_word, natural_order, shortened
from asl_files.entries import Entry, split_named
from asl_files.folders import FolderContent, find_recordings, name_of
from asl_files.lists import find_list, read_list
from asl_files.options import FilesOptions
from asl_files.recordings import member_of
from asl_files.splitting import divide

__all__ = ["Index", "build_index", "found_in"]

_ORDER = ("train", "val", "test")
_FEW = 3  #: files of a folder that are named one by one
_VIDEOS = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm")


@attrs.frozen
class Index:
    """The recordings of a data set, in the order of their splits."""

    entries: Mapping[str, Sequence[Entry]]  #: of each split
    of_path: Mapping[Path, tuple[str, Format]]
    held: Mapping[str, Recording]  #: recordings that were read already, by the id of their entry
    group: Mapping[str, str]  #: id of an entry -> what folds may not part
    findings: Sequence[Finding]


def build_index(options: FilesOptions, formats: Formats) -> Index:
    """Look through the folders and lists that the options name.

    Raises:
        DataError: there is no such folder, no recording in it, or nothing says which signs they show.
    """
    if options.root is None:
        raise DataError("the data set 'files' has no folder: give --dataset.root FOLDER, or set ASL_DATA.")
    folder, findings = FolderContent(), list[Finding]()
    for number, root in enumerate(map(Path, (options.root, *options.more_roots))):
        if not root.is_dir():
            raise DataError(f"{root} is no folder; expected one of recordings.")
        one = found_in(root, formats, options)
        listed = _listing(root, options)
        if listed is not None:
            entries, more = read_list(listed, root)
            one.entries, others = _match(listed, entries, one, root)
            findings += [*more, *others]
        if number:
            one.entries = [attrs.evolve(e, id=f"{root.name}-{number + 1}/{e.id}") for e in one.entries]
        findings += _taken(root, one, listed)
        folder.entries += one.entries
        folder.of_path |= one.of_path
    if not folder.entries:
        raise DataError(_nothing(options))
    held: dict[str, Recording] = {}
    entries = [e for entry in folder.entries for e in _expanded(entry, folder.of_path, held)]
    entries = _labelled(entries, options, findings)
    entries, group = _divided(entries, options, findings)
    entries = _chosen(entries, options, findings)
    findings += _signs(entries)
    splits = {name: [e for e in entries if e.split == name] for name in _ORDER}
    return Index({name: part for name, part in splits.items() if part}, folder.of_path, held, group, findings)


def _labelled(entries: list[Entry], options: FilesOptions, findings: list[Finding]) -> list[Entry]:
    """The entries without those of glosses that are left out."""
    if bare := [entry.id for entry in entries if not entry.glosses]:
        text = f"{len(bare)} of {len(entries)} recordings have no gloss ({shortened(bare)})"
        if len(bare) == len(entries):
            raise DataError(f"{text}; expected folders named after signs, or a list: --dataset.manifest FILE.")
        findings.append(Finding("warning", "unlabelled", text))
    if not options.leave_out:
        return entries
    kept = [entry for entry in entries if not set(entry.glosses) & set(options.leave_out)]
    count = len(entries) - len(kept)
    text = f"--dataset.leave-out leaves out {count} recordings of {', '.join(options.leave_out)}"
    findings.append(Finding("note" if count else "warning", "left-out", text))
    return kept


def _divided(
    entries: list[Entry], options: FilesOptions, findings: list[Finding]
) -> tuple[list[Entry], Mapping[str, str]]:
    """The entries with the split of each, and what folds may not part."""
    stated = Counter(entry.split for entry in entries)
    if set(stated) != {None} and stated[None]:
        text = f"{stated[None]} of {len(entries)} recordings do not say their split; they are train"
        findings.append(Finding("warning", "split-unknown", text))
    entries = [attrs.evolve(e, split=e.split or "train") for e in entries]
    train = [entry for entry in entries if entry.split == "train"]
    if stated["val"] or not train:
        return entries, {}
    division = divide(train, options.val_share, options.split_by)
    if division.val:
        ids = sorted(division.val, key=natural_order)
        text = f"nothing says which recordings are val: {division.rule}"
        findings.append(Finding("note", "val-made", text, {"val": ids}))
    elif options.val_share:
        text = "there is no val split, and none can be made: every sign has one recording alone"
        findings.append(Finding("warning", "no-val", text))
    return [attrs.evolve(e, split="val") if e.id in division.val else e for e in entries], division.group


def _chosen(entries: list[Entry], options: FilesOptions, findings: list[Finding]) -> list[Entry]:
    """The entries of the glosses that are asked for."""
    asked = options.glosses
    if asked is None:
        return entries
    counts = Counter(gloss for entry in entries if entry.split == "train" for gloss in entry.glosses)
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
    findings.append(Finding("note", "glosses-kept", text))
    return kept


def found_in(root: Path, formats: Formats, options: FilesOptions) -> FolderContent:
    """What is in a folder, or what one file or folder of frames is."""
    if options.format != "auto":
        formats = formats.only(options.format)
    recognised = formats.of(root)
    if recognised is not None:
        entry = Entry(id=name_of(root), path=root)
        return FolderContent([entry], Counter([recognised[0]]), {root: recognised})
    return find_recordings(root, formats) if root.is_dir() else FolderContent()


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


def _match(
    listed: Path, entries: Sequence[Entry], folder: FolderContent, root: Path
) -> tuple[list[Entry], list[Finding]]:
    """The listed recordings that are there, by their path or by their name without folder and ending.

    Raises:
        DataError: none is there.
    """
    by_name: dict[str, list[Path]] = defaultdict(list)
    for path in folder.of_path:
        for name in {path.name, name_of(path)}:
            by_name[name].append(path)
    any_case = {str(path.relative_to(root)).lower(): path for path in folder.of_path}
    present, missing = [], []
    for entry in entries:
        path = entry.path
        if path not in folder.of_path:
            near = by_name.get(path.name, by_name.get(path.stem, []))
            if len(near) != 1:
                missing.append(entry)
                continue
            path = near[0]
        present.append(attrs.evolve(entry, path=path))
    if not present:
        first = missing[0]
        if (other := any_case.get(str(first.path.relative_to(root)).lower())) is not None:
            raise DataError(f"{first.where} names {first.path}; there is {other}, in other capitals.")
        raise DataError(
            f"{listed} lists {len(missing)} recordings, and none of them is in {root} as a file of a known format (the "
            f"first: {first.path}, {first.where}). If it is no list of them: --dataset.manifest none."
        )
    findings = []
    if missing:
        names = [str(entry.path.relative_to(root)) for entry in missing]
        text = f"{len(missing)} of {len(entries)} recordings of {listed.name} are not in {root} ({shortened(names)})"
        findings.append(Finding("warning", "missing-files", f"{text}; the others are used", {"missing": names}))
    used = {entry.path for entry in present}
    if extra := [str(path.relative_to(root)) for path in folder.of_path if path not in used]:
        text = (
            f"{len(extra)} recordings in {root} are not listed in {listed.name} ({shortened(extra)}); they are not used"
        )
        findings.append(Finding("note", "not-listed", text))
    return present, findings


def _expanded(entry: Entry, of_path: Mapping[Path, tuple[str, Format]], held: dict[str, Recording]) -> list[Entry]:
    """The entry; where nothing says its gloss an entry for each recording of its file, which is read for that."""
    if entry.glosses:
        return [entry]
    recordings = member_of(entry, list(of_path[entry.path][1].read(entry.path)))
    expanded = []
    for recording in recordings:
        one = attrs.evolve(
            entry,
            id=entry.id if len(recordings) == 1 else f"{entry.id}/{recording.id}",
            glosses=recording.glosses,
            split=entry.split or recording.split,
            signer=entry.signer or recording.signer,
        )
        held[one.id] = recording
        expanded.append(one)
    return expanded


def _taken(root: Path, folder: FolderContent, listed: Path | None) -> list[Finding]:
    """What the files of a folder were taken for."""
    kinds = ", ".join(f"{count:,} {name}" for name, count in folder.formats.most_common())
    listing = f", listed in {listed.name}" if listed is not None else ""
    findings = [Finding("note", "formats", f"{root}: {kinds or 'no recording'}{listing}")]
    if len(folder.formats) > 1:
        text = (
            f"{root} holds recordings of {len(folder.formats)} formats ({kinds}); --dataset.format NAME takes one alone"
        )
        findings.append(Finding("warning", "mixed-formats", text))
    if folder.top != root:
        findings.append(Finding("note", "top", f"all recordings lie in {folder.top}: the folders in it are the signs"))
    if folder.unknown:
        text = (
            f"{len(folder.unknown)} files of {root} are of no known format and are not read "
            f"({shortened(_by_folder(root, folder.unknown))})"
        )
        findings.append(Finding("warning", "unread", text))
    if folder.links:
        names = [str(path.relative_to(root)) for path in folder.links]
        text = f"{len(names)} links in {root} lead to folders or out of it and are not followed ({shortened(names)})"
        findings.append(Finding("warning", "links", text))
    return findings


def _by_folder(root: Path, paths: Sequence[Path]) -> list[str]:
    """Files by name, many of one folder by how many they are: frames next to one that is none are such."""
    by_folder: dict[Path, list[Path]] = defaultdict(list)
    for path in paths:
        by_folder[path.parent].append(path)
    shown = []
    for folder, files in by_folder.items():
        place = folder.relative_to(root)
        if len(files) > _FEW:
            shown.append(f"{len(files)} in {place}, where not all are frames of one size with numbers as names")
        else:
            shown += [str(path.relative_to(root)) for path in files]
    return shown


def _signs(entries: Sequence[Entry]) -> list[Finding]:
    """The signs by name, so that a wrong depth of folders is seen; and folders that are called like splits."""
    signs = sorted({gloss for entry in entries for gloss in entry.glosses}, key=natural_order)
    findings = [Finding("note", "signs", f"{len(signs)} signs: {shortened(signs, 10)}")]
    deep = sorted({e.session for e in entries if e.session and any(map(split_named, e.session.split("/")))})
    if deep:
        text = (
            f"folders called {shortened(deep)} lie within folders of signs and are taken for sessions; splits have to "
            f"be the first folders of the data set"
        )
        findings.append(Finding("warning", "splits-below", text))
    return findings


def _nothing(options: FilesOptions) -> str:
    if list(Path(str(options.root)).glob("*.pkl")):
        return (
            f"{options.root} holds pickles and no recording of a known format. Feature pickles by clip id are read by "
            f"--dataset wlasl --dataset.train FILE."
        )
    if any(path.suffix.lower() in _VIDEOS for path in Path(str(options.root)).rglob("*")):
        return (
            f"{options.root} holds videos and no recording of landmarks. Extract the landmarks once: "
            f"asl extract {as_word(Path(str(options.root)))} --out FOLDER, then give that folder."
        )
    chosen = "" if options.format == "auto" else f" of format {options.format}"
    return (
        f"{options.root} holds no recording{chosen} that a known format reads; expected folders named after signs with "
        f"recordings in them. `asl ls format` lists the formats, `asl help data` shows the layouts of folders."
    )
