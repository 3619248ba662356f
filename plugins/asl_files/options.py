"""What a user says about a folder of recordings: where they are, what lists them, and how they are divided."""

from __future__ import annotations

import attrs

from asl_core import option

__all__ = ["FilesOptions"]


@attrs.frozen(kw_only=True)
class FilesOptions:
    """Options of the ``files`` data set."""

    root: str | None = option(
        None, env="ASL_DATA", path=True, exists=True, help="folder of the recordings: ROOT/SIGN/…, or listed in a file"
    )
    more_roots: tuple[str, ...] = option((), help="further folders, laid out as root")
    manifest: str | None = option(
        None,
        help="file that lists the recordings: CSV (file, gloss, split, signer, start, end, fps), WLASL_v0.3.json, "
        "nslt_*.json, Kaggle's train.csv; unset: the one such file in root; none: the folders alone",
    )
    format: str = option("auto", help="format of all recordings, as `asl ls format` lists them; auto: by content")
    layout: str | None = option(
        None, help="layout of arrays whose shape does not tell it, such as kaggle or detected (`asl help formats`)"
    )
    fps: float | None = option(None, help="frames per second of recordings that do not say", gt=0, le=1000)
    hand: str = option(
        "auto", choices=("auto", "left", "right"), help="which hand recordings of one hand show; auto: by its shape"
    )
    leave_out: tuple[str, ...] = option((), help="glosses to leave out, such as - where that is the rest")
    glosses: int | tuple[str, ...] | None = option(
        None, ge=1, help="keep only these glosses, or the N with the most train recordings (ties alphabetical)"
    )
    val_share: float = option(
        0.2, help="share of the recordings that a val split is made of where nothing says which; 0: no val", ge=0, lt=1
    )
    split_by: str = option(
        "auto",
        choices=("auto", "signer", "session", "block"),
        help="what a made val split keeps together: all of a signer, of a session, or a block of neighbours; auto: the "
        "first of these that is known",
    )
    bad_clips: str = option(
        "stop", choices=("stop", "drop"), help="recordings with infinite numbers or without frames: stop, or drop"
    )
