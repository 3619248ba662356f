"""The start of a new plugin for each slot: a small component that works, to be changed."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from asl_core.registry.component import SLOTS

__all__ = ["STARTS", "Start"]


@attrs.frozen(kw_only=True)
class Start:
    """The start of a plugin for one slot."""

    slot: str
    kind: str = attrs.field(default=attrs.Factory(lambda self: self.slot, takes_self=True))  #: the word of ``--slot``
    words: str  #: the slot in prose
    summary: str  #: of the component
    module: str  #: name of its module
    example: str  #: a command that uses it, with ``{name}`` for its name
    libraries: tuple[str, ...]  #: requirements besides asl
    options: bool = True  #: whether it has an options class
    suggests: str = ""  #: source code of the component's ``suggests``

    @property
    def hook(self) -> str:
        """The hook that returns it."""
        return SLOTS[self.slot]

    @property
    def article(self) -> str:
        """``a`` or ``an``."""
        return "an" if self.words[0] in "aeiou" else "a"


_ATTRS, _NUMPY, _TORCH = "attrs>=24.1", "numpy>=1.26", "torch>=2.6"

#: by the word of ``--slot``: every slot, and further kinds of one
STARTS: Mapping[str, Start] = {
    start.kind: start
    for start in (
        Start(
            slot="encoder",
            words="encoder",
            summary="separable convolutions over time, each with twice the reach of the one before",
            module="encoder",
            example="asl run --encoder {name}",
            libraries=(_ATTRS, _TORCH),
        ),
        Start(
            slot="head",
            words="head",
            summary="a linear classifier on a mean of the frames with learnt weights",
            module="head",
            example="asl run --head {name}",
            libraries=(_ATTRS, _TORCH),
            suggests='{"loss.name": "cross-entropy"}',
        ),
        Start(
            slot="loss",
            words="loss",
            summary="cross-entropy with a small weight for clips that are already recognised (focal loss)",
            module="loss",
            example="asl run --head mean --loss {name}",
            libraries=(_ATTRS, _TORCH),
        ),
        Start(
            slot="augment",
            words="augmentation",
            summary="adds a linear drift to the features of a clip",
            module="augment",
            example="asl run --augment speed,{name}",
            libraries=(_ATTRS, _TORCH),
        ),
        Start(
            slot="dataset",
            words="data set",
            summary="clips as .npy files in folders SPLIT/GLOSS",
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
            summary="adds the change of every feature from frame to frame, as a part of the model",
            module="transform",
            example="asl run --transform {name}",
            libraries=(_ATTRS, _TORCH),
        ),
        Start(
            slot="checkpoint-loader",
            words="checkpoint loader",
            summary="weights as numpy arrays in .npz files",
            module="loader",
            example="asl inspect {name}:weights.npz",
            libraries=(_NUMPY, _TORCH),
            options=False,
        ),
        Start(
            slot="observer",
            words="observer",
            summary="the figures of a run as a CSV table, one line per epoch",
            module="observer",
            example="asl run --observer {name}",
            libraries=(_ATTRS,),
        ),
    )
}
