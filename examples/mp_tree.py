"""Unpack an ``.npz`` of many recordings (X, length, sign, sequence) to the tree SIGN/SEQUENCE/FRAME.npy.

    python examples/mp_tree.py MP_Data.npz mp-tree/

Prints how many recordings and frames were written. Signs that cannot be names of folders are refused.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    with np.load(options.file, allow_pickle=False) as data:
        frames, lengths = data["X"].astype(np.float64), data["length"]
        signs, sequences = data["sign"].tolist(), data["sequence"].tolist()
    start = 0
    for sign, sequence, length in zip(signs, sequences, lengths.tolist(), strict=True):
        if Path(sign).name != sign:
            raise SystemExit(f"sign {sign!r} cannot be the name of a folder")
        folder = options.out / sign / str(sequence)
        folder.mkdir(parents=True, exist_ok=False)
        for number, frame in enumerate(frames[start : start + length]):
            np.save(folder / f"{number}.npy", frame)
        start += length
    print(f"{len(signs)} recordings, {start} frames of {frames.shape[1]} features in {options.out}")


if __name__ == "__main__":
    main()
