"""The contract of each slot: shapes, what a component declares, and what the core relies on.

Encoders, heads and losses derive from the classes here, ``nn.Module``s with defaults for all that is optional. The
others are protocols: any class with these methods serves (observers: :mod:`asl_core.training.events`). B is clips, T
frames, D features per frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

import attrs
from torch import Tensor, nn

from asl_core.clips.batch import Batch
from asl_core.clips.clip import Clip, Finding
from asl_core.clips.recording import Recording
from asl_core.clips.store import ClipStore
from asl_core.compute.seeding import ClipRandom

__all__ = [
    "Augment", "BatchTransform", "CheckpointLoader", "Dataset", "Encoder", "Facts", "Foreign", "Format", "Head",
    "HeadOutput", "Loss", "LossResult", "Sample", "Span", "Transform",
]  # fmt: skip


class Dataset(Protocol):
    """Clips with gloss strings. Made by ``factory(options)``; reads nothing before it is asked to.

    Features may be NaN or infinite: they are judged after the transforms. A data set with an option ``bad-clips`` says
    by an attribute ``bad_clips`` (``stop`` or ``drop``) what a run does with clips that no model can take.
    """

    def splits(self) -> Sequence[str]:
        """The splits it has, of ``train``, ``val`` and ``test``."""

    def clips(self, split: str) -> Iterable[Clip]:
        """The clips of one split, always in the same order; :func:`asl_core.track` shows progress.

        Raises DataError for a file that is missing, damaged or not of the layout.
        """

    def findings(self) -> Sequence[Finding]:
        """What it noticed while reading the splits asked for so far."""

    def read(self, path: Path) -> Sequence[Clip]:
        """The clips of one file for prediction; glosses may be empty.

        Raises DataError for another layout; the message says what is expected.
        """


class Format(Protocol):
    """A format of recordings on disk. Made by ``factory(options)``; its options need defaults.

    A recording is a file, several of them are one file, or one is a folder of frames.
    """

    suffixes: ClassVar[Sequence[str]] = ()  #: endings of names (``.pose``) that are worth asking about
    #: whether folders are searched for it only where it is chosen by name (``--dataset.format``), as reading is slow
    on_request: ClassVar[bool] = False

    def recognises(self, path: Path) -> bool:
        """Whether the file or folder is of this format, and no other, by a header or a listing."""

    def read(self, path: Path) -> Iterable[Recording]:
        """The recordings in it, always in the same order; points that were not seen are NaN.

        Raises DataError if it is damaged or of another format, MissingExtraError if a library is not installed.
        """


class Transform(Protocol):
    """A pure function on one clip, applied once before training and likewise at prediction.

    Optional methods: ``unfit(width)`` as for :class:`Augment`; ``unfit_layout(layout) -> str | None`` in its place for
    clips with a :class:`asl_core.Layout`, with ``expect(width)``, the features per frame that a model takes;
    ``frames_kept(clip) -> slice``, which frames remain; ``findings(clip)``, what is odd about a clip (messages name
    no clip: findings of one code are reported together); ``unseen(clip) -> np.ndarray | None``, (T,) of a clip that it
    returned, the share of each frame that was not seen, or None for another layout.

    Optional attributes: ``takes_nan`` (NaN is what was not seen), ``cuts_padding`` (it removes frames of zeros at
    either end), both named in messages where clips need that; ``batchwise``: it is a :class:`BatchTransform`.
    """

    def __call__(self, clip: Clip) -> Clip:
        """The clip with other features (T', D')."""


class BatchTransform(Protocol):
    """A pure function on batches, part of the model, without parameters; it may have ``unfit(width)``.

    It runs after the ``raw`` augmentations and before standardising, so that landmarks are mirrored before distances
    are taken of them.
    """

    batchwise: ClassVar[bool] = True

    def output_width(self, width: int) -> int:
        """Features per frame that it gives for ``width``."""

    def __call__(self, batch: Batch) -> Batch:
        """The same clips and lengths with other features; padding stays zero and changes nothing."""


class Augment(Protocol):
    """A random change of a training batch; all its randomness comes from ``random``.

    Optional attributes: ``raw`` (it gets features as stored, not standardised); ``changes_time`` (frame t need not be
    frame t of the clip before: two :attr:`Loss.aligned` views get the same draw).

    Optional methods: ``unfit(width) -> str | None``, why it cannot take ``width`` features per frame (the run refuses
    it if the user chose it, and leaves it out with a note if it was suggested); ``views()``, a dict of names to
    functions of a batch without chance (``mirror``), over which predictions can be averaged.
    """

    def __call__(self, batch: Batch, random: ClipRandom) -> Batch:
        """The same clips with other frames and lengths; padding stays zero."""


@attrs.frozen
class Facts:
    """What a run knows of its clips, for factories with a parameter ``facts=None``; None if no clips were read."""

    feature_size: int  #: features per frame, as the encoder gets them
    stored_size: int  #: features per frame as clips are stored: before the transforms of batches
    classes: int  #: glosses
    standardised: bool  #: whether the encoder gets standardised features (``train.standardise``)
    sentences: bool | None = None  #: whether clips hold several glosses; None where unknown
    fps: float | None = None  #: frames per second; None where unknown


class Encoder(nn.Module):
    """Frames to frames. Made by ``factory(options, input_size)``; see also :class:`Facts`.

    ``forward(features (B, T, D), lengths (B,))`` gives (B, T', output_size), T' at least
    ``output_lengths(lengths).max()``. Frames past a clip's length may hold anything and change no frame before them.
    A pooling encoder (``frames = False``) gives (B, output_size).
    """

    output_size: int
    frames: bool = True
    couples_clips: bool = False  #: whether a clip's output in training depends on the other clips of its batch

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """(B,) frames after the encoder, at least 1, of (B,) frames before."""
        return lengths


@attrs.frozen(eq=False)
class HeadOutput:
    """A head's output."""

    values: Tensor  #: (B, T', K) or (B, K), where the head's ``kind`` says what K is
    lengths: Tensor | None  #: (B,) frames, or None where time was pooled

    @property
    def frame_lengths(self) -> Tensor:
        """(B,) :attr:`lengths`; raises ValueError if time was pooled."""
        if self.lengths is None:
            raise ValueError("this head output has no frame lengths; expected the output of a head that keeps time")
        return self.lengths

    def rows(self, start: int, end: int) -> HeadOutput:
        """The output of clips ``start`` to ``end`` alone."""
        lengths = None if self.lengths is None else self.lengths[start:end]
        return attrs.evolve(self, values=self.values[start:end], lengths=lengths)


@attrs.frozen
class Span:
    """A run of frames with one gloss, or with blank."""

    gloss: int | None  #: class number, or None for blank
    start: int  #: first frame
    end: int  #: the one after the last
    probability: float  #: mean over these frames


class Head(nn.Module):
    """Encoder frames to an output. Made by ``factory(options, input_size, classes)``; see also :class:`Facts`.

    ``forward(frames (B, T', input_size), lengths (B,) or None)`` gives a :class:`HeadOutput`.
    """

    kind: ClassVar[str] = ""  #: of its output; a loss accepts some kinds
    needs_frames: ClassVar[bool] = True  #: False where it also takes a pooled (B, input_size)
    ranks: ClassVar[bool] = True  #: whether :meth:`scores` ranks the glosses (a stage-1 head does not)
    couples_clips: bool = False  #: whether a clip's output in training depends on the other clips of its batch

    def scores(self, output: HeadOutput) -> Tensor:
        """(B, classes) log-probabilities of each gloss being the clip's one sign; they sum to 1."""
        raise TypeError(f"{type(self).__name__} ranks no glosses")

    def decode(self, output: HeadOutput) -> list[list[int]] | None:
        """Class numbers read from each clip in order, or None if the head reads no sentences."""
        return None

    def align(self, output: HeadOutput, labels: Sequence[Sequence[int]] | None = None) -> list[list[Span]] | None:
        """The spans of each clip, from the first encoder frame to the last without a gap; None if it cannot align.

        Args:
            output: of the clips.
            labels: class numbers to align each clip with (default: the best symbol of each frame).
        """
        return None

    def min_frames(self, targets: Sequence[int]) -> int:
        """Fewest encoder frames that can carry this label."""
        return 1

    def figures(self, output: HeadOutput) -> dict[str, Tensor]:
        """Figures to log, each (B,); the loop averages them over clips."""
        return {}

    def unfit(self, width: int) -> str | None:
        """Why it cannot be used on clips of ``width`` stored features per frame, or None."""
        return None

    def diagnose(self, figures: Mapping[str, float]) -> str | None:
        """One sentence, with what to try, if an epoch's validation figures show a known fault."""
        return None


@attrs.frozen(eq=False)
class Sample:
    """What a loss gets of a training step."""

    output: HeadOutput  #: of its head, for ``batch``
    batch: Batch  #: what went through the encoder; with two views, view 1 of all clips and then view 2
    clean: Batch  #: the same before :meth:`Loss.corrupt`
    views: int


@attrs.frozen(eq=False)
class LossResult:
    """A scalar to minimise and its parts to log."""

    total: Tensor  #: () mean over clips
    parts: Mapping[str, Tensor] = attrs.field(factory=dict)  #: name -> () detached by the loop


class Loss(nn.Module):
    """A training objective. Made by ``factory(options)``; see also :class:`Facts`. Its parameters are trained too.

    ``forward(sample)`` gives a :class:`LossResult`, which must not change with padding.
    """

    accepts: ClassVar[frozenset[str]] = frozenset()  #: kinds of head output
    views: int = 1  #: 2: two augmentations of each clip, which other losses then get too
    aligned: bool = False  #: whether frame t of both views must be the same moment; see :class:`Augment`
    couples_clips: bool = False  #: whether a clip's loss depends on the other clips of its batch, as in a contrast
    running: bool = False  #: whether it keeps a running mean over training batches, as a batch norm does
    corrupts: bool = False  #: whether :meth:`corrupt` changes what the encoder sees
    renamed_parts: ClassVar[Mapping[str, str]] = {}  #: former name of a part -> name now, for ``train.select``
    labels: ClassVar[str] = "one"  #: "one" gloss a clip, "any" number of at least one, or "none" needed

    def prepare(self, store: ClipStore) -> None:
        """Look at the train clips before the first step, after the batchwise transforms (class counts, code books)."""

    def corrupt(self, batch: Batch, random: ClipRandom) -> Batch:
        """The batch as the encoder gets it; :attr:`Sample.clean` keeps the original."""
        return batch

    def figures(self, sample: Sample) -> dict[str, Tensor]:
        """Figures to log of an objective without ranking, each (B,)."""
        return {}


@attrs.frozen(eq=False)
class Foreign:
    """An external checkpoint, read."""

    tensors: Mapping[str, Tensor]  #: by the names of our encoder, if the loader knows them
    source: str  #: what kind of file it is, in words
    glosses: tuple[str, ...] | None = None
    settings: Mapping[str, Any] = attrs.field(factory=dict)  #: encoder options that its shapes imply
    encoder: str | None = None  #: the encoder that its tensors fit
    standardise: bool | None = None  #: whether its features were standardised; None if unknown
    statistics: tuple[Tensor, Tensor] | None = None  #: mean and scale of its features, each (D,)
    width: int | None = None  #: features per frame
    transforms: Mapping[str, Any] | None = None  #: the settings ``transform.*`` that it was trained with
    others: Mapping[str, Tensor] = attrs.field(factory=dict)  #: tensors of no encoder, by the file's own names
    facts: Mapping[str, Any] = attrs.field(factory=dict)  #: epoch, metrics, …: plain values to show
    alternatives: tuple[Foreign, ...] = ()  #: other readings; the one that covers most of an encoder is taken


class CheckpointLoader(Protocol):
    """Reads one family of checkpoint files.

    With ``fallback = True`` it reads any content, and is asked only about files that no other loader recognises.
    """

    def recognises(self, path: Path) -> bool:
        """Whether the file looks like one of its own; must not run code from it, nor raise."""

    def load(self, path: Path) -> Foreign:
        """Read it; raises CheckpointError for a file that is damaged, hostile, or of another kind after all."""
