"""Code books: k-means clusters of each articulator's features over the train frames.

Clusters are not annotated phonemes but the nearest substitute without annotation: one book for the handshape of each
hand, its location, its orientation, its movement, and the non-manual features.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import torch
from torch import Tensor, nn

from asl_core import ConfigError, DataError
from asl_stages.statistics import FrameStatistics

__all__ = ["Block", "CodeBooks", "k_means", "parse_blocks"]

SAMPLE = 20_000  #: frames for the fit, evenly spaced over the train frames
ROUNDS = 25  #: of k-means; on hand features few codes change after ten


@attrs.frozen
class Block:
    """Features ``first`` to ``end`` (exclusive) of a frame."""

    name: str  #: of the articulator
    first: int
    end: int


def parse_blocks(texts: Sequence[str]) -> tuple[Block, ...]:
    """Blocks from ``name=first:end``.

    Raises:
        ConfigError: with every fault found.
    """
    blocks: list[Block] = []
    problems: list[str] = []
    for text in texts:
        name, _, numbers = text.partition("=")
        first, _, end = numbers.partition(":")
        if not (name and first.isdecimal() and end.isdecimal() and int(first) < int(end)):
            problems.append(
                f"loss.blocks has {text!r}: expected name=first:end with first < end, such as location=10:16"
            )
        elif name in {b.name for b in blocks}:
            problems.append(f"loss.blocks names {name!r} twice: expected a name for each block")
        else:
            blocks.append(Block(name, int(first), int(end)))
    if not blocks and not problems:
        problems.append("loss.blocks is empty: expected at least one block, such as location=10:16")
    if problems:
        raise ConfigError(problems)
    return tuple(blocks)


class CodeBooks(nn.Module):
    """A book of codes for each block, in buffers, which are saved and restored with the run.

    Before :meth:`fit` the codes are fixed random points, as in BEST-RQ (Chiu et al., ICML 2022).

    Attributes:
        centres: (blocks, codes, widest block) in train deviations, 0 past a block's width.
        used: (blocks,) bool, whether the block has any variance in train.
        commonest: (blocks,) the most frequent code of train, the baseline to beat.
    """

    centres: Tensor
    used: Tensor
    commonest: Tensor

    def __init__(self, blocks: Sequence[Block], codes: int):
        super().__init__()
        self.blocks = tuple(blocks)
        widest = max(b.end - b.first for b in blocks)
        random = torch.Generator().manual_seed(0)
        centres = torch.zeros(len(blocks), codes, widest)
        for number, block in enumerate(blocks):
            centres[number, :, : block.end - block.first] = torch.randn(
                codes, block.end - block.first, generator=random
            )
        self.register_buffer("centres", centres)
        self.register_buffer("used", torch.ones(len(blocks), dtype=torch.bool))
        self.register_buffer("commonest", torch.zeros(len(blocks), dtype=torch.int64))

    def fit(self, frames: Tensor, statistics: FrameStatistics) -> tuple[str, ...]:
        """Fit every book to (N, D) raw train frames.

        Returns:
            Names of the blocks that are left out, since they are constant in train.

        Raises:
            ConfigError: the frames lack the features of a block.
            DataError: no block has any variance.
        """
        outside = [b for b in self.blocks if b.end > frames.shape[1]]
        if outside:
            raise ConfigError(
                f"loss.blocks has {b.name}={b.first}:{b.end}, and the clips have {frames.shape[1]} features per frame: "
                f"name the blocks of this layout with --loss.blocks name=first:end,… and their number with "
                f"--head.blocks"
                for b in outside
            )
        step = max(1, -(-len(frames) // SAMPLE))
        sample = (frames[::step] - statistics.mean) / statistics.scale
        for number, block in enumerate(self.blocks):
            varies = bool(statistics.varying[block.first : block.end].any())
            self.used[number] = varies
            if varies:
                part = sample[:, block.first : block.end].double()
                centres, codes = k_means(part, self.centres.shape[1], ROUNDS)
                self.centres[number, :, : part.shape[1]] = centres
                self.commonest[number] = codes.bincount(minlength=len(centres)).argmax()
        if not bool(self.used.any()):
            raise DataError(
                f"the blocks {', '.join(b.name for b in self.blocks)} are constant in train, so there are no codes to "
                f"learn; look at the clips with `asl audit`, or name other features with --loss.blocks."
            )
        return tuple(b.name for b, used in zip(self.blocks, self.used.tolist(), strict=True) if not used)

    def forward(self, frames: Tensor) -> Tensor:
        """(B, T, blocks) int64 codes of standardised frames (B, T, D): the nearest centre of each book."""
        codes = []
        for block, centres in zip(self.blocks, self.centres.to(frames.dtype), strict=True):
            part = frames[..., block.first : block.end]
            # Squared differences instead of products, whose rounding depends on the shape of the batch.
            in_block = centres[:, : block.end - block.first]
            distance = torch.stack([(part - centre).square().sum(-1) for centre in in_block], -1)
            codes.append(distance.argmin(-1))
        return torch.stack(codes, -1)


def k_means(points: Tensor, number: int, rounds: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Lloyd's algorithm from a k-means++ start (Arthur and Vassilvitskii, SODA 2007).

    With fewer distinct points than ``number``, some centres are equal or without points; the first of equal ones gets
    the points. A centre that loses all its points stays where it is.

    Args:
        points: (N, D) on the CPU.
        number: of centres.
        rounds: of assignment and averaging.
        seed: of the start.

    Returns:
        (number, D) centres, and (N,) the centre of each point.
    """
    random = torch.Generator().manual_seed(seed)
    first = int(torch.randint(len(points), (1,), generator=random))
    chosen = [points[first]]
    nearest = (points - chosen[0]).square().sum(1)
    for _ in range(number - 1):
        total = float(nearest.sum())
        index = int(torch.multinomial(nearest, 1, generator=random)) if total > 0 else first
        chosen.append(points[index])
        nearest = nearest.minimum((points - chosen[-1]).square().sum(1))
    centres = torch.stack(chosen)
    codes = _assign(points, centres)
    for _ in range(rounds):
        members = nn.functional.one_hot(codes, number).to(points.dtype)
        counts = members.sum(0)
        means = members.t() @ points / counts.clamp(min=1)[:, None]
        centres = torch.where(counts[:, None] > 0, means, centres)
        after = _assign(points, centres)
        if torch.equal(after, codes):
            break
        codes = after
    return centres, codes


def _assign(points: Tensor, centres: Tensor) -> Tensor:
    # |p - c|² without |p|², which is equal for every centre.
    return (centres.square().sum(1) - 2 * points @ centres.t()).argmin(1)
