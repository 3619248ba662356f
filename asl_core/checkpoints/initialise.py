"""Starting weights of a run: read a checkpoint, compare it with the encoder, load it.

Nothing is written here: a checkpoint that does not fit stops a run before its directory is made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import torch
from torch import Tensor

from asl_core.checkpoints.external import Checkpoint, best_reading, encoder_flags, named, read_checkpoint
from asl_core.checkpoints.transfer import TransferPlan, dtype_text, rule_effects, suggest_map
from asl_core.clips.store import ClipStore
from asl_core.config.origins import Kind, Origin
from asl_core.config.run_config import RunConfig
from asl_core.contracts import Encoder, Foreign
from asl_core.errors import CheckpointError, ConfigError
from asl_core.files.bounded import read_json
from asl_core.model.recogniser import Recognizer
from asl_core.registry.component import Registry
from asl_core.registry.option_values import unstructure

__all__ = ["Start", "Transfer", "find_start", "freeze"]


@attrs.frozen(eq=False)
class Transfer:
    """What a run loaded from a checkpoint; ``record`` is the content of ``transfer.json``."""

    loaded: tuple[str, ...]  #: names of the encoder's tensors
    record: Mapping[str, Any]

    @property
    def lines(self) -> list[str]:
        """For the screen and the log."""
        return [str(line) for line in self.record["said"]]

    @classmethod
    def read(cls, file: Path) -> Transfer:
        """The record of an earlier start of the same run.

        Raises:
            CheckpointError: the file is missing or damaged.
        """
        try:
            record = read_json(file, "Put it back, or start a new run.")
            return cls(tuple(str(entry["name"]) for entry in record["plan"]["loaded"]), record)
        except (CheckpointError, KeyError, TypeError) as fault:
            raise CheckpointError(
                f"{file} cannot be read ({type(fault).__name__}: {fault}), and a resumed run needs it: it names the "
                f"transferred weights. Put the file back, or start a new run."
            ) from fault


@attrs.frozen(eq=False)
class Start:
    """A checkpoint that fits a run's encoder: from :func:`find_start`, loaded by :meth:`give`."""

    config: RunConfig  #: with ``train.standardise`` as the weights need it
    checkpoint: Checkpoint
    plan: TransferPlan
    tensors: Mapping[str, Tensor]  #: the encoder's, by its own names
    notes: tuple[str, ...]
    standardised_before: bool  #: what ``train.standardise`` was in the run's own settings

    def give(self, model: Recognizer, train: ClipStore) -> Transfer:
        """Load the weights into the model's encoder, and set its standardiser to what they expect.

        Args:
            model: freshly made by :attr:`config`; its encoder and standardiser are changed.
            train: the clips of train, for feature statistics where the checkpoint has none.

        Raises:
            CheckpointError: its statistics are damaged.
        """
        config, options, foreign = self.config, self.config.init, self.checkpoint.foreign
        notes = [*self.notes, *self._standardise(model, train)]
        if foreign.glosses is not None and set(foreign.glosses) != set(train.vocabulary.glosses):
            common = len(set(foreign.glosses) & set(train.vocabulary.glosses))
            notes.append(
                f"the checkpoint's vocabulary has {len(foreign.glosses)} glosses and this run's "
                f"{len(train.vocabulary)}, {common} in common; only the encoder is taken, so this run's heads learn "
                f"their own"
            )
        # Strict: the plan names every tensor that stays random.
        model.encoder.load_state_dict({**model.encoder.state_dict(), **self.tensors})
        if options.freeze:
            notes.append("the transferred weights are frozen")
        elif options.learning_rate_scale != 1:
            notes.append(f"the transferred weights learn at {options.learning_rate_scale:g} times the learning rate")
        path, loader = self.checkpoint.path, self.checkpoint.loader
        record = {
            "checkpoint": str(path),
            "loader": loader,
            "source": foreign.source,
            "encoder": config.encoder.name,
            "required_share": options.min_coverage,
            "standardised": config.train.standardise,
            "weights_sha256": _digest(self.tensors),
            "plan": self.plan.to_json(),
            "said": [f"{path}: {foreign.source} (loader {loader})", *self.plan.short(), *notes],
        }
        return Transfer(tuple(self.tensors), record)

    def _standardise(self, model: Recognizer, train: ClipStore) -> list[str]:
        """Fit the standardiser to the checkpoint's statistics, or to the clips; notes on what was done."""
        foreign, standardise, notes = self.checkpoint.foreign, self.config.train.standardise, []
        statistics = foreign.statistics if foreign.standardise and standardise else None
        if statistics is not None and len(statistics[0]) != train.width:
            notes.append(
                f"the checkpoint's statistics are of {len(statistics[0])} features per frame: those of the train "
                f"clips are used"
            )
            statistics = None
        if statistics is not None:
            mean, scale = statistics
            sound = mean.shape == scale.shape == (train.width,) and bool(torch.isfinite(mean).all())
            if not (sound and bool(torch.isfinite(scale).all()) and bool((scale > 0).all())):
                raise CheckpointError(f"{self.checkpoint.path}: its feature statistics are damaged; use another one.")
            model.standardiser.mean.copy_(mean)
            model.standardiser.scale.copy_(scale)
            notes.append("features are standardised by the checkpoint's own mean and deviation, not by these clips'")
        elif standardise:
            model.standardiser.fit(train.features)
            if foreign.standardise and self.config.init.features == "auto":
                notes.append("features are standardised by the train clips: the checkpoint has no statistics")
        elif self.standardised_before and (
            sized := [c.name for c in self.config.augments if not getattr(c.build(), "raw", False)]
        ):
            notes.append(
                f"augmentation ({', '.join(sized)}) changes features as stored: options such as noise and scale, meant "
                f"for standardised features, are now in the features' own units; set them accordingly"
            )
        return notes


def find_start(config: RunConfig, encoder: Encoder, width: int, registry: Registry) -> Start:
    """Read the checkpoint that ``config.init`` names, and compare it with an encoder as the run makes it.

    Args:
        config: with ``init.path`` set.
        encoder: not changed.
        width: features per frame of the clips as they reach it.
        registry: holds the loaders.

    Raises:
        CheckpointError: the file cannot be read, or less of the encoder fits than is required.
        ConfigError: the run's own settings contradict what the weights were trained on.
    """
    options = config.init
    if options.path is None:
        raise ValueError("init.path is not set: there is nothing to start from")
    state = named(encoder.state_dict())
    # The runs of a curriculum stand in a folder of their own, below the one that runs go to.
    folders = (config.run.out, Path(config.run.out).parent)
    checkpoint, tensors = best_reading(read_checkpoint(options.path, registry, folders), state, options.map)
    plan = TransferPlan.of(named(tensors), state)
    if not plan.enough(options.min_coverage):
        raise CheckpointError(_refusal(checkpoint, tensors, plan, config, width))
    chosen = {name: tensors[name] for name, _ in plan.loaded}
    notes = rule_effects(checkpoint.foreign.tensors, options.map, state)
    notes += _checked(checkpoint, chosen, encoder)
    notes += _transform_notes(checkpoint, config)
    before = config.train.standardise
    standardise, more = _convention(checkpoint, config)
    if standardise != before:
        origins = {**config.origins, "train.standardise": Origin(Kind.CHECKPOINT, str(checkpoint.path))}
        train = attrs.evolve(config.train, standardise=standardise)
        config = attrs.evolve(config, train=train, origins=origins)
    return Start(config, checkpoint, plan, chosen, (*notes, *more), before)


def freeze(encoder: Encoder, transfer: Transfer) -> None:
    """Exclude the transferred parameters from training."""
    for name, parameter in encoder.named_parameters():
        if name in transfer.loaded:
            parameter.requires_grad_(False)


def _refusal(
    checkpoint: Checkpoint, tensors: Mapping[str, Tensor], plan: TransferPlan, config: RunConfig, width: int
) -> str:
    """What does not fit, and what would."""
    foreign, name, share = checkpoint.foreign, config.encoder.name, config.init.min_coverage
    required = "all are required" if share == 1 else f"--init.min-coverage requires {100 * share:g} %"
    text = (
        f"{checkpoint.path} ({foreign.source}) does not fit encoder {name!r}: it covers {plan.covered:,} of "
        f"{plan.total:,} encoder parameters, and {required}. What does not fit, {plan.misfits()}."
    )
    if foreign.width is not None and foreign.width != width:
        text += f" These weights read {foreign.width} features per frame, and the clips have {width}."
    flags = encoder_flags(foreign)
    if flags is not None and not _is_chosen(foreign, config):
        text += f" The encoder that fits is {flags}."
    elif flags is None and (better := suggest_map(named(tensors), plan.encoder)) is not None:
        rule, then = better
        text += f" With --init.map {rule} it would cover {then.covered:,} parameters."
    text += "".join(
        f" {line[:1].upper()}{line[1:]}." for line in rule_effects(foreign.tensors, config.init.map, plan.encoder)
    )
    return (
        f"{text} `asl inspect` shows what the file holds, and with --encoder the whole plan"
        f"{'; a lower --init.min-coverage leaves at random what is not covered' if plan.loaded else ''}."
    )


def _is_chosen(foreign: Foreign, config: RunConfig) -> bool:
    """Whether the run has that encoder already, with those options."""
    options = unstructure(config.encoder.options)
    return config.encoder.goes_by(foreign.encoder) and all(options.get(k) == v for k, v in foreign.settings.items())


def _checked(checkpoint: Checkpoint, chosen: Mapping[str, Tensor], encoder: Encoder) -> list[str]:
    """Refuse weights that no training could start from; note a conversion of dtypes."""
    state = encoder.state_dict()
    bad = [n for n, t in chosen.items() if t.is_floating_point() and not bool(torch.isfinite(t).all())]
    if bad:
        raise CheckpointError(
            f"{checkpoint.path} holds NaN or infinite numbers in {', '.join(bad[:5])}; the run it comes from had "
            f"diverged. Use an earlier checkpoint of it."
        )
    wrong = [n for n, t in chosen.items() if t.is_floating_point() != state[n].is_floating_point()]
    if wrong:
        n = wrong[0]
        raise CheckpointError(
            f"{checkpoint.path} holds {n} as {dtype_text(chosen[n])}, and the encoder has {dtype_text(state[n])}; "
            f"expected weights as they were trained, not quantised."
        )
    dtypes = sorted({dtype_text(t) for n, t in chosen.items() if t.dtype != state[n].dtype})
    return [f"weights stored as {', '.join(dtypes)} are converted to those of the encoder"] if dtypes else []


def _transform_notes(checkpoint: Checkpoint, config: RunConfig) -> list[str]:
    """Refuse other transforms than the weights were trained with, unless that is asked for."""
    theirs = checkpoint.foreign.transforms
    if theirs is None:
        return []
    ours = {k: v for k, v in config.values().items() if k.startswith("transform.")}
    different = sorted(k for k in {*theirs, *ours} if theirs.get(k) != ours.get(k))
    if not different:
        return []
    shown = ", ".join(f"{k} {theirs.get(k)!r} there and {ours.get(k)!r} here" for k in different[:5])
    if config.init.transforms == "same":
        chosen = theirs.get("transform.names")
        names = ",".join(map(str, chosen)) if isinstance(chosen, list | tuple) and chosen else "none"
        raise CheckpointError(
            f"{checkpoint.path} was trained on clips with other transforms ({shown}), so its weights do not fit this "
            f"input. Use the same, --transform {names}, or give --init.transforms any."
        )
    return [f"the weights were trained on other transforms ({shown}), as --init.transforms any allows"]


def _convention(checkpoint: Checkpoint, config: RunConfig) -> tuple[bool, list[str]]:
    """Whether features are to be standardised, and why."""
    theirs, asked, ours = checkpoint.foreign.standardise, config.init.features, config.train.standardise
    origin = config.origin("train.standardise")
    words = {True: "standardised features", False: "features as stored, not standardised"}
    if asked == "auto":
        if theirs is None:
            return ours, [
                f"the checkpoint does not say whether its features were standardised; this run's are "
                f"{'' if ours else 'not '}(--init.features stored or standardised decides it)"
            ]
        if origin.chosen and theirs != ours:
            other = "standardised" if ours else "stored"
            raise ConfigError(
                [
                    f"{origin} sets train.standardise to {str(ours).lower()}, and --init "
                    f"{config.init.path} was trained on {words[theirs]}; leave --standardise out or set it to "
                    f"{str(theirs).lower()}, or give --init.features {other} to override it"
                ]
            )
        return theirs, [] if theirs else [f"features are left as stored: the checkpoint was trained on {words[False]}"]
    wanted = asked == "standardised"
    if origin.chosen and wanted != ours:
        fault = f"{origin} sets train.standardise to {str(ours).lower()}, and --init.features {asked} contradicts it"
        raise ConfigError([f"{fault}; leave one of them out"])
    if theirs is not None and theirs != wanted:
        return wanted, [
            f"warning: --init.features {asked} departs from what the weights were trained on, {words[theirs]}"
        ]
    return wanted, [f"features are {'standardised' if wanted else 'left as stored'}, as --init.features says"]


def _digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names and values, whatever the file is called."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().flatten().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
