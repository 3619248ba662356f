"""Depth-wise convolution over time that is fast on a CPU."""

from __future__ import annotations

from torch import Tensor, nn

from asl_core import ConfigError

__all__ = ["DepthwiseConvolution"]


class DepthwiseConvolution(nn.Conv1d):
    """Each feature convolved over ``kernel`` frames: (B, T, D) to (B, T, D).

    The parameters are those of ``nn.Conv1d(size, size, kernel, groups=size)``. Frames have the memory layout of a
    channels-last image of width 1, and torch's CPU kernel for such images is many times as fast as that for sequences,
    which would also need a transposed copy (``python tests/bench/convolution.py`` prints the times).

    Raises:
        ConfigError: the kernel is even.
    """

    def __init__(self, size: int, kernel: int):
        if kernel % 2 == 0:
            raise ConfigError([f"encoder option kernel is {kernel}: expected an odd number"])
        super().__init__(size, size, kernel, padding=kernel // 2, groups=size)

    def forward(self, frames: Tensor) -> Tensor:
        """(B, T, D) to the same shape; padding must be zero."""
        image = frames.unsqueeze(2).permute(0, 3, 1, 2)  # (B, D, T, 1), no copy
        convolved = nn.functional.conv2d(
            image, self.weight.unsqueeze(3), self.bias, padding=(self.kernel_size[0] // 2, 0), groups=self.groups
        )
        return convolved.permute(0, 2, 3, 1).squeeze(2)
