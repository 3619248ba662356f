"""Checks in a run: a component trains, an interrupted run resumes to the same bits, observers change nothing.

The runs use the built-in demo data, take seconds, and are deleted afterwards.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from asl_core import api
from asl_core.config.run_config import RunConfig
from asl_core.registry.component import Component, Offer, Registry
from asl_core.registry.option_values import unstructure
from asl_core.testing.batches import CLASSES, WIDTH, one_thread
from asl_core.testing.checks import Bench, Checks, SkippedCheck, hold, require
from asl_core.testing.components import hold_all
from asl_core.testing.isolated import isolated
from asl_core.training.events import AnyObserver, EpochReport, EventObserver, Observer

__all__ = ["OBSERVER_CHECKS", "RUN_CHECKS", "RunBench", "check_observer", "check_run", "fitting", "tiny_settings"]

_FILES = ("metrics.jsonl", "best.safetensors", "final.safetensors", "predictions-val.csv")


def tiny_settings(out: Path | str) -> dict[str, Any]:
    """Settings of a run of about a second: the built-in demo data, few signs, two epochs, one CPU thread.

    ``asl_core.run(asl_core.configure(tiny_settings(tmp_path) | {"encoder": "mine"}))``.
    """
    return {
        "dataset": "demo",
        "dataset.glosses": 4,
        "dataset.train": 4,
        "dataset.val": 2,
        "train.epochs": 2,
        "train.batch-size": 8,
        "run.out": str(out),
        "run.device": "cpu",
        "run.threads": 1,
    }


def check_run(slot: str, component: Component, **options: Any) -> None:
    """Check that a tiny run with the component trains, can be loaded, and resumes after an interruption.

    Args:
        slot: of the component.
        component: what is tested.
        options: other than the defaults.

    Raises:
        ContractError: of the first check that fails.
    """
    hold(RUN_CHECKS, RunBench(component, options, slot=slot))


def check_observer(component: Component, **options: Any) -> None:
    """Check an observer against its contract.

    Args:
        component: the observer.
        options: other than the defaults.

    Raises:
        ContractError: of the first check that fails.
    """
    hold_all(OBSERVER_CHECKS, RunBench(component, options, slot="observer"))


def _registry(bench: RunBench) -> Registry:
    """The built-ins and the component."""
    offer = Offer(bench.slot, bench.component, "under-test", "under-test")
    return Registry([*isolated().registry, offer])


@attrs.define(slots=False)
class RunBench(Bench):
    """A component in a run.

    Attributes:
        slot: of the component.
        registry: with the component and all else the run needs.
        name: of the component in the registry.
    """

    slot: str = attrs.field(kw_only=True)
    registry: Registry = attrs.field(kw_only=True, default=attrs.Factory(_registry, takes_self=True))
    name: str = attrs.field(kw_only=True, default="")

    @property
    def tried_on(self) -> str:
        """The options and the run."""
        return f"{super().tried_on}; a run of two epochs on data set demo (asl_core.testing.tiny_settings)"

    def __attrs_post_init__(self) -> None:
        if not self.name:
            offer = next(o for o in self.registry.slot(self.slot) if o.component is self.component)
            self.name = self.registry.name_of(offer)

    def config(self, out: Path, name: str, *, without: bool = False) -> RunConfig:
        """A tiny run with the component, or ``without`` it."""
        settings = tiny_settings(out) | {"run.name": name}
        if not without:
            settings |= self.chosen()
        return api.configure(settings, registry=self.registry, environ={}, project_file=False)

    def chosen(self) -> dict[str, Any]:
        """The settings that choose the component with its options, and a loss or head that fits it."""
        stem = self.slot if self.slot in ("encoder", "head", "loss") else f"{self.slot}.{self.name}"
        options = {f"{stem}.{key}": value for key, value in unstructure(self.options).items()}
        settings = {self.slot: self.name, **options}
        if self.slot == "encoder" and not self.make(WIDTH).frames:
            return settings | {"head": "mean"}
        if self.slot == "head" and not any(k.startswith("loss") for k in self.component.suggests):
            return settings | {"loss": self._partner("loss", {self.make(WIDTH, CLASSES).kind})}
        if self.slot == "loss":
            return settings | {"head": self._partner("head", self.make().accepts)}
        return settings

    def _partner(self, slot: str, kinds: Collection[str]) -> str:
        """A loss for a head of that kind, or a head for a loss that accepts those kinds."""
        for offer in fitting(self.registry, slot, kinds):
            return self.registry.name_of(offer)
        raise SkippedCheck(f"no installed {slot} fits it ({', '.join(sorted(kinds))})")


def fitting(registry: Registry, slot: str, kinds: Collection[str]) -> Iterator[Offer]:
    """The heads of one of ``kinds``, or the losses that accept one, that work with their default options."""
    for offer in registry.slot(slot):
        bench = Bench(offer.component)
        with contextlib.suppress(Exception):  # a fault of another component is reported by its own checks
            made = bench.make(WIDTH, CLASSES) if slot == "head" else bench.make()
            if {made.kind} & set(kinds) if slot == "head" else set(made.accepts) & set(kinds):
                yield offer


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A temporary folder for runs; the number of threads is restored afterwards."""
    with one_thread(), tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        yield Path(name)


def _trains(bench: RunBench) -> str:
    """Two epochs train with a numeric loss, and the saved model evaluates to the figures that the run ended with."""
    with _folder() as out:
        result = api.run(bench.config(out, "whole"), registry=bench.registry)
        lines = [json.loads(line) for line in (result.path / "metrics.jsonl").read_text().splitlines()]
        losses = [line["train"]["loss"] for line in lines]
        require(all(isinstance(x, float) for x in losses), f"the loss of the epochs is {losses}; expected numbers")
        report, _, _ = api.evaluate_run(result.path, device="cpu", registry=bench.registry)
        now, then = report["metrics"], result.report.get("metrics", {})
        require(
            all(now[k] == then.get(k) for k in now),
            f"the run ended with {then}, and the saved model evaluates to {now}: keep all state in the state dict",
        )
        return "loss " + ", ".join(f"{x:.3f}" for x in losses)


class _StopError(BaseException):
    """Interrupts a run; not an Exception, so that no ``except Exception`` catches it."""


class _StopAfterFirst:
    """Interrupts a run after one epoch."""

    def on_start(self, config: RunConfig, summary: Mapping[str, object]) -> None:
        """Nothing."""

    def on_epoch(self, report: EpochReport) -> None:
        raise _StopError

    def on_end(self, summary: Mapping[str, object]) -> None:
        """Nothing."""


def _resumes(bench: RunBench) -> None:
    """A run interrupted after the first epoch and resumed ends with the same bytes as an uninterrupted one."""
    with _folder() as out:
        whole = api.run(bench.config(out, "whole"), registry=bench.registry)
        with contextlib.suppress(_StopError):
            api.run(bench.config(out, "interrupted"), [_StopAfterFirst()], registry=bench.registry)
        resumed = api.resume(out / "interrupted", registry=bench.registry)
        differing = _differing(whole.path, resumed.path)
        require(
            not differing,
            f"an interrupted and resumed run ends differently from an uninterrupted one ({', '.join(differing)}): keep "
            f"all state in the state dict, and draw random numbers from torch or ClipRandom",
        )


def _differing(one: Path, other: Path) -> list[str]:
    """The names of the files that differ between two runs."""
    names = [n for n in _FILES if (one / n).is_file() or (other / n).is_file()]
    return [n for n in names if not (one / n).is_file() or (one / n).read_bytes() != (other / n).read_bytes()]


RUN_CHECKS: Checks[RunBench] = {"trains": _trains, "resumes": _resumes}


def _observer_builds(bench: RunBench) -> None:
    """factory(options) returns an object with on_event, or with on_start, on_epoch and on_end."""
    observer = bench.make()
    fits = isinstance(observer, EventObserver | Observer)
    require(fits, f"a {type(observer).__name__} is no observer: it needs on_event, or on_start, on_epoch and on_end")


class _Spy:
    """Records the events of a run, as they are before or after the observer under test."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def on_start(self, config: RunConfig, summary: Mapping[str, object]) -> None:
        self.events.append(_text(summary))

    def on_epoch(self, report: EpochReport) -> None:
        self.events.append(_text(attrs.asdict(attrs.evolve(report, seconds=0.0, seconds_left=0.0))))

    def on_end(self, summary: Mapping[str, object]) -> None:
        self.events.append(_text(summary))


def _text(value: object) -> str:
    return json.dumps(value, default=repr, sort_keys=True)


def _changes_nothing(bench: RunBench) -> None:
    """A run with the observer has the same results as one without, to the bit, and it does not raise."""
    with _folder() as out:
        plain = api.run(bench.config(out, "plain", without=True), registry=bench.registry)
        spies: Sequence[_Spy] = (_Spy(), _Spy())
        observer: AnyObserver = bench.make()
        watched = api.run(
            bench.config(out, "watched", without=True), [spies[0], observer, spies[1]], registry=bench.registry
        )
        require(spies[0].events == spies[1].events, "it changes the summary or report it is given: work on a copy")
        raised = [x for x in (watched.path / "log.txt").read_text(encoding="utf-8").splitlines() if " raised " in x]
        require(not raised, f"it raises, after which a run goes on without it: {raised[:1]}")
        differing = _differing(plain.path, watched.path)
        names = ", ".join(differing)
        require(
            not differing,
            f"a run with it ends differently from one without ({names}): do not write into the run, nor draw from its "
            f"generators",
        )


OBSERVER_CHECKS: Checks[RunBench] = {
    "builds": _observer_builds,
    "changes nothing": _changes_nothing,
    **RUN_CHECKS,
}
