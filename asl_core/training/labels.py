"""Refuses, before training, labels that the losses and heads of a run cannot use."""

from __future__ import annotations

from collections.abc import Sequence

from asl_core.clips.store import ClipStore
from asl_core.errors import DataError
from asl_core.model.objectives import Objective
from asl_core.model.recogniser import Recognizer
from asl_core.text import shortened

__all__ = ["check_labels"]


def check_labels(model: Recognizer, objectives: Sequence[Objective], store: ClipStore) -> None:
    """Hold labels against losses and heads.

    Raises:
        DataError: clips with no gloss or several under a loss that needs one, fewer encoder frames than a label needs,
            or clips of a width that a head cannot take. The message names the first clips.
    """
    for objective in objectives:
        need = objective.loss.labels
        wrong = [i for i, t in enumerate(store.targets) if (need == "one" and len(t) != 1) or (need == "any" and not t)]
        if wrong:
            none, several = not all(store.targets), any(len(store.targets[i]) > 1 for i in wrong)
            kinds = " or ".join(word for word, there in (("none", none), ("several", several)) if there)
            remedies = [
                *["Give their glosses, or leave these clips out (a stage-1 loss needs none)."] * none,
                *["--loss ctc takes sentences."] * several,
            ]
            raise DataError(
                f"loss {objective.name!r} needs {'exactly one gloss' if need == 'one' else 'a gloss'} a clip, and "
                f"{len(wrong)} of {len(store)} train clips have {kinds} ({_some(store, wrong)}). {' '.join(remedies)}"
            )
    frames = model.encoder.output_lengths(store.lengths) if model.encoder.frames else None
    for name in model.heads:
        head = model.head(name)
        if reason := head.unfit(store.width):
            raise DataError(f"head {name!r} does not fit the clips: {reason}")
        if frames is None or not any(o.head == name and o.loss.labels != "none" for o in objectives):
            continue
        short = [
            i for i, (t, n) in enumerate(zip(store.targets, frames.tolist(), strict=True)) if n < head.min_frames(t)
        ]
        if short:
            i = short[0]
            raise DataError(
                f"{len(short)} train clips are too short for head {name!r} ({_some(store, short)}): clip "
                f"{store.ids[i]!r} has {int(store.lengths[i])} frames, {int(frames[i])} after the encoder, and its "
                f"label {' '.join(store.glosses[i])!r} needs {head.min_frames(store.targets[i])}. Use less "
                f"downsampling in the encoder, or leave these clips out."
            )


def _some(store: ClipStore, places: Sequence[int], most: int = 5) -> str:
    return shortened((store.ids[i] for i in places), most)
