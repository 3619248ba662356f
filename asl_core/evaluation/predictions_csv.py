"""``predictions-val.csv``: the predictions for every clip of a split."""

from __future__ import annotations

import csv
import io
from typing import Any

from asl_core.clips.store import ClipStore
from asl_core.evaluation.scoring import Predictions, answers, edit_counts, scored
from asl_core.text import cell

__all__ = ["predictions_csv"]


def predictions_csv(predictions: Predictions, store: ClipStore, top: int = 5) -> str:
    """One row a clip: id, true glosses, whether it was right, and the five likeliest glosses with probabilities.

    Of sentences also the text that was read, its edits (substitutions, insertions, deletions) and the number of true
    glosses. A clip that is not scored is neither right nor wrong: those cells are empty. Ids and glosses that a
    spreadsheet would take for a formula begin with an apostrophe; see :func:`asl_core.text.cell`.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = store.vocabulary.glosses
    if predictions.scores is None:
        writer.writerow(["clip", "glosses"])
        writer.writerows([cell(i), cell(" ".join(g))] for i, g in zip(store.ids, store.glosses, strict=True))
        return text.getvalue()
    top = min(top, len(names))
    scope = scored(predictions, store)
    texts = predictions.decoded if store.sentences or scope.how == "text" else None
    counts = dict(zip(scope.places, edit_counts(predictions, store, scope), strict=True)) if scope.how == "text" else {}
    reading = ["decoded", "edits", "length"] if texts is not None else []
    ranked = [f"{what}{k}" for k in range(1, top + 1) for what in ("gloss", "probability")]
    writer.writerow(["clip", "glosses", "correct", *reading, *ranked])
    values, classes = predictions.scores.exp().topk(top, dim=1)
    right = answers(predictions, store)
    for n, (clip, glosses) in enumerate(zip(store.ids, store.glosses, strict=True)):
        row: list[Any] = [cell(clip), cell(" ".join(glosses)), {True: 1, False: 0, None: ""}[right[n]]]
        if texts is not None:
            row += [cell(" ".join(names[c] for c in texts[n])), *counts.get(n, ("", ""))]
        for value, index in zip(values[n].tolist(), classes[n].tolist(), strict=True):
            row += [cell(names[index]), f"{value:.6f}"]
        writer.writerow(row)
    return text.getvalue()
