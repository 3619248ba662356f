"""What a file may make of the program: models no larger than their weights, and names inside their folder."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import safetensors
import safetensors.torch
import torch
from small import small
from torch import nn

from asl_core import api
from asl_core.checkpoints.bounds import no_larger_than, on_meta
from asl_core.errors import CheckpointError, DataError, UsageError
from asl_core.evaluation.reading import read_npy
from asl_core.files.bounded import read_json
from asl_core.files.paths import is_folder_name, refuse_links
from asl_core.files.rundir import RunDir


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs")
    return api.run(api.configure(small(out, train__epochs=1), environ={}, project_file=False)).path


def changed(run: Path, to: Path, change: dict[str, Any], tensors: dict[str, torch.Tensor] | None = None) -> Path:
    """The run's weights with other words beside them."""
    with safetensors.safe_open(run / "final.safetensors", "pt") as file:
        meta = json.loads(file.metadata()["asl"])
        del meta["checksum"]  # as somebody would who means harm
        kept = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    meta = {**meta, **change, "config": {**meta["config"], **change.get("config", {})}}
    path = to / "final.safetensors"
    path.write_bytes(safetensors.torch.save({**kept, **(tensors or {})}, {"asl": json.dumps(meta)}))
    return path


@pytest.mark.parametrize(
    "change",
    [
        {"config": {"encoder.hidden-size": 10**6}},
        {"config": {"encoder.layers": 10**9}},
        {"config": {"encoder.kernel": 6}},  # which the encoder itself refuses, without knowing of a file
        {"width": 10**12},
        {"width": 10**30},
    ],
)
def test_a_small_file_makes_no_large_model(run: Path, tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"final\.safetensors"):
        api.load(changed(run, tmp_path, change))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"vocabulary": "abc"}, "vocabulary is no list"),
        ({"vocabulary": [1]}, "vocabulary is no list"),
        ({"width": True}, "its width is True"),
        ({"width": 0}, "its width is 0"),
        ({"epoch": "x"}, "its epoch is x"),
    ],
)
def test_what_no_run_writes_is_refused(run: Path, tmp_path: Path, change: dict[str, Any], said: str) -> None:
    with pytest.raises(CheckpointError, match=said):
        api.load(changed(run, tmp_path, change))


def test_weights_of_another_kind_are_not_converted_in_silence(run: Path, tmp_path: Path) -> None:
    mean = api.load(run).model.standardiser.mean
    with pytest.raises(CheckpointError, match=r"standardiser\.mean is float64"):
        api.load(changed(run, tmp_path, {}, {"standardiser.mean": mean.double()}))


def test_models_are_bounded_as_they_grow() -> None:
    weights = [torch.zeros(10)]
    with no_larger_than(weights, Path("x")), on_meta():
        assert nn.Linear(1000, 1000).weight.is_meta
    with (
        pytest.raises(CheckpointError, match="far larger than the 10 numbers"),
        no_larger_than(weights, Path("x")),
        on_meta(),
    ):
        nn.Linear(10**6, 10**6)
    with pytest.raises(CheckpointError, match="far larger"), no_larger_than(weights, Path("x")):
        nn.Sequential(*(nn.ReLU() for _ in range(5000)))
    nn.Linear(3000, 3000)  # afterwards anything goes


@pytest.mark.parametrize("name", ["last", ".lock", "log.txt", "metrics.jsonl.part", "last/state.safetensors"])
def test_links_that_leave_a_run_are_refused(tmp_path: Path, name: str) -> None:
    run = tmp_path / "run"
    (run / name).parent.mkdir(parents=True)
    (run / "config.toml").write_text("")
    (run / name).symlink_to(tmp_path / "kept.txt")
    with pytest.raises(UsageError, match="leads out of the run directory"):
        RunDir.open(run)
    assert not (tmp_path / "kept.txt").exists()


def test_links_within_a_run_and_a_run_that_is_a_link(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.toml").write_text("")
    (run / "again.toml").symlink_to("config.toml")
    (tmp_path / "elsewhere").symlink_to(run)
    refuse_links(tmp_path / "elsewhere")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_pipe_in_a_run_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "summary.json")
    with pytest.raises(UsageError, match="neither a file nor a folder"):
        refuse_links(tmp_path)
    with pytest.raises(CheckpointError, match="there is no such file"):
        read_json(tmp_path / "summary.json", "Remove it.")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/", "a\0b", "a\nb", 3, None, ["a"]])
def test_what_is_no_name_of_a_folder(name: object) -> None:
    assert not is_folder_name(name)
    assert is_folder_name("wlasl-gru 1")


def test_json_that_is_damaged(tmp_path: Path) -> None:
    for text in ("{", "[]", "[" * 100_000, "\ud800".encode("utf-16", "surrogatepass").decode("latin-1")):
        (tmp_path / "x.json").write_text(text, encoding="latin-1")
        with pytest.raises(CheckpointError, match=r"x\.json cannot be read .* Put it back\."):
            read_json(tmp_path / "x.json", "Put it back.")


def test_a_header_of_gigabytes_is_not_made_room_for(tmp_path: Path) -> None:
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\x00\x00\x76\x00" + b"{" + b" " * 200)
    with pytest.raises(DataError, match=r"version \(0, 0\)"):
        read_npy(tmp_path / "x.npy")
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\x02\x00\xff\xff\xff\xff{")
    with pytest.raises(DataError, match="its header claims 4294967295 bytes"):
        read_npy(tmp_path / "x.npy")
