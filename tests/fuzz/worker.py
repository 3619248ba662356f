"""One process of a fuzzing session: libFuzzer, through atheris, drives one reader. Started by ``run.py``."""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import atheris

#: what is instrumented: all of asl's reading, and the parsers below it that are written in Python
_COVERED = ["asl_core", "asl_wlasl", "asl_stages", "tomllib", "torch._weights_only_unpickler", "fuzz.ways"]

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    with atheris.instrument_imports(include=_COVERED, enable_loader_override=False):
        import torch
        from fuzz.readers import READERS, Reader

        for _name in ("loaders", "loaders_pt", "loaders_run"):
            importlib.import_module(f"asl_stages.{_name}")

from fuzz.plants import PLANTS  # noqa: E402
from fuzz.session import Session  # noqa: E402

__all__ = ["main"]


def main(name: str, runs: int, seed: int, folder: str, plant: str) -> None:
    """Fuzz until ``runs`` inputs were read, or a planted bug was found; figures go to ``folder/figures.json``."""
    torch.set_num_threads(1)
    warnings.simplefilter("error")  # a warning on a user's screen is no message either
    reader: Reader = READERS[name]
    place = Path(folder)
    session = Session(reader, place / "found")
    if plant:
        PLANTS[name][plant]()
    figures = place / "figures.json"
    pool = reader.seeds()
    for number, data in enumerate(pool):
        (place / "grown" / f"seed{number}").write_bytes(data)
    # Coverage decides what is kept to grow from; inputs that a kept one is crossed with come from the valid files.

    def mutate(data: bytes, max_size: int, number: int) -> bytes:
        random = Random(number)
        grown = random.choice(pool) if len(data) < 2 or random.random() < 0.3 else data
        for _ in range(random.choice((1, 1, 1, 2))):
            grown = reader.mutate(grown, random)
        return grown if len(grown) <= max_size else random.choice(pool)

    def one(data: bytes) -> None:
        if session.runs >= runs:
            return
        session.read(bytes(data))
        if plant and session.found:
            session.write(figures)
            os._exit(0)
        if session.runs % 500 == 0 or session.runs >= runs:
            session.write(figures)

    # libFuzzer ends what stands still by the clock; a busy machine may starve a process, so the 5 s are judged by
    # guard.py, in processor time. Some runs more than asked for: it reads the empty input and the valid files first.
    words = ["fuzz", str(place / "grown"), f"-runs={runs + 50}", f"-seed={seed}", "-timeout=120", "-max_len=300000",
             "-rss_limit_mb=6000", "-mutate_depth=2", "-len_control=0", f"-artifact_prefix={place}/crash-",
             "-print_final_stats=1"]  # fmt: skip
    atheris.Setup(words, one, custom_mutator=mutate, internal_libfuzzer=True)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5] if len(sys.argv) > 5 else "")
