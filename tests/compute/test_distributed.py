"""Several processes: the figures of one, one writer, and an end that leaves a run to go on with."""

from __future__ import annotations

import atexit
import csv
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
import ranks
import torch
import torch.distributed as dist
from processes import torchrun
from small import StopAfter, flags, small

from asl_core import api
from asl_core.checkpoints.format import load_tensors
from asl_core.compute.distributed import ALONE, EchoError, LostContactError, Processes
from asl_core.compute.seeding import mix_seed
from asl_core.compute.torchrun import joined, wanted
from asl_core.data.splits import load_data
from asl_core.errors import ConfigError, DataError, RunError
from asl_core.files.rundir import RunDir
from asl_core.model import objectives
from asl_core.model.objectives import build_objectives
from asl_core.model.recogniser import build_model
from asl_core.training.loop import Trainer
from asl_core.training.prepare import _check_batch_size, coupling_notes

pytestmark = pytest.mark.skipif(not dist.is_available() or sys.platform == "win32", reason="needs gloo and SIGKILL")

RANKS = Path(__file__).parents[1] / "ranks.py"

#: 25 clips in batches of 8: no multiple of either, and the second process gets nothing of each epoch's last one
PLAIN: dict[str, Any] = {
    "dataset.glosses": 5, "dataset.train": 5, "dataset.val": 3, "augment": "none", "encoder.dropout": 0.0,
    "encoder.front-dropout": 0.0, "train.epochs": 5, "train.eval-batch-size": 4, "train.learning-rate": 1e-2,
}  # fmt: skip


COMMAND = Path(sys.executable).with_name("asl.exe" if os.name == "nt" else "asl")


def plain(out: Path, name: str, **more: Any) -> dict[str, Any]:
    return {**small(out, run__name=name, **more), **PLAIN}


def history(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]


def assert_alike(one: Path, other: Path, share: float = 1e-4) -> None:
    """Every figure of every epoch, and of the end."""
    assert len(history(one)) == len(history(other)) == 5
    for a, b in zip(history(one), history(other), strict=True):
        assert a["train"] == pytest.approx(b["train"], rel=share)
        assert a["val"] == pytest.approx(b["val"], rel=share)
    ends = [json.loads((path / "summary.json").read_text())["report"]["metrics"] for path in (one, other)]
    assert ends[0] == pytest.approx(ends[1], rel=share)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run ``one`` by this process and ``two`` by two of them, the same settings."""
    out = tmp_path_factory.mktemp("runs")
    api.run(api.configure(plain(out, "one"), environ={}))
    # As README has it: ``-m`` would put the working folder on the path.
    done = torchrun("--no-python", str(COMMAND), "run", *flags(plain(out, "two")))
    assert done.returncode == 0, done.stderr
    (out / "said").write_text(done.stdout)
    return out


@pytest.mark.slow
def test_two_processes_give_the_figures_of_one(runs: Path) -> None:
    assert_alike(runs / "one", runs / "two")
    # The curve is worth comparing: it falls, and a share of the clips alone would not give it.
    losses = [entry["train"]["loss"] for entry in history(runs / "one")]
    assert losses[-1] < 0.98 * losses[0]


@pytest.mark.slow
def test_weights_and_average_and_optimiser_are_those_of_one_process(runs: Path) -> None:
    one, two = (load_tensors(runs / name / "last" / "state.safetensors") for name in ("one", "two"))
    assert one.tensors.keys() == two.tensors.keys()
    assert any(name.startswith("ema.") for name in one.tensors)
    assert one.meta.keys() == two.meta.keys()
    for name, value in one.tensors.items():
        # Adam divides by the root of squared gradients: where those are nearly zero, rounding is magnified.
        torch.testing.assert_close(two.tensors[name], value, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_every_clip_is_evaluated_once(runs: Path) -> None:
    ids = [
        [row["clip"] for row in csv.DictReader((runs / name / "predictions-val.csv").read_text().splitlines())]
        for name in ("one", "two")
    ]
    assert ids[0] == ids[1]
    assert len(set(ids[1])) == len(ids[1]) == 15
    assert json.loads((runs / "two/summary.json").read_text())["report"]["clips"] == 15


@pytest.mark.slow
def test_one_process_speaks_and_writes(runs: Path) -> None:
    said = (runs / "said").read_text()
    assert said.count("epoch 5/5") == said.count("saved in") == 1
    assert "each batch shared by 2 processes" in said
    assert len((runs / "two/timings.jsonl").read_text().splitlines()) == 5 + 1
    assert json.loads((runs / "two/environment.json").read_text())["processes"] == [2]
    assert "processes" not in (runs / "two/log.txt").read_text(), "nothing of this run depends on a batch's clips"
    assert {p.name for p in (runs / "one").iterdir()} == {p.name for p in (runs / "two").iterdir()}


@pytest.mark.slow
def test_killed_process_ends_the_others_and_any_number_goes_on(runs: Path) -> None:
    """One process begins, two go on, the second of them is killed in epoch 3, one process ends it."""
    with pytest.raises(KeyboardInterrupt):
        api.run(api.configure(plain(runs, "killed"), environ={}), [StopAfter(1)])
    done = torchrun(str(RANKS), "kill", str(runs / "seen"), "run", "--resume", str(runs / "killed"))
    assert done.returncode != 0
    assert "from epoch 2" in done.stdout
    assert "1, then 2 processes" in done.stdout
    assert done.stderr.count("error: process 0 of 2: ") == 1, done.stderr
    assert "lost contact" in done.stderr or "ended by SIGTERM" in done.stderr
    assert f"--resume {runs / 'killed'}" in done.stderr
    assert len(history(runs / "killed")) == 2
    api.resume(runs / "killed")
    assert_alike(runs / "one", runs / "killed", share=1e-3)
    assert "1, then 2, then 1 processes" in (runs / "killed/log.txt").read_text()


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run with augmentation and dropout whose second process fails after epoch 3, and what was said."""
    out = tmp_path_factory.mktemp("failed")
    done = torchrun(str(RANKS), "fail", str(out / "two"), "run", "--quiet", *flags(varied(out, "b")))
    assert done.returncode != 0
    return out, done.stderr


def varied(out: Path, name: str) -> dict[str, Any]:
    settings = small(out, run__name=name, dataset__train=5, dataset__glosses=5, encoder__dropout=0.3)
    return {**settings, "augment": "speed,noise,drop"}


@pytest.mark.slow
def test_a_process_that_fails_tells_and_the_others_end(failed: tuple[Path, str]) -> None:
    out, said = failed
    assert said.count("error: process 1 of 2: the loss is made of cheese") == 1, said
    assert said.count("error:") == 1, said
    assert "contact" not in said
    assert len(history(out / "b")) == 2
    run = RunDir.open(out / "b")
    run.lock()  # nobody holds it
    run.release()


@pytest.mark.slow
def test_augmentation_is_the_clips_own_and_dropout_the_processes_own(
    failed: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, _ = failed
    monkeypatch.setattr(objectives, "_input", objectives._input)  # taken back afterwards
    ranks.record(out / "one")
    api.run(api.configure(varied(out, "a"), environ={}))

    one, first, second = (json.loads((out / name).read_text()) for name in ("one.0", "two.0", "two.1"))
    assert len(one["seen"]) == 25
    for clip, epochs in one["seen"].items():
        shared = first["seen"].get(clip, []) + second["seen"].get(clip, [])
        assert len(epochs) == len(shared) == 3, "once an epoch, by either process"
        assert epochs[0] != epochs[1]
        for a, b in zip(sorted(epochs), sorted(shared), strict=True):
            assert b == pytest.approx(a, rel=1e-5, abs=1e-4)
    assert one["seed"] == mix_seed(0, 3, "dropout")
    assert [first["seed"], second["seed"]] == [mix_seed(0, 3, "dropout", rank) for rank in (0, 1)]


class Recorded(Processes):
    """Two processes of which the other has the values it is given."""

    def __init__(self, other: Any):
        super().__init__(0, 2)
        object.__setattr__(self, "other", other)

    def gather(self, value: Any) -> list[Any]:
        return [value, self.other if self.other is not None else value]  # type: ignore[attr-defined]


def test_processes_that_drift_apart_are_found() -> None:
    state = {"a": torch.arange(3.0), "b": torch.ones((), dtype=torch.bfloat16)}
    digests: list[int] = []

    class Digest(Recorded):
        def gather(self, value: Any) -> list[Any]:
            digests.append(value)
            return super().gather(value)

    Digest(None).check_same("the state", state)
    Digest(None).check_same("the state", {**state, "a": torch.tensor([0.0, 1.0, 2.0000002])})
    assert digests[0] != digests[1]
    with pytest.raises(RunError, match="the state differs between the processes"):
        Recorded(digests[1]).check_same("the state", state)


def test_processes_with_other_data_are_found() -> None:
    Recorded(None).agree("the data set", {"train": "abc"})
    with pytest.raises(RunError, match="the data set differs between process 0 and process 1"):
        Recorded({"train": "xyz"}).agree("the data set", {"train": "abc"})


def test_sums_may_lack_a_name_in_a_process() -> None:
    assert Recorded({"loss": 2.0}).total({}) == {"loss": 2.0}
    assert Recorded({"loss": 2.0, "b": 1.0}).total({"loss": 1.0}) == {"loss": 3.0, "b": 1.0}


def test_shares_are_every_clip_once() -> None:
    index = torch.randperm(11)
    for size in (1, 2, 3, 16):
        shares = [Processes(rank, size).share(index) for rank in range(size)]
        assert sorted(torch.cat(shares).tolist()) == list(range(11))
        assert max(map(len, shares)) - min(map(len, shares)) <= 1
        assert len(shares[0]) == max(map(len, shares)), "the first, whose buffers stand, has a clip of every batch"
    parts = [list(Processes(rank, 3).part("abcd")) for rank in range(3)]
    assert parts == [[(0, "a"), (3, "d")], [(1, "b")], [(2, "c")]]


def test_alone_nothing_is_changed() -> None:
    weight = torch.nn.Parameter(torch.ones(2))
    ALONE.add_gradients([weight])
    assert weight.grad is None
    assert ALONE.gather("x") == ["x"]
    assert ALONE.total({"loss": 0.1}) == {"loss": 0.1}
    assert ALONE.device("cpu") == torch.device("cpu")


WHOLE = {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"RANK": None, "LOCAL_RANK": None}, "lacks RANK, LOCAL_RANK"),
        ({"WORLD_SIZE": "two"}, "WORLD_SIZE is 'two'"),
        ({"MASTER_PORT": "-1"}, "MASTER_PORT is '-1'"),
        ({"RANK": "2"}, "RANK is 2"),
    ],
)
def test_an_environment_that_describes_no_place(changes: dict[str, str | None], text: str) -> None:
    environ = {name: value for name, value in {**WHOLE, **changes}.items() if value is not None}
    with pytest.raises(ConfigError, match=text):
        joined(environ)


def test_an_environment_of_one_process() -> None:
    assert joined({}) is joined({"WORLD_SIZE": "1"}) is ALONE
    assert wanted({}) == wanted({"WORLD_SIZE": "two"}) == 1
    assert wanted(WHOLE) == 2


def test_more_processes_than_clips_in_a_batch(tmp_path: Path) -> None:
    config = api.configure(small(tmp_path), environ={})
    _check_batch_size(Processes(0, 8), config)
    with pytest.raises(ConfigError, match=r"train\.batch-size is 8, .* there are 9"):
        _check_batch_size(Processes(0, 9), config)


def test_a_device_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert Processes(0, 2).device("auto") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", lambda _: None)
    assert Processes(3, 4, local_rank=1).device("auto") == torch.device("cuda", 1)
    with pytest.raises(ConfigError, match="has no GPU, there are 2"):
        Processes(2, 3, local_rank=2).device("cuda")
    with pytest.raises(ConfigError, match="'cuda:1', which 2 processes cannot share"):
        Processes(0, 2).device("cuda:1")


@pytest.fixture
def pair():
    """Two processes as far as telling of faults goes."""
    before = signal.getsignal(signal.SIGTERM)
    store = dist.HashStore()  # type: ignore[attr-defined]
    yield Processes(0, 2, 0, store), Processes(1, 2, 1, store)
    signal.signal(signal.SIGTERM, before)
    atexit.unregister(dist.destroy_process_group)


def told(processes: Processes, fault: Exception) -> Exception:
    with pytest.raises(Exception) as caught, processes.reported_once():  # noqa: PT011 - which one is the question
        raise fault
    return caught.value


def test_what_all_say_is_reported_once(pair: tuple[Processes, Processes]) -> None:
    first, second = (told(each, ConfigError(["x is wrong"])) for each in pair)
    assert isinstance(first, ConfigError)
    assert isinstance(second, EchoError)
    assert second.exit_code == 2
    assert isinstance(told(pair[1], DataError("another")), DataError), "what only one says is told"


def test_whoever_lost_contact_is_silent_where_the_reason_is_told(pair: tuple[Processes, Processes]) -> None:
    assert str(told(pair[1], RunError("disk full"))) == "process 1 of 2: disk full"
    assert isinstance(told(pair[0], LostContactError("gone")), EchoError)


def test_lost_contact_is_told_where_nobody_else_can(pair: tuple[Processes, Processes]) -> None:
    assert str(told(pair[0], LostContactError("gone"))) == "process 0 of 2: gone"
    assert isinstance(told(pair[1], LostContactError("gone too")), EchoError)


def trainer(processes: Processes, settings: dict[str, Any]) -> Trainer:
    config = api.configure(settings, environ={})
    data = load_data(config)
    torch.manual_seed(0)
    model = build_model(config, data.train.width, len(data.vocabulary))
    model.standardiser.fit(data.train.features)
    losses = build_objectives(config)
    for objective in losses:
        objective.loss.prepare(data.train)
    return Trainer.new(config, data, model, losses, torch.device("cpu"), (), processes)


@pytest.mark.parametrize(
    ("head", "loss", "couples"),
    [
        ("ctc", "ctc-isolated", False),
        ("ctc", "ctc", False),
        ("mean", "cross-entropy", False),
        ("projection", "contrast-time", True),
        ("projection", "contrast-views", True),
    ],
)
def test_losses_that_compare_clips_are_told(tmp_path: Path, head: str, loss: str, couples: bool) -> None:
    settings = {**small(tmp_path), "head": head, "loss": loss}
    assert coupling_notes(trainer(ALONE, settings)) == []
    notes = coupling_notes(trainer(Processes(0, 2), settings))
    assert len(notes) == couples
    assert all(f"loss {loss} compares" in note and "--batch-size 4 --accumulate 2" in note for note in notes)


def test_mixup_is_told(tmp_path: Path) -> None:
    notes = coupling_notes(trainer(Processes(0, 2), small(tmp_path, train__mixup=0.2)))
    assert len(notes) == 1
    assert "mixup pairs" in notes[0]


def test_batch_norm_is_told(tmp_path: Path) -> None:
    shared = trainer(Processes(0, 2), small(tmp_path))
    shared.model.encoder.add_module("norm", torch.nn.BatchNorm1d(2))
    assert ["batch norm takes" in note for note in coupling_notes(shared)] == [True]
