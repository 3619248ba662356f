"""A val split where nothing says which recordings it holds: whole signers, whole sessions, or blocks of neighbours.

Recordings that were made one after the other are near copies of each other: a model that has seen one knows the next.
So a split keeps neighbours together. What it does depends on the names alone, never on chance.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence

import attrs

from asl_core import natural_order
from asl_files.entries import Entry

__all__ = ["BLOCKS", "Division", "divide"]

BLOCKS = 5  #: into which the recordings of a sign are cut, in the order of their names
_FEWEST = 3  #: signers or sessions that there have to be for a val split of whole ones


@attrs.frozen
class Division:
    """Which entries are val, what is kept together, and how that was decided."""

    val: frozenset[str]  #: ids
    group: dict[str, str]  #: id -> what folds may not part either
    rule: str


def divide(entries: Sequence[Entry], share: float, by: str) -> Division:
    """Divide entries into train and val.

    Args:
        entries: all of the data set.
        share: of val, aimed at.
        by: ``signer``, ``session``, ``block``, or ``auto`` for the first of these that is known of all.
    """
    reasons = []
    for kind in ("signer", "session") if by == "auto" else (by,):
        names = [getattr(entry, kind, None) for entry in entries]
        known = sum(name is not None for name in names)
        if kind == "block" or not known:
            continue
        if known < len(entries):
            reasons.append(f"the {kind} of {len(entries) - known} of {len(entries)} recordings is not known")
            continue
        if by == "auto" and len(set(names)) < _FEWEST:
            reasons.append(f"there are only {len(set(names))} {kind}s")
            continue
        group = {entry.id: f"{kind} {name}" for entry, name in zip(entries, names, strict=True)}
        held_out = _whole_groups(entries, group, share)
        if share and not held_out and by == "auto":
            reasons.append(f"no {kind} can be left out of train without losing a sign")
            continue
        count = len({group[clip] for clip in held_out})
        return Division(held_out, group, f"{count} of {len(set(names))} {kind}s are val, none of them in train")
    blocks = _blocks(entries, share)
    why = f" ({'; '.join(reasons)})" if reasons else ""
    return attrs.evolve(blocks, rule=f"{blocks.rule}{why}")


def _whole_groups(entries: Sequence[Entry], group: dict[str, str], share: float) -> frozenset[str]:
    """Groups in an order that their names decide, until there are enough; no gloss loses its last group of train."""
    of_group: dict[str, list[Entry]] = defaultdict(list)
    train: dict[tuple[str, ...], int] = defaultdict(int)
    for entry in entries:
        of_group[group[entry.id]].append(entry)
        train[entry.glosses] += 1
    wanted, held_out = share * len(entries), set[str]()
    for name in sorted(of_group, key=lambda text: hashlib.blake2b(text.encode(), digest_size=8).digest()):
        members = of_group[name]
        lost: dict[tuple[str, ...], int] = defaultdict(int)
        for entry in members:
            lost[entry.glosses] += 1
        if len(held_out) + len(members) > 1.5 * wanted or any(train[g] <= n for g, n in lost.items()):
            continue
        held_out |= {entry.id for entry in members}
        for gloss, count in lost.items():
            train[gloss] -= count
        if len(held_out) >= wanted:
            break
    return frozenset(held_out)


def _blocks(entries: Sequence[Entry], share: float) -> Division:
    """Of each gloss the last of its blocks; a gloss of one recording has none."""
    of_gloss: dict[tuple[str, ...], list[Entry]] = defaultdict(list)
    for entry in entries:
        of_gloss[entry.glosses].append(entry)
    group: dict[str, str] = {}
    held_out = set[str]()
    for glosses, members in of_gloss.items():
        members.sort(key=lambda entry: natural_order(entry.id))
        held = min(max(1, round(share * len(members))), len(members) - 1) if share else 0
        for place, entry in enumerate(members):
            group[entry.id] = f"{' '.join(glosses)}, block {1 + place * BLOCKS // len(members)}"
        held_out |= {entry.id for entry in members[len(members) - held :]}
    count = f"{len(held_out)} of {len(entries)} recordings"
    rule = f"{count} are val, the last of each sign in the order of their names"
    return Division(frozenset(held_out), group, rule)
