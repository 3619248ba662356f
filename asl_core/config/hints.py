"""What a user may have meant by a setting that does not exist: the nearest key or flag of all settings."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import attrs

from asl_core.config.aliases import ALIASES, REMARKS, VALUES
from asl_core.config.origins import DEFAULT, Kind
from asl_core.config.sources import LIST_SLOTS, Setting, shown
from asl_core.config.suggestions import find_offer
from asl_core.config.tables import TABLES
from asl_core.errors import nearest
from asl_core.registry.component import SLOTS, Offer, Registry
from asl_core.registry.options import former_keys, former_options, option_specs

__all__ = ["flag_of", "hint_for", "plain_word", "setting_hint"]

_SLOTS = ("dataset", "encoder", "head", "loss")
_MANY = 4  #: names listed where several components have an option of that name


class _Meant(NamedTuple):
    """A setting that may have been meant."""

    key: str  #: as a user writes it, ``train.learning-rate``
    of: tuple[str, ...] = ()  #: components that have it, where none of them is chosen
    slot: str = ""  #: of those components
    value: str = ""  #: that it stands for

    def text(self, *, as_flag: bool) -> str:
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


def hint_for(key: str, settings: Mapping[str, Setting], registry: Registry) -> str:
    """A trailing text for a setting that does not exist: what may have been meant, as a flag where it was a flag.

    Args:
        key: of the setting, one of ``settings``.
        settings: all that are set.
        registry: all components.
    """
    as_flag = settings[key].origin.kind is Kind.FLAG
    stem, _, name = key.rpartition(".")
    if stem in TABLES:
        return _hint_in_table(stem, name, as_flag=as_flag)
    slot = "loss" if ".losses." in stem else stem.partition(".")[0]
    slot = "head" if slot == "heads" else slot
    chooser = settings.get(f"{stem}.name")
    if chooser is None and slot in LIST_SLOTS and "." in stem:
        chooser = attrs.evolve(settings[key], value=stem.partition(".")[2])
    offer = find_offer(slot, chooser, registry) if slot in SLOTS else None
    if chooser is not None and offer is not None:
        return _hint_in_component(slot, offer, name, registry, as_flag=as_flag, default=chooser.origin == DEFAULT)
    return setting_hint(shown(key), registry, _chosen(settings), as_flag=as_flag)


def _chosen(settings: Mapping[str, Setting]) -> dict[str, list[str]]:
    """Slot -> names of the components that the settings choose."""
    chosen: dict[str, list[str]] = {}
    for key, setting in settings.items():
        slot, _, rest = key.partition(".")
        slot = ("loss" if ".losses." in key else "head") if slot == "heads" else slot
        values = setting.value if rest == "names" and isinstance(setting.value, tuple) else [setting.value]
        if key.rpartition(".")[2] in ("name", "names"):
            chosen.setdefault(slot, []).extend(v for v in values if isinstance(v, str))
    return chosen


def setting_hint(key: str, registry: Registry, chosen: Mapping[str, Iterable[str]], *, as_flag: bool = False) -> str:
    """A trailing text for a setting of no table and no chosen component.

    Args:
        key: as it was written, ``lr`` or ``trian.epochs``.
        registry: all components.
        chosen: slot -> names of those that the configuration chooses.
        as_flag: whether it was a flag, and the answer should be one.
    """
    meant = _meant(key, registry, chosen)
    if isinstance(meant, str):
        return f"; {meant}"
    if meant:
        return f"; did you mean {' or '.join(m.text(as_flag=as_flag) for m in meant[:2])}?"
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


def _meant(key: str, registry: Registry, chosen: Mapping[str, Iterable[str]]) -> list[_Meant] | str:
    """Settings that ``key`` may stand for, the likeliest first; or a remark on what there is instead."""
    word = plain_word(key)
    if "." in word:
        return _dotted(word, registry, chosen)
    keys = _keys(registry, chosen)
    leaves: dict[str, list[_Meant]] = {}
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
        meant = [m for name in ALIASES[word] for m in ([whole[name]] if name in whole else _best(leaves.get(name, [])))]
        return [m._replace(value=VALUES.get(word, "")) for m in meant]
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
        return [_Meant(f"{best}.name" if best in _SLOTS else f"{best}.names" if best in LIST_SLOTS else best)]
    return _meant(best, registry, chosen)


def _dotted(word: str, registry: Registry, chosen: Mapping[str, Iterable[str]]) -> list[_Meant]:
    """``trian.epochs``, ``model.hidden-dim``: a right last part counts where the first is no table."""
    first, _, rest = word.partition(".")
    if first in (*TABLES, *_SLOTS, "heads", *LIST_SLOTS):
        return []
    tables = [*TABLES, *_SLOTS, *LIST_SLOTS]
    if difflib.get_close_matches(first, tables, n=1, cutoff=0.6):
        return []
    meant = _meant(rest.rpartition(".")[2], registry, chosen)
    return meant if isinstance(meant, list) else []


def _classes(registry: Registry) -> list[tuple[str, type]]:
    """``(stem, options class)`` of every component, by the stems of :func:`_keys`."""
    return [
        (f"{slot}.{registry.name_of(offer)}" if slot in LIST_SLOTS else slot, offer.component.options)
        for slot in (*_SLOTS, *LIST_SLOTS)
        for offer in registry.slot(slot)
    ]


def _keys(registry: Registry, chosen: Mapping[str, Iterable[str]]) -> list[_Meant]:
    """Every setting there is: tables, what is chosen, then what other components have."""
    always = [_Meant(f"{table}.{s.key}") for table, cls in TABLES.items() for s in option_specs(cls)]
    always += [_Meant(f"{slot}.name") for slot in _SLOTS] + [_Meant(f"{slot}.names") for slot in LIST_SLOTS]
    others: dict[tuple[str, str], list[str]] = {}
    mine: list[_Meant] = []
    for slot in (*_SLOTS, *LIST_SLOTS):
        names = set(chosen.get(slot, ()))
        for offer in registry.slot(slot):
            name = registry.name_of(offer)
            stem = f"{slot}.{name}" if slot in LIST_SLOTS else slot
            for spec in option_specs(offer.component.options):
                key = f"{stem}.{spec.key}"
                if names & {name, offer.component.name, offer.qualified}:
                    mine.append(_Meant(key))
                else:
                    others.setdefault((slot, key), []).append(name)
    taken = {m.key for m in mine}
    rest = [_Meant(key, tuple(names), slot) for (slot, key), names in others.items() if key not in taken]
    # Augmentations have many options with everyday names; a user who chose none means none of them.
    return [*always, *mine, *(m for m in rest if m.slot not in LIST_SLOTS), *(m for m in rest if m.slot in LIST_SLOTS)]


def _best(meant: list[_Meant]) -> list[_Meant]:
    """Those that need no other choice, where there are such; else the first."""
    ready = [m for m in meant if not m.of]
    # Encoder before head before loss: "dropout" is the encoder's in every guide.
    order = {slot: index for index, slot in enumerate(("train", "run", "split", "init", "encoder", "loss", "dataset"))}
    ranked = sorted(ready or meant, key=lambda m: order.get(m.key.partition(".")[0], len(order)))
    return ranked[:2] if ready else ranked[:1]


def _component(word: str, registry: Registry) -> _Meant | None:
    """``--gru`` for ``--encoder gru``, ``--stage1`` for ``--init stage1:PATH``."""
    for slot in (*_SLOTS, *LIST_SLOTS):
        if any(o.component.name == word for o in registry.slot(slot)):
            return _Meant(f"{slot}.names" if slot in LIST_SLOTS else f"{slot}.name", value=word)
    if any(o.component.name == word for o in registry.slot("checkpoint-loader")):
        return _Meant("init.path", value=f"{word}:PATH")
    return None


def _choices(slot: str, names: Iterable[str], *, as_flag: bool) -> str:
    """``--dataset packed or --dataset wlasl``."""
    shown = list(names)[:_MANY]
    return " or ".join(f"--{slot} {name}" if as_flag else f"{slot} = {name!r}" for name in shown)


def _hint_in_table(table: str, key: str, *, as_flag: bool) -> str:
    """For ``train.lr``: an option that a table does not have."""
    word, keys = plain_word(key), [s.key for s in option_specs(TABLES[table])]
    for one in (word, *(a.removeprefix(f"{table}.") for a in ALIASES.get(word, ()))):
        if one in keys:
            return f"; did you mean {flag_of(f'{table}.{one}') if as_flag else repr(one)}?"
    return nearest(key, keys, former_options(TABLES[table]))


def _hint_in_component(slot: str, offer: Offer, key: str, registry: Registry, *, as_flag: bool, default: bool) -> str:
    """For an option that a chosen component does not have; ``default`` where nobody chose the component."""
    word, name = plain_word(key), registry.name_of(offer)
    keys = [s.key for s in option_specs(offer.component.options)]
    former = former_options(offer.component.options)
    wanted = [word, *ALIASES.get(word, ())]
    if one := next((one for one in wanted if one in keys), None):
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
    if difflib.get_close_matches(key, [*keys, *former], n=1, cutoff=0.6):
        return nearest(key, keys, former)
    elsewhere = _meant(word, registry, {slot: [name]})
    if isinstance(elsewhere, list) and elsewhere and (word in ALIASES or elsewhere[0].key.endswith(f".{word}")):
        return f"; did you mean {elsewhere[0].text(as_flag=as_flag)}?"
    return nearest(key, keys)
