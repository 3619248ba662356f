"""What an extraction met: counts and names of the videos of each kind of problem, on screen and as JSON."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import asl_core as asl
from asl_video.extraction import Outcome

__all__ = ["LOST", "as_json", "report_lines"]

LOST = ("missing", "unreadable", "cut short", "without hands")  #: kinds of videos of which nothing was written


def report_lines(outcomes: Sequence[Outcome], repeated: Sequence[str]) -> Iterator[str]:
    """The report as text."""
    written = [outcome for outcome in outcomes if outcome.file]
    reused = sum(outcome.reused for outcome in written)
    again = f", {reused:,} of them before" if reused else ""
    yield f"{len(written):,} of {len(outcomes):,} videos extracted{again}"
    for kind, of_kind in _by_kind(outcomes).items():
        names = asl.shortened(outcome.entry.name for outcome in of_kind)
        yield f"  {kind}: {len(of_kind):,} ({names})"
        if kind not in ("missing", "variable rate"):
            yield f"    such as: {of_kind[0].problems[kind]}"
    if repeated:
        yield f"  listed twice, extracted once: {len(repeated):,} ({asl.shortened(repeated)})"
    if len(written) < len(outcomes):
        yield from _lost_lines(outcomes)


def _lost_lines(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """What the videos that are not there mean for training."""
    listed, written = Counter[str](), Counter[str]()
    for outcome in outcomes:
        split = outcome.entry.split or "all"
        listed[split] += 1
        written[split] += bool(outcome.file)
    yield "  left: " + ", ".join(f"{split} {written[split]:,} of {listed[split]:,}" for split in sorted(listed))
    train = Counter(o.entry.gloss for o in outcomes if o.file and o.entry.split in (None, "train"))
    glosses = dict.fromkeys(o.entry.gloss for o in outcomes)
    if gone := [gloss for gloss in glosses if not train[gloss]]:
        yield f"  signs without a training clip: {len(gone):,} of {len(glosses):,} ({asl.shortened(gone)})"


def _by_kind(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    kinds: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        for kind in outcome.problems:
            kinds[kind].append(outcome)
    order = {kind: number for number, kind in enumerate(LOST)}
    return dict(sorted(kinds.items(), key=lambda item: (order.get(item[0], len(order)), item[0])))


def as_json(outcomes: Sequence[Outcome], repeated: Sequence[str], detector: str) -> dict[str, Any]:
    """The whole report, with every name; the same for the same videos, however often it was stopped."""
    return {
        "asl": asl.__version__,
        "detector": detector,
        "videos": len(outcomes),
        "extracted": sum(bool(outcome.file) for outcome in outcomes),
        "problems": {
            kind: {outcome.entry.name: outcome.problems[kind] for outcome in of_kind}
            for kind, of_kind in _by_kind(outcomes).items()
        },
        "repeated": list(repeated),
    }
