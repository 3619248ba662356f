"""Checkpoints of other projects: layouts recognised, weights that reach the encoder, files that are refused."""

from __future__ import annotations

import os
import pickle
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from asl_core import CheckpointError, NoOptions, api
from asl_core.checkpoints.external import best_reading, read_checkpoint
from asl_core.errors import ConfigError
from asl_core.registry.discovery import discover
from asl_stages.loaders import ReferenceLoader, StateDictLoader
from asl_stages.loaders_pt import read_pt
from asl_stages.loaders_run import RunLoader
from asl_stages.places import state_dicts


def lstm(prefix: str, width: int, hidden: int = 4, *, projection: bool = True, norm: bool = True) -> dict[str, Any]:
    """Tensors in the reference project's layout, made by torch alone."""
    torch.manual_seed(1)
    parts: dict[str, nn.Module] = {}
    if projection:
        parts["input_projection"] = nn.Linear(width, hidden)
    parts["lstm"] = nn.LSTM(hidden if projection else width, hidden, 2, batch_first=True, bidirectional=True)
    if norm:
        parts["layer_norm"] = nn.LayerNorm(2 * hidden)
    return {prefix + name: tensor for name, tensor in nn.ModuleDict(parts).state_dict().items()}


def stage2(path: Path) -> Path:
    head = {"ctc_head.projection.weight": torch.ones(4, 8), "ctc_head.projection.bias": torch.ones(4)}
    content = {
        "model_state_dict": {**lstm("encoder.", 36), **head}, "vocab_size": 4, "epoch": 7, "val_acc": 3.57,
        "gloss_to_id": {"book": 1, "drink": 2, "go": 3}, "optimizer_state_dict": {"state": {0: torch.ones(3)}},
    }  # fmt: skip
    torch.save(content, path)
    return path


def notebook(path: Path) -> Path:
    head = {"classifier.weight": torch.ones(4, 8), "classifier.bias": torch.ones(4)}
    body = lstm("encoder.", 36, projection=False, norm=False)
    torch.save({"model_state_dict": {**body, **head}, "hidden_dim": 4, "num_layers": 2}, path)
    return path


def settings(out: Path, **more: Any) -> dict[str, Any]:
    base = {
        "dataset": "demo", "dataset.glosses": 4, "dataset.train": 4, "dataset.val": 1, "train.epochs": 1,
        "train.batch-size": 8, "run.device": "cpu", "run.threads": 1, "run.out": str(out),
    }  # fmt: skip
    return {**base, **{k.replace("__", ".").replace("_", "-"): v for k, v in more.items()}}


def run(out: Path, **more: Any) -> api.LoadedRun:
    return api.load(api.run(api.configure(settings(out, **more), environ={}, project_file=False)).path)


def test_stage_two_of_the_reference(tmp_path: Path) -> None:
    path = stage2(tmp_path / "s2.pt")
    read = read_checkpoint(str(path), discover().registry)
    assert read.loader == "stage1"
    foreign = read.foreign
    assert (foreign.encoder, foreign.settings) == ("lstm", {"hidden-size": 4, "layers": 2})
    assert foreign.source == (
        "stage-2 layout of the reference project, recognised by encoder.lstm.weight_hh_l0 and "
        "encoder.input_projection.weight under model_state_dict"
    )
    assert (foreign.width, foreign.standardise) == (36, False)
    assert foreign.glosses == ("book", "drink", "go")
    assert foreign.facts == {"vocab_size": 4, "epoch": 7, "val_acc": 3.57}
    assert set(foreign.others) == {f"model_state_dict.ctc_head.projection.{n}" for n in ("weight", "bias")}
    loaded = run(tmp_path, init=str(path), init__freeze=True, encoder="lstm", encoder__hidden_size=4)
    expected = lstm("", 36)
    assert {n: torch.equal(t, expected[n]) for n, t in loaded.model.encoder.state_dict().items()} == dict.fromkeys(
        expected, True
    )
    log = (loaded.path.parent / "log.txt").read_text(encoding="utf-8")
    assert "the checkpoint's vocabulary has 3 glosses and this run's 4, 0 in common" in log


def test_notebook_fits_without_projection(tmp_path: Path) -> None:
    path = notebook(tmp_path / "nb.pt")
    foreign = ReferenceLoader(NoOptions()).load(path)
    assert "notebook" in foreign.source
    assert foreign.settings == {"hidden-size": 4, "layers": 2, "projection": False, "norm": False}
    fitting = {f"encoder__{k}": v for k, v in foreign.settings.items()}
    loaded = run(tmp_path, init=str(path), init__freeze=True, encoder="lstm", **fitting)
    expected = lstm("", 36, projection=False, norm=False)
    assert all(torch.equal(t, expected[n]) for n, t in loaded.model.encoder.state_dict().items())


def test_notebook_is_refused_with_both_shapes_by_an_encoder_that_projects(tmp_path: Path) -> None:
    """What the reference's notebook does in silence: (512, 36) against (512, 128), there with hidden 128."""
    path = notebook(tmp_path / "nb.pt")
    config = settings(tmp_path / "runs", init=str(path), encoder="lstm", encoder__hidden_size=4)
    with pytest.raises(CheckpointError) as refused:
        api.run(api.configure(config, environ={}, project_file=False))
    text = str(refused.value)
    assert "lstm.weight_ih_l0 (16 × 36 in the checkpoint, 16 × 4 in the encoder)" in text
    assert "--encoder.projection false --encoder.norm false" in text
    assert not (tmp_path / "runs").exists()


def test_any_state_dict_by_a_map(tmp_path: Path) -> None:
    wrapped = {f"module.backbone.{n}": t for n, t in lstm("", 36).items()}
    path = tmp_path / "x.pth"
    torch.save({"epoch": 3, "checkpoint": {"model": wrapped}}, path)
    foreign = StateDictLoader(NoOptions()).load(path)
    assert foreign.source == "state dict under 'checkpoint.model'"
    config = settings(tmp_path, init=str(path), encoder="lstm", encoder__hidden_size=4)
    with pytest.raises(CheckpointError, match=r"With --init\.map module\.backbone= it would cover"):
        api.run(api.configure(config, environ={}, project_file=False))
    loaded = run(
        tmp_path, init=str(path), init__map=("module.backbone=",), encoder="lstm", encoder__hidden_size=4,
        init__freeze=True,
    )  # fmt: skip
    assert torch.equal(loaded.model.encoder.state_dict()["lstm.weight_hh_l1"], lstm("", 36)["lstm.weight_hh_l1"])
    said = (loaded.path.parent / "log.txt").read_text(encoding="utf-8")
    assert "does not say whether its features were standardised" in said


def test_a_module_saved_as_parameters_and_safetensors(tmp_path: Path) -> None:
    tensors = lstm("", 36)
    torch.save({n: nn.Parameter(t) for n, t in tensors.items()}, tmp_path / "p.pt")
    safetensors.torch.save_file(tensors, tmp_path / "s.safetensors")
    for name in ("p.pt", "s.safetensors"):
        read = read_checkpoint(str(tmp_path / name), discover().registry)
        assert read.loader == "torch"
        assert {n: torch.equal(t, tensors[n]) for n, t in read.foreign.tensors.items()} == dict.fromkeys(tensors, True)


def test_which_of_several_state_dicts_is_told(tmp_path: Path) -> None:
    torch.save({"net": {"a": torch.ones(1)}, "model": {"a": torch.zeros(1)}}, tmp_path / "x.pt")
    foreign = StateDictLoader(NoOptions()).load(tmp_path / "x.pt")
    assert foreign.source == "state dict under 'model', not that under 'net'"
    assert float(foreign.tensors["a"]) == 0


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("was-run",)


def rewritten(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """A sound archive whose pickle is changed."""

    def make(path: Path) -> None:
        torch.save({"a": torch.arange(7.0)}, path)
        with zipfile.ZipFile(path) as archive:
            parts = {i.filename: archive.read(i) for i in archive.infolist()}
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in parts.items():
                archive.writestr(name, change(content) if name.endswith("data.pkl") else content)

    return make


def deflated(path: Path) -> None:
    torch.save({"a": torch.zeros(1_000_000)}, path)
    with zipfile.ZipFile(path) as archive:
        parts = {i.filename: archive.read(i) for i in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def half(path: Path) -> None:
    torch.save({"a": torch.arange(5000.0)}, path)
    path.write_bytes(path.read_bytes()[:9000])


def other_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.txt", "hello")


def in_itself(path: Path) -> None:
    content: dict[str, Any] = {"a": [1]}
    content["model"] = content
    torch.save(content, path)


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda p: p.write_bytes(b""), "empty"),
    "html": (lambda p: p.write_text("<!DOCTYPE html><html>404</html>"), "web page"),
    "lfs": (lambda p: p.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0"), "git lfs pull"),
    "noise": (lambda p: p.write_bytes(b"\x01\x02nothing"), "unknown kind"),
    "truncated": (half, "cut short"),
    "other zip": (other_zip, r"x\.txt"),
    "torchscript": (lambda p: torch.jit.script(nn.Linear(2, 2)).save(p), "TorchScript"),
    "code": (lambda p: torch.save({"model_state_dict": {"w": torch.ones(2)}, "x": Evil()}, p), r"mkdir"),
    "code, protocol 4": (lambda p: torch.save(Evil(), p, pickle_protocol=4), r"mkdir"),
    "code in a bare pickle": (lambda p: p.write_bytes(pickle.dumps(Evil())), r"mkdir"),
    "code in the old format": (lambda p: torch.save(Evil(), p, _use_new_zipfile_serialization=False), r"mkdir"),
    "a whole module": (lambda p: torch.save(nn.Linear(2, 2), p), r"torch\.nn\.modules\.linear\.Linear"),
    "numpy scalar": (lambda p: torch.save({"val_acc": np.float64(3)}, p), r"numpy\.dtype"),
    "old format": (lambda p: torch.save({"a": torch.ones(1)}, p, _use_new_zipfile_serialization=False), r"1\.6"),
    "compressed": (deflated, "compressed"),
    "shape beyond the storage": (rewritten(lambda b: b.replace(b"K\x07\x85", b"J\0\0\0\x40\x85")), "damaged"),
    "storage beyond the file": (rewritten(lambda b: b.replace(b"K\x07t", b"J\0\0\0\x40t")), "damaged"),
    "expanded": (rewritten(lambda b: b.replace(b"K\x07\x85q\x08K\x01\x85", b"J\0\0\0\x40\x85q\x08K\0\x85")), "claims"),
    "asks for a buffer": (
        rewritten(lambda _: b"\x80\x02cbuiltins\nbytearray\nJ\0\0\0\x7f\x85R."),
        r"builtins\.bytearray",
    ),
    "asks for a tensor": (rewritten(lambda _: b"\x80\x02ctorch\nTensor\nJ\0\0\0\x7f\x85R."), r"torch\.Tensor"),
    "pickle cut": (rewritten(lambda b: b[:40]), "damaged"),
    "a number": (lambda p: torch.save(5, p), "holds a int"),
    "a tensor": (lambda p: torch.save(torch.ones(2), p), "no state dict|holds a Tensor"),
    "not a dict": (lambda p: torch.save([torch.ones(1)], p), "holds a list"),
    "no tensors": (lambda p: torch.save({"epoch": 3, "loss": 0.5}, p), "epoch, loss"),
    "in itself": (in_itself, "no state dict"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning", "ignore:.*torch.jit:FutureWarning")
@pytest.mark.parametrize("name", BAD)
def test_bad_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recognised or named, it ends as one clear error; nothing in it is run and no run directory is made."""
    monkeypatch.chdir(tmp_path)
    make, word = BAD[name]
    path = tmp_path / "x.pt"
    make(path)
    for text in (str(path), f"torch:{path}"):
        config = api.configure(settings(tmp_path / "runs", init=text), environ={}, project_file=False)
        with pytest.raises(CheckpointError, match=word) as refused:
            api.run(config)
        assert str(path) in str(refused.value)
    with pytest.raises(CheckpointError):
        ReferenceLoader(NoOptions()).load(path)
    assert not ReferenceLoader(NoOptions()).recognises(path)
    assert not RunLoader(NoOptions()).recognises(path)
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "was-run").exists()


def test_the_evil_file_would_have_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(Evil(), tmp_path / "x.pt")
    torch.load(tmp_path / "x.pt", weights_only=False)
    assert (tmp_path / "was-run").is_dir()


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="does not exist"):
        read_checkpoint(str(tmp_path / "x.pt"), discover().registry)
    with pytest.raises(CheckpointError, match="no checkpoint that a loader recognises"):
        read_checkpoint(str(tmp_path), discover().registry)
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_pt(tmp_path)


@pytest.mark.parametrize("text", ["stagee1:x.pt", "asl:stagee1:x.pt"])
def test_unknown_loader(text: str) -> None:
    with pytest.raises(ConfigError, match="checkpoint-loader"):
        read_checkpoint(text, discover().registry)


@pytest.mark.parametrize("text", ["C:\\models\\x.pt", "stage1:C:\\models\\x.pt", "asl:stage1:C:/models/x.pt"])
def test_a_drive_is_no_loader(text: str) -> None:
    with pytest.raises(CheckpointError, match=r"C:.models.x\.pt does not exist"):
        read_checkpoint(text, discover().registry)


def test_weights_that_are_not_finite_or_quantised(tmp_path: Path) -> None:
    tensors = lstm("encoder.", 36)
    for change, word in ((lambda t: t.fill_(float("nan")), "NaN"), (lambda t: t.to(torch.int8), "quantised")):
        path = tmp_path / "x.pt"
        torch.save({"model_state_dict": {**tensors, "encoder.lstm.bias_hh_l0": change(torch.ones(16))}}, path)
        config = settings(tmp_path, init=str(path), encoder="lstm", encoder__hidden_size=4)
        with pytest.raises(CheckpointError, match=word):
            api.run(api.configure(config, environ={}, project_file=False))


def test_half_precision_is_converted_and_told(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    torch.save({"encoder_state_dict": {n: t.half() for n, t in lstm("", 36).items()}}, path)
    loaded = run(tmp_path, init=str(path), init__freeze=True, encoder="lstm", encoder__hidden_size=4)
    state = loaded.model.encoder.state_dict()
    assert torch.equal(state["lstm.weight_hh_l0"], lstm("", 36)["lstm.weight_hh_l0"].half().float())
    assert "float16" in (loaded.path.parent / "log.txt").read_text(encoding="utf-8")


def placed(where: str, weights: dict[str, Any]) -> Any:
    """A state dict where other programs keep one, beside what they keep as well."""
    lone = torch.tensor(0.91)
    return {
        "a metric beside it": {"model": weights, "best_acc": lone},
        "ema beside it": {"ema": weights, "model": {"head.weight": torch.ones(900, 90)}, "step": lone},
        "in a list": {"models": [{"w": torch.ones(3)}, weights], "acc": [lone]},
        "a list at the top": [{"loss": lone}, {"state_dict": weights}],
        "of data parallel": {"state_dict": {f"module.{n}": t for n, t in weights.items()}, "best": lone},
        "of a compiled model": {"net": {f"_orig_mod.encoder.{n}": t for n, t in weights.items()}},
        "part of a model": {**{f"model.encoder.{n}": t for n, t in weights.items()}, "model.head.w": torch.ones(9)},
        "deep down": {"trainer": {"state": {"weights": {"student": weights}}}, "best": lone},
        "table by table": {
            part: {n.partition(".")[2]: t for n, t in weights.items() if n.startswith(f"{part}.")}
            for part in ("input_projection", "lstm", "layer_norm")
        },
        "beside an optimiser": {"optimizer": {"state": {n: t * 2 for n, t in weights.items()}}, "net": weights},
    }[where]


PLACES = (
    "a metric beside it", "ema beside it", "in a list", "a list at the top", "of data parallel", "of a compiled model",
    "part of a model", "deep down", "table by table", "beside an optimiser",
)  # fmt: skip


@pytest.mark.parametrize("where", PLACES)
def test_the_state_dict_that_covers_most_is_taken(tmp_path: Path, where: str) -> None:
    weights = lstm("", 36)
    torch.save(placed(where, weights), tmp_path / "x.pt")
    read = read_checkpoint(f"torch:{tmp_path / 'x.pt'}", discover().registry)
    encoder = [(n, tuple(t.shape)) for n, t in weights.items()]
    best, tensors = best_reading(read, encoder, ())
    assert {n: torch.equal(t, weights[n]) for n, t in tensors.items() if n in weights} == dict.fromkeys(weights, True)
    assert "state dict" in best.foreign.source


def test_what_was_taken_and_what_was_not_is_told(tmp_path: Path) -> None:
    torch.save(placed("a metric beside it", lstm("", 36)), tmp_path / "x.pt")
    loaded = run(tmp_path, init=f"torch:{tmp_path / 'x.pt'}", encoder="lstm", encoder__hidden_size=4)
    log = (loaded.path.parent / "log.txt").read_text(encoding="utf-8")
    assert "state dict under 'model', not its top level" in log


def test_the_reference_layout_inside_of_data_parallel(tmp_path: Path) -> None:
    torch.save({"model_state_dict": lstm("module.encoder.", 36), "best_acc": torch.tensor(0.5)}, tmp_path / "x.pt")
    read = read_checkpoint(str(tmp_path / "x.pt"), discover().registry)
    assert read.loader == "stage1"
    assert set(read.foreign.tensors) == set(lstm("", 36))


def test_a_file_of_very_many_tables_is_read_quickly(tmp_path: Path) -> None:
    table: dict[str, Any] = {"w": torch.ones(2)}
    for _ in range(12):
        table = {str(n): table for n in range(30)}
    started = time.process_time()
    assert all(len(one.tensors) <= 10_000 for one in state_dicts(table))
    assert len(state_dicts([{"w": torch.ones(1)} for _ in range(5000)])) < 5000
    assert time.process_time() - started < 5
