"""Alignment: the likeliest path of frames, free or through given glosses (Viterbi 1967; Graves et al. 2006).

A path through glosses ``a b`` runs over the states ``∅ a ∅ b ∅``, one per frame: it stays, advances by one, or by two
from a gloss to a different one. The best score of a state on frame t is that of its best predecessor plus the
log-probability of its symbol; the path is traced back from the better of the last two states.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from asl_core import Span

__all__ = ["best_path", "spans_of", "through"]

_BLANK = 0


def best_path(log_probs: Tensor, blank_penalty: float = 0.0) -> list[int]:
    """The best symbol (T,) of each frame of log-probabilities (T, 1 + C)."""
    best: list[int] = torch.cat([log_probs[:, :1] - blank_penalty, log_probs[:, 1:]], 1).argmax(1).tolist()
    return best


def through(log_probs: Tensor, glosses: Sequence[int]) -> list[int]:
    """The states (T,) of the best path that reads as these class numbers: 2n is a blank, 2n + 1 gloss n.

    Raises:
        ValueError: there are fewer frames than the glosses need.
    """
    symbols = [_BLANK] + [s for c in glosses for s in (c + 1, _BLANK)]
    emitted = log_probs.double().cpu()[:, symbols]
    skips = torch.tensor([n > 1 and s != _BLANK and s != symbols[n - 2] for n, s in enumerate(symbols)])
    best = torch.full((len(symbols),), -torch.inf, dtype=torch.float64)
    best[:2] = emitted[0, :2]
    came: list[Tensor] = []
    for frame in emitted[1:]:
        one = torch.nn.functional.pad(best, (1, 0), value=-torch.inf)[:-1]
        two = torch.nn.functional.pad(best, (2, 0), value=-torch.inf)[: len(best)].masked_fill(~skips, -torch.inf)
        best, step = torch.stack([best, one, two]).max(0)
        best = best + frame
        came.append(step)
    state = len(symbols) - 1 if len(symbols) == 1 or best[-1] > best[-2] else len(symbols) - 2
    if best[state].isneginf():
        raise ValueError(f"{len(emitted)} frames cannot carry {len(glosses)} glosses")
    path = [state]
    for step in reversed(came):
        path.append(path[-1] - int(step[path[-1]]))
    return path[::-1]


def spans_of(path: Sequence[int], symbols: Sequence[int], log_probs: Tensor) -> list[Span]:
    """The runs of equal states in a path (T,), with the symbol (T,) of each frame."""
    spans: list[Span] = []
    start = 0
    for _, frames in itertools.groupby(path):
        end = start + len(list(frames))
        symbol = symbols[start]
        probability = float(log_probs[start:end, symbol].exp().mean())
        spans.append(Span(None if symbol == _BLANK else symbol - 1, start, end, probability))
        start = end
    return spans
