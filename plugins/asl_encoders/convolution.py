"""Depth-wise convolution over time that is quick on a CPU."""

from __future__ import annotations

from torch import Tensor, nn

from asl_core import ConfigError

__all__ = ["DepthwiseConvolution"]


class DepthwiseConvolution(nn.Conv1d):
    """Every number of a frame convolved over ``kernel`` frames on its own: (B, T, D) to (B, T, D).

    The parameters are those of ``nn.Conv1d(size, size, kernel, groups=size)``. Frames lie in memory as the
    channels-last layout of an image of width 1 does, and torch's CPU kernel for such images is many times as quick
    as that for sequences, which also needs the frames turned round; ``python tests/bench/convolution.py`` prints the
    times.

    Raises:
        ConfigError: the kernel has no frame in its middle.
    """

    def __init__(self, size: int, kernel: int):
        if kernel % 2 == 0:
            raise ConfigError(
                [f"encoder option kernel is {kernel}: expected an odd number, with a frame in its middle"]
            )
        super().__init__(size, size, kernel, padding=kernel // 2, groups=size)

    def forward(self, frames: Tensor) -> Tensor:
        """Frames that have seen their neighbours; what stands past a clip's end must be zero."""
        image = frames.unsqueeze(2).permute(0, 3, 1, 2)  # (B, D, T, 1), no copy
        found = nn.functional.conv2d(
            image, self.weight.unsqueeze(3), self.bias, padding=(self.kernel_size[0] // 2, 0), groups=self.groups
        )
        return found.permute(0, 2, 3, 1).squeeze(2)
