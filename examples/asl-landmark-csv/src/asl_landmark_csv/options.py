"""Options. Nothing here imports numpy, since ``asl show`` and ``--help`` import this module."""

from __future__ import annotations

import attrs
from asl_core import option


@attrs.frozen(kw_only=True)
class LandmarkCsvOptions:
    """Options of the ``landmark-csv`` data set. File names may be globs, relative to ``root`` or absolute."""

    root: str | None = option(None, env="LANDMARK_CSV", path=True, help="folder with the CSV files")
    train: str = option("*train*.csv", help="file or glob of the train clips")
    val: str | None = option(None, help="the same of val, or none; unset means *val*.csv, if any")
    test: str | None = option(None, help="the same of test, or none; unset means *test*.csv, if any")
    points: str = option(
        "all",
        choices=("all", "hands", "body", "file"),
        help="points: body and hands (108 features per frame), hands (84), body (24), or those of the train file",
    )
    missing: str = option(
        "zero", choices=("zero", "hold"), help="a missing point: keep its 0, or hold its last position"
    )
    label_column: str | None = option(
        None, help="column with the class, a number or a gloss; unset means labels, label, gloss, sign, word …"
    )
    names: str | None = option(
        None,
        path=True,
        help="glosses of class numbers: JSON {number: gloss}, WLASL_v0.3.json, or lines NUMBER GLOSS",
    )
