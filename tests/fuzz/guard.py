"""One input read under guard: no code runs, nothing else is written, memory and time are bounded, and it ends well.

"Well" is one of two: the file is read, or it is refused by an :class:`asl_core.errors.AslError` whose text is a
paragraph that names the file. Everything else is a violation, told by the rule it breaks.
"""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
from costs import Cost, allowance, seconds_for

from asl_core.errors import AslError

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

__all__ = ["Verdict", "Way", "allowance", "judge", "watch"]

LONGEST_TEXT = 4000  #: characters of a refusal; a paragraph is no dump of the file
Way = Callable[[Path], Any]

#: What no reader has to do: start programs, go on the net, import by a name in the file, or touch other files.
_FORBIDDEN = re.compile(
    r"os\.(system|exec|spawn|posix_spawn|fork|forkpty|startfile|kill|killpg|putenv|unsetenv|chdir|chmod|chown)|"
    r"subprocess\.|socket\.|ctypes\.|pty\.|webbrowser\.|urllib\.|http\.|ftplib\.|smtplib\.|"
    r"pickle\.find_class|shutil\.|code\.__new__|builtins\.input|builtins\.breakpoint|sqlite3\."
)
_CHANGES = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.truncate")
_GENERATED = ("<attrs generated", "<cattrs generated", "<string>", "<__array_function__")


class _Watch:
    """What the audit hook knows: whether a reader is at work, what it may write in, and what it did."""

    def __init__(self) -> None:
        self.inside: str | None = None  #: the real path of the folder that may be written in, while a reader works
        self.broken: list[str] = []
        self.modules: frozenset[str] = frozenset()

    def hook(self, event: str, args: tuple[Any, ...]) -> None:
        if self.inside is None:
            return
        told = self.fault(event, args)
        if told is not None:
            self.broken.append(told)
            raise PermissionError(f"fuzzing: {told}")  # and it does not happen

    def fault(self, event: str, args: tuple[Any, ...]) -> str | None:
        if event == "open":
            path, mode, flags = (*args, None, None, 0)[:3]
            writes = any(c in (mode or "") for c in "wax+") or (flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            return f"opens {path!r} to write" if writes and not self._within(path) else None
        if event in ("os.link", "os.symlink"):
            return f"{event} {args[1]!r}" if not self._within(args[1]) else None
        if event in _CHANGES:
            return f"{event} {args[0]!r}" if not self._within(args[0]) else None
        if event == "import":
            top = str(args[0]).partition(".")[0]
            return f"imports {args[0]}" if top not in self.modules and top not in sys.stdlib_module_names else None
        if event == "exec":
            name = getattr(args[0], "co_filename", "")
            return f"runs code of {name}" if not (name.startswith(_GENERATED) or Path(name).is_file()) else None
        return f"{event} {args!r:.100}" if _FORBIDDEN.match(event) else None

    def _within(self, path: Any) -> bool:
        if isinstance(path, int) or path is None or self.inside is None:
            return True  # a descriptor was opened before, and that was looked at
        held, self.inside = self.inside, None  # realpath raises events of its own
        try:
            real = os.path.realpath(os.fsdecode(path))
        finally:
            self.inside = held
        return real == held or real.startswith(held + os.sep) or real == os.devnull


_WATCH = _Watch()


def watch() -> None:
    """Install the audit hook, once and for the life of the process; call it when everything is imported."""
    first = not _WATCH.modules
    _WATCH.modules = frozenset(name.partition(".")[0] for name in sys.modules)
    if first:
        sys.addaudithook(_WATCH.hook)


@contextmanager
def _bounded(most: int) -> Iterator[None]:
    """Let the process's address space grow by so much only, which counts what numpy and torch take too.

    Linux alone enforces it; elsewhere this rule is not checked.
    """
    if resource is None or not sys.platform.startswith("linux"):
        yield
        return
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - a hundred thousand times
        pages = int(file.read().split(b" ", 1)[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@attrs.frozen
class Verdict:
    """How the reading of one input ended."""

    accepted: bool
    rule: str = ""  #: of a violation: "crash", "code", "memory", "time", "text", "wrong"
    detail: str = ""
    where: str = ""  #: that tells violations of one cause from others
    seconds: float = 0.0  #: of the processor
    memory: int = 0  #: most bytes that the process had more than before


def judge(ways: Sequence[Way], path: Path, size: int, inside: Path, *, every: bool = False, times: int = 10) -> Verdict:
    """Read a file in each of the ways; the first violation counts, else whether any way (or every one) accepted it.

    Args:
        ways: what to do with the file.
        path: the file or folder, named in refusals.
        size: bytes of the input.
        inside: the folder that may be written in.
        every: whether a file that one of the ways refuses counts as refused.
        times: bytes of memory for each of the input, beyond what every reader may take.
    """
    accepted = []
    seconds, memory = 0.0, 0
    for way in ways:
        verdict = _one(way, path, size, inside, times)
        if verdict.rule == "time":  # on a busy machine the same work is charged several times as much, now and then
            verdict = _one(way, path, size, inside, times)
        if verdict.rule:
            return verdict
        accepted.append(verdict.accepted)
        seconds, memory = max(seconds, verdict.seconds), max(memory, verdict.memory)
    return Verdict(all(accepted) if every else any(accepted), seconds=seconds, memory=memory)


def _one(way: Way, path: Path, size: int, inside: Path, times: int) -> Verdict:
    fault: BaseException | None = None
    _WATCH.broken.clear()
    real = os.path.realpath(inside)
    cost = Cost()
    try:
        with _bounded(allowance(size, times)):
            _WATCH.inside = real
            try:
                way(path)
            except Exception as caught:
                fault = caught
            finally:
                _WATCH.inside = None
    except MemoryError as caught:
        fault = caught
    cost.stop()
    name = getattr(way, "__name__", "way")
    if _WATCH.broken:
        return Verdict(False, "code", _WATCH.broken[0], f"{name} {_WATCH.broken[0].partition(' ')[0]}")
    if fault is not None and _out_of_memory(fault):
        return Verdict(False, "memory", _short(fault), f"{name} {_place(fault)}")
    told = f"{cost.seconds:.1f} s and {cost.memory >> 20} MiB for {size:,} bytes"
    if cost.memory > allowance(size, times):
        return Verdict(False, "memory", told, name, cost.seconds, cost.memory)
    if cost.seconds > seconds_for(size):
        return Verdict(False, "time", told, name, cost.seconds, cost.memory)
    if isinstance(fault, AslError):
        said = _bad_text(str(fault), path)
        where = f"{name} {type(fault).__name__} {said[:24]}"
        return Verdict(False, "text" if said else "", said, where, cost.seconds, cost.memory)
    if isinstance(fault, AssertionError):
        return Verdict(False, "wrong", _short(fault), name)
    if fault is not None:
        return Verdict(False, "crash", _short(fault), f"{name} {type(fault).__name__} {_place(fault)}")
    return Verdict(True, seconds=cost.seconds, memory=cost.memory)


def _out_of_memory(fault: BaseException | None) -> bool:
    """Whether an allocation failed anywhere below a fault, however it was told in the end."""
    while fault is not None:
        if isinstance(fault, MemoryError) or re.search(r"(?i)alloc\w* .*memory|bad_alloc|out of memory", str(fault)):
            return True
        fault = fault.__cause__ or fault.__context__
    return False


def _bad_text(text: str, path: Path) -> str:
    """What is wrong with a refusal's text."""
    if len(text.replace(str(path), "")) < 25:
        return f"too short to help: {text!r}"
    longest = max(map(len, text.split("\n  - ")))  # several faults of a configuration are told together
    if longest > LONGEST_TEXT:
        return f"too long for a paragraph: {longest} characters, {text[:200]!r}"
    if "Traceback (most recent" in text or "\n\n" in text:
        return f"no paragraph: {text[:300]!r}"
    return "" if path.name in text else f"does not name the file: {text[:300]!r}"


def _short(fault: BaseException) -> str:
    return f"{type(fault).__name__}: {str(fault)[:200]}"


def _place(fault: BaseException) -> str:
    """The innermost line of asl's own, or of all."""
    frames = traceback.extract_tb(fault.__traceback__)
    own = [f for f in frames if "asl_" in f.filename] or frames
    return f"{Path(own[-1].filename).name}:{own[-1].name}" if own else "nowhere"
