"""The transfer plan: which tensors of a checkpoint fit an encoder, by names and shapes. Every tensor is listed."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from asl_core.errors import CheckpointError
from asl_core.text import shortened

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Mismatch", "Named", "TransferPlan", "dtype_text", "rename", "rule_effects", "shape_text", "suggest_map"]

Named = tuple[str, tuple[int, ...]]  #: a tensor's name and shape
T = TypeVar("T")


@attrs.frozen
class Mismatch:
    """A tensor with different shapes on both sides."""

    name: str
    checkpoint: tuple[int, ...]
    encoder: tuple[int, ...]

    def __str__(self) -> str:
        return (
            f"{self.name} ({shape_text(self.checkpoint)} in the checkpoint, {shape_text(self.encoder)} in the encoder)"
        )


@attrs.frozen
class TransferPlan:
    """Every tensor of both sides, in exactly one of four lists."""

    loaded: tuple[Named, ...]  #: same name and shape on both sides
    missing: tuple[Named, ...]  #: in the encoder only
    unexpected: tuple[Named, ...]  #: in the checkpoint only
    mismatched: tuple[Mismatch, ...]
    covered: int  #: parameters of the encoder that the checkpoint has
    total: int  #: parameters of the encoder

    @classmethod
    def of(cls, checkpoint: Iterable[Named], encoder: Iterable[Named]) -> TransferPlan:
        """The plan for two lists of tensors.

        Raises:
            ValueError: a name occurs twice on one side.
        """
        theirs, ours = _unique(checkpoint), _unique(encoder)
        loaded = tuple((n, s) for n, s in ours.items() if theirs.get(n) == s)
        return cls(
            loaded=loaded,
            missing=tuple((n, s) for n, s in ours.items() if n not in theirs),
            unexpected=tuple((n, s) for n, s in theirs.items() if n not in ours),
            mismatched=tuple(Mismatch(n, theirs[n], s) for n, s in ours.items() if n in theirs and theirs[n] != s),
            covered=sum(math.prod(s) for _, s in loaded),
            total=sum(math.prod(s) for s in ours.values()),
        )

    @property
    def share(self) -> float:
        """Share of the encoder's parameters that the checkpoint has, 0 to 1."""
        return self.covered / self.total if self.total else 0.0

    @property
    def encoder(self) -> list[Named]:
        """The encoder's side."""
        return [*self.loaded, *self.missing, *((m.name, m.encoder) for m in self.mismatched)]

    def enough(self, required: float) -> bool:
        """Whether the share reaches ``required``; a plan that loads nothing never does."""
        return bool(self.loaded) and self.covered >= required * self.total

    def short(self) -> list[str]:
        """A line on what is loaded, and one for each reason why a tensor is not."""
        lines = [
            f"{len(self.loaded)} of {len(self.encoder)} encoder tensors loaded ({self.covered:,} of {self.total:,} "
            f"parameters, {_percent(self.share)})"
        ]
        left = {
            "left at random, of another shape": self.mismatched,
            "left at random, not in the checkpoint": self.missing,
            "not used, not in the encoder": self.unexpected,
        }
        return lines + [f"{text}: {_some(items)}" for text, items in left.items() if items]

    def full(self) -> list[str]:
        """A line for every tensor."""
        lines = [f"loaded      {_item(x)}" for x in self.loaded]
        lines += [f"missing     {_item(x)}" for x in self.missing]
        lines += [f"mismatched  {x}" for x in self.mismatched]
        return lines + [f"unexpected  {_item(x)}" for x in self.unexpected]

    def misfits(self) -> str:
        """What does not fit, in one sentence."""
        kinds = {
            "of another shape": self.mismatched,
            "in the encoder and not in the checkpoint": self.missing,
            "in the checkpoint and not in the encoder": self.unexpected,
        }
        return "; ".join(f"{text}: {_some(items)}" for text, items in kinds.items() if items)

    def to_json(self) -> dict[str, Any]:
        """For ``transfer.json``."""
        return {
            **{
                key: [{"name": n, "shape": list(s)} for n, s in getattr(self, key)]
                for key in ("loaded", "missing", "unexpected")
            },
            "mismatched": [
                {"name": m.name, "checkpoint": list(m.checkpoint), "encoder": list(m.encoder)} for m in self.mismatched
            ],
            "covered_parameters": self.covered,
            "encoder_parameters": self.total,
            "share": self.share,
        }


def rename(tensors: Mapping[str, T], rules: Sequence[str]) -> dict[str, T]:
    """Tensors under other names: each ``OLD=NEW`` replaces a prefix of whole dotted parts.

    The longest rule that fits a name counts, once; ``encoder=`` takes a prefix away, ``=encoder`` puts one before
    every name that no other rule fits, and a name that no rule fits stays.

    Raises:
        CheckpointError: a rule is not of that form or fits no tensor, or two tensors would have one name.
    """
    pairs: dict[str, str] = {}
    for rule in rules:
        old, equals, new = rule.partition("=")
        old, new = old.strip().strip("."), new.strip().strip(".")
        if not equals or old in pairs:
            raise CheckpointError(
                f"--init.map {rule!r} {'gives a prefix twice' if equals else 'is not OLD=NEW'}; expected prefixes of "
                f"tensor names such as backbone.rnn=lstm, or encoder= to take one away."
            )
        pairs[old] = new
    used: set[str] = set()
    renamed: dict[str, T] = {}
    for name, tensor in tensors.items():
        after, replaced = _renamed(name, pairs)
        used.update(() if replaced is None else (replaced,))
        if after in renamed or not after:
            raise CheckpointError(
                f"--init.map gives tensor {name!r} the name {after!r}, which "
                f"{'another has already' if after else 'is empty'}; choose distinct prefixes."
            )
        renamed[after] = tensor
    if unused := [old for old in pairs if old not in used]:
        near = _near_prefix(unused[0], tensors)
        hint = f" Did you mean --init.map {near}={pairs[unused[0]]}?" if near else ""
        raise CheckpointError(
            f"--init.map: no tensor of the checkpoint starts with {', '.join(map(repr, unused))}; it holds "
            f"{_some([(n, ()) for n in tensors])}.{hint} `asl inspect` lists all of them."
        )
    return renamed


def _renamed(name: str, pairs: Mapping[str, str]) -> tuple[str, str | None]:
    """A tensor's new name, and the prefix that was replaced in it."""
    fitting = [old for old in pairs if not old or name == old or name.startswith(f"{old}.")]
    if not fitting:
        return name, None
    old = max(fitting, key=len)
    rest = name[len(old) :].removeprefix(".") if old else name
    return ".".join(part for part in (pairs[old], rest) if part), old


def _prefixes(names: Iterable[str]) -> list[str]:
    return sorted({name.rsplit(".", n)[0] for name in names for n in range(name.count(".") + 1)})


def _near_prefix(wrong: str, names: Iterable[str]) -> str | None:
    """The prefix that a mistyped one may mean: of other case, below another prefix, or similar."""
    known = _prefixes(names)
    same = [prefix for prefix in known if prefix.casefold() == wrong.casefold()]
    below = [prefix for prefix in known if prefix.casefold().endswith(f".{wrong.casefold()}")]
    return next(iter([*same, *below, *difflib.get_close_matches(wrong, known, n=1)]), None)


def rule_effects(tensors: Iterable[str], rules: Sequence[str], encoder: Sequence[Named]) -> list[str]:
    """For each rule of ``--init.map`` the tensors it renamed, and how many of the new names the encoder has.

    A rule without any such name gets a warning, with the name that may be meant.
    """
    pairs = {old.strip().strip("."): new.strip().strip(".") for old, _, new in (rule.partition("=") for rule in rules)}
    ours = {name for name, _ in encoder}
    renamed: dict[str, list[str]] = {old: [] for old in pairs}
    for name in tensors:
        after, used = _renamed(name, pairs)
        if used is not None:
            renamed[used].append(after)
    lines = []
    for old, names in renamed.items():
        fitting = sum(name in ours for name in names)
        rule = f"--init.map {old}={pairs[old]}"
        if fitting or not names:
            lines.append(f"{rule} renames {len(names)} tensors; the encoder has {fitting} of the new names")
            continue
        near = _near_prefix(pairs[old], ours) if pairs[old] else None
        hint = f"; did you mean {old}={near}?" if near else ""
        lines.append(
            f"warning: {rule} renames {len(names)} tensors, and the encoder has none of the new names (first "
            f"{names[0]!r}, the encoder's {next(iter(ours), '')!r}){hint}"
        )
    return lines


def suggest_map(checkpoint: Sequence[Named], encoder: Sequence[Named]) -> tuple[str, TransferPlan] | None:
    """The rule that removes one prefix so that more of the checkpoint fits, with its plan; None where none does."""
    best, better = TransferPlan.of(checkpoint, encoder).covered, None
    prefixes = {name.rsplit(".", n)[0] for name, _ in checkpoint for n in range(1, name.count(".") + 1)}
    for prefix in sorted(prefixes):
        under = [(n.removeprefix(f"{prefix}."), s) for n, s in checkpoint if n.startswith(f"{prefix}.")]
        plan = TransferPlan.of(under, encoder)
        if plan.covered > best:
            best, better = plan.covered, (f"{prefix}=", plan)
    return better


def shape_text(shape: Sequence[int]) -> str:
    """``(512, 36)`` as "512 × 36"."""
    return " × ".join(map(str, shape)) if shape else "one number"


def dtype_text(tensor: Tensor) -> str:
    """``float32``."""
    return str(tensor.dtype).removeprefix("torch.")


def _unique(tensors: Iterable[Named]) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for name, shape in tensors:
        if name in shapes:
            raise ValueError(f"tensor {name!r} occurs twice")
        shapes[name] = tuple(shape)
    return shapes


def _percent(share: float) -> str:
    """Rounded down, so that 100 % means all."""
    return f"{math.floor(1000 * share) / 10:g} %"


def _item(item: Named | Mismatch) -> str:
    if isinstance(item, Mismatch):
        return str(item)
    name, shape = item
    return f"{name} ({shape_text(shape)})" if shape else name


def _some(items: Sequence[Any], most: int = 8) -> str:
    """The first few by name, and how many more."""
    return shortened(map(_item, items), most)
