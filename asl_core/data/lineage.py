"""The clips behind a model's weights: those of its own run, and of every run whose weights it started from.

A run keeps them in ``trained-on.json`` beside its checkpoints, each by its id and a digest of its frames before any
transform: a clip is recognised under another name, in another file, or packed. Figures on a clip that was trained on,
in any stage, say nothing of new clips.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from asl_core.errors import CheckpointError
from asl_core.files.bounded import read_json
from asl_core.files.paths import TRAINED_ON
from asl_core.text import json_text, shortened

__all__ = ["Identities", "Overlap", "TrainedOn"]

_FORMAT = 1

#: clip id -> digest of its frames; empty for a clip that shows nothing
Identities = Mapping[str, str]


@attrs.frozen
class Overlap:
    """Clips held out that a model was trained on."""

    same: tuple[str, ...] = ()  #: by id and frames
    copies: tuple[tuple[str, str], ...] = ()  #: (id, the id it was trained on under): equal frames
    names: tuple[str, ...] = ()  #: by id alone: the same recording with other features, or another clip of that name

    @classmethod
    def of(cls, trained: Identities, held: Identities, own: Identities | None = None) -> Overlap:
        """Clips ``held`` out that are among those ``trained`` on.

        Args:
            trained: clips of an earlier run or stage.
            held: clips to be evaluated on.
            own: train clips of the run itself, whose copies in ``held`` the audit reports.
        """
        own = own or {}
        by_digest = {digest: clip for clip, digest in trained.items() if digest}
        known = {digest for digest in own.values() if digest}
        same, copies, names = [], [], []
        for clip, digest in held.items():
            if digest and trained.get(clip) == digest:
                same.append(clip)
            elif digest in by_digest and digest not in known:
                copies.append((clip, by_digest[digest]))
            elif clip in trained and clip not in own:
                names.append(clip)
        return cls(tuple(same), tuple(copies), tuple(names))

    @property
    def ids(self) -> list[str]:
        """Ids of all the clips, as held out."""
        return [*self.same, *(clip for clip, _ in self.copies), *self.names]

    def without_names(self) -> Overlap:
        """Only those with equal frames."""
        return Overlap(self.same, self.copies)

    def __str__(self) -> str:
        """``3 by id and frames (a, b, c), 1 by frames (d = e)``."""
        parts = [
            (self.same, "by id and frames"),
            ([f"{a} = {b}" for a, b in self.copies], "by frames under another id"),
            (self.names, "by id, with other frames"),
        ]
        return ", ".join(f"{len(ids)} {how} ({shortened(ids)})" for ids, how in parts if ids)

    def __bool__(self) -> bool:
        return bool(self.same or self.copies or self.names)


@attrs.frozen(eq=False)
class TrainedOn:
    """The clips behind a run's weights."""

    clips: Identities  #: of the run's own training
    before: tuple[tuple[str, Identities], ...] = ()  #: of each run before it, by its path, the nearest first
    unknown: tuple[str, ...] = ()  #: checkpoints before it without a record

    @classmethod
    def after(cls, clips: Identities, checkpoint: Path | None) -> TrainedOn:
        """For a run that starts from a checkpoint, or from nothing.

        Raises:
            CheckpointError: the record of the checkpoint's run is damaged.
        """
        if checkpoint is None:
            return cls(clips)
        earlier = cls.beside(checkpoint)
        if earlier is None:
            return cls(clips, (), (str(checkpoint),))
        return cls(clips, ((str(checkpoint), earlier.clips), *earlier.before), earlier.unknown)

    @classmethod
    def beside(cls, checkpoint: Path) -> TrainedOn | None:
        """The record of a run, by its folder or one of its checkpoints; None where it has none.

        Raises:
            CheckpointError: the file is damaged.
        """
        file = (checkpoint if checkpoint.is_dir() else checkpoint.parent) / TRAINED_ON
        if not file.is_file() or (checkpoint.is_file() and checkpoint.suffix != ".safetensors"):
            return None
        remedy = "Put the file back; without it the clips behind these weights are unknown."
        record = read_json(file, remedy)
        try:
            if record["format"] != _FORMAT:
                raise ValueError(f"its format is {str(record['format'])[:40]}")
            before = [(str(entry["run"]), _identities(entry["clips"])) for entry in record["before"]]
            return cls(_identities(record["clips"]), tuple(before), tuple(map(str, record["unknown"])))
        except (LookupError, TypeError, ValueError, AttributeError) as fault:
            raise CheckpointError(
                f"{file} is not what a run writes ({type(fault).__name__}: {str(fault)[:200]}). {remedy}"
            ) from fault

    def to_json(self) -> str:
        """The text of the file."""
        before = [{"run": run, "clips": dict(clips)} for run, clips in self.before]
        content = {"format": _FORMAT, "clips": dict(self.clips), "before": before, "unknown": list(self.unknown)}
        return json_text(content, indent=0) + "\n"

    def overlaps(self, held: Identities, *, names: bool = True) -> Iterable[tuple[str, Overlap]]:
        """Each earlier run that was trained on clips ``held`` out, with those clips.

        Args:
            held: clips that the run is evaluated on.
            names: whether an equal id counts where the frames differ.
        """
        for run, clips in self.before:
            overlap = Overlap.of(clips, held, self.clips)
            if overlap := overlap if names else overlap.without_names():
                yield run, overlap


def _identities(kept: Any) -> dict[str, str]:
    if not isinstance(kept, dict) or not all(isinstance(digest, str) for digest in kept.values()):
        raise TypeError("its clips are no table of digests")
    return kept
