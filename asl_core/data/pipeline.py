"""The transforms of a run applied to clips, and the fit of transforms and augmentations to the clips.

A component says by a method ``unfit(width) -> str | None`` why it cannot take ``width`` features per frame.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import numpy as np

from asl_core.clips.clip import Clip, Finding
from asl_core.clips.layout import Layout
from asl_core.config.origins import Kind
from asl_core.config.run_config import Choice, RunConfig
from asl_core.contracts import BatchTransform, Dataset, Transform
from asl_core.data.audit import zero_share
from asl_core.data.numbers import bad_numbers
from asl_core.errors import ConfigError
from asl_core.registry.contract_checks import calling, returned
from asl_core.registry.discovery import discover
from asl_core.text import shortened

__all__ = ["Noticed", "Pipeline", "bad_findings", "fit_to_clip", "transforms_with"]


@attrs.frozen
class Noticed:
    """Findings of transforms about single clips, to be reported together by code."""

    of_clip: dict[str, list[Finding]] = attrs.field(factory=dict)  #: by clip id
    bad: dict[str, str] = attrs.field(factory=dict)  #: clip id -> its numbers that no model can take

    def add(self, clip: str, findings: Sequence[Finding]) -> None:
        """Add the findings about a clip."""
        if findings:
            self.of_clip.setdefault(clip, []).extend(findings)

    def findings(self, split: str, clips: Sequence[Clip]) -> list[Finding]:
        """One finding for each code, with the clips of a split that it applies to."""
        by_code: dict[tuple[str, str], tuple[str, list[str]]] = {}
        for clip in clips:
            for found in self.of_clip.get(clip.id, ()):
                by_code.setdefault((found.level, found.code), (found.message, []))[1].append(clip.id)
        return [
            Finding(
                level, code, f"{len(ids)} of {len(clips)} clips of {split} ({shortened(ids)}): {message}",
                {"split": split, "ids": ids},
            )
            for (level, code), (message, ids) in by_code.items()
        ]  # fmt: skip


@attrs.frozen
class Pipeline:
    """The built transforms of a run: first those of clips, then those of batches, which are part of the model."""

    clipwise: Sequence[Transform]
    batchwise: Sequence[BatchTransform]

    @classmethod
    def of(cls, config: RunConfig) -> Pipeline:
        """Build them.

        Raises:
            ConfigError: a transform of clips comes after one of batches.
        """
        built = [(choice.name, choice.build()) for choice in config.transforms]
        late = [getattr(transform, "batchwise", False) for _, transform in built]
        mute = [name for (name, t), b in zip(built, late, strict=True) if b and not hasattr(t, "output_width")]
        if mute:
            raise ConfigError(
                [f"transform {mute[0]} is batchwise and has no output_width(width): a fault of its plugin"]
            )
        first = late.index(True) if True in late else len(built)
        early = [name for name, t in built[first:] if not getattr(t, "batchwise", False)]
        if early:
            origin = config.origin("transform.names")
            raise ConfigError(
                [
                    f"{origin}: transform {early[0]} takes single clips and {built[first][0]} whole "
                    f"batches in the model: put {', '.join(early)} before {built[first][0]}"
                ]
            )
        return cls([t for _, t in built[:first]], [t for _, t in built[first:]])

    def clip(self, clip: Clip, noticed: Noticed | None = None) -> Clip:
        """One clip as it is stored; the findings of the transforms are added to ``noticed``."""
        for transform in self.clipwise:
            if noticed is not None and (findings := getattr(transform, "findings", None)) is not None:
                noticed.add(clip.id, findings(clip))
            with calling("transform", transform):
                after = transform(clip)
            returned("transform", transform, after, Clip, "asl_core.Clip")
            if after.layout is not None and after.features.shape[-1] != after.layout.width:
                after = attrs.evolve(after, layout=None)  # other numbers than those that it describes
            clip = after if _timed(after) else _with_times(transform, clip, after, noticed)
        return clip

    def take(self, clip: Clip, noticed: Noticed) -> Clip | None:
        """One clip as it is stored, or None where it has numbers that no model can take; the fault is noted.

        NaN may mean "not seen", where a transform takes it: only its output is checked. Infinite numbers, and those
        whose squares are infinite, are of no use to any transform.
        """
        if clip.features.ndim != 2 or not clip.features.size:
            return clip  # the audit reports it
        fault = bad_numbers(clip.features, nan=False)
        if clip.times is not None and not _timed(clip):
            fault = f"{len(clip.features)} frames and the times of {len(clip.times)}"
        if fault is None:
            with np.errstate(over="ignore", invalid="ignore"):  # the result is checked
                stored = self.clip(clip, noticed)
            if (after := bad_numbers(stored.features)) is None:
                return stored
            fault = bad_numbers(clip.features) or f"{after}, after the transforms"
        noticed.bad[clip.id] = f"clip {clip.id!r} ({clip.source or 'unknown source'}) holds {fault}"
        return None

    def expect(self, width: int) -> None:
        """Tell transforms that can give more or fewer points to give ``width`` features per frame, as a model takes."""
        for transform in self.clipwise:
            if (expect := getattr(transform, "expect", None)) is not None:
                expect(width)

    def unseen(self, clip: Clip) -> np.ndarray:
        """(T,) share of each frame of a stored clip that was not seen, 1 where nothing was.

        By the last transform that knows; without any, the share of features that are 0.
        """
        for transform in reversed(self.clipwise):
            method = getattr(transform, "unseen", None)
            share: np.ndarray | None = None if method is None else method(clip)
            if share is not None:
                return share
        return zero_share(clip)

    def width(self, width: int) -> int:
        """Features per frame at the encoder, from ``width`` stored ones."""
        return functools.reduce(lambda w, transform: transform.output_width(w), self.batchwise, width)


def _timed(clip: Clip) -> bool:
    """Whether it has a time for each frame, or no times."""
    return clip.times is None or len(clip.times) == len(clip.features)


def _with_times(transform: Transform, before: Clip, after: Clip, noticed: Noticed | None) -> Clip:
    """A clip with the times of the frames that a transform kept; without times where it does not say which."""
    frames_kept = getattr(transform, "frames_kept", None)
    times = before.times
    if (
        frames_kept is not None
        and times is not None
        and len(times := times[frames_kept(before)]) == len(after.features)
    ):
        return attrs.evolve(after, times=times)
    if noticed is not None:
        name = type(transform).__name__
        message = f"{name} changes the frames and does not say which it keeps; their times are dropped"
        noticed.add(after.id, [Finding("warning", "times-dropped", message)])
    return attrs.evolve(after, times=None)


def bad_findings(
    split: str,
    bad: Mapping[str, str],
    clips: int,
    width: int,
    config: RunConfig,
    dataset: Dataset,
    layout: Layout | None = None,
) -> list[Finding]:
    """An error about clips with numbers that no model can take, or a warning where the data set drops them.

    Args:
        split: for the message.
        bad: clip id -> what is wrong with it.
        clips: how many the split has.
        width: features per frame of the data set.
        config: of the run.
        dataset: its attribute ``bad_clips``, ``stop`` or ``drop``, comes from its option ``bad-clips``.
        layout: of its clips, where they have one.
    """
    if not bad:
        return []
    policy = getattr(dataset, "bad_clips", None)
    shown = shortened(bad.values(), separator="; ")
    text = f"{len(bad)} of {clips} clips of {split} cannot be learned from: {shown}"
    if policy == "drop":
        return [Finding("warning", "bad-clips", f"dropped: {text}.", {"split": split, "ids": list(bad)})]
    takers = transforms_with("takes_nan", config, width, layout) if "holds NaN" in shown else []
    remedy = f"If NaN is what was not seen, --transform {' or '.join(takers)} takes it. " if takers else ""
    remedy += "Extract them again" + (", or leave them out with --dataset.bad-clips drop" if policy == "stop" else "")
    return [Finding("error", "non-finite", f"{text}. {remedy}.", {"split": split, "ids": list(bad)})]


def transforms_with(attribute: str, config: RunConfig, width: int, layout: Layout | None = None) -> list[str]:
    """Names of transforms, besides those of the run, that take such frames and have a true attribute."""
    names = []
    for offer in discover().registry.slot("transform"):
        if any(choice.component == offer.component for choice in config.transforms):
            continue
        with contextlib.suppress(Exception):  # a fault of a plugin that nobody chose is no error here
            transform = offer.component.load()(offer.component.options())
            if getattr(transform, attribute, False) and _reason(transform, width, layout) is None:
                names.append(offer.component.name)
    return names


def fit_to_clip(config: RunConfig, clip: Clip) -> tuple[RunConfig, list[str], int]:
    """The configuration for such clips: without suggested transforms and augmentations that cannot take them.

    Args:
        config: as it was resolved.
        clip: one of the data set, before any transform; only its layout matters.

    Returns:
        The fitted configuration, a note for each component that was left out, and the features per frame as stored.

    Raises:
        ConfigError: a component that the user chose does not fit, or a transform stands in the wrong place. Of several
            transforms only the first is reported: the faults of the others follow from it.
    """
    config, notes, stored = _fit_transforms(config, clip)
    # An augmentation that is not raw sees frames after the batchwise transforms.
    described = Pipeline.of(config).width(stored)
    built = [(choice.name, choice.build()) for choice in config.augments]
    reasons = {name: _reason(a, stored if getattr(a, "raw", False) else described) for name, a in built}
    config, more = _without(config, "augment", config.augments, {k: v for k, v in reasons.items() if v is not None})
    return config, notes + more, stored


def _fit_transforms(config: RunConfig, clip: Clip) -> tuple[RunConfig, list[str], int]:
    """Each transform is compared with what those before it give; also returns the features per frame as stored."""
    Pipeline.of(config)  # checks their order
    suggested = _suggested(config, "transform")
    reasons: dict[str, str] = {}
    stored = width = clip.features.shape[1]
    # Values that are not finite are reported later, and of all clips together.
    clip = attrs.evolve(clip, features=np.where(np.isfinite(clip.features), clip.features, np.float32(0)), times=None)
    for choice in config.transforms:
        transform = choice.build()
        if (reason := _reason(transform, width, clip.layout)) is not None:
            reasons[choice.name] = reason
            if not suggested:
                break
        elif getattr(transform, "batchwise", False):
            width = transform.output_width(width)
        else:
            with calling("transform", transform):
                clip = transform(clip)
            stored = width = returned("transform", transform, clip, Clip, "asl_core.Clip").features.shape[1]
    return *_without(config, "transform", config.transforms, reasons), stored


def _suggested(config: RunConfig, slot: str) -> bool:
    return config.origin(f"{slot}.names").kind is Kind.SUGGESTION


def _reason(component: Any, width: int, layout: Layout | None = None) -> str | None:
    if layout is not None and layout.width == width and (unfit := getattr(component, "unfit_layout", None)) is not None:
        reason: str | None = unfit(layout)
        return reason
    unfit = getattr(component, "unfit", None)
    return None if unfit is None else unfit(width)


def _without(
    config: RunConfig, slot: str, choices: tuple[Choice, ...], reasons: dict[str, str]
) -> tuple[RunConfig, list[str]]:
    if not reasons:
        return config, []
    texts = [f"{slot} {name} does not fit: {reason}" for name, reason in reasons.items()]
    if not _suggested(config, slot):
        origin = config.origin(f"{slot}.names")
        # Where a recipe or another file chose it, the clips may be the wrong ones rather than the setting.
        from_file = origin.file is not None
        remedy = "; name clips that it can take, or choose another" if from_file else "; leave it out of"
        raise ConfigError([f"{origin}: {t}" + f"{remedy} --{slot}" * (" put " not in t) for t in texts])
    kept: dict[str, Any] = {f"{slot}s": tuple(c for c in choices if c.name not in reasons)}
    return attrs.evolve(config, **kept), [f"{text}; it is left out" for text in texts]
