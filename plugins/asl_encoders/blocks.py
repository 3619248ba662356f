"""Residual blocks of attention encoders: pre-norm, rotary positions, stochastic depth."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from asl_core import ConfigError
from asl_encoders.dropout import Dropout

__all__ = ["Attention", "FeedForward", "Residual", "attention_pair", "refuse_unequal_heads", "skip_rates"]


def skip_rates(most: float, blocks: int) -> list[float]:
    """Rate at which each block is skipped in training, rising linearly with depth (Huang et al. 2016, section 3)."""
    return [most * n / max(blocks - 1, 1) for n in range(blocks)]


def refuse_unequal_heads(encoder: str, size: int, heads: int) -> None:
    """Heads are of equal size, and rotary positions need pairs.

    Raises:
        ConfigError: the size is not an even multiple of the heads.
    """
    if size % heads or (size // heads) % 2:
        raise ConfigError([f"encoder {encoder}: hidden-size {size} has to be an even multiple of heads {heads}"])


class Residual(nn.Module):
    """A residual branch: ``inner`` and dropout, skipped for some clips in training."""

    def __init__(self, inner: nn.Module, dropout: float, skip: float):
        super().__init__()
        self.inner = inner
        self.dropout = Dropout(dropout)
        self.skip = skip

    def forward(self, frames: Tensor, real: Tensor) -> Tensor:
        """(B, T, size) to the same shape; ``real`` (B, T) bool is False for padding."""
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
        """(B, T, size) attention of each frame to the real frames of its clip."""
        clips, length, size = frames.shape
        shape = (clips, length, 3, self.heads, size // self.heads)
        query, key, value = self.project(self.norm(frames)).view(shape).permute(2, 0, 3, 1, 4)
        angles = _angles(length, size // self.heads, frames)
        attended = nn.functional.scaled_dot_product_attention(
            _rotated(query, *angles), _rotated(key, *angles), value, attn_mask=real[:, None, None, :]
        )
        merged: Tensor = self.merge(attended.transpose(1, 2).reshape(clips, length, size))
        return merged


class FeedForward(nn.Module):
    """Two layers on each frame."""

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
        """(B, T, size) to the same shape."""
        return self.layers(frames)  # type: ignore[no-any-return]


def attention_pair(size: int, heads: int, expansion: int, dropout: float, skip: float) -> list[Residual]:
    """An attention block and its feed-forward block, with the same skip rate."""
    inner = Attention(size, heads), FeedForward(size, expansion, dropout)
    return [Residual(one, dropout, skip) for one in inner]


def _angles(frames: int, size: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines (frames, size / 2) of wavelengths from 2π frames to some thousands (Su et al. 2021, 3.2.2)."""
    rates = 1000.0 ** (-torch.arange(0, size, 2, device=like.device) / size)
    angles = torch.arange(frames, device=like.device)[:, None] * rates
    return angles.cos().to(like.dtype), angles.sin().to(like.dtype)


def _rotated(values: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Pairs of features (..., T, size) rotated by their frame's angle; which features form a pair does not matter."""
    one, other = values.chunk(2, dim=-1)
    return torch.cat([one * cosine - other * sine, one * sine + other * cosine], dim=-1)
