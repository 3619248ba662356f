"""Observers look on: one that fails is left out, and all hear of a run that ends early."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hosts import SETTINGS, content

from asl_core import api
from asl_core.compute.signals import Terminated
from asl_core.errors import AslError
from asl_core.training.events import EpochReport, RunStarted, RunStopped


class Listener:
    """Keeps what it is told, and raises at one event."""

    def __init__(self, at: str = "", fault: BaseException | None = None):
        self.at, self.fault = at, fault
        self.heard: list[str] = []

    def _hear(self, event: str) -> None:
        self.heard.append(event)
        if event.partition(":")[0] == self.at and self.fault is not None:
            raise self.fault

    def on_start(self, config: object, summary: Mapping[str, object]) -> None:
        self._hear("start")

    def on_epoch(self, report: EpochReport) -> None:
        self._hear("epoch")

    def on_end(self, summary: Mapping[str, object]) -> None:
        self._hear("end")

    def on_stop(self, reason: str) -> None:
        self._hear(f"stop: {reason}")


class OfVersion01:
    """An observer that knows three events."""

    def on_start(self, config: object, summary: object) -> None: ...

    def on_epoch(self, report: object) -> None: ...

    def on_end(self, summary: object) -> None: ...


def run(place: Path, *observers: object, **more: object) -> Path:
    values = SETTINGS | {"run.out": str(place), "run.name": "a", "train.epochs": 2} | more
    return api.run(api.configure(values, environ={}), observers).path  # type: ignore[arg-type]


@pytest.mark.parametrize("event", ["start", "epoch", "end"])
def test_one_that_raises_is_left_out_and_the_run_goes_on(
    event: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken, other = Listener(event, ValueError("no server\x1b[2J")), Listener()
    path = run(tmp_path, broken, other, OfVersion01())
    assert other.heard == ["start", "epoch", "epoch", "end"]
    assert broken.heard == other.heard[: other.heard.index(event) + 1], "told nothing more"
    (line,) = [r.getMessage() for r in caplog.records if r.name == "asl"]
    assert f"observer Listener raised ValueError in on_{event} (no server\\x1b[2J)" in line
    assert line in (path / "log.txt").read_text(encoding="utf-8").splitlines()
    assert (path / "summary.json").is_file()


def test_it_changes_no_bit_of_the_run(tmp_path: Path) -> None:
    watched = run(tmp_path / "one", Listener("epoch", ValueError("x")))
    assert content(watched) == content(run(tmp_path / "two"))


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(KeyboardInterrupt(), "interrupted"), (Terminated(), "told to end (SIGTERM)"), (SystemExit(3), "SystemExit: 3")],
)
def test_an_observer_ends_the_run_and_the_others_hear_of_it(fault: BaseException, reason: str, tmp_path: Path) -> None:
    other = Listener()
    with pytest.raises(type(fault)):
        run(tmp_path, other, OfVersion01(), Listener("epoch", fault))
    assert other.heard == ["start", "epoch", f"stop: {reason}"]


def test_a_failure_is_heard_of(tmp_path: Path) -> None:
    class Breaks(Listener):
        def on_epoch(self, report: EpochReport) -> None:
            (tmp_path / "a" / "log.txt").unlink()
            (tmp_path / "a" / "timings.jsonl").unlink()
            (tmp_path / "a" / "timings.jsonl").mkdir()

    other, broken = Listener(), Listener("stop", ValueError("again"))
    with pytest.raises(AslError, match=r"timings\.jsonl cannot be written"):
        run(tmp_path, other, broken, Breaks())
    assert [h.partition(":")[0] for h in other.heard] == ["start", "epoch", "stop"]
    assert "timings.jsonl cannot be written" in other.heard[-1]


def test_a_fault_before_the_start_is_told_to_whoever_called(tmp_path: Path) -> None:
    other = Listener()
    with pytest.raises(AslError):
        run(tmp_path, other, **{"run.device": "cuda:99"})
    assert other.heard == []


class OfEvents:
    """Gets typed events by one method; the older ones are not called beside it."""

    def __init__(self, fault: BaseException | None = None):
        self.fault = fault
        self.events: list[RunStarted | EpochReport | RunStopped] = []

    def on_event(self, event: RunStarted | EpochReport | RunStopped) -> None:
        self.events.append(event)
        if isinstance(event, EpochReport) and self.fault is not None:
            raise self.fault

    def on_start(self, config: object, summary: object) -> None:
        raise AssertionError("on_event takes its place")


def test_typed_events(tmp_path: Path) -> None:
    one, other = OfEvents(), Listener()
    path = run(tmp_path, one, other)
    assert [type(event) for event in one.events] == [RunStarted, EpochReport, EpochReport, RunStopped]
    start, _, report, stop = one.events
    assert isinstance(start, RunStarted)
    assert isinstance(report, EpochReport)
    assert isinstance(stop, RunStopped)
    assert (start.summary["run"], start.config.train.epochs, report.epoch) == (str(path), 2, 2)
    assert (stop.reason, stop.message, stop.summary["run"]) == ("finished", "", str(path))
    assert other.heard == ["start", "epoch", "epoch", "end"]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(KeyboardInterrupt(), "interrupted"), (Terminated(), "terminated"), (SystemExit(3), "failed")],
)
def test_typed_events_of_a_run_that_does_not_finish(fault: BaseException, reason: str, tmp_path: Path) -> None:
    one = OfEvents()
    with pytest.raises(type(fault)):
        run(tmp_path, one, Listener("epoch", fault))
    (stop,) = [event for event in one.events if isinstance(event, RunStopped)]
    assert one.events[-1] is stop
    assert (stop.reason, bool(stop.message), stop.summary) == (reason, True, {})


def test_one_of_events_that_raises_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    broken = OfEvents(ValueError("gone"))
    run(tmp_path, broken)
    assert [type(event) for event in broken.events] == [RunStarted, EpochReport]
    (line,) = [r.getMessage() for r in caplog.records if r.name == "asl"]
    assert "observer OfEvents raised ValueError in on_event (gone)" in line
