"""What ``asl eval --errors`` prints: groups of clips, the hardest signs, and what is taken for what."""

from __future__ import annotations

from collections.abc import Sequence

from asl_core.cli.tables import table_lines
from asl_core.evaluation.mistakes import Confusion, Group, Mistakes, SignReport
from asl_core.text import one_line

__all__ = ["error_lines"]

SIGNS = 15  #: most signs shown, of those with errors
CONFUSIONS = 8
SIGNER_CLIPS = 4  #: signers of fewer clips are summed up


def error_lines(mistakes: Mistakes) -> list[str]:
    """The report for people; ``--json`` has the rest."""
    lines: list[str] = []
    for name, groups in mistakes.groups.items():
        lines += ["", *_group_lines(name, groups)]
    if mistakes.signs:
        lines += ["", *_sign_lines(mistakes.signs)]
    if mistakes.confusions:
        lines += ["", *_confusion_lines(mistakes.confusions)]
    if mistakes.notes:
        lines += ["", *(f"note: {note}" for note in mistakes.notes)]
    return [one_line(line) for line in lines]


def _group_lines(name: str, groups: Sequence[Group]) -> list[str]:
    shown = [g for g in groups if g.clips >= SIGNER_CLIPS] if name == "signer" else list(groups)
    rows = [[g.name, str(g.clips), _share(g.accuracy), " to ".join(_share(v) for v in g.interval)] for g in shown]
    lines = table_lines([f"by {name}", "clips", "right", "95 % interval"], rows) if rows else []
    if len(shown) < len(groups):
        rest = [g for g in groups if g.clips < SIGNER_CLIPS]
        clips, right = sum(g.clips for g in rest), sum(g.right for g in rest)
        lines.append(
            f"{len(rest)} signers of fewer than {SIGNER_CLIPS} clips: {clips} clips, {_share(right / clips)} right"
        )
    return lines


def _sign_lines(signs: Sequence[SignReport]) -> list[str]:
    wrong = [s for s in signs if s.right < s.clips]
    rows = [
        [
            s.gloss,
            "?" if s.train_clips is None else str(s.train_clips),
            f"{s.right}/{s.clips}",
            f"{s.top5}/{s.clips}",
            f"{s.mean_rank:.1f}",
            str(s.false_alarms),
            ", ".join(f"{gloss} ({n})" if n > 1 else gloss for gloss, n in s.taken_for),
        ]
        for s in wrong[:SIGNS]
    ]
    head = f"{len(signs) - len(wrong)} of {len(signs)} signs have every clip right; the hardest of the others:"
    columns = ["sign", "train", "right", "in 5", "rank", "alarms", "taken for"]
    return [head, *table_lines(columns, rows)] if rows else [f"all {len(signs)} signs have every clip right"]


def _confusion_lines(confusions: Sequence[Confusion]) -> list[str]:
    lines = [f"confused signs ({min(CONFUSIONS, len(confusions))} of {len(confusions)} pairs), with clips:"]
    for pair in confusions[:CONFUSIONS]:
        back = f", and {pair.reverse} the other way" if pair.reverse else ""
        count = len(pair.mistakes)
        lines.append(f"{pair.was} as {pair.said}: {count} clip{'s' * (count > 1)}{back}")
        lines += [
            f"  {m.clip}: {pair.said} {_share(m.probability)}, {pair.was} {_share(m.true_probability)} "
            f"(place {m.true_rank})"
            for m in pair.mistakes
        ]
        for gloss, examples in ((pair.was, pair.was_examples), (pair.said, pair.said_examples)):
            if examples:
                lines.append(f"  {gloss} in train: {', '.join(examples)}")
    return lines


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"
