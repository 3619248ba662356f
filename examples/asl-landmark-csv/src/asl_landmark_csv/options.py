"""What a user says about the files. Nothing here imports numpy: ``asl show`` and ``--help`` read this class alone."""

from __future__ import annotations

import attrs
from asl_core import option


@attrs.frozen(kw_only=True)
class LandmarkCsvOptions:
    """Options of the ``landmark-csv`` data set. File names may be globs, relative to ``root`` or absolute."""

    root: str | None = option(None, env="LANDMARK_CSV", path=True, help="folder with the CSV files")
    train: str = option("*train*.csv", help="file or glob of the train clips")
    val: str | None = option(None, help="the same of val, or none; unset means *val*.csv where there are any")
    test: str | None = option(None, help="the same of test, or none; unset means *test*.csv where there are any")
    points: str = option(
        "all",
        choices=("all", "hands", "body", "file"),
        help="points of a frame: body and hands, 108 numbers; hands, 84; body, 24; or what the train file has",
    )
    missing: str = option(
        "zero", choices=("zero", "hold"), help="a point that was not found: leave its 0, or hold where it was last seen"
    )
    label_column: str | None = option(
        None, help="column with the class, a number or the gloss itself; unset means labels, label, gloss, sign, word …"
    )
    names: str | None = option(
        None,
        path=True,
        help="glosses of class numbers: JSON {number: gloss}, WLASL_v0.3.json, or lines NUMBER GLOSS",
    )
