"""What was meant by a setting that does not exist: the right key or flag, searched for in all that there is."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from asl_core.config.aliases import ALIASES, REMARKS, VALUES
from asl_core.config.run_config import TABLES
from asl_core.config.sources import LIST_SLOTS
from asl_core.errors import nearest
from asl_core.registry.component import Offer, Registry
from asl_core.registry.former import former_keys, former_options
from asl_core.registry.options import option_specs

__all__ = ["Meant", "flag_of", "meant", "option_hint", "plain_word", "setting_hint"]

_SLOTS = ("dataset", "encoder", "head", "loss")
_MANY = 4  #: names listed where several components have an option of that name


class Meant(NamedTuple):
    """A setting that may have been meant."""

    key: str  #: as a user writes it, ``train.learning-rate``
    of: tuple[str, ...] = ()  #: components that have it, where none of them is chosen
    slot: str = ""  #: of those components
    value: str = ""  #: that it stands for

    def said(self, *, as_flag: bool) -> str:
        """In words, for the end of a message."""
        if self.value:
            return f"{flag_of(self.key)} {self.value}" if as_flag else f"{self.key} = {self.value!r}"
        name = flag_of(self.key) if as_flag else repr(self.key)
        return f"{name}, with {_choices(self.slot, self.of, as_flag=as_flag)}" if self.of else name


def plain_word(word: str) -> str:
    """``--Batch_Size`` as ``batch-size``."""
    return word.strip().lstrip("-").replace("_", "-").lower()


def flag_of(key: str) -> str:
    """The shortest flag of a setting: ``train.epochs`` is ``--epochs``, ``encoder.name`` is ``--encoder``."""
    table, _, rest = key.partition(".")
    if table == "init":
        return {"path": "--init", "freeze": "--freeze"}.get(rest, f"--{key}")
    if table in TABLES:
        return f"--{rest}"
    stem, _, last = key.rpartition(".")
    return (
        f"--{stem}" if (last == "name" and stem in _SLOTS) or (last == "names" and stem in LIST_SLOTS) else f"--{key}"
    )


def setting_hint(key: str, registry: Registry, chosen: Mapping[str, Iterable[str]], *, as_flag: bool = False) -> str:
    """A trailing text for a setting of no table and no chosen component.

    Args:
        key: as it was written, ``lr`` or ``trian.epochs``.
        registry: all components.
        chosen: slot -> names of those that the configuration chooses.
        as_flag: whether it was a flag, and the answer should be one.
    """
    found = meant(key, registry, chosen)
    if isinstance(found, str):
        return f"; {found}"
    if found:
        return f"; did you mean {' or '.join(m.said(as_flag=as_flag) for m in found[:2])}?"
    first, _, rest = key.partition(".")
    tables = [*TABLES, *_SLOTS, "heads", *LIST_SLOTS]
    if first in tables:
        options = [s.key for s in option_specs(TABLES[first])] if first in TABLES and not rest else []
        return (
            f"; its options are {', '.join(f'--{first}.{key}' if as_flag else key for key in options)}"
            if options
            else ""
        )
    if as_flag and not rest:
        return "; --help lists the flags"
    return nearest(first, tables)


def meant(key: str, registry: Registry, chosen: Mapping[str, Iterable[str]]) -> list[Meant] | str:
    """Settings that ``key`` may stand for, the likeliest first; or a remark on what there is instead."""
    word = plain_word(key)
    if "." in word:
        return _dotted(word, registry, chosen)
    keys = _keys(registry, chosen)
    leaves: dict[str, list[Meant]] = {}
    for one in keys:
        leaves.setdefault(one.key.rpartition(".")[2], []).append(one)
    for old, now in former_keys([*TABLES.items(), *_classes(registry)]).items():
        leaves.setdefault(old.rpartition(".")[2], []).extend(one for one in keys if one.key == now)
    if word in leaves and word not in ("name", "names"):
        return _best(leaves[word])
    if word in REMARKS:
        return REMARKS[word]
    if word in ALIASES:
        whole = {m.key: m for m in keys}
        found = [m for name in ALIASES[word] for m in ([whole[name]] if name in whole else _best(leaves.get(name, [])))]
        return [m._replace(value=VALUES.get(word, "")) for m in found]
    if named := _component(word, registry):
        return [named]
    if word in (*TABLES, *_SLOTS, "heads", *LIST_SLOTS):
        return []
    whole = {m.key: m for m in keys if m.key.partition(".")[0] in TABLES}
    names = {**{leaf: leaf for leaf in leaves}, **dict.fromkeys(ALIASES), **dict.fromkeys(REMARKS)}
    tables = [*TABLES, *_SLOTS, *LIST_SLOTS]
    short = {n for n in [*names, *tables] if len(n) > 2}  # the shortest are close to everything
    close = difflib.get_close_matches(word, sorted(short), n=3, cutoff=0.7)
    best = next((n for n in close if n in leaves), close[0] if close else None)
    if best is None:
        return []
    if best in leaves:
        return _best(leaves[best])
    if best in tables and best not in names:
        return [Meant(f"{best}.name" if best in _SLOTS else f"{best}.names" if best in LIST_SLOTS else best)]
    return meant(best, registry, chosen)


def _dotted(word: str, registry: Registry, chosen: Mapping[str, Iterable[str]]) -> list[Meant]:
    """``trian.epochs``, ``model.hidden-dim``: a right last part counts where the first is no table."""
    first, _, rest = word.partition(".")
    if first in (*TABLES, *_SLOTS, "heads", *LIST_SLOTS):
        return []
    tables = [*TABLES, *_SLOTS, *LIST_SLOTS]
    if difflib.get_close_matches(first, tables, n=1, cutoff=0.6):
        return []
    found = meant(rest.rpartition(".")[2], registry, chosen)
    return found if isinstance(found, list) else []


def _classes(registry: Registry) -> list[tuple[str, type]]:
    """``(stem, options class)`` of every component, by the stems of :func:`_keys`."""
    return [
        (f"{slot}.{registry.name_of(offer)}" if slot in LIST_SLOTS else slot, offer.component.options)
        for slot in (*_SLOTS, *LIST_SLOTS)
        for offer in registry.slot(slot)
    ]


def _keys(registry: Registry, chosen: Mapping[str, Iterable[str]]) -> list[Meant]:
    """Every setting there is: tables, what is chosen, then what other components have."""
    found = [Meant(f"{table}.{s.key}") for table, cls in TABLES.items() for s in option_specs(cls)]
    found += [Meant(f"{slot}.name") for slot in _SLOTS] + [Meant(f"{slot}.names") for slot in LIST_SLOTS]
    others: dict[tuple[str, str], list[str]] = {}
    mine: list[Meant] = []
    for slot in (*_SLOTS, *LIST_SLOTS):
        names = set(chosen.get(slot, ()))
        for offer in registry.slot(slot):
            name = registry.name_of(offer)
            stem = f"{slot}.{name}" if slot in LIST_SLOTS else slot
            for spec in option_specs(offer.component.options):
                key = f"{stem}.{spec.key}"
                if names & {name, offer.component.name, offer.qualified}:
                    mine.append(Meant(key))
                else:
                    others.setdefault((slot, key), []).append(name)
    taken = {m.key for m in mine}
    rest = [Meant(key, tuple(names), slot) for (slot, key), names in others.items() if key not in taken]
    # Augmentations have many options with everyday names; a user who chose none means none of them.
    return [*found, *mine, *(m for m in rest if m.slot not in LIST_SLOTS), *(m for m in rest if m.slot in LIST_SLOTS)]


def _best(found: list[Meant]) -> list[Meant]:
    """Those that need no other choice, where there are such; else the first."""
    ready = [m for m in found if not m.of]
    # Encoder before head before loss: "dropout" is the encoder's in every guide.
    order = {slot: place for place, slot in enumerate(("train", "run", "split", "init", "encoder", "loss", "dataset"))}
    ranked = sorted(ready or found, key=lambda m: order.get(m.key.partition(".")[0], len(order)))
    return ranked[:2] if ready else ranked[:1]


def _component(word: str, registry: Registry) -> Meant | None:
    """``--gru`` for ``--encoder gru``, ``--stage1`` for ``--init stage1:PATH``."""
    for slot in (*_SLOTS, *LIST_SLOTS):
        if any(o.component.name == word for o in registry.slot(slot)):
            return Meant(f"{slot}.names" if slot in LIST_SLOTS else f"{slot}.name", value=word)
    if any(o.component.name == word for o in registry.slot("checkpoint-loader")):
        return Meant("init.path", value=f"{word}:PATH")
    return None


def _choices(slot: str, names: Iterable[str], *, as_flag: bool) -> str:
    """``--dataset packed or --dataset wlasl``."""
    shown = list(names)[:_MANY]
    return " or ".join(f"--{slot} {name}" if as_flag else f"{slot} = {name!r}" for name in shown)


def option_hint_of_table(table: str, key: str, *, as_flag: bool = False) -> str:
    """A trailing text for ``train.lr``: an option that a table does not have."""
    word = plain_word(key)
    own = [s.key for s in option_specs(TABLES[table])]
    former = former_options(TABLES[table])
    for one in (word, *(a.removeprefix(f"{table}.") for a in ALIASES.get(word, ()))):
        if one in own:
            return f"; did you mean {flag_of(f'{table}.{one}') if as_flag else repr(one)}?"
    return nearest(key, own, former)


def option_hint(
    slot: str, offer: Offer, key: str, registry: Registry, *, as_flag: bool = False, default: bool = False
) -> str:
    """A trailing text for an option that a chosen component does not have.

    Args:
        slot: of the component.
        offer: the component that is chosen.
        key: of the option, without the slot.
        registry: all components.
        as_flag: whether it was a flag.
        default: whether nobody chose the component.
    """
    word, name = plain_word(key), registry.name_of(offer)
    own = [s.key for s in option_specs(offer.component.options)]
    former = former_options(offer.component.options)
    wanted = [word, *(a for a in ALIASES.get(word, ()))]
    for one in wanted:
        if one in own:
            return f"; did you mean {one!r}?"
    for one in wanted:
        others = [
            registry.name_of(o)
            for o in registry.slot(slot)
            if o is not offer and one in {s.key for s in option_specs(o.component.options)}
        ]
        if others:
            whose = f"{slot} {name!r}, the default," if default else f"{slot} {name!r}"
            return f"; {whose} has none of that name, choose {_choices(slot, others, as_flag=as_flag)}"
    if difflib.get_close_matches(key, [*own, *former], n=1, cutoff=0.6):
        return nearest(key, own, former)
    elsewhere = meant(word, registry, {slot: [name]})
    if isinstance(elsewhere, list) and elsewhere and (word in ALIASES or elsewhere[0].key.endswith(f".{word}")):
        return f"; did you mean {elsewhere[0].said(as_flag=as_flag)}?"
    return nearest(key, own)
