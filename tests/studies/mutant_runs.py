"""Tests run against a module with a fault in it, in a fork that has torch and pytest imported already.

The parent imports what is costly and nothing of the project; each fork imports the project anew, with the fault. So a
fault costs its tests and a quarter of a second. A fork has limits of its own on time and memory: a fault may well make
a loop endless. Needs ``os.fork``.
"""

from __future__ import annotations

import contextlib
import gc
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import signal
import sys
import tempfile
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import attrs

from studies.mutants import ROOT, Mutant, compiled

__all__ = ["Covered", "covered_by", "noticed_by", "warm_up"]

MEMORY = 8 << 30  #: bytes of data that a fork may hold
PYTEST = [
    "-q",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:xdist",
    "-W",
    "ignore::pytest.PytestAssertRewriteWarning",
    "--no-header",
]


def warm_up() -> None:
    """Import what every fork needs, by the doings that import it: torch brings in sympy at the first optimiser."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import cattrs  # noqa: F401
    import click  # noqa: F401
    import hypothesis.strategies  # noqa: F401
    import numpy as np
    import pluggy  # noqa: F401
    import pytest  # noqa: F401
    import rapidfuzz.distance  # noqa: F401
    import rich.console  # noqa: F401
    import safetensors.torch  # noqa: F401
    import torch
    from torch.optim import swa_utils

    torch.set_num_threads(1)
    one = torch.nn.Linear(1, 1)
    torch.testing.assert_close(torch.zeros(1), torch.zeros(1))
    torch.optim.AdamW(one.parameters())
    swa_utils.AveragedModel(one)
    np.random.default_rng(0)
    gc.freeze()  # what is here stays, and no fork has to look through it again
    if any(name.partition(".")[0].startswith("asl_") for name in sys.modules):
        raise RuntimeError("the project is imported already, and faults in it would not be seen")


@attrs.frozen
class Covered:
    """One test: what it cost, and which lines of the modules it ran."""

    test: str  #: as pytest names it
    seconds: float  #: of CPU
    lines: dict[str, list[int]]


def covered_by(files: Sequence[str], modules: Sequence[str]) -> list[Covered]:
    """The tests of these files that pass, and the lines of the modules that each runs; one that fails is told.

    Raises:
        RuntimeError: the tests cannot be run.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "covered.json")
        code, said = _forked(lambda: _traced(files, modules, out), cpu=1800, wall=7200)
        if code not in (0, 1, 5):
            raise RuntimeError(f"{', '.join(files)} cannot be run:\n{said}")
        if code == 1:
            failed = [line for line in said.splitlines() if line.startswith("FAILED")]
            print(f"left out, for they fail without a fault: {failed}", file=sys.stderr, flush=True)
        return [Covered(**entry) for entry in json.loads(out.read_text(encoding="utf-8"))]


def noticed_by(mutant: Mutant, tests: Sequence[Covered]) -> str | None:
    """The first test that fails with the fault, or how else it was noticed; None where all of them pass."""
    spent = sum(t.seconds for t in tests)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "failed")
        code, said = _forked(
            lambda: _mutated(mutant, [t.test for t in tests], out), cpu=int(15 + 5 * spent), wall=int(120 + 40 * spent)
        )
        if code == 0:
            return None
        if code == 4:  # pytest found no such test: the import of a test module failed, or the study is wrong
            return "collection" if "Error" in said else _study_is_wrong(said)
        if out.is_file():
            return out.read_text(encoding="utf-8")
    return {-signal.SIGXCPU: "endless", -signal.SIGKILL: "endless"}.get(code, "import" if code == 2 else f"exit {code}")


def _study_is_wrong(said: str) -> str:
    raise RuntimeError(f"pytest could not run the tests:\n{said}")


def _traced(files: Sequence[str], modules: Sequence[str], out: Path) -> int:
    import pytest

    recorder = _Recorder({str(ROOT / module): module for module in modules})
    code = int(pytest.main([*PYTEST, "--basetemp", str(out.parent / "tmp"), *files], plugins=[recorder]))
    out.write_text(json.dumps([attrs.asdict(c) for c in recorder.found]), encoding="utf-8")
    return code


def _mutated(mutant: Mutant, tests: Sequence[str], out: Path) -> int:
    import pytest

    sys.meta_path.insert(0, _Finder(mutant))
    return int(pytest.main([*PYTEST, "-x", "--basetemp", str(out.parent / "tmp"), *tests], plugins=[_Failure(out)]))


class _Quick:
    """Hypothesis without shrinking and without chance: an example that fails is enough, and the same next time.

    It is told before tests are imported: each takes its settings then. It may trace no lines either, as it does to
    explain a failure.
    """

    def pytest_collection(self) -> None:
        from hypothesis import Phase, settings

        settings.register_profile(
            "mutations", deadline=None, derandomize=True, database=None, phases=(Phase.explicit, Phase.generate)
        )
        settings.load_profile("mutations")


class _Failure(_Quick):
    """Keeps the name of the first test that fails."""

    def __init__(self, out: Path):
        self._out = out

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed and not self._out.is_file():
            self._out.write_text(report.nodeid, encoding="utf-8")


class _Recorder(_Quick):
    """Notes the lines of each test that passes, and leaves out those that start Python: it would see no fault."""

    def __init__(self, files: dict[str, str]):
        self.found: list[Covered] = []
        self._files = files
        self._lines: defaultdict[str, set[int]] = defaultdict(set)
        self._started: float = 0.0
        self._processes = False
        sys.addaudithook(self._watch)

    def _watch(self, event: str, values: Any) -> None:
        if event == "subprocess.Popen":  # git and the like may be started
            self._processes |= Path(str(values[0])).name.startswith("python")

    def pytest_runtest_logstart(self) -> None:
        self._lines.clear()
        self._processes = False
        self._started = time.process_time()
        sys.settrace(self._called)

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when == "teardown" or report.failed or report.skipped:
            sys.settrace(None)
        if report.when == "call" and report.passed and not self._processes and self._lines:
            lines = {module: sorted(numbers) for module, numbers in self._lines.items()}
            self.found.append(Covered(report.nodeid, round(time.process_time() - self._started, 3), lines))

    def _called(self, frame: FrameType, event: str, _: Any) -> Callable[..., Any] | None:
        module = self._files.get(frame.f_code.co_filename)
        if module is None:
            return None
        add = self._lines[module].add

        def line(inner: FrameType, _event: str, _arg: Any) -> Callable[..., Any]:
            add(inner.f_lineno)
            return line

        add(frame.f_lineno)
        return line


class _Finder(importlib.abc.MetaPathFinder):
    """Finds one module, with the fault in it."""

    def __init__(self, mutant: Mutant):
        self._mutant = mutant
        parts = Path(mutant.module).with_suffix("").parts
        self._name = ".".join(parts[1:] if parts[0] == "plugins" else parts)

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        file = str(ROOT / self._mutant.module)
        return importlib.util.spec_from_file_location(fullname, file, loader=_Loader(fullname, file, self._mutant))


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, fullname: str, path: str, mutant: Mutant):
        super().__init__(fullname, path)
        self._mutant = mutant

    def get_code(self, fullname: str) -> CodeType:
        return compiled(self._mutant)


def _forked(work: Callable[[], int], cpu: int, wall: int) -> tuple[int, str]:
    """Run in a fork: how it ended, negative for a signal, and the end of what it printed."""
    with tempfile.TemporaryFile() as output:
        pid = os.fork()
        if not pid:
            _child(work, output.fileno(), cpu)
        try:
            code = _waited(pid, wall)
        finally:
            with contextlib.suppress(ProcessLookupError):  # what it started ends with it
                os.killpg(pid, signal.SIGKILL)
        output.seek(0)
        return code, output.read()[-6000:].decode(errors="replace")


def _child(work: Callable[[], int], output: int, cpu: int) -> None:
    code = 70
    try:
        import resource

        os.setsid()
        os.dup2(output, 1)
        os.dup2(output, 2)
        used = int(time.process_time()) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (used + cpu, used + cpu + 5))
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
        code = work()
    except BaseException:  # a fault may raise anything
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def _waited(pid: int, wall: int) -> int:
    end = time.monotonic() + wall
    for pause in _pauses():
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            os.killpg(pid, signal.SIGKILL)
            end += 60
        time.sleep(pause)
    raise AssertionError("there is always another pause")


def _pauses() -> Iterator[float]:
    pause = 0.01
    while True:
        yield pause
        pause = min(0.25, pause * 1.5)
