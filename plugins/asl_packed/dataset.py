"""The data set ``packed``: clips whose frames stay in memory-mapped files until a batch needs them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import attrs

from asl_core import Clip, DataError, Finding, packed_splits, read_packed
from asl_packed.options import PackedOptions

__all__ = ["PackedDataset"]


class PackedDataset:
    """Clips of a folder that ``asl pack`` wrote, in the order and with the findings of the packed data set."""

    def __init__(self, options: PackedOptions):
        self._options = options
        self.bad_clips = (
            options.bad_clips
        )  #: ``stop`` or ``drop``: what a run does with clips that have NaN or infinite numbers

    @property
    def _root(self) -> Path:
        if self._options.root is None:
            raise DataError(
                "the data set 'packed' needs a folder: give --dataset.root OUT, the folder of `asl pack … OUT`."
            )
        return Path(self._options.root)

    def splits(self) -> Sequence[str]:
        """The splits that were packed.

        Raises:
            DataError: no folder was given, or one that ``asl pack`` did not write.
        """
        return packed_splits(self._root)[0]

    def clips(self, split: str) -> Sequence[Clip]:
        """The clips of a split; their features are views of the mapped file.

        Raises:
            DataError: the split was not packed, or its file is damaged.
        """
        if split not in self.splits():
            raise DataError(f"{self._root} has no split {split!r}; it has {', '.join(self.splits())}.")
        return self._timed(read_packed(self._root / f"{split}.safetensors"))

    def findings(self) -> Sequence[Finding]:
        """The findings of the packed data set in all of its splits."""
        return packed_splits(self._root)[1]

    def read(self, path: Path) -> Sequence[Clip]:
        """The clips of one packed file.

        Raises:
            DataError: the file has another format.
        """
        return self._timed(read_packed(path))

    def _timed(self, clips: Sequence[Clip]) -> Sequence[Clip]:
        fps = self._options.fps
        return clips if fps is None else [c if c.fps is not None else attrs.evolve(c, fps=fps) for c in clips]
