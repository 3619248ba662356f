"""Nothing is silent: who works reports, at most ten times a second; who looks is shown a bar or a line."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any

import pytest
from cases.table import asl as typed
from rich.console import Console
from small import flags, small

import asl_core as asl
from asl_core.compute import progress
from asl_core.compute.progress import ProgressReport, listening, phase, track
from asl_core.training.progress_bar import Ticker, described


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(progress, "clock", found)
    return found


def heard() -> tuple[list[ProgressReport], Any]:
    reports: list[ProgressReport] = []
    return reports, listening(reports.append)


def test_reports_come_by_time_and_not_by_step(clock: Clock) -> None:
    reports, listens = heard()
    with listens:
        for _ in track(range(10_000), "epoch 1"):
            clock.now += 2**-10
    assert [r.done for r in reports][:4] == [0, 103, 206, 309]
    assert len(reports) == 1 + 10_000 // 103 + 1
    assert (reports[0].total, reports[-1].ended, reports[-1].seconds) == (10_000, True, 10_000 / 2**10)


def test_a_step_costs_next_to_nothing() -> None:
    """A step of training takes milliseconds; a hundredth of one is ten microseconds and more."""
    reports, listens = heard()
    with listens:
        began = time.process_time()
        for _ in track(range(100_000), "epoch 1"):
            pass
        spent = time.process_time() - began
    assert spent / 100_000 < 5e-6
    assert len(reports) < 2000


def test_nobody_is_told_who_does_not_listen(clock: Clock) -> None:
    reports, listens = heard()
    with listens:
        pass
    assert list(track(iter("ab"), "x")) == ["a", "b"]
    assert not reports


def test_a_phase_that_fails_ends(clock: Clock) -> None:
    reports, listens = heard()
    with listens, pytest.raises(ValueError, match="no"), phase("reading"):
        raise ValueError("no")
    assert [r.ended for r in reports] == [False, True]


def test_a_word_is_due_after_silence(clock: Clock) -> None:
    said: list[str] = []
    ticker = Ticker(lambda report: said.append(described(report)), silence=1.5, clock=clock)
    ticker.tick()
    clock.now = 1.4
    ticker.tick()
    assert not said
    clock.now = 1.5
    ticker.tick()
    assert said == ["starting, 2 s"]
    with listening(ticker.on_progress):
        with phase("preparing"), phase("reading train", 7) as work:
            clock.now = 2.5
            work.reach(3)
            clock.now = 3.1
            ticker.tick()
        clock.now = 3.5
        ticker.spoke()
        clock.now = 4.9
        ticker.tick()  # something else was printed
        assert said[1:] == ["reading train: 3 of 7, 2 s"]
        clock.now = 5.1
        ticker.tick()
    assert said[2:] == ["starting, 5 s"], "both phases have ended"


def test_the_thread_of_a_ticker_speaks_by_itself() -> None:
    import threading

    spoke = threading.Event()
    ticker = Ticker(lambda _: spoke.set(), silence=0.03)
    ticker.start()
    assert spoke.wait(20)
    ticker.stop()
    assert "asl-progress" not in [t.name for t in threading.enumerate()]


class OfApi1:
    """An observer as plugins of api 1 have them."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def on_start(self, config: asl.RunConfig, summary: object) -> None:
        self.events.append("start")

    def on_epoch(self, report: asl.EpochReport) -> None:
        self.events.append("epoch")

    def on_end(self, summary: object) -> None:
        self.events.append("end")


class Curious(OfApi1):
    """One that wants to know more."""

    def __init__(self) -> None:
        super().__init__()
        self.reports: list[ProgressReport] = []

    def on_progress(self, report: ProgressReport) -> None:
        self.reports.append(report)


@pytest.mark.slow
def test_a_run_tells_each_phase_to_those_who_ask(tmp_path: Path) -> None:
    plain, curious = OfApi1(), Curious()
    asl.run(asl.configure(small(tmp_path, train__epochs=2), environ={}), [plain, curious])
    assert plain.events == curious.events == ["start", "epoch", "epoch", "end"]
    phases = list(dict.fromkeys(r.phase for r in curious.reports))
    for expected in ("preparing", "reading train", "auditing train", "reading val", "epoch 1/2", "evaluating"):
        assert expected in phases, phases
    ended = [r for r in curious.reports if r.phase == "epoch 2/2" and r.ended]
    assert [(r.done, r.total) for r in ended] == [(5, 5)]
    assert len(curious.reports) <= 2 * sum(r.ended for r in curious.reports) + 10 * sum(
        r.seconds for r in curious.reports if r.ended
    )


def test_a_bar_is_an_observer_and_a_context(tmp_path: Path) -> None:
    out = io.StringIO()
    bar = asl.ProgressBar(Console(file=out, width=200))
    run = asl.run(asl.configure(small(tmp_path, train__epochs=1), environ={}), [bar]).path
    assert f"saved in {run}" in out.getvalue()
    assert "epoch 1/1  loss " in out.getvalue()
    terminal = io.StringIO()
    with asl.ProgressBar(Console(file=terminal, force_terminal=True, width=100)) as shown:
        asl.evaluate_run(run, device="cpu")
        shown.line("done")
    assert "done" in terminal.getvalue()
    assert "evaluating" in terminal.getvalue()


@pytest.mark.slow
def test_quiet_says_nothing_and_json_says_events(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asl_core.training.progress_bar.SILENCE", 0.0)
    words = flags(small(tmp_path, train__epochs=1))
    said = typed(tmp_path, "run", *words, "--json")
    events = [json.loads(line) for line in said.out.splitlines()]
    assert {"progress", "start", "epoch", "end"} == {e["event"] for e in events}
    assert {"phase", "done", "total", "seconds"} < set(next(e for e in events if e["event"] == "progress"))
    assert said.err == ""
    said = typed(tmp_path, "run", *words, "--quiet")
    assert said.err == ""
    said = typed(tmp_path, "run", *words)
    assert "epoch 1/1: " in said.err
    assert "reading train" not in said.out


def test_what_takes_long_says_how_long_is_left() -> None:
    assert described(ProgressReport("reading", 2, 10, 9.0)) == "reading: 2 of 10, 9 s"
    assert described(ProgressReport("reading", 2, 10, 20.0)) == "reading: 2 of 10, 20 s, 80 s left"
    assert described(ProgressReport("reading", 0, 10, 20.0)) == "reading: 0 of 10, 20 s"
    assert described(ProgressReport("reading", 2, None, 20.0)) == "reading: 2, 20 s"
