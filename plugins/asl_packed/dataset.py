"""The data set ``packed``: clips whose frames stay in mapped files until a batch needs them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import attrs

from asl_core import Clip, DataError, Finding, packed_splits, read_packed
from asl_packed.options import PackedOptions

__all__ = ["PackedDataset"]


class PackedDataset:
    """Clips of a folder that ``asl pack`` made, in the order and with the findings of the data set it packed."""

    def __init__(self, options: PackedOptions):
        self._options = options
        self.bad_clips = options.bad_clips  #: what a run does with numbers that no model can take

    @property
    def _root(self) -> Path:
        if self._options.root is None:
            raise DataError("the data set 'packed' has no folder: give --dataset.root OUT of `asl pack … OUT`.")
        return Path(self._options.root)

    def splits(self) -> Sequence[str]:
        """The splits that were packed.

        Raises:
            DataError: no folder was named, or it is none that ``asl pack`` made.
        """
        return packed_splits(self._root)[0]

    def clips(self, split: str) -> Sequence[Clip]:
        """The clips of a split; their features look into the file.

        Raises:
            DataError: the split was not packed, or its file is damaged.
        """
        if split not in self.splits():
            raise DataError(f"{self._root} holds no split {split!r}; there is {', '.join(self.splits())}.")
        return self._timed(read_packed(self._root / f"{split}.safetensors"))

    def findings(self) -> Sequence[Finding]:
        """What the data set that was packed had noticed in all of its splits."""
        return packed_splits(self._root)[1]

    def read(self, path: Path) -> Sequence[Clip]:
        """The clips of one packed file.

        Raises:
            DataError: another kind of file.
        """
        return self._timed(read_packed(path))

    def _timed(self, clips: Sequence[Clip]) -> Sequence[Clip]:
        fps = self._options.fps
        return clips if fps is None else [c if c.fps is not None else attrs.evolve(c, fps=fps) for c in clips]
