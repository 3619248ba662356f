"""Options of the data set ``demo``."""

from __future__ import annotations

import attrs

from asl_core import option

__all__ = ["DemoOptions"]


@attrs.frozen
class DemoOptions:
    """Size and difficulty of the synthetic data."""

    glosses: int = option(50, help="different signs", ge=2, le=100_000)
    train: int = option(16, help="train clips of each gloss", ge=1)
    val: int = option(4, help="val clips of each gloss; 0: no val split", ge=0)
    test: int = option(4, help="test clips of each gloss; 0: no test split", ge=0)
    sentence_length: int = option(1, help="most glosses of a clip; above 1 clips are sentences", ge=1)
    signers: int = option(8, help="different signers; a quarter of them does not occur in train", ge=1)
    left_handed: float = option(0.0, help="chance that a signer is left-handed", ge=0, le=1)
    frames: float = option(24.0, help="frames of one sign on average", ge=12, le=250)
    tempo: float = option(0.15, help="standard deviation of log speed between signers and between clips", ge=0, le=0.5)
    noise: float = option(1.0, help="tracking noise and tremor; 1 is about that of a hand tracker", ge=0, le=10)
    lost: float = option(0.05, help="share of frames in which the tracker loses a hand", ge=0, le=0.5)
    seed: int = option(0, help="seed of the signs, signers and clips; not the run's seed", ge=0)
