"""The audit of the data before training: figures of every split, and what is wrong with it."""

from __future__ import annotations

import hashlib
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import numpy as np

from asl_core.clips.clip import Clip, Finding
from asl_core.compute.progress import track
from asl_core.data.identity import exact_digest, identity
from asl_core.data.names import look_alikes
from asl_core.data.numbers import bad_numbers
from asl_core.errors import DataError
from asl_core.text import shortened

__all__ = ["Audit", "SplitSummary", "audit_clips", "spans", "zero_share"]


@attrs.frozen
class SplitSummary:
    """Figures of one split."""

    clips: int
    glosses: int
    frames: tuple[int, float, int]  #: shortest, median, longest clip
    width: int  #: features per frame
    empty_share: float  #: share of frames in which nothing was seen
    signers: int
    fingerprint: str  #: of ids, glosses and frames; equal for equal data


@attrs.frozen
class Audit:
    """Figures of every split, and findings, errors first."""

    splits: Mapping[str, SplitSummary]
    findings: tuple[Finding, ...]

    def of_level(self, level: str) -> list[Finding]:
        """The findings of one level: ``error``, ``warning`` or ``note``."""
        return [f for f in self.findings if f.level == level]

    def require_sound(self) -> None:
        """Stop if the data must not be trained on.

        Raises:
            DataError: with every finding of level ``error``.
        """
        if errors := self.of_level("error"):
            raise DataError("the data cannot be used:\n" + "\n".join(f"  - {f.message}" for f in errors))

    def to_json(self) -> dict[str, Any]:
        """For ``audit.json``."""
        return attrs.asdict(self)


def zero_share(clip: Clip) -> np.ndarray:
    """(T,) share of each frame's features that are 0; 1 where all are -1, which detectors write as well."""
    share = (clip.features == 0).mean(1)
    return np.where((clip.features == -1).all(1), 1.0, share)


def audit_clips(
    splits: Mapping[str, Sequence[Clip]],
    findings: Sequence[Finding] = (),
    unseen: Callable[[Clip], np.ndarray] = zero_share,
    identities: Mapping[str, Mapping[str, str]] | None = None,
) -> Audit:
    """Look at every clip of every split once.

    Args:
        splits: name -> clips.
        findings: of the data set and the transforms.
        unseen: (T,) share of each frame of a clip that was not seen, where a transform knows better than its zeros.
        identities: split -> clip id -> :func:`asl_core.data.identity.identity`, where that is known already.
    """
    digests = {name: [exact_digest(c) for c in track(clips, f"auditing {name}")] for name, clips in splits.items()}
    empty = {
        name: [_empty_frames(c, unseen) for c in track(clips, f"auditing {name}")] for name, clips in splits.items()
    }
    others = [name for name in splits if name != "train"] if "train" in splits else []
    known = identities or {}
    alike = {
        name: [
            known.get(name, {}).get(c.id) or identity(c) or d.hex()
            for c, d in zip(splits[name], digests[name], strict=True)
        ]
        for name in (["train", *others] if others else ())  # nothing else is compared with another split
    }
    collected = list(findings)
    for name, clips in splits.items():
        collected += _within(name, clips, digests[name]) + _blank(name, clips, empty[name])
    collected += _constant(splits.get("train", ())) + _mixed(splits.get("train", ()))
    codes = {f.code for f in collected}  # packed clips bring what was found when they were packed
    collected += [
        f for f in look_alikes(g for clips in splits.values() for c in clips for g in c.glosses) if f.code not in codes
    ]
    for name in others:
        collected += _across(splits, alike, name)
    order = {"error": 0, "warning": 1, "note": 2}
    summaries = {name: _summary(clips, digests[name], empty[name]) for name, clips in splits.items() if clips}
    return Audit(summaries, tuple(sorted(collected, key=lambda f: order[f.level])))


def _findings(level: str, code: str, split: str, ids: Sequence[str], message: str, **data: Any) -> list[Finding]:
    """A finding about some clips of a split, or none where there are no such clips."""
    return [Finding(level, code, message, {"split": split, "ids": list(ids), **data})] if ids else []


def _has_frames(clip: Clip) -> bool:
    return clip.features.ndim == 2 and clip.features.size > 0


def _empty_frames(clip: Clip, unseen: Callable[[Clip], np.ndarray]) -> int:
    return int((unseen(clip) >= 1).sum()) if _has_frames(clip) else 0


def _blank(split: str, clips: Sequence[Clip], empty: Sequence[int]) -> list[Finding]:
    """Clips in which nothing was seen from end to end."""
    blank = [c.id for c, n in zip(clips, empty, strict=True) if n and n == len(c.features)]
    message = (
        f"{len(blank)} of {len(clips)} clips of {split} show nothing in any frame, only zeros or no hand "
        f"({shortened(blank)}): no sign can be recognised in them. Extract them again, or leave them out."
    )
    return _findings("warning", "blank-clips", split, blank, message)


def _summary(clips: Sequence[Clip], digests: Sequence[bytes], empty: Sequence[int]) -> SplitSummary:
    usable = [c for c in clips if _has_frames(c)]
    lengths = [len(c.features) if _has_frames(c) else 0 for c in clips]
    whole = hashlib.blake2b(digest_size=16)
    for clip, digest in zip(clips, digests, strict=True):
        whole.update("\0".join((clip.id, *clip.glosses)).encode(errors="backslashreplace") + digest)
    return SplitSummary(
        clips=len(clips),
        glosses=len({g for c in clips for g in c.glosses}),
        frames=(min(lengths), float(statistics.median(lengths)), max(lengths)),
        width=usable[0].features.shape[1] if usable else 0,
        empty_share=sum(empty) / max(1, sum(lengths)),
        signers=len({c.signer for c in clips if c.signer is not None}),
        fingerprint=whole.hexdigest(),
    )


def _within(split: str, clips: Sequence[Clip], digests: Sequence[bytes]) -> list[Finding]:
    """Faults of one split by itself."""
    if not clips:
        return [Finding("error", "empty-split", f"split {split} holds no clip; expected at least one.")]
    twice = [i for i, n in Counter(c.id for c in clips).items() if n > 1]
    message = f"{len(twice)} clip ids occur more than once in {split} ({shortened(twice)}); expected each once."
    findings = _findings("error", "duplicate-ids", split, twice, message)
    bad = [c.id for c in clips if not _has_frames(c)]
    if bad:
        message = f"{len(bad)} clips of {split} have no frames ({shortened(bad)}); leave them out of the files."
        return findings + _findings("error", "no-frames", split, bad, message)
    faults = {c.id: text for c in clips if (text := bad_numbers(c.features)) is not None}
    shown = shortened(f"clip {clip!r}: {text}" for clip, text in faults.items())
    message = f"{len(faults)} clips of {split} hold numbers that no model can take ({shown}); extract them again."
    findings += _findings("error", "non-finite", split, [*faults], message)
    widths = Counter(c.features.shape[1] for c in clips)
    usual = widths.most_common(1)[0][0]
    odd = [c.id for c in clips if c.features.shape[1] != usual]
    message = f"clips of {split} differ in features per frame: {dict(widths)} ({shortened(odd)} are the odd ones)."
    findings += _findings("error", "widths", split, odd, message)
    same = defaultdict(list)
    for clip, digest in zip(clips, digests, strict=True):
        same[digest].append(clip)
    groups = [g for g in same.values() if len(g) > 1]
    if groups:
        pairs = ["/".join(c.id for c in g) for g in groups]
        differing = ["/".join(c.id for c in g) for g in groups if len({c.glosses for c in g}) > 1]
        several = [shortened((c.id for c in g), 4, " = ") for g in groups if len({c.glosses for c in g}) > 1]
        more = f"; {len(differing)} of them under different glosses ({shortened(several)})" if differing else ""
        equal = shortened(shortened((c.id for c in g), 4, " = ") for g in groups)
        message = f"{len(groups)} groups of clips of {split} are identical ({equal}){more}."
        data = {"split": split, "groups": pairs, "different_glosses": differing}
        findings.append(Finding("warning", "identical-clips", message, data))
    return findings


def _constant(clips: Sequence[Clip]) -> list[Finding]:
    clips = [c for c in clips if _has_frames(c)]
    if len({c.features.shape[1] for c in clips}) != 1:
        return []
    low, high = clips[0].features[0], clips[0].features[0]
    for clip in clips:  # one at a time: there may be very many
        low, high = np.minimum(low, clip.features.min(0)), np.maximum(high, clip.features.max(0))
    dims = np.flatnonzero(low == high).tolist()
    if not dims:
        return []
    message = (
        f"{len(dims)} of {len(low)} feature dimensions never change in train ({spans(dims)}); they carry nothing, "
        f"and standardisation leaves their scale alone."
    )
    return [Finding("warning", "constant-dimensions", message, {"dimensions": dims})]


def _across(splits: Mapping[str, Sequence[Clip]], digests: Mapping[str, Sequence[str]], name: str) -> list[Finding]:
    """Faults between train and another split."""
    train, other = splits["train"], splits[name]
    origin = {d: c.id for c, d in zip(train, digests["train"], strict=True)}
    trained = {(c.id, d) for c, d in zip(train, digests["train"], strict=True)}
    same = [c.id for c, d in zip(other, digests[name], strict=True) if (c.id, d) in trained]
    message = (
        f"{len(same)} of {len(other)} clips of {name} are clips of train, by id and frames ({shortened(same)}): "
        f"figures on them say nothing of new clips. Name other files for train or for {name} (such as "
        f"--dataset.train and --dataset.{name}), or hold out a part of train with --split.fold 1/5."
    )
    findings = _findings("error", "trained-on", name, same, message)
    refused = set(same)
    leaks = [
        (c.id, origin[d]) for c, d in zip(other, digests[name], strict=True) if d in origin and c.id not in refused
    ]
    if leaks:
        message = (
            f"{len(leaks)} clips of {name} have the frames of a train clip under another id "
            f"({shortened(f'{a} = {b}' for a, b in leaks)}): they flatter the model. Leave them out: "
            f"--split.without {','.join(a for a, _ in leaks[:30])}{' and the rest' if len(leaks) > 30 else ''}."
        )
        findings.append(Finding("warning", "leak", message, {"split": name, "pairs": leaks}))
    shared = sorted(({c.id for c in other} & {c.id for c in train}) - refused)
    message = (
        f"{len(shared)} clip ids of {name} are also ids of train ({shortened(shared)}): the same clips, or a mix-up?"
    )
    findings += _findings("warning", "shared-ids", name, shared, message)
    findings += _not_scored(train, other, name)
    known = {g for c in train for g in c.glosses}
    unknown = [c.id for c in other if not set(c.glosses) <= known] if known else []
    glosses = sorted({g for c in other for g in c.glosses} - known)
    message = (
        f"{len(unknown)} clips of {name} have a gloss that train lacks ({shortened(glosses)}): they count as wrong, "
        f"and the figure without them is given too."
    )
    findings += _findings("warning", "unknown-glosses", name, unknown, message)
    absent = sorted(known - {g for c in other for g in c.glosses})
    if absent and other:
        message = f"{len(absent)} of {len(known)} glosses have no clip in {name}; per-class averages leave them out."
        findings.append(Finding("note", "absent-glosses", message, {"split": name, "glosses": absent}))
    signers = {c.signer for c in other if c.signer is not None}
    if both := signers & {c.signer for c in train}:
        message = f"{len(both)} of {len(signers)} signers of {name} are also in train: it measures known signers."
        findings.append(Finding("note", "shared-signers", message, {"split": name, "signers": sorted(map(str, both))}))
    return findings


def _not_scored(train: Sequence[Clip], other: Sequence[Clip], name: str) -> list[Finding]:
    """Clips that no figure can be taken on, where train has glosses: those without one, or with several."""
    counts = Counter(min(len(c.glosses), 2) for c in train)
    if not counts[1] + counts[2]:  # stage 1: nothing is to be named
        return []
    bare = [c.id for c in other if not c.glosses]
    rest = (
        f"the other {len(other) - len(bare)} are scored."
        if len(bare) < len(other)
        else f"nothing can be scored on {name}, and the loss of train chooses the best epoch."
    )
    message = f"{_clips(bare, other, name)} no gloss ({shortened(bare)}): they are in no figure; {rest}"
    findings = _findings("warning", "not-scored", name, bare, message)
    several = [c.id for c in other if len(c.glosses) > 1] if not counts[2] else []
    message = (
        f"{_clips(several, other, name)} several glosses ({shortened(several)}), and those of train have one: they are "
        f"not scored, unless all are sentences."
    )
    return findings + _findings("warning", "sentences-among-signs", name, several, message)


def _clips(some: Sequence[str], among: Sequence[Clip], split: str) -> str:
    return f"{len(some)} of {len(among)} clips of {split} {'has' if len(some) == 1 else 'have'}"


def _mixed(clips: Sequence[Clip]) -> list[Finding]:
    """Train clips of one gloss beside sentences: one sentence is enough for the whole run to be scored by its text."""
    several = [c.id for c in clips if len(c.glosses) > 1]
    if len(several) == len(clips):
        return []
    message = (
        f"{_clips(several, clips, 'train')} several glosses ({shortened(several)}): the run reads sentences, and every "
        f"clip is judged by word error rate."
    )
    return _findings("note", "sentences", "train", several, message)


def spans(numbers: Sequence[int]) -> str:
    """``[3, 30, 31, 32]`` as "3, 30-32"."""
    ranges: list[list[int]] = []
    for n in numbers:
        if ranges and n == ranges[-1][1] + 1:
            ranges[-1][1] = n
        else:
            ranges.append([n, n])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges)
