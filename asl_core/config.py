"""The configuration of a run: what was chosen, every option checked, and the origin of every value."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import tomli_w

from asl_core.component import Component, Offer, Registry
from asl_core.errors import ConfigError, nearest
from asl_core.layers import LIST_SLOTS, Layer, Setting, merge, shown, value_layer
from asl_core.options import option, option_specs, parse_text, structure, unstructure

__all__ = [
    "Choice",
    "HeadChoice",
    "LossChoice",
    "RunConfig",
    "RunOptions",
    "SplitOptions",
    "TrainOptions",
    "resolve",
]


@attrs.frozen
class TrainOptions:
    """How a model is trained."""

    epochs: int = option(60, help="passes over the training clips", ge=1)
    batch_size: int = option(16, help="clips a step", ge=1)
    learning_rate: float = option(1e-3, help="peak learning rate of AdamW", gt=0)
    weight_decay: float = option(0.05, help="AdamW's decoupled decay, on matrices only", ge=0)
    warmup: float = option(0.1, help="share of all steps over which the learning rate rises", ge=0, lt=1)
    schedule: str = option("cosine", help="what the learning rate does after warm-up", choices=("cosine", "constant"))
    clip_norm: float = option(5.0, help="largest gradient norm, 0 for no clipping", ge=0)
    ema: float = option(0.99, help="decay of the averaged weights that are evaluated, 0 for none", ge=0, lt=1)
    accumulate: int = option(1, help="batches whose gradients are added up for one step", ge=1)
    patience: int = option(0, help="stop after this many epochs without a better val metric, 0 for never", ge=0)
    select: str = option("auto", help="val metric that chooses the best epoch: top1, top5, loss, wer, … or auto")
    standardise: bool = option(True, help="scale every feature to mean 0 and deviation 1 over the train frames")
    pool: int = option(32, help="batches sorted by length together; 1 for a plain random order", ge=1)
    eval_batch_size: int = option(64, help="clips a batch in evaluation", ge=1)
    precision: str = option(
        "auto",
        help="arithmetic of the forward pass; auto is bf16 on CUDA that has it",
        choices=("auto", "fp32", "bf16", "fp16"),
    )


@attrs.frozen
class RunOptions:
    """Where a run goes and on what it runs."""

    out: str = option("runs", help="folder that holds the run directories")
    name: str | None = option(None, help="name of the run directory; by default made from the choices and a number")
    seed: int = option(0, help="of the weights, the order of clips and the augmentation", ge=0)
    device: str = option("auto", help="auto, cpu, cuda, cuda:1, mps")
    threads: int = option(0, help="CPU threads, 0 for torch's own choice", ge=0)


@attrs.frozen
class SplitOptions:
    """Other splits than the data set's own, for studies."""

    fold: str | None = option(
        None, help="2/5: train on four fifths of train and validate on the second; val is not used"
    )
    fold_by: str = option(
        "gloss", help="folds hold out clips of every gloss, or whole signers", choices=("gloss", "signer")
    )
    train_share: float = option(1.0, help="train on this share of every gloss's clips", gt=0, le=1)


@attrs.frozen
class Choice:
    """A component and its options."""

    slot: str
    name: str
    component: Component
    options: Any

    def build(self, *args: Any) -> Any:
        """Call the factory: ``factory(options, *args)``."""
        return self.component.load()(self.options, *args)


@attrs.frozen
class LossChoice:
    """A loss and its weight in the sum."""

    choice: Choice
    weight: float


@attrs.frozen
class HeadChoice:
    """A head and its losses, by name."""

    choice: Choice
    losses: Mapping[str, LossChoice]


@attrs.frozen
class RunConfig:
    """Everything a run needs; equal configurations on equal files give equal runs."""

    dataset: Choice
    encoder: Choice
    heads: Mapping[str, HeadChoice]
    transforms: tuple[Choice, ...]
    augments: tuple[Choice, ...]
    observers: tuple[Choice, ...]
    train: TrainOptions
    run: RunOptions
    split: SplitOptions
    origins: Mapping[str, str] = attrs.field(eq=False)  #: dotted key -> where its value comes from
    notes: tuple[str, ...] = attrs.field(default=(), eq=False)  #: settings that were left out, and why

    def values(self) -> dict[str, Any]:
        """All values as dotted keys, as TOML can hold them; ``run.name`` is left out, since a name is used once."""
        found: dict[str, Any] = {}
        for slot in ("dataset", "encoder"):
            choice: Choice = getattr(self, slot)
            found |= _dotted(slot, choice)
        for slot, choices in zip(LIST_SLOTS, (self.transforms, self.augments, self.observers), strict=True):
            found[f"{slot}.names"] = [c.name for c in choices]
            for choice in choices:
                found |= {f"{slot}.{choice.name}.{k}": v for k, v in unstructure(choice.options).items()}
        for name, head in self.heads.items():
            found |= _dotted(f"heads.{name}", head.choice)
            for loss_name, loss in head.losses.items():
                stem = f"heads.{name}.losses.{loss_name}"
                found |= {**_dotted(stem, loss.choice), f"{stem}.weight": loss.weight}
        for table in ("train", "run", "split"):
            found |= {
                f"{table}.{k}": v for k, v in unstructure(getattr(self, table)).items() if (table, k) != ("run", "name")
            }
        return found

    def to_toml(self) -> str:
        """The file that ``asl run FILE`` repeats this run from, each value with its origin."""
        tables: dict[str, list[tuple[str, str, Any]]] = {}
        for dotted, value in self.values().items():
            table, _, key = dotted.rpartition(".")
            tables.setdefault(table, []).append((key, dotted, value))
        lines = [_RESOLVED]
        for table, entries in tables.items():
            lines += ["", f"[{'.'.join(_bare(part) for part in table.split('.'))}]"]
            for key, dotted, value in entries:
                text = tomli_w.dumps({key: value}, multiline_strings=False).strip().replace("\n", " ")
                origin = self.origins.get(dotted, "default")
                # TOML forbids control characters in comments, and a path or a --set may hold one.
                comment = "".join(c if c.isprintable() else " " for c in origin)
                lines.append(text if origin == "default" else f"{text}  # {comment}")
        return "\n".join(lines) + "\n"


_RESOLVED = "# The resolved configuration; `asl run` on this file repeats the run."


def is_resolved(file: Path) -> bool:
    """Whether a file is what :meth:`RunConfig.to_toml` wrote; one that cannot be read is left to others to refuse."""
    try:
        with file.open(encoding="utf-8") as text:
            return text.readline().rstrip() == _RESOLVED
    except (OSError, ValueError):
        return False


def _dotted(stem: str, choice: Choice) -> dict[str, Any]:
    return {f"{stem}.name": choice.name} | {f"{stem}.{k}": v for k, v in unstructure(choice.options).items()}


def _bare(part: str) -> str:
    return part if part.replace("-", "").replace("_", "").isalnum() else f'"{part}"'


_TABLES = {"train": TrainOptions, "run": RunOptions, "split": SplitOptions}
_MAIN = "heads.main"
_DEFAULTS = {"dataset.name": "demo", "encoder.name": "gru"}


def resolve(layers: Iterable[Layer], registry: Registry) -> RunConfig:
    """A checked configuration from layers, weakest first.

    Below the layers stand the suggestions of the chosen components, and below those the defaults.

    Raises:
        ConfigError: with every fault found, each with its origin.
    """
    settings, notes = merge(layers)
    return _Resolver(settings, registry, notes).config()


def _moved(key: str, stem: str) -> str:
    return stem + key.removeprefix(_MAIN) if key.startswith(f"{_MAIN}.") else key


def _applies(key: str, suggests: Layer, settings: Mapping[str, Setting], defaults: Layer) -> bool:
    """Whether a suggestion is about what the user chose: not about another component, nor a head that is not there."""
    stem = key.rpartition(".")[0]
    name = f"{stem}.name"
    if name in settings and name in suggests and settings[name].value != suggests[name].value:
        return False
    head, losses, _ = stem.partition(".losses.")
    if head.startswith("heads.") and not any(k.startswith(f"{head}.") for k in (*settings, *defaults)):
        return False
    # A loss that the user names replaces those that come with the head.
    return not losses or name in settings or not any(_names_loss(k, head) for k in settings)


def _names_loss(key: str, head: str) -> bool:
    return key.startswith(f"{head}.losses.") and key.endswith(".name")


class _Resolver:
    """Turns merged settings into a configuration, gathering problems instead of stopping at the first."""

    def __init__(self, settings: dict[str, Setting], registry: Registry, notes: list[str]):
        self.registry = registry
        self.problems: list[str] = []
        self.notes = notes
        self.used: set[str] = set()
        defaults = value_layer(_DEFAULTS, "default")
        if not any(k.startswith("heads.") and not k.startswith("heads.main.") for k in settings):
            defaults = {**defaults, **value_layer({"head.name": "ctc"}, "default")}
        weaker = {**defaults, **self._suggestions(settings, defaults)}
        # What was said comes first: the heads stand in the order in which the user named them.
        self.settings = settings | {k: s for k, s in weaker.items() if k not in settings}

    def config(self) -> RunConfig:
        dataset = self._choice("dataset", "dataset")
        encoder = self._choice("encoder", "encoder")
        heads = {name: self._head(name) for name in self._children("heads")}
        transforms, augments, observers = (self._list(slot) for slot in LIST_SLOTS)
        train, run, split = (self._options(table, cls) for table, cls in _TABLES.items())
        self._unused()
        if self.problems:
            raise ConfigError(self.problems)
        return RunConfig(
            dataset=dataset,
            encoder=encoder,
            heads=heads,
            transforms=transforms,
            augments=augments,
            observers=observers,
            train=train,
            run=run,
            split=split,
            origins={k: s.origin for k, s in self.settings.items()},
            notes=tuple(self.notes),
        )

    def _children(self, stem: str) -> list[str]:
        """The names right below ``stem``, in the order they were first set."""
        depth = stem.count(".") + 1
        return list(dict.fromkeys(k.split(".")[depth] for k in self.settings if k.startswith(f"{stem}.")))

    def _suggestions(self, settings: Mapping[str, Setting], defaults: Layer) -> dict[str, Setting]:
        """What the chosen components suggest: data set, encoder, heads, the later the stronger."""
        found: dict[str, Setting] = {}

        def add(slot: str, stem: str) -> None:
            key = f"{stem}.name"
            offer = self._offer(slot, settings.get(key) or found.get(key) or defaults.get(key))
            if offer is None:
                return
            suggests = value_layer(offer.component.suggests, f"suggested by {slot} {offer.component.name}")
            if slot == "head":  # "head" and "loss" are its own place, whatever it is called in this run
                suggests = {_moved(k, stem): s for k, s in suggests.items()}
            found.update({k: s for k, s in suggests.items() if _applies(k, suggests, settings, defaults)})

        add("dataset", "dataset")
        add("encoder", "encoder")
        for name in dict.fromkeys(k.split(".")[1] for k in (*settings, *defaults) if k.startswith("heads.")):
            add("head", f"heads.{name}")
        return found

    def _offer(self, slot: str, setting: Setting | None) -> Offer | None:
        if setting is None or not isinstance(setting.value, str):
            return None
        try:
            return self.registry.find(slot, setting.value)
        except ConfigError:
            return None  # told once, by _choice

    def _choice(self, slot: str, stem: str, reserved: tuple[str, ...] = ()) -> Any:
        key = f"{stem}.name"
        self.used.add(key)
        setting = self.settings.get(key)
        if setting is None:
            there = ", ".join(o.component.name for o in self.registry.slot(slot))
            self.problems.append(f"{shown(key)} is not set: choose a {slot} ({there})")
            self._swallow(stem)
            return None
        if not isinstance(setting.value, str):
            self.problems.append(f"{setting.origin}: {shown(key)} is {setting.value!r}: expected the name of a {slot}")
            self._swallow(stem)
            return None
        return self._component(slot, setting, stem, reserved)

    def _component(self, slot: str, setting: Setting, stem: str, reserved: tuple[str, ...] = ()) -> Any:
        try:
            offer = self.registry.find(slot, setting.value)
        except ConfigError as fault:
            self.problems.append(f"{setting.origin}: {fault.problems[0]} (`asl ls {slot}` lists them)")
            self._swallow(stem)
            return None
        options = self._options(stem, offer.component.options, reserved=("name", *reserved))
        return Choice(slot, self.registry.name_of(offer), offer.component, options)

    def _swallow(self, stem: str) -> None:
        """Options of a component that is not there are not reported one by one."""
        self.used |= {k for k in self.settings if k.startswith(f"{stem}.") and ".losses." not in k[len(stem) :]}

    def _head(self, name: str) -> Any:
        stem = f"heads.{name}"
        choice = self._choice("head", stem, reserved=("losses",))
        losses = {}
        for loss in self._children(f"{stem}.losses"):
            at = f"{stem}.losses.{loss}"
            weight = self._number(f"{at}.weight", 1.0)
            losses[loss] = LossChoice(self._choice("loss", at, reserved=("weight",)), weight)
        if choice is not None and not losses:
            self.problems.append(f"head {name!r} has no loss: set {stem}.losses.main.name (--loss NAME)")
        return HeadChoice(choice, losses)

    def _number(self, key: str, default: float) -> float:
        self.used.add(key)
        setting = self.settings.get(key)
        if setting is None:
            return default
        try:
            value = parse_text(setting.value, float) if setting.text else setting.value
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
                raise ValueError(f"{value!r} is not a number of at least 0")
            return float(value)
        except (ValueError, OverflowError) as fault:
            self.problems.append(f"{setting.origin}: {shown(key)}: {fault}")
            return default

    def _list(self, slot: str) -> tuple[Choice, ...]:
        key = f"{slot}.names"
        self.used.add(key)
        setting = self.settings.get(key, Setting((), "default"))
        names = setting.value
        if not isinstance(names, tuple) or not all(isinstance(n, str) for n in names):
            self.problems.append(f"{setting.origin}: {shown(key)} is {names!r}: expected a list of {slot} names")
            self._swallow(slot)
            return ()
        found = [self._component(slot, attrs.evolve(setting, value=n), f"{slot}.{n}") for n in names]
        return tuple(c for c in found if c is not None)

    def _options(self, stem: str, cls: type, reserved: tuple[str, ...] = ()) -> Any:
        specs = {s.key: s for s in option_specs(cls)}
        prefix = f"{stem}."
        values: dict[str, Any] = {}
        unreadable = set()
        for key, setting in self.settings.items():
            name = key.removeprefix(prefix)
            if not key.startswith(prefix) or "." in name or name in reserved:
                continue
            self.used.add(key)
            spec = specs.get(name)
            if spec is None:
                self.problems.append(f"{setting.origin}: {shown(key)}: no such option{nearest(name, specs)}")
                continue
            try:
                values[name] = parse_text(setting.value, spec.type) if setting.text else setting.value
            except ValueError as fault:
                more = f" ({spec.range})" if spec.range else ""
                self.problems.append(f"{setting.origin}: {shown(key)}: {fault}{more}")
                unreadable.add(name)
        options, problems = structure(cls, values)
        for problem in problems:
            if problem.key in unreadable:
                continue
            key = f"{prefix}{problem.key}" if problem.key else f"{stem}.name"  # no key: of several options together
            at = self.settings.get(key)
            self.problems.append(f"{at.origin + ': ' if at else ''}{shown(key)}: {problem.text}")
        return options

    def _unused(self) -> None:
        for key in self.settings:
            if key in self.used or self.settings[key].origin.startswith("suggested by"):
                continue
            setting = self.settings[key]
            slot, _, rest = key.partition(".")
            if slot in LIST_SLOTS and "." in rest:
                name = rest.partition(".")[0]
                self.problems.append(
                    f"{setting.origin}: {shown(key)}: {slot} {name!r} is not chosen; add it to {slot}.names"
                )
            else:
                self.problems.append(f"{setting.origin}: {shown(key)}: no such setting{_hint(key)}")


def _hint(key: str) -> str:
    """What may have been meant by a key of no component: a table, or an option named without its table."""
    slot, _, rest = key.partition(".")
    tables = [*_TABLES, "dataset", "encoder", "head", "loss", "heads", *LIST_SLOTS]
    if slot in tables:
        return ""
    if rest:
        return nearest(slot, tables)
    options = {s.key: f"{table}.{s.key}" for table, cls in _TABLES.items() for s in option_specs(cls)}
    close = difflib.get_close_matches(key, [*options, *tables], n=1, cutoff=0.6)
    return f"; did you mean {options.get(close[0], close[0])!r}?" if close else nearest(slot, tables)


def tables() -> Iterator[tuple[str, type]]:
    """``(table, options class)`` of the settings that every run has."""
    yield from _TABLES.items()
