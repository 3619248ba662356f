"""Options of the data set ``wlasl``: where its files are, which glosses, and what to do with bad clips."""

from __future__ import annotations

import attrs

from asl_core import option


@attrs.frozen(kw_only=True)
class WlaslOptions:
    """Options of the ``wlasl`` data set. File names may be globs, relative to ``root`` or absolute."""

    root: str | None = option(
        None,
        env="ASL_DATA",
        path=True,
        exists=True,
        help="folder with the feature pickles and, optionally, vocabulary.json",
    )
    train: str | None = option(None, help="file or glob of the train clips; unset means features_train_*.pkl")
    val: str | None = option(
        None, help="file or glob of the val clips, or none; unset means features_val_*.pkl, if any"
    )
    test: str | None = option(
        None, help="file or glob of the test clips, or none; unset means features_test_*.pkl, if any"
    )
    labels: str | None = option(
        None,
        help="glosses for clips without one: CSV id,gloss, JSON {id: gloss} or WLASL_v0.3.json; relative to root, or "
        "to the working directory",
    )
    label_ids: str = option(
        "exact",
        choices=("exact", "loose"),
        help="how ids of the label file are compared; loose: without folder, file ending, leading zeros and case",
    )
    glosses: int | tuple[str, ...] | None = option(
        None, ge=1, help="keep only these glosses, or the N with the most train clips (ties alphabetical)"
    )
    fps: float | None = option(None, help="frames per second of clips that do not say", gt=0, le=1000)
    class_key: str = option(
        "gloss",
        choices=("gloss", "stored-number"),
        help="what a class is; stored-number repeats the reference's error (the numbers differ between splits)",
    )
    bad_clips: str = option(
        "stop",
        choices=("stop", "drop"),
        help="what to do with clips of zero frames, without an array of features, or with NaN or infinite numbers",
    )
