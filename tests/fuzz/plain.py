"""Inputs without a fuzzer: valid files, what was found before, bombs, and changes by chance. For pytest and CI."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from fuzz.bombs import BOMBS
from fuzz.readers import Reader

__all__ = ["bombs_of", "changed", "corpus", "grown"]

CORPUS = Path(__file__).parent / "corpus"
_LARGE = 50_000  #: bytes from which on an input is not changed any more: that takes as long as reading it


def corpus(reader: Reader) -> list[bytes]:
    """What was found, each as an input; of run directories what differs from the seed's is kept."""
    folder = CORPUS / reader.name
    found = [p.read_bytes() for p in sorted(folder.iterdir())] if folder.is_dir() else []
    if reader.name != "run":
        return found
    seed = json.loads(reader.seeds()[0])
    return [json.dumps({**seed, **json.loads(change)}).encode() for change in found]


def bombs_of(reader: Reader, size: int, seed: int = 1, times: int = 4) -> Iterator[bytes]:
    """Each of a reader's bombs a few times."""
    random = Random(seed)
    for make in BOMBS[reader.name]:
        for _ in range(times):
            yield make(size, random)


def grown(reader: Reader, data: bytes, random: Random, pool: list[bytes], bombs: float = 0.005) -> bytes:
    """One more input: a change of a kept one, of a valid one, or, in a share of ``bombs``, a bomb."""
    if random.random() < bombs:
        # Most bounds allow for 64 MB, which small files do not reach; large ones take a second each.
        size = int(10 ** random.choice((random.uniform(3.5, 6), random.uniform(3.5, 6.95), random.uniform(6, 6.95))))
        return random.choice(BOMBS[reader.name])(size, random)
    made = random.choice(pool) if not 2 <= len(data) <= _LARGE or random.random() < 0.3 else data
    for _ in range(random.choice((1, 1, 1, 2))):
        made = reader.mutate(made, random)
    return made


def changed(reader: Reader, count: int, seed: int, read: Callable[[bytes], object]) -> None:
    """Read so many changes of the valid files."""
    random, pool = Random(seed), reader.seeds()
    for _ in range(count):
        data = random.choice(pool)
        for _ in range(random.choice((1, 1, 2, 3))):
            data = reader.mutate(data, random)
        read(data)
