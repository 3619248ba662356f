"""The configuration of a run: what was chosen, every option checked, and the origin of every value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import tomli_w

from asl_core.config.origins import DEFAULT, Origin
from asl_core.config.sources import LIST_SLOTS
from asl_core.files.paths import is_folder_name
from asl_core.registry.component import BUILTIN, Component
from asl_core.registry.former import former_attributes, former_keys
from asl_core.registry.kept import make
from asl_core.registry.option_values import unstructure
from asl_core.registry.options import ignored_options, option
from asl_core.text import comment, toml_string

__all__ = [
    "TABLES",
    "Choice",
    "HeadChoice",
    "InitOptions",
    "LossChoice",
    "RunConfig",
    "RunOptions",
    "SplitOptions",
    "TrainOptions",
    "is_resolved",
]


@former_attributes
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
    swa_epochs: int = option(
        0,
        help="evaluate by the mean of the weights after each of this many last epochs (Izmailov et al. 2018), in place "
        "of the moving average (set ema to 0)",
        ge=0,
        former="average-last",
    )
    mixup: float = option(
        0.0,
        help="alpha of the share by which pairs of clips are mixed in half of the batches (Zhang et al. 2018); 0: none",
        ge=0,
    )
    accumulate: int = option(1, help="batches whose gradients are added up for one step", ge=1)
    patience: int = option(0, help="stop after this many epochs without a better val metric, 0 for never", ge=0)
    select: str = option("auto", help="val metric that chooses the best epoch: top1, top5, loss, wer, … or auto")
    standardise: bool = option(True, help="scale every feature to mean 0 and deviation 1 over the train frames")
    bucket_batches: int = option(
        32,
        help="clips of this many batches are sorted by length, so that a batch holds clips of like length; 1 for a "
        "plain random order",
        ge=1,
        former="pool",
    )
    tta: tuple[str, ...] = option(
        (),
        help="test-time augmentation: evaluate and predict by the mean probability over each clip and these views of "
        "it (mirror, slower, faster), which an augmentation of the run offers; costs a pass of the encoder each, and "
        "does not change what is read off the frames of a sentence",
        former="average-views",
    )
    eval_batch_size: int = option(64, help="clips a batch in evaluation", ge=1)
    precision: str = option(
        "auto",
        help="arithmetic of the forward pass; auto is bf16 on CUDA that has it",
        choices=("auto", "fp32", "bf16", "fp16"),
    )
    on_nan: str = option(
        "stop",
        help="what to do with a step whose loss or gradient is not a finite number: stop, saying where it comes from, "
        "or skip the step, which is counted and told, and stop only when 20 in a row or all of an epoch are such",
        choices=("stop", "skip"),
    )

    def __attrs_post_init__(self) -> None:
        if not self.swa_epochs:
            return
        if self.ema:
            raise ValueError(
                f"swa-epochs {self.swa_epochs} takes the place of the moving average, and ema is {self.ema:g}: set ema "
                f"to 0, or leave swa-epochs out"
            )
        if self.patience:
            raise ValueError("swa-epochs needs to know which epochs are the last: leave out patience")
        if self.swa_epochs > self.epochs:
            raise ValueError(f"swa-epochs is {self.swa_epochs}, and there are {self.epochs} epochs")


@former_attributes
@attrs.frozen
class RunOptions:
    """Where a run goes and on what it runs."""

    out: str = option("runs", help="folder that holds the run directories")
    name: str | None = option(None, help="name of the run directory; by default made from the choices and a number")
    seed: int = option(0, help="of the weights, the order of clips and the augmentation", ge=0)
    device: str = option("auto", help="auto, cpu, cuda, cuda:1, mps")
    # One thread: the operations of these models are too small to share, and threads that wait for each other spin,
    # which under any other load costs many times what it gains. It also makes results independent of the cores.
    threads: int = option(
        1, help="CPU threads; more may help large models on an idle machine; 0 is torch's choice", ge=0
    )

    def __attrs_post_init__(self) -> None:
        if self.name is not None and not is_folder_name(self.name):
            raise ValueError(f"name {self.name[:80]!r} cannot be a folder's: give a plain one, and the place with out")


@former_attributes
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
    without: tuple[str, ...] = option((), help="clip ids that are left out of every split")


@former_attributes
@attrs.frozen
class InitOptions:
    """The weights that a run's encoder starts from."""

    path: str | None = option(None, help="start from this checkpoint: PATH, or LOADER:PATH (stage1:…, run:…, torch:…)")
    map: tuple[str, ...] = option(
        (), help="OLD=NEW prefixes of the checkpoint's tensor names, in whole dotted parts: backbone=,rnn=lstm"
    )
    min_coverage: float = option(
        1.0, help="smallest share of the encoder's parameters that the checkpoint covers", gt=0, le=1, former="share"
    )
    freeze: bool = option(False, help="do not train the transferred weights")
    learning_rate_scale: float = option(1.0, help="learning rate of the transferred weights, as a factor", gt=0)
    features: str = option(
        "auto",
        help="features as the weights were trained on (auto), or on purpose as stored or standardised",
        choices=("auto", "stored", "standardised"),
    )
    transforms: str = option(
        "same", help="whether other transforms than the weights were trained with are refused", choices=("same", "any")
    )

    ids: str = option(
        "same",
        help="an id of a clip that is evaluated on, and of one that the weights were trained on, means the same "
        "recording, or any",
        choices=("same", "any"),
    )

    def __attrs_post_init__(self) -> None:
        if self.path is None and any(getattr(self, f.name) != f.default for f in attrs.fields(InitOptions)):
            raise ValueError("these options say how a checkpoint is taken, and none is named: give --init PATH")
        if self.freeze and self.learning_rate_scale != 1:
            raise ValueError("freeze leaves the transferred weights as they are; leave out learning-rate-scale")


@attrs.frozen
class Choice:
    """A component and its options."""

    slot: str
    name: str  #: the shortest that means it now, to be shown
    component: Component
    options: Any
    distribution: str = BUILTIN

    @property
    def saved_name(self) -> str:
        """The name that always means it, whatever else is installed or left out when it is read again."""
        return self.name if self.distribution == BUILTIN else f"{self.distribution}:{self.component.name}"

    def goes_by(self, name: str | None) -> bool:
        """Whether a name, as it was saved or as it is shown, is this component's."""
        return name in (self.name, self.saved_name)

    def build(self, *args: Any, facts: object = None) -> Any:
        """Call the factory: ``factory(options, *args)``; :class:`asl_core.Facts` go to one with a parameter ``facts``.

        Raises:
            RunError: what it makes does not keep the contract of its slot.
        """
        return make(self.slot, self.name, self.distribution, self.component.load(), self.options, args, facts)


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
    init: InitOptions
    origins: Mapping[str, Origin] = attrs.field(eq=False)  #: dotted key -> where its value comes from
    notes: tuple[str, ...] = attrs.field(default=(), eq=False)  #: settings that were left out, and why

    def origin(self, key: str) -> Origin:
        """Where the value of a dotted key comes from."""
        return self.origins.get(key, DEFAULT)

    def values(self) -> dict[str, Any]:
        """All values as dotted keys, as TOML can hold them; ``run.name`` is left out, since a name is used once."""
        found: dict[str, Any] = {}
        for slot in ("dataset", "encoder"):
            choice: Choice = getattr(self, slot)
            found |= _dotted(slot, choice)
        for slot, choices in zip(LIST_SLOTS, (self.transforms, self.augments, self.observers), strict=True):
            found[f"{slot}.names"] = [c.saved_name for c in choices]
            for choice in choices:
                found |= {f"{slot}.{choice.saved_name}.{k}": v for k, v in unstructure(choice.options).items()}
        for name, head in self.heads.items():
            found |= _dotted(f"heads.{name}", head.choice)
            for loss_name, loss in head.losses.items():
                stem = f"heads.{name}.losses.{loss_name}"
                found |= {**_dotted(stem, loss.choice), f"{stem}.weight": loss.weight}
        for table in TABLES:
            found |= {
                f"{table}.{k}": v for k, v in unstructure(getattr(self, table)).items() if (table, k) != ("run", "name")
            }
        return found

    def option_classes(self) -> list[tuple[str, type]]:
        """``(stem, options class)`` of every table and component."""
        found = [*TABLES.items(), ("dataset", type(self.dataset.options)), ("encoder", type(self.encoder.options))]
        for slot, choices in zip(LIST_SLOTS, (self.transforms, self.augments, self.observers), strict=True):
            found += [(f"{slot}.{name}", type(c.options)) for c in choices for name in {c.name, c.saved_name}]
        for name, head in self.heads.items():
            found.append((f"heads.{name}", type(head.choice.options)))
            found += [(f"heads.{name}.losses.{n}", type(one.choice.options)) for n, one in head.losses.items()]
        return found

    def current_names(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """Values that an earlier version kept, under the current names of their options."""
        classes = self.option_classes()
        renamed = former_keys(classes)
        ignored = {f"{stem}.{key}" for stem, cls in classes for key in ignored_options(cls)}
        return {renamed.get(key, key): value for key, value in before.items() if key not in ignored}

    def changed(self, before: Mapping[str, Any]) -> list[str]:
        """The keys whose values are not those of ``before``, which :meth:`values` gave and JSON kept.

        An option that was not there yet, in the version that kept them, is changed where somebody has set it.
        """
        now = json.loads(json.dumps(self.values()))
        before = self.current_names(before)
        return sorted(
            key
            for key in {*now, *before}
            if (now.get(key) != before[key] if key in before else self.origin(key) != DEFAULT)
        )

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
                text = f"{_bare(key)} = {_toml(value)}"
                origin = self.origin(dotted)
                # TOML forbids control characters in comments, and a path or a --set may hold one.
                lines.append(text if origin == DEFAULT else f"{text}  # {comment(str(origin))}")
        return "\n".join(lines) + "\n"


_RESOLVED = "# The resolved configuration; `asl run` on this file repeats the run."


def is_resolved(file: Path) -> bool:
    """Whether a file is what :meth:`RunConfig.to_toml` wrote; one that cannot be read is left to others to refuse."""
    try:
        with file.open(encoding="utf-8-sig") as text:
            return text.readline(len(_RESOLVED) + 2).rstrip() == _RESOLVED
    except (OSError, ValueError):
        return False


def _dotted(stem: str, choice: Choice) -> dict[str, Any]:
    return {f"{stem}.name": choice.saved_name} | {f"{stem}.{k}": v for k, v in unstructure(choice.options).items()}


def _toml(value: Any) -> str:
    """A value on one line; tomli_w spreads lists over several."""
    if isinstance(value, list):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    if isinstance(value, str):
        return toml_string(value)
    return tomli_w.dumps({"x": value}, multiline_strings=False).strip().removeprefix("x = ")


def _bare(part: str) -> str:
    return part if part.replace("-", "").replace("_", "").isalnum() else toml_string(part)


#: the tables of settings that every run has
TABLES: Mapping[str, type] = {
    "train": TrainOptions,
    "run": RunOptions,
    "split": SplitOptions,
    "init": InitOptions,
}
