"""Readers of native libraries, in a process of their own: a file may end it, and nothing more."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from bad_readers import LAYOUT
from made import form
from samples import SAMPLES

from asl_core import DataError, Recording
from asl_formats import isolated, openhands, parquet, pose_files

POSIX = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux bounds the memory of a process")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "clip.h5"
    path.write_bytes(b"12345")
    return path


def read(name: str, path: Path) -> list[Recording]:
    return list(isolated.recordings(f"bad_readers:{name}", "json", path, "a file of a test"))


def process_of(recording: Recording) -> int:
    return int(recording.notes[0].split()[-1])


@pytest.mark.parametrize(
    ("name", "reader"),
    [
        ("kaggle-signs", parquet.signs),
        ("kaggle-fingerspelling", parquet.sequences),
        ("openhands", openhands.recordings),
        ("pose", pose_files.recordings),
    ],
)
def test_the_same_recordings_as_in_this_process(tmp_path: Path, name: str, reader) -> None:
    sample = SAMPLES[name](tmp_path)
    expected, given = list(reader(sample)), list(form(name).read(sample))
    assert len(given) == len(expected) > 0
    for one, other in zip(given, expected, strict=True):
        assert np.array_equal(one.points, other.points, equal_nan=True)
        assert one.points.flags.writeable
        facts = ("id", "layout", "fps", "times", "size", "glosses", "signer", "split", "source", "notes")
        assert [getattr(one, n) for n in facts] == [getattr(other, n) for n in facts]


def test_all_fields_come_through(file: Path) -> None:
    recordings = read("three", file)
    assert [len(r.points) for r in recordings] == [1, 2, 3]
    last = recordings[-1]
    assert (last.fps, last.size, last.signer, last.split, last.layout) == (25, (640, 480), "7", "val", LAYOUT)
    assert last.notes[0].startswith("é ")
    assert last.source == str(file)
    (uneven,) = read("uneven", file)
    assert uneven.times is not None
    assert uneven.times.tolist() == [0, 0.5, 2]
    assert uneven.glosses == ("go", "book")


def test_one_process_serves_many_files(file: Path) -> None:
    first = process_of(read("three", file)[0])
    assert {process_of(read("three", file)[0]) for _ in range(20)} == {first}
    assert first != os.getpid()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("crash", "ended its process with SIGSEGV" if os.name == "posix" else "ended its process with exit code"),
        ("crash_at_once", "ended its process with SIGABRT" if os.name == "posix" else "ended its process with"),
        ("leave", "ended its process with exit code 7"),
        ("nonsense", "gave no sound answer"),
        ("other_numbers", "gave no sound answer"),
    ],
)
def test_a_file_that_ends_the_process_is_refused(file: Path, name: str, text: str) -> None:
    with pytest.raises(DataError, match=rf"clip\.h5 cannot be read \(reading it {text}.*\); expected a file of a test"):
        read(name, file)
    assert len(read("three", file)) == 3  # the next file is read as ever


@pytest.mark.slow
def test_the_limit_of_time_holds_within_native_code(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isolated.seconds_for(0) == 30
    assert isolated.seconds_for(100 << 20) == 230
    monkeypatch.setattr(isolated, "seconds_for", lambda _: 0.5)
    begun = time.monotonic()
    with pytest.raises(DataError, match=r"clip\.h5 cannot be read \(it took longer than 0.5 s\)"):
        read("endless", file)
    assert time.monotonic() - begun < 10


@pytest.mark.slow
def test_a_caller_may_take_its_time_between_recordings(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read("three", file)
    monkeypatch.setattr(isolated, "seconds_for", lambda _: 0.2)
    for _ in isolated.recordings("bad_readers:three", "json", file, "a file"):
        time.sleep(0.3)


@LINUX
@pytest.mark.parametrize("name", ["large", "large_refused"])
def test_the_limit_of_memory(file: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"clip\.h5 takes more than 768 MiB to read, .* Export or download it again"):
        read(name, file)
    assert len(read("three", file)) == 3


def test_a_fault_of_a_reader_is_no_fault_of_the_file(file: Path) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)reading .*clip\.h5 failed:.*in faulty.*KeyError: 'a key'"):
        read("faulty", file)


def test_what_libraries_print_is_not_seen(file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert len(read("printing", file)) == 1
    assert capfd.readouterr() == ("", "")


def test_a_file_that_is_left_half_read(file: Path) -> None:
    half = isolated.recordings("bad_readers:three", "json", file, "a file")
    process = process_of(next(half))
    del half
    gc.collect()
    assert [process_of(r) for r in read("three", file)] == [process] * 3


def test_two_files_at_once_have_a_process_each(file: Path) -> None:
    readings = [isolated.recordings("bad_readers:three", "json", file, "a file") for _ in range(2)]
    pairs = [(process_of(a), process_of(b)) for a, b in zip(*readings, strict=True)]
    assert len(pairs) == 3
    assert len(set(pairs)) == 1
    assert len(set(pairs[0])) == 2


def test_threads(file: Path) -> None:
    counts: list[int] = []

    def work() -> None:
        counts.extend(len(read("three", file)) for _ in range(10))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [3] * 30


@POSIX
def test_an_idle_process_that_ended_is_replaced(file: Path) -> None:
    """Also where it ends in the instant at which it is asked: the file is not blamed."""
    first = process_of(read("three", file)[0])
    os.kill(first, 9)
    assert process_of(read("three", file)[0]) != first
    used, process = isolated._process()
    assert used
    process.usable = lambda: True  # type: ignore[method-assign]  # as it was a moment before
    os.kill(process._process.pid, 9)
    process._process.wait()
    isolated._IDLE.append(process)
    assert len(read("three", file)) == 3


@pytest.mark.slow
def test_no_process_starts(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    isolated._end_all()
    monkeypatch.setattr(isolated, "_START", "raise SystemError('no room')")
    with pytest.raises(RuntimeError, match="exit code 1 at its start: SystemError: no room"):
        read("three", file)


def test_a_path_is_named_as_it_was_given(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read("three", file)
    monkeypatch.chdir(file.parent)
    with pytest.raises(DataError, match=r"^clip\.h5 cannot be read"):
        list(form("openhands").read(Path(file.name)))


SCRIPT = """
import os, sys, signal, time
from pathlib import Path
from asl_formats import isolated
isolated.seconds_for = lambda _: 2
reading = isolated.recordings("bad_readers:three", "json", Path(sys.argv[1]), "a file")
print(next(reading).notes[0].split()[-1], flush=True)
if sys.argv[2] == "leave":
    list(reading)
elif sys.argv[2] == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
elif sys.argv[2] == "fork":
    if os.fork() == 0:
        another = next(isolated.recordings("bad_readers:three", "json", Path(sys.argv[1]), "a file"))
        print(another.notes[0].split()[-1], flush=True)
        del reading
        os._exit(0)
    os.wait()
    print(len(list(reading)), flush=True)
else:
    reading.close()
    list(isolated.recordings("bad_readers:endless", "json", Path(sys.argv[1]), "a file"))
"""


def run_script(file: Path, how: str) -> subprocess.Popen[str]:
    script = file.with_name("script.py")
    script.write_text(SCRIPT)
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    words = [sys.executable, "-W", "error", str(script), str(file), how]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path})


def ends(process: int, seconds: float) -> bool:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        try:
            os.kill(process, 0)
            state = Path(f"/proc/{process}/stat")
            if state.is_file() and state.read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True  # it ended, and nobody waits for it in this container
        except OSError:
            return True
        time.sleep(0.05)
    return False


@POSIX
@pytest.mark.slow
@pytest.mark.parametrize("how", ["leave", "kill"])
def test_it_ends_with_its_caller(file: Path, how: str) -> None:
    """A script without a guard of its own."""
    with run_script(file, how) as script:
        text, _ = script.communicate(timeout=60)
        assert ends(int(text.split()[0]), 5)
        assert script.returncode == (0 if how == "leave" else -9)


@POSIX
@pytest.mark.slow
def test_it_ends_within_its_limit_where_its_caller_is_killed(file: Path) -> None:
    with run_script(file, "hang") as script:
        assert script.stdout is not None
        process = int(script.stdout.readline())
        time.sleep(0.5)
        script.kill()
        assert ends(process, 10)


@POSIX
@pytest.mark.slow
def test_a_fork_has_a_process_of_its_own(file: Path) -> None:
    with run_script(file, "fork") as script:
        text, _ = script.communicate(timeout=60)
        first, second, count = text.split()
        assert first != second
        assert count == "2"
