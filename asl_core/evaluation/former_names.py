"""Former names of keyword arguments: accepted for one release, with a ``DeprecationWarning``."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

__all__ = ["former_arguments"]

P = ParamSpec("P")
R = TypeVar("R")


def former_arguments(**names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A function that also takes keyword arguments by their former names: ``@former_arguments(former="current")``."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            given: dict[str, Any] = dict(kwargs)
            for former, name in names.items():
                if former in given:
                    text = f"{function.__name__}: the argument {former} is now called {name}"
                    warnings.warn(text, DeprecationWarning, stacklevel=2)
                    if name in given:
                        raise TypeError(f"{text}; give one of them")
                    given[name] = given.pop(former)
            return function(*args, **given)

        return call

    return decorate
