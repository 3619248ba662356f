"""Runs: inside a program, resumed elsewhere, killed at any moment, watched by observers, without a screen."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import hosts

from cases.table import case


@case("a program with default dtype float64")
def float64(place: Path) -> str:
    hosts.check("run", ["default dtype"], place)
    return "trained in float32, with the same bits"


@case("a program that has switched gradients off")
def without_gradients(place: Path) -> str:
    hosts.check("run", ["no gradients", "inference mode"], place)
    return "trained with the same bits"


@case("a program with threads, autocast, a default device and strict numpy errors of its own")
def other_state(place: Path) -> str:
    hosts.check("run", list(hosts.HOSTS), place)
    return "the same bits, and all of the program's state as it was"


@case("a random search in a loop of asl.run")
def random_search(place: Path) -> str:
    drawn = []
    for _ in range(2):
        hosts.run(place)
        drawn.append(random.random())
    assert drawn[0] != drawn[1]
    return f"draws other trials: {drawn[0]:.3f}, {drawn[1]:.3f}"


@case("a second run in another thread")
def two_threads(place: Path) -> str:
    from asl_core import api
    from asl_core.errors import UsageError

    said: list[str] = []

    class Second(hosts.Stop):
        def on_epoch(self, report: object) -> None:
            thread = threading.Thread(target=self.attempt)
            thread.start()
            thread.join()

        def attempt(self) -> None:
            try:
                hosts.run(place)
            except UsageError as fault:
                said.append(str(fault))

    values = hosts.SETTINGS | {"run.out": str(place), "run.name": "a"}
    found = api.run(api.configure(values, environ={}), [Second()])
    assert hosts.content(found.path) == hosts.expected("run")
    assert "another thread of this program is training" in said[0]
    return said[0]
