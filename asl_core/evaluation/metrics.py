"""The figures of an evaluation as objects: name, title, which way is better, how to print, what it needs.

Imports no torch, so that lists and progress lines may use it; :mod:`asl_core.evaluation.scoring` computes the figures.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import attrs

__all__ = ["AUTO", "HEADLINES", "LOSS", "SENTENCES", "TOP1", "TOP5", "WER", "Metric", "headlines", "metric_of"]


@attrs.frozen
class Metric:
    """A figure of an epoch or an evaluation."""

    name: str  #: its key in ``metrics.jsonl``, ``summary.json`` and ``train.select``
    title: str  #: in sentences and headings of tables
    larger_is_better: bool | None = None  #: None: neither direction is better, and it cannot select an epoch
    percent: bool = False  #: a share, printed in percent
    needs: str = ""  #: what has to be there for it to be measured
    short: str = ""  #: title of a narrow column, where it is not ``title``

    @property
    def sign(self) -> int:
        """1 where larger is better, -1 where smaller is, 0 where neither."""
        return 0 if self.larger_is_better is None else 1 if self.larger_is_better else -1

    @property
    def heading(self) -> str:
        """Title of a column."""
        return self.short or self.title

    def text(self, value: float) -> str:
        """A value as people read it: ``61.2 %``, or ``0.345``."""
        return f"{100 * value:.1f} %" if self.percent else f"{value:.3f}"


_RANKS = "a head that ranks glosses, and clips of one gloss each"

TOP1 = Metric("top1", "top-1", larger_is_better=True, percent=True, needs=_RANKS)
TOP5 = Metric("top5", "top-5", larger_is_better=True, percent=True, needs=_RANKS)
WER = Metric(
    "wer", "word error rate", larger_is_better=False, percent=True, needs="a head that reads sentences", short="WER"
)
#: share of sentences that were read without an error
SENTENCES = Metric("sentences", "whole sentences", larger_is_better=True, percent=True, needs=WER.needs)
LOSS = Metric("loss", "loss", larger_is_better=False, needs="a loss whose labels the clips have")

HEADLINES = (TOP1, TOP5, WER)  #: shown in progress lines and tables, in this order
AUTO = (WER, TOP1, LOSS)  #: the first that is measured selects the best epoch; only sentences have a word error rate

_KNOWN = {
    metric.name: metric
    for metric in (
        *HEADLINES, SENTENCES, LOSS,
        Metric("top1-known", "top-1 without unknown glosses", larger_is_better=True, percent=True, needs=_RANKS),
        Metric("top5-known", "top-5 without unknown glosses", larger_is_better=True, percent=True, needs=_RANKS),
        Metric("blank", "blank", percent=True),
        Metric("accuracy", "accuracy", larger_is_better=True),
        Metric("retrieval", "retrieval", larger_is_better=True),
        Metric("error", "error", larger_is_better=False),
    )
}  # fmt: skip


def metric_of(name: str, losses: Collection[str] = ()) -> Metric:
    """The metric behind a figure's name: ``top1``, ``HEAD.top1``, ``frame-accuracy``, or a loss and its parts.

    Args:
        name: of a figure.
        losses: names of the run's objectives; they and their parts (``NAME/PART``) are better when smaller.
    """
    last = name.rpartition(".")[2]
    known = _KNOWN.get(last) or next((m for m in _KNOWN.values() if last.endswith(f"-{m.name}")), None)
    if known is None:
        known = Metric(name, name, larger_is_better=False if name.partition("/")[0] in losses else None)
    return known if known.name == name else attrs.evolve(known, name=name, title=name)


def headlines(figures: Mapping[str, float] | Iterable[str]) -> list[Metric]:
    """Those of :data:`HEADLINES` that are among some figures."""
    names = set(figures)
    return [metric for metric in HEADLINES if metric.name in names]
