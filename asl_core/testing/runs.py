"""What a component promises in a run: it trains, a run that was cut off ends with the same bits, observers only look.

The runs are of the built-in demo data, seconds long, in a folder that is gone afterwards.
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
from asl_core.contracts import EpochReport, Observer
from asl_core.registry.component import Component, Offer, Registry
from asl_core.registry.option_values import unstructure
from asl_core.testing.batches import CLASSES, WIDTH, one_thread
from asl_core.testing.checks import Bench, Checks, SkippedCheck, hold, require
from asl_core.testing.components import COMPONENT_CHECKS
from asl_core.testing.isolated import isolated

__all__ = ["OBSERVER_CHECKS", "RUN_CHECKS", "RunBench", "check_observer", "check_run", "fitting", "tiny_settings"]

_FILES = ("metrics.jsonl", "best.safetensors", "final.safetensors", "predictions-val.csv")


def tiny_settings(out: Path | str) -> dict[str, Any]:
    """Settings of a run that takes a second: the built-in demo data, few signs, two epochs, one CPU thread.

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
    """A tiny run with the component trains, is loaded again, and survives being cut off; see :data:`RUN_CHECKS`.

    Raises:
        ContractError: the first promise that is broken.
    """
    hold(RUN_CHECKS, RunBench(component, options, slot=slot))


def check_observer(component: Component, **options: Any) -> None:
    """Every promise of an observer; see :data:`OBSERVER_CHECKS`.

    Raises:
        ContractError: the first promise that is broken.
    """
    bench = RunBench(component, options, slot="observer")
    hold(COMPONENT_CHECKS, bench)
    hold(OBSERVER_CHECKS, bench)


def _registry(bench: RunBench) -> Registry:
    """The built-ins and the component."""
    offer = Offer(bench.slot, bench.component, "under-test", "under-test")
    return Registry([*isolated().registry, offer])


@attrs.define(slots=False)
class RunBench(Bench):
    """A component in a run.

    Attributes:
        slot: of the component.
        registry: where it is found, and the rest of the run.
        name: under which it is found there.
    """

    slot: str = attrs.field(kw_only=True)
    registry: Registry = attrs.field(kw_only=True, default=attrs.Factory(_registry, takes_self=True))
    name: str = attrs.field(kw_only=True, default="")

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
        """What chooses the component and sets its options, and what it cannot be run without."""
        stem = self.slot if self.slot in ("encoder", "head", "loss") else f"{self.slot}.{self.name}"
        own = {f"{stem}.{key}": value for key, value in unstructure(self.options).items()}
        found = {self.slot: self.name, **own}
        if self.slot == "encoder" and not self.make(WIDTH).frames:
            return found | {"head": "mean"}
        if self.slot == "head" and not any(k.startswith("loss") for k in self.component.suggests):
            return found | {"loss": self._partner("loss", {self.make(WIDTH, CLASSES).kind})}
        if self.slot == "loss":
            return found | {"head": self._partner("head", self.make().accepts)}
        return found

    def _partner(self, slot: str, kinds: Collection[str]) -> str:
        """A loss for a head of that kind, or a head for a loss that accepts those."""
        for offer in fitting(self.registry, slot, kinds):
            return self.registry.name_of(offer)
        raise SkippedCheck(f"no {slot} that is installed fits it ({', '.join(sorted(kinds))})")


def fitting(registry: Registry, slot: str, kinds: Collection[str]) -> Iterator[Offer]:
    """The heads of one of ``kinds``, or the losses that accept one, of those that work with their defaults."""
    for offer in registry.slot(slot):
        bench = Bench(offer.component)
        with contextlib.suppress(Exception):  # somebody else's component: its fault is told where it is checked
            made = bench.make(WIDTH, CLASSES) if slot == "head" else bench.make()
            if {made.kind} & set(kinds) if slot == "head" else set(made.accepts) & set(kinds):
                yield offer


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A place for runs; the number of threads that a run sets is taken back."""
    with one_thread(), tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        yield Path(name)


def _trains(bench: RunBench) -> str:
    """Two epochs, and the saved model gives the figures that the run ended with."""
    with _folder() as out:
        result = api.run(bench.config(out, "whole"), registry=bench.registry)
        lines = [json.loads(line) for line in (result.path / "metrics.jsonl").read_text().splitlines()]
        losses = [line["train"]["loss"] for line in lines]
        require(all(isinstance(x, float) for x in losses), f"the loss of the epochs is {losses}")
        report, _, _ = api.evaluate_run(result.path, device="cpu", registry=bench.registry)
        now, then = report["metrics"], result.report.get("metrics", {})
        require(all(now[k] == then.get(k) for k in now), f"the run ended with {then}, and loaded again it gives {now}")
        return "loss " + ", ".join(f"{x:.3f}" for x in losses)


class _StopError(BaseException):
    """A run is cut off here; no ``except Exception`` is to hold it."""


class _StopAfterFirst:
    """Cuts a run off after one epoch."""

    def on_start(self, config: RunConfig, summary: Mapping[str, object]) -> None:
        """Nothing."""

    def on_epoch(self, report: EpochReport) -> None:
        raise _StopError

    def on_end(self, summary: Mapping[str, object]) -> None:
        """Nothing."""


def _resumes(bench: RunBench) -> None:
    """Cut off after the first epoch and resumed, it ends with the same bytes as one left alone."""
    with _folder() as out:
        whole = api.run(bench.config(out, "whole"), registry=bench.registry)
        with contextlib.suppress(_StopError):
            api.run(bench.config(out, "cut"), [_StopAfterFirst()], registry=bench.registry)
        resumed = api.resume(out / "cut", registry=bench.registry)
        other = _differing(whole.path, resumed.path)
        require(
            not other,
            f"a run that was cut off and resumed ends otherwise than one left alone ({', '.join(other)}): what is "
            f"remembered has to be in the state dict, and what is random has to come from torch or ClipRandom",
        )


def _differing(one: Path, other: Path) -> list[str]:
    """The files of two runs that are not the same."""
    there = [n for n in _FILES if (one / n).is_file() or (other / n).is_file()]
    return [n for n in there if not (one / n).is_file() or (one / n).read_bytes() != (other / n).read_bytes()]


RUN_CHECKS: Checks[RunBench] = {"trains": _trains, "resumes": _resumes}


def _observer_builds(bench: RunBench) -> None:
    observer = bench.make()
    fits = isinstance(observer, Observer)
    require(fits, f"a {type(observer).__name__} is no observer: it needs on_start, on_epoch and on_end")


class _Spy:
    """Notes what a run tells, before the observer under test can touch it and after."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def on_start(self, config: RunConfig, summary: Mapping[str, object]) -> None:
        self.seen.append(_text(summary))

    def on_epoch(self, report: EpochReport) -> None:
        self.seen.append(_text(attrs.asdict(attrs.evolve(report, seconds=0.0, seconds_left=0.0))))

    def on_end(self, summary: Mapping[str, object]) -> None:
        self.seen.append(_text(summary))


def _text(value: object) -> str:
    return json.dumps(value, default=repr, sort_keys=True)


def _disturbs_nothing(bench: RunBench) -> None:
    """A run with the observer is the run without it, to the bit."""
    with _folder() as out:
        plain = api.run(bench.config(out, "plain", without=True), registry=bench.registry)
        spies: Sequence[_Spy] = (_Spy(), _Spy())
        observer: Observer = bench.make()
        watched = api.run(
            bench.config(out, "watched", without=True), [spies[0], observer, spies[1]], registry=bench.registry
        )
        require(spies[0].seen == spies[1].seen, "what the run tells is changed on the way: observers are to look only")
        raised = [x for x in (watched.path / "log.txt").read_text(encoding="utf-8").splitlines() if " raised " in x]
        require(not raised, f"it raises, and a run leaves it out then: {raised[:1]}")
        other = _differing(plain.path, watched.path)
        names = ", ".join(other)
        require(
            not other,
            f"a run with it ends otherwise than one without ({names}): observers look, and leave the run alone",
        )


OBSERVER_CHECKS: Checks[RunBench] = {
    "builds": _observer_builds,
    "disturbs nothing": _disturbs_nothing,
    **RUN_CHECKS,
}
