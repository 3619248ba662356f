"""What the components of each slot are: their shapes, what they declare, and what the core may rely on.

Encoders, heads and losses are ``nn.Module``s, so these are base classes with safe defaults for all that is
optional; data sets, transforms, augmentations, loaders and observers are protocols, met by shape alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias, runtime_checkable

import attrs
from torch import Tensor, nn

from asl_core.clips.batch import Batch
from asl_core.clips.clip import Clip, Finding
from asl_core.clips.recording import Recording
from asl_core.clips.store import ClipStore
from asl_core.compute.seeding import ClipRandom

if TYPE_CHECKING:
    from asl_core.config.run_config import RunConfig

__all__ = [
    "AnyObserver",
    "Augment",
    "BatchTransform",
    "CheckpointLoader",
    "Dataset",
    "Encoder",
    "EpochReport",
    "EventObserver",
    "Facts",
    "Foreign",
    "Format",
    "Head",
    "HeadOutput",
    "Loss",
    "LossResult",
    "Observer",
    "RunStarted",
    "RunStopped",
    "Sample",
    "Span",
    "Transform",
]


class Dataset(Protocol):
    """Clips with gloss strings. Made by ``factory(options)``; reads nothing until asked.

    Numbers that are not finite may stand in clips: they are judged after the transforms. One with an option
    ``bad-clips`` may have an attribute ``bad_clips``, ``stop`` or ``drop``: what a run does with clips whose numbers no
    model can take.
    """

    def splits(self) -> Sequence[str]:
        """The splits there are, of ``train``, ``val``, ``test``."""
        ...

    def clips(self, split: str) -> Iterable[Clip]:
        """The clips of one split, in an order that does not change.

        Reading that takes long can go through :func:`asl_core.track`, which shows how far it is.

        Raises:
            DataError: a file is missing, damaged or not of the layout.
        """
        ...

    def findings(self) -> Sequence[Finding]:
        """What the data set itself noticed while reading the splits asked for so far."""
        ...

    def read(self, path: Path) -> Sequence[Clip]:
        """The clips of one file that a user names for prediction; glosses may be empty.

        Raises:
            DataError: not a file of this data set's layout; the message says what would be.
        """
        ...


class Format(Protocol):
    """A format of recordings on disk. Made by ``factory(options)``; its options need defaults.

    A recording is a file, several of them are one file, or one is a folder of frames.
    """

    suffixes: ClassVar[Sequence[str]] = ()  #: endings of file names (``.pose``) that are worth asking about

    def recognises(self, path: Path) -> bool:
        """Whether the file or folder is of this format, by its content. Cheap: it reads a header or a listing.

        Two formats must not recognise the same file: :func:`asl_core.find_format` refuses it.
        """
        ...

    def read(self, path: Path) -> Iterable[Recording]:
        """The recordings in it, in an order that does not change; points that were not seen are NaN.

        Raises:
            DataError: it is damaged, cut short, or not of the format; the message says what was expected.
            MissingExtraError: a library is not installed; the message says how to install it.
        """
        ...


class Transform(Protocol):
    """A pure function on one clip, applied once before training and at prediction alike.

    It may have ``unfit(width)`` as :class:`Augment` may. One that leaves frames out may have
    ``frames_kept(clip) -> slice``: which of the clip's frames it hands on, so that a frame can be found again in the
    file. With ``takes_nan = True`` it takes NaN as what was not seen, and with ``cuts_padding = True`` it leaves out
    frames of zeros at either end: messages name it where clips need that. With ``batchwise = True`` it is a
    :class:`BatchTransform`.

    One for clips with a :class:`asl_core.Layout` may have ``unfit_layout(layout) -> str | None``, asked in the place of
    ``unfit``, and ``expect(width)``, which says how many features per frame a model takes of what it hands on.

    It may know more of its frames than their numbers say, and tell it by two methods, which change nothing:
    ``unseen(clip) -> np.ndarray | None``, (T,) for each frame of a clip that it handed on the share of what signs are
    told by that was not seen, 1 where nothing was, or None where the frames are of another layout; and
    ``findings(clip) -> Sequence[Finding]``, what is odd about a clip that is handed to it. The messages name no clip:
    those of one code are told together, with the clips that they are true of.
    """

    def __call__(self, clip: Clip) -> Clip:
        """The clip with other features (T', D')."""
        ...


class BatchTransform(Protocol):
    """A transform of whole batches, part of the model: a pure function with nothing to learn.

    It is applied on the device, after the augmentations that see frames as they are stored and before the frames are
    standardised, in training, evaluation and prediction alike. So a description of landmarks (distances, paths) is
    made of landmarks that were turned and mirrored as landmarks. It may have ``unfit(width)`` as :class:`Augment` may.
    """

    batchwise: ClassVar[bool] = True

    def output_width(self, width: int) -> int:
        """Numbers a frame that it gives for ``width``."""
        ...

    def __call__(self, batch: Batch) -> Batch:
        """The same clips and lengths with other numbers a frame; padding stays zero and changes nothing."""
        ...


class Augment(Protocol):
    """A random change of a training batch. All its randomness comes from ``random``.

    It is given standardised frames, or with an attribute ``raw = True`` frames as they are stored, before that.
    It may have a method ``unfit(width) -> str | None``: why it cannot be used on frames of ``width`` numbers. The
    run then refuses it where the user chose it, and leaves it out, and says so, where it was only suggested.

    It may have a method ``views() -> Mapping[str, Callable[[Batch], Batch]]``: changes of every clip without chance, by
    name (``mirror``), over which predictions can be averaged. What it draws and what it keeps holds for them too.

    With ``changes_time = True`` it says that frame t of a changed clip need not be frame t of the clip before, as in
    a crop. Two views of a clip whose frames are to stay in line (:attr:`Loss.aligned`) then get the same draw of it.
    """

    def __call__(self, batch: Batch, random: ClipRandom) -> Batch:
        """The same clips with other frames and lengths; padding stays zero."""
        ...


@attrs.frozen
class Facts:
    """What a run knows of its clips when it makes an encoder, a head or a loss.

    A factory that has a parameter of the name ``facts`` is given them by keyword; any other is called as before. Give
    it the default None, which is what it gets where no clips were read (`asl check`).
    """

    feature_size: int  #: features per frame, as the encoder gets them
    stored_size: int  #: features per frame as clips are stored: before the transforms of batches
    classes: int  #: glosses
    standardised: bool  #: whether the encoder gets standardised features (``train.standardise``)
    sentences: bool | None = None  #: whether clips hold several glosses; None where unknown
    fps: float | None = None  #: frames per second; None where unknown


class Encoder(nn.Module):
    """Frames to frames. Made by ``factory(options, input_size)``, or with :class:`Facts` as ``facts=``.

    ``forward(features (B, T, D), lengths (B,))`` gives ``(B, T', output_size)`` with T' at least
    ``output_lengths(lengths).max()``; frames past a clip's own length may hold anything, and never
    change the frames before. A pooling encoder (``frames = False``) gives ``(B, output_size)``.
    """

    output_size: int
    frames: bool = True
    couples_clips: bool = False  #: whether a clip's output in training depends on the other clips of its batch

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """(B,) frames after the encoder, at least 1, from frames before; the same unless it downsamples."""
        return lengths


@attrs.frozen(eq=False)
class HeadOutput:
    """What a head makes of the encoder's frames."""

    values: Tensor  #: (B, T', K) or (B, K); what K is, the head's ``kind`` says
    lengths: Tensor | None  #: (B,) frames, or None where time is gone

    @property
    def frame_lengths(self) -> Tensor:
        """(B,) frames of each clip, of an output that keeps time.

        Raises:
            ValueError: time is gone from this output.
        """
        if self.lengths is None:
            raise ValueError("this head output has no frame lengths; expected the output of a head that keeps time")
        return self.lengths

    def rows(self, start: int, end: int) -> HeadOutput:
        """The output of clips ``start`` to ``end`` alone."""
        lengths = None if self.lengths is None else self.lengths[start:end]
        return attrs.evolve(self, values=self.values[start:end], lengths=lengths)


@attrs.frozen
class Span:
    """Frames in a row on which one gloss stands, or none."""

    gloss: int | None  #: class number, or None for blank
    start: int  #: first frame
    end: int  #: the one after the last
    probability: float  #: of the gloss, or of blank, on the mean over these frames


class Head(nn.Module):
    """Encoder frames to an output. Made by ``factory(options, input_size, classes)``, or with ``facts=``.

    ``forward(frames (B, T', input_size), lengths (B,) or None)`` gives a :class:`HeadOutput`.
    """

    kind: ClassVar[str] = ""  #: what the output is; a loss says which kinds it accepts
    needs_frames: ClassVar[bool] = True  #: False where it also takes a pooled (B, input_size)
    ranks: ClassVar[bool] = True  #: whether :meth:`scores` ranks the glosses (a stage-1 head does not)
    couples_clips: bool = False  #: whether a clip's output in training depends on the other clips of its batch

    def scores(self, output: HeadOutput) -> Tensor:
        """(B, classes) log-probabilities of each gloss being the clip's one sign; they sum to 1."""
        raise TypeError(f"{type(self).__name__} ranks no glosses")

    def decode(self, output: HeadOutput) -> list[list[int]] | None:
        """Class numbers read from each clip in order, or None where the head cannot read sentences."""
        return None

    def align(self, output: HeadOutput, labels: Sequence[Sequence[int]] | None = None) -> list[list[Span]] | None:
        """Which gloss stands on which encoder frames of each clip, from the first frame to the last without a gap.

        Args:
            output: of the clips.
            labels: class numbers that each clip is to be read as; default: what each frame by itself says best.

        Returns:
            None where the head does not place glosses in time.
        """
        return None

    def min_frames(self, targets: Sequence[int]) -> int:
        """Fewest encoder frames that can carry this label."""
        return 1

    def figures(self, output: HeadOutput) -> dict[str, Tensor]:
        """Figures worth logging, each (B,), averaged over clips by the loop."""
        return {}

    def unfit(self, width: int) -> str | None:
        """Why this head cannot be used on clips of ``width`` numbers a frame, where it depends on that."""
        return None

    def diagnose(self, figures: Mapping[str, float]) -> str | None:
        """One sentence when an epoch's validation figures show a known fault, with what to try."""
        return None


@attrs.frozen(eq=False)
class Sample:
    """What a loss sees of a training step."""

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
    """A training objective. Made by ``factory(options)``, or with ``facts=``; parameters of its own are trained too.

    ``forward(sample)`` gives a :class:`LossResult`; it must not change with padding.
    """

    accepts: ClassVar[frozenset[str]] = frozenset()  #: kinds of head output
    views: int = 1  #: 2: two augmentations of each clip, which other losses then see too
    aligned: bool = False  #: whether frame t of both views is to be the same moment; see :class:`Augment`
    couples_clips: bool = False  #: whether a clip's loss depends on the other clips of its batch, as in a contrast
    running: bool = False  #: whether it keeps a running mean of what it is shown in training, as a batch norm does
    corrupts: bool = False  #: whether :meth:`corrupt` changes what the encoder sees
    #: former names of its parts -> their names now, so that ``train.select`` of an older configuration still works
    renamed_parts: ClassVar[Mapping[str, str]] = {}
    labels: ClassVar[str] = "one"  #: "one" gloss a clip, "any" number of at least one, or "none" needed

    def prepare(self, store: ClipStore) -> None:
        """See the train clips once, as the model describes them, before the first step (class counts, code books)."""

    def corrupt(self, batch: Batch, random: ClipRandom) -> Batch:
        """The batch as the encoder is to see it; :attr:`Sample.clean` keeps the original."""
        return batch

    def figures(self, sample: Sample) -> dict[str, Tensor]:
        """Figures of the objective, each (B,), averaged over clips; for objectives without ranking."""
        return {}


@attrs.frozen(eq=False)
class Foreign:
    """A checkpoint of somebody else's, read."""

    tensors: Mapping[str, Tensor]  #: names as our encoder would have them where the loader knows how
    source: str  #: what the loader took it for, in words
    glosses: tuple[str, ...] | None = None
    settings: Mapping[str, Any] = attrs.field(factory=dict)  #: encoder options that its shapes imply
    encoder: str | None = None  #: the encoder that its tensors line up with
    standardise: bool | None = None  #: whether its features were standardised; None where unknown
    #: mean and scale, each (D,), that its features were standardised by
    statistics: tuple[Tensor, Tensor] | None = None
    width: int | None = None  #: numbers a frame that it reads
    transforms: Mapping[str, Any] | None = None  #: the settings ``transform.*`` that it was trained with
    others: Mapping[str, Tensor] = attrs.field(factory=dict)  #: what is no encoder's, under the file's own names
    facts: Mapping[str, Any] = attrs.field(factory=dict)  #: epoch, metrics, configuration: plain values, to be shown
    #: what else of the file may be the encoder's; of all readings the one that covers most of an encoder is taken
    alternatives: tuple[Foreign, ...] = ()


class CheckpointLoader(Protocol):
    """Reads one family of checkpoint files.

    A loader for files of any content may have an attribute ``fallback = True``: it is asked only about files that
    no other loader recognises.
    """

    def recognises(self, path: Path) -> bool:
        """Whether this file looks like one of its own; must not run code from it, nor raise."""
        ...

    def load(self, path: Path) -> Foreign:
        """Read it.

        Raises:
            CheckpointError: damaged, hostile, or another kind of file after all.
        """
        ...


@attrs.frozen
class RunStarted:
    """A run is prepared, and its first epoch comes next."""

    config: RunConfig  #: as it fits the clips and the checkpoint
    summary: Mapping[str, object]  #: run, audit, classes, parameters, device, precision, notes, transfer, …


@attrs.frozen
class EpochReport:
    """An epoch has ended, and its metrics are written."""

    epoch: int  #: counted from 1
    epochs: int
    train: Mapping[str, float]  #: loss and its parts
    val: Mapping[str, float]  #: empty where there is no val split
    best_epoch: int
    warnings: tuple[str, ...]
    seconds: float  #: wall time of this epoch
    seconds_left: float


@attrs.frozen
class RunStopped:
    """The last event of a run that has started, however it ends."""

    reason: str  #: ``finished``, ``interrupted`` (Ctrl-C), ``terminated`` (SIGTERM) or ``failed``
    message: str = ""  #: why, unless it finished
    summary: Mapping[str, object] = attrs.field(factory=dict)  #: of a finished run: epochs, best, report, run, next, …


@runtime_checkable
class EventObserver(Protocol):
    """Gets a run's events, once each and never once a batch.

    An observer that raises an ``Exception`` is reported and left out, and the run goes on; by ``KeyboardInterrupt`` it
    ends the run. It may have ``on_progress(report)``, which gets an :class:`asl_core.ProgressReport` when a phase of
    the work (reading, auditing, an epoch, an evaluation) begins and ends, and at most ten times a second in between.
    """

    def on_event(self, event: RunStarted | EpochReport | RunStopped) -> None:
        """Look at one event, by its type."""
        ...


@runtime_checkable
class Observer(Protocol):
    """The same with a method for each event; ``on_event`` takes precedence where an observer has both.

    It may have ``on_stop(reason)``, called instead of ``on_end`` where the run fails or is interrupted.
    """

    def on_start(self, config: RunConfig, summary: Mapping[str, object]) -> None:
        """See :class:`RunStarted`."""
        ...

    def on_epoch(self, report: EpochReport) -> None:
        """See :class:`EpochReport`."""
        ...

    def on_end(self, summary: Mapping[str, object]) -> None:
        """See :attr:`RunStopped.summary`."""
        ...


AnyObserver: TypeAlias = EventObserver | Observer
