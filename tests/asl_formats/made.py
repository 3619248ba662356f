"""Clips of made-up landmarks, and the formats by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from asl_core import Component, Format, Recording
from asl_formats import asl_formats

COMPONENTS: dict[str, Component] = {component.name: component for component in asl_formats()}


def form(name: str, **options: Any) -> Format:
    """A format, made with its defaults or other options."""
    component = COMPONENTS[name]
    made: Format = component.load()(component.options(**options))
    return made


def read(name: str, path: Path, **options: Any) -> Recording:
    """The one recording of a file that the format recognises."""
    made = form(name, **options)
    assert made.recognises(path)
    (recording,) = made.read(path)
    return recording


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    """Numbers between 0.1 and 0.9."""
    return np.random.default_rng(seed).uniform(0.1, 0.9, shape)
