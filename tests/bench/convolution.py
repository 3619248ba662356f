"""Depth-wise convolution over time, forwards and backwards: torch's for sequences against ours, in turns.

python tests/bench/convolution.py
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from asl_encoders.convolution import DepthwiseConvolution


def seconds(run: Callable[[Tensor], Tensor], frames: Tensor) -> float:
    started = time.perf_counter()
    run(frames).sum().backward()
    return time.perf_counter() - started


def main() -> None:
    torch.set_num_threads(1)
    print("| kernel | nn.Conv1d | ours | ratio |\n|---|---|---|---|")
    for kernel in (5, 11, 17):
        ours = DepthwiseConvolution(256, kernel)
        frames = torch.randn(32, 45, 256, requires_grad=True)

        def plain(x: Tensor, layer: nn.Conv1d = ours) -> Tensor:
            return nn.Conv1d.forward(layer, x.transpose(1, 2)).transpose(1, 2)

        times: tuple[list[float], list[float]] = ([], [])
        runs: tuple[Callable[[Tensor], Tensor], ...] = (plain, ours)
        for turn in range(16):
            for side, run in zip(times, runs, strict=True):
                taken = seconds(run, frames)
                if turn:  # the first of each warms up
                    side.append(taken)
        first, second = (statistics.median(side) for side in times)
        print(f"| {kernel} | {1000 * first:.1f} ms | {1000 * second:.1f} ms | {second / first:.2f} |")


if __name__ == "__main__":
    main()
