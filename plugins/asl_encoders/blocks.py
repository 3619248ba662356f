"""Residual blocks of attention encoders: pre-norm, rotary positions, stochastic depth."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from asl_core import ConfigError
from asl_encoders.dropout import Dropout

__all__ = ["Attention", "FeedForward", "Residual", "attention_pair", "refuse_unequal_heads", "skip_rates"]


def skip_rates(most: float, blocks: int) -> list[float]:
    """How often each block is left out in training, the later the more often (Huang et al. 2016, section 3)."""
    return [most * n / max(blocks - 1, 1) for n in range(blocks)]


def refuse_unequal_heads(encoder: str, size: int, heads: int) -> None:
    """Every head takes as many numbers of a frame, and turns them in pairs.

    Raises:
        ConfigError: the size cannot be shared out so.
    """
    if size % heads or (size // heads) % 2:
        raise ConfigError([f"encoder {encoder}: hidden-size {size} has to be an even multiple of heads {heads}"])


class Residual(nn.Module):
    """A residual branch: ``inner``, dropout, left out of some clips in training."""

    def __init__(self, inner: nn.Module, dropout: float, skip: float):
        super().__init__()
        self.inner = inner
        self.dropout = Dropout(dropout)
        self.skip = skip

    def forward(self, frames: Tensor, real: Tensor) -> Tensor:
        """(B, T, size) of the same shape; ``real`` (B, T) bool says which frames are no padding."""
        branch: Tensor = self.dropout(self.inner(frames, real))
        if self.training and self.skip:
            kept = torch.rand(len(frames), 1, 1, device=frames.device) >= self.skip
            branch = branch * (kept / (1 - self.skip)).to(branch.dtype)
        return frames + branch


class Attention(nn.Module):
    """Self-attention with rotary positions."""

    def __init__(self, size: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(size)
        self.project = nn.Linear(size, 3 * size)
        self.merge = nn.Linear(size, size)

    def forward(self, frames: Tensor, real: Tensor) -> Tensor:
        """What each frame takes from the real frames of its clip."""
        clips, length, size = frames.shape
        shape = (clips, length, 3, self.heads, size // self.heads)
        query, key, value = self.project(self.norm(frames)).view(shape).permute(2, 0, 3, 1, 4)
        turn = _angles(length, size // self.heads, frames)
        seen = nn.functional.scaled_dot_product_attention(
            _turned(query, *turn), _turned(key, *turn), value, attn_mask=real[:, None, None, :]
        )
        found: Tensor = self.merge(seen.transpose(1, 2).reshape(clips, length, size))
        return found


class FeedForward(nn.Module):
    """Two layers a frame."""

    def __init__(self, size: int, expansion: int, dropout: float):
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(size),
            nn.Linear(size, expansion * size),
            nn.SiLU(),
            Dropout(dropout),
            nn.Linear(expansion * size, size),
        )

    def forward(self, frames: Tensor, real: Tensor) -> Tensor:
        """Each frame by itself."""
        found: Tensor = self.layers(frames)
        return found


def attention_pair(size: int, heads: int, expansion: int, dropout: float, skip: float) -> list[Residual]:
    """An attention block and the two layers after it, left out as often as each other."""
    inner = Attention(size, heads), FeedForward(size, expansion, dropout)
    return [Residual(one, dropout, skip) for one in inner]


def _angles(frames: int, size: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines (frames, size / 2) of wavelengths from 2π frames to some thousands (Su et al. 2021, 3.2.2)."""
    rates = 1000.0 ** (-torch.arange(0, size, 2, device=like.device) / size)
    angles = torch.arange(frames, device=like.device)[:, None] * rates
    return angles.cos().to(like.dtype), angles.sin().to(like.dtype)


def _turned(values: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Pairs of numbers (..., T, size) turned by their frame's angle; which numbers pair up does not matter."""
    one, other = values.chunk(2, dim=-1)
    return torch.cat([one * cosine - other * sine, one * sine + other * cosine], dim=-1)
