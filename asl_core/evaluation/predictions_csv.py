"""``predictions-val.csv``: every clip of a split with what the model took it for."""

from __future__ import annotations

import csv
import io
from typing import Any

from asl_core.clips.store import ClipStore
from asl_core.evaluation.inference import Predictions, answers, scored
from asl_core.text import cell

__all__ = ["predictions_csv"]


def predictions_csv(predictions: Predictions, store: ClipStore, top: int = 5) -> str:
    """One row a clip: id, the gloss it was, whether it was right, and the first five with probabilities.

    A clip that is not scored is neither right nor wrong: that cell is empty. Ids and glosses that a spreadsheet would
    take for a formula begin with an apostrophe; see :func:`asl_core.text.cell`.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = store.vocabulary.glosses
    if predictions.scores is None:
        writer.writerow(["clip", "glosses"])
        writer.writerows([cell(i), cell(" ".join(g))] for i, g in zip(store.ids, store.glosses, strict=True))
        return text.getvalue()
    top = min(top, len(names))
    header = ["clip", "glosses", "correct"]
    reads = predictions.decoded is not None and (store.sentences or scored(predictions, store).how == "text")
    if reads:
        header.append("decoded")
    writer.writerow(header + [f"{what}{k}" for k in range(1, top + 1) for what in ("gloss", "probability")])
    values, places = predictions.scores.exp().topk(top, dim=1)
    right = answers(predictions, store)
    for n, (clip, glosses) in enumerate(zip(store.ids, store.glosses, strict=True)):
        row: list[Any] = [cell(clip), cell(" ".join(glosses)), {True: 1, False: 0, None: ""}[right[n]]]
        if reads and predictions.decoded is not None:
            row.append(cell(" ".join(names[c] for c in predictions.decoded[n])))
        for value, place in zip(values[n].tolist(), places[n].tolist(), strict=True):
            row += [cell(names[place]), f"{value:.6f}"]
        writer.writerow(row)
    return text.getvalue()
