"""Runs: inside a program, resumed elsewhere, killed at any moment, watched by observers, without a screen."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
import random
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import hosts
import numpy as np
import pytest
from small import flags

from asl_core.cli import main
from cases.table import asl, case


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


@case("an observer that raises")
def observer_raises(place: Path) -> str:
    from asl_core import api

    heard: list[str] = []

    class Broken(hosts.Stop):
        def on_epoch(self, report: object) -> None:
            raise ValueError("the plotting server is gone")

    class Other(hosts.Stop):
        def on_epoch(self, report: object) -> None:
            heard.append("epoch")

    values = hosts.SETTINGS | {"run.out": str(place), "train.epochs": 2}
    path = api.run(api.configure(values, environ={}), [Broken(), Other()]).path
    (line,) = [x for x in (path / "log.txt").read_text(encoding="utf-8").splitlines() if "raised" in x]
    assert heard == ["epoch", "epoch"]
    return line


@case("observers of a run that is interrupted")
def observers_of_an_interrupt(place: Path) -> str:
    from asl_core import api

    heard: list[str] = []

    class Other(hosts.Stop):
        def on_epoch(self, report: object) -> None: ...

        def on_stop(self, reason: str) -> None:
            heard.append(reason)

    with pytest.raises(KeyboardInterrupt):
        api.run(api.configure(hosts.SETTINGS | {"run.out": str(place)}, environ={}), [Other(), hosts.Stop()])
    assert heard == ["interrupted"]
    return f"on_stop({heard[0]!r})"


@case("a damaged entry_points.txt, and a METADATA that is no text, of unrelated packages")
def damaged_packages(place: Path) -> str:
    bad = {"entry_points.txt": b"[console_scripts\nx = = y\n[asl.plugins]\n=", "METADATA": b"Name: \xff\xfe\nVersion"}
    for number, (file, text) in enumerate(bad.items()):
        info = place / f"stranger{number}-1.0.dist-info"
        info.mkdir()
        (info / file).write_bytes(text)
    (place / "nameless-1.0.dist-info").mkdir()
    with mock.patch.object(sys, "path", [str(place), *sys.path]):
        hosts.run(place / "runs")
    (environment,) = (place / "runs").glob("*/environment.json")
    kept = json.loads(environment.read_text(encoding="utf-8"))
    assert kept["packages"]["torch"]
    return f"trained, with {len(kept['plugins'])} plugins noted"


@case("paths with bytes that are not UTF-8")
def other_bytes(place: Path) -> str:
    if sys.platform != "linux":
        pytest.skip("file names are text here")
    name = os.fsdecode(b"\xff")
    few = flags(hosts.SETTINGS)
    said = [
        asl(place, "run", *few, "--run.out", name),
        asl(place, "run", "--dataset", "wlasl", "--dataset.root", name),
        asl(place, "run", "--dataset", "wlasl", environ={"ASL_DATA": name}),
        asl(place, "run", *few, "--init", name),
        asl(place, "predict", str(hosts.trained()), f"{name}.npy"),
        asl(place, "eval", name),
        asl(place, "run", "--resume", name),
        asl(place, "run", f"{name}.toml"),
        asl(place, "inspect", name),
    ]
    shutil.copytree(hosts.trained(), place / name)
    said += [asl(place, "eval", name), asl(place, "run", "--resume", name)]
    for one in said:
        assert one.code == 2, one
        assert "\\udcff" in one.error, one
        assert "fault of asl" not in one.error, one
    return said[1].error


@case("a file name that is not UTF-8 inside the data folder")
def other_bytes_inside(place: Path) -> str:
    if sys.platform != "linux":
        pytest.skip("file names are text here")
    name = os.fsdecode(b"\xff")
    for split in ("train", "val"):
        clips = {
            f"{split}-{gloss}{n}": {"features": np.full((9, 3), n + k + 0.1 * len(split)), "gloss": gloss}
            for k, gloss in enumerate(("go", "book"))
            for n in range(3)
        }
        (place / f"features_{split}_{name}.pkl").write_bytes(pickle.dumps(clips))
    small = {k: v for k, v in hosts.SETTINGS.items() if not k.startswith("dataset") and k != "augment"}
    said = asl(place, "run", *flags(small | {"dataset": "wlasl", "dataset.root": ".", "augment": "none"}))
    assert said.code == 0, said
    return said.out.splitlines()[0]


@case("standard output on a full device")
def full_device(place: Path) -> str:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    ended = []
    said = io.StringIO()
    for words in (["run", *flags(hosts.SETTINGS | {"run.out": str(place)})], ["ls"]):
        with open("/dev/full", "w") as full, contextlib.redirect_stderr(said), contextlib.redirect_stdout(full):  # noqa: PTH123
            try:
                main(words)
            except SystemExit as end:
                ended.append(end.code)
    assert ended == [0, 1]
    assert list(place.glob("*/summary.json"))
    assert "fault of asl" not in said.getvalue()
    return said.getvalue()


@case("a kill while a new state is put in place, and one flipped bit after it", slow=True)
def kill_and_bit(place: Path) -> str:
    from asl_core import api

    run = shutil.copytree(hosts.cut_off(), place / "cut")
    shutil.copyfile(run / "last" / "state.safetensors", run / "last" / "next.safetensors")
    shutil.copyfile(run / "last" / "state.safetensors", run / "last" / "previous.safetensors")  # as 0.1 left them
    with (run / "last" / "state.safetensors").open("r+b") as state:
        state.seek(-1, os.SEEK_END)
        state.write(b"\x55")
    found = api.resume(run)
    assert hosts.content(found.path) == hosts.resume(place / "other")
    return "the run goes on from another state, and ends with the same bits"


def _on_packed(place: Path, change: Callable[[Path], object]) -> str:
    """What is said when a packed file changes under a run."""
    from asl_core import api
    from asl_core.errors import RunError

    if sys.platform == "win32":
        pytest.skip("a mapped file cannot be changed there")
    few = {k: v for k, v in hosts.SETTINGS.items() if k.startswith("dataset")}
    assert asl(place, "pack", *flags(few), str(place / "data")).code == 0

    class Meanwhile(hosts.Stop):
        def on_epoch(self, report: object) -> None:
            change(place / "data" / "train.safetensors")

    values = {k: v for k, v in hosts.SETTINGS.items() if not k.startswith("dataset")}
    values |= {"dataset": "packed", "dataset.root": str(place / "data"), "run.out": str(place), "train.epochs": 2}
    with pytest.raises(RunError) as raised:
        api.run(api.configure(values, environ={}), [Meanwhile()])
    return str(raised.value)


@case("a packed file cut short under a run")
def cut_short(place: Path) -> str:
    said = _on_packed(place, lambda path: os.truncate(path, 100))
    assert "train.safetensors was changed while a run reads it" in said
    return said


@case("a packed file overwritten in place under a run")
def written_over(place: Path) -> str:
    def change(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(5000)
            file.write(bytes(400))

    said = _on_packed(place, change)
    assert "its content differs" in said
    return said


@case("--resume with the data in another folder, another --device and --threads", slow=True)
def resumed_elsewhere(place: Path) -> str:
    few = {k: v for k, v in hosts.SETTINGS.items() if k.startswith("dataset")}
    assert asl(place, "pack", *flags(few), "data").code == 0
    rest = {k: v for k, v in hosts.SETTINGS.items() if not k.startswith("dataset")}
    values = {**rest, "dataset": "packed", "dataset.root": "data", "train.epochs": 2, "run.name": "a"}
    assert asl(place, "run", *flags(values)).code == 0
    (place / "runs" / "a" / "summary.json").unlink()
    (place / "data").rename(place / "moved")
    where = ("--resume", "runs/a", "--dataset.root", "moved")
    said = asl(place, "run", *where, "--run.device", "cpu", "--threads", "2")
    assert said.code == 0, said
    assert "threads was 1 and is 2" in said.text
    refused = asl(place, "run", *where, "--seed", "3", "--batch-size", "2")
    assert refused.code == 2
    assert "--seed, --batch-size would change them" in refused.text.replace("flag ", "") or (
        "--batch-size, --seed would change them" in refused.text.replace("flag ", "")
    ), refused.text
    return refused.error


@case("last/ deleted, and best.safetensors deleted")
def state_deleted(place: Path) -> str:
    run = shutil.copytree(hosts.cut_off(), place / "a")
    (run / "best.safetensors").unlink()
    said = asl(place, "run", "--resume", "a")
    assert "best.safetensors is missing or damaged" in said.text
    run = shutil.copytree(hosts.cut_off(), place / "b")
    shutil.rmtree(run / "last")
    said = asl(place, "run", "--resume", "b")
    assert said.code == 2
    assert "is missing" in said.error
    return said.error


@case("--resume RUN --epochs N on a finished run")
def more_epochs(place: Path) -> str:
    run = shutil.copytree(hosts.trained(), place / "a")
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    said = asl(place, "run", "--resume", "a", "--epochs", "3")
    assert said.code == 0, said
    assert len((place / "a-to-3" / "metrics.jsonl").read_text().splitlines()) == 3
    assert {p: p.read_bytes() for p in run.rglob("*") if p.is_file()} == before
    (line,) = [x for x in said.out.splitlines() if "began with the state of" in x]
    return line
