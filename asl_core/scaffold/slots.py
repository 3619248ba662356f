"""What a new plugin of each slot is to begin with: something small that works, to be changed into something else."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from asl_core.registry.component import SLOTS

__all__ = ["STARTS", "Start"]


@attrs.frozen(kw_only=True)
class Start:
    """The beginning of a plugin of one slot."""

    slot: str
    kind: str = attrs.field(default=attrs.Factory(lambda self: self.slot, takes_self=True))  #: the word of ``--slot``
    words: str  #: the slot in prose
    summary: str  #: of the component
    module: str  #: file that holds it
    example: str  #: a command that uses it; ``{name}`` stands for its name
    libraries: tuple[str, ...]  #: requirements beside asl
    options: bool = True  #: whether it has an options class
    suggests: str = ""  #: source of what the component suggests

    @property
    def hook(self) -> str:
        """The hook that offers it."""
        return SLOTS[self.slot]

    @property
    def article(self) -> str:
        """``a`` or ``an``."""
        return "an" if self.words[0] in "aeiou" else "a"


_ATTRS, _NUMPY, _TORCH = "attrs>=24.1", "numpy>=1.26", "torch>=2.6"

#: what ``--slot`` says -> how it begins; every slot, and further kinds of one
STARTS: Mapping[str, Start] = {
    start.kind: start
    for start in (
        Start(
            slot="encoder",
            words="encoder",
            summary="separable convolutions over time, each seeing twice as far as the one before it",
            module="encoder",
            example="asl run --encoder {name}",
            libraries=(_ATTRS, _TORCH),
        ),
        Start(
            slot="head",
            words="head",
            summary="a linear classifier on a weighted mean of the frames, whose weights are learnt",
            module="head",
            example="asl run --head {name}",
            libraries=(_ATTRS, _TORCH),
            suggests='{"loss.name": "cross-entropy"}',
        ),
        Start(
            slot="loss",
            words="loss",
            summary="cross-entropy in which clips that are recognised already weigh little (focal loss)",
            module="loss",
            example="asl run --head mean --loss {name}",
            libraries=(_ATTRS, _TORCH),
        ),
        Start(
            slot="augment",
            words="augmentation",
            summary="lets the numbers of a clip drift while it lasts",
            module="augment",
            example="asl run --augment speed,{name}",
            libraries=(_ATTRS, _TORCH),
        ),
        Start(
            slot="dataset",
            words="data set",
            summary="clips as .npy files, in a folder for each split and in that a folder for each gloss",
            module="dataset",
            example="asl run --dataset {name} --dataset.root FOLDER",
            libraries=(_ATTRS, _NUMPY),
        ),
        Start(
            slot="format",
            words="format",
            summary="landmarks as text: a line with their names, then one line per frame",
            module="format",
            example="asl show format {name}",
            libraries=(_ATTRS, _NUMPY),
        ),
        Start(
            slot="transform",
            words="transform",
            summary="a moving average over neighbouring frames",
            module="transform",
            example="asl run --transform {name}",
            libraries=(_ATTRS, _NUMPY),
        ),
        Start(
            slot="transform",
            kind="batch-transform",
            words="transform",
            summary="adds to every number how much it changes from frame to frame, as a part of the model",
            module="transform",
            example="asl run --transform {name}",
            libraries=(_ATTRS, _TORCH),
        ),
        Start(
            slot="checkpoint-loader",
            words="checkpoint loader",
            summary="weights that are kept as numpy arrays, in .npz files",
            module="loader",
            example="asl inspect {name}:weights.npz",
            libraries=(_NUMPY, _TORCH),
            options=False,
        ),
        Start(
            slot="observer",
            words="observer",
            summary="a run's figures as a table, one line an epoch",
            module="observer",
            example="asl run --observer {name}",
            libraries=(_ATTRS,),
        ),
    )
}
