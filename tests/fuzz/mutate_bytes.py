"""Changes that every format knows: bytes flipped, cut, repeated, and numbers that lie."""

from __future__ import annotations

from random import Random

__all__ = ["HOSTILE_INTS", "HOSTILE_TEXTS", "flip", "mangle"]

HOSTILE_INTS = (0, 1, -1, 2, 3, 7, 127, 128, 255, 256, 65535, 65536, 10**6, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**40,
                2**53, 2**62, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**18, 10**30, -(2**31), -(2**63),
                10**400)  # fmt: skip
HOSTILE_TEXTS = ("", " ", "\0", "\n", "a\nb", "\x1b[31m", "../../x", "..", ".", "/", "C:\\x", "nul", "é", "\ud800",
                 "\u202e", "ﬀ", "true", "none", "nan", "inf", "-1", "1e999", "%s%n", "{0.__class__}", "'", '"',
                 "x" * 300,
                 "gru", "ctc", "demo", "heads", "name", "__class__", "__init__", "self", "a.b", ".a", "a.")  # fmt: skip


def flip(data: bytes, random: Random) -> bytes:
    """One change of bytes that knows nothing of the format."""
    if not data:
        return bytes([random.randrange(256)])
    at = random.randrange(len(data))
    until = min(len(data), at + random.choice((1, 1, 2, 4, 8, 64)))
    what = random.randrange(6)
    if what == 0:
        return data[:at] + bytes([data[at] ^ (1 << random.randrange(8))]) + data[at + 1 :]
    if what == 1:
        return data[:at] + bytes(random.randrange(256) for _ in range(until - at)) + data[until:]
    if what == 2:
        return data[:at] + data[until:]
    if what == 3:
        return data[:at] + data[at:until] * random.choice((2, 2, 3, 16)) + data[until:]
    if what == 4:
        size = random.choice((1, 2, 4, 8))
        lie = random.choice(HOSTILE_INTS) % 256**size
        return data[:at] + lie.to_bytes(size, random.choice(("little", "big"))) + data[at + size :]
    return data[:at] if random.random() < 0.3 else data[:at] + bytes(until - at) + data[until:]


def mangle(data: bytes, random: Random) -> bytes:
    """A few such changes."""
    for _ in range(random.choice((1, 1, 2, 4))):
        data = flip(data, random)
    return data
