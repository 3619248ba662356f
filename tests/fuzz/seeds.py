"""The valid files that fuzzing grows from, made here and small; where the real captures are, a piece of each, too."""

from __future__ import annotations

import atexit
import functools
import io
import json
import os
import pickle
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from small import small
from torch import nn

from asl_core import api
from fuzz.bundle import packed
from fuzz.mutate_pickle import split

__all__ = ["labels", "npy", "pickles", "pts", "run_folder", "runs", "safetensors_files", "tomls"]


def _shared() -> Path | None:
    named = Path(os.environ.get("ASL_SHARED_DATA", "../shared/data"))
    folder = named if named.is_absolute() else Path(__file__).resolve().parents[2] / named
    return folder if folder.is_dir() else None


def _frameless(data: bytes) -> bytes:
    """Without frames, whose sizes would refuse whatever is changed in them."""
    return b"".join(op for op in split(data) if op[:1] != pickle.FRAME)


def pickles() -> list[bytes]:
    """The reference layout and its older caches, in every protocol, under both names of numpy's core."""
    array = np.arange(6, dtype="f4").reshape(3, 2)
    full = {
        "1": {"features": array, "gloss": "book", "gloss_id": np.int64(3), "video_id": "1", "split": "train",
        "signer_id": 4},
        "2": {"features": np.asfortranarray(array), "gloss": "go é", "gloss_id": 2, "x": [1.5, None, (True, b"ab")]},
        "3": {"features": array[:, ::-1].astype(">f8"), "gloss": np.str_("drink")},
    }  # fmt: skip
    listed = [{"video_id": "1", "features": array}, {"video_id": 2, "features": array.astype("f2"), "gloss": "a"}]
    found = [_frameless(pickle.dumps(full, protocol)) for protocol in range(6)] + [pickle.dumps(full, 5)]
    found += [_frameless(pickle.dumps(one, p)) for one in (listed, {"1": array}) for p in (2, 4)]
    found.append(found[2].replace(b"numpy._core", b"numpy.core"))
    return found


def labels() -> list[bytes]:
    """CSV, JSON and WLASL's own form of labels; the reference's vocabulary.json."""
    wlasl = [{"gloss": "book", "instances": [{"video_id": "1", "signer_id": 4, "split": "train"}, {"video_id": 2}]}]
    vocabulary = {
        "gloss_to_id": {"book": 1, "go": 2},
        "id_to_gloss": {"1": "book", "2": "go"},
        "vocab_size": 3,
        "num_glosses": 2,
    }
    texts = ["id,gloss\n1,book\n2,go\n", '1,"a, b"\n"2",é\n', json.dumps({"1": "book", "2": "go"}), json.dumps(wlasl),
             json.dumps(vocabulary), json.dumps({"gloss_to_id": {}, "num_glosses": 0}), "\ufeff1,book\n"]  # fmt: skip
    shared = _shared()
    if shared is not None:
        texts.append((shared / "wlasl100" / "vocabulary.json").read_text(encoding="utf-8"))
    return [t.encode() for t in texts]


def _lstm(width: int, *, projection: bool = True) -> dict[str, torch.Tensor]:
    parts: dict[str, nn.Module] = {"lstm": nn.LSTM(3 if projection else width, 3, 1, batch_first=True)}
    if projection:
        parts |= {"input_projection": nn.Linear(width, 3), "layer_norm": nn.LayerNorm(3)}
    return dict(nn.ModuleDict(parts).state_dict())


def pts() -> list[bytes]:
    """Checkpoints in the reference's layouts, and plain state dicts."""
    torch.manual_seed(1)
    stage1: dict[str, Any] = {
        "epoch": 3, "encoder_state_dict": _lstm(4), "vq_state_dict": {"codebook": torch.ones(2, 3)}, "best_loss": 0.5,
        "train_losses": [{"total": 1.0}], "config": {"hidden": 3, "name": "a"},
        "optimizer_state_dict": {"state": {0: {"step": torch.tensor(3.0)}},
    "param_groups": [{"lr": 1e-3, "params": [0]}]},
    }  # fmt: skip
    stage2 = {
        "model_state_dict": {f"encoder.{n}": t for n,
        t in _lstm(4).items()} | {"ctc_head.projection.bias": torch.ones(3)},
        "gloss_to_id": {"book": 1, "go": 2}, "val_acc": 3.57,
    }  # fmt: skip
    plain = {n: nn.Parameter(t.half()) for n, t in _lstm(4, projection=False).items()}
    nested = {"checkpoint": {"model": {"a": torch.ones(2, 2).T, "b": torch.arange(3)}}}
    found = []
    for content in (stage1, stage2, plain, nested):
        file = io.BytesIO()
        torch.save(content, file)
        found.append(file.getvalue())
    shared = _shared()
    if shared is not None:
        real = torch.load(shared / "stage1" / "checkpoint_best.pt", weights_only=True, map_location="cpu")
        cut = {k: v for k, v in real.items() if k in ("epoch", "best_loss", "train_losses", "config", "vq_state_dict")}
        cut["encoder_state_dict"] = {k: v[:2].clone() for k, v in real["encoder_state_dict"].items() if "l1" not in k}
        cut["vq_state_dict"] = {k: v[:1].clone() if v.ndim else v for k, v in cut["vq_state_dict"].items()}
        file = io.BytesIO()
        torch.save(cut, file)
        found.append(file.getvalue())
    return found


@functools.cache
def run_folder() -> Path:
    """A finished run, tiny, made once in a process."""
    out = Path(tempfile.mkdtemp(prefix="asl-fuzz-run-"))
    atexit.register(shutil.rmtree, out, ignore_errors=True)
    tiny = {
        "encoder__hidden_size": 4,
        "encoder__front_size": 4,
        "dataset__glosses": 3,
        "dataset__train": 2,
        "dataset__val": 1,
    }
    config = api.configure(small(out, train__epochs=1, run__name="run", **tiny), environ={}, project_file=False)
    return api.run(config).path


def runs() -> list[bytes]:
    """A finished run, and one that was cut off."""
    whole = packed(run_folder())
    table = json.loads(whole)
    for name in ("final.safetensors", "summary.json", "predictions-val.csv"):
        table.pop(name, None)
    return [whole, json.dumps(table).encode()]


def safetensors_files() -> list[bytes]:
    """Those of a run, and those of other programs."""
    torch.manual_seed(1)
    plain = {
        "a.weight": torch.ones(2, 3),
        "b": torch.arange(4),
        "half": torch.ones(2, dtype=torch.bfloat16),
        "none": torch.ones(0, 3),
    }
    found = [
        (run_folder() / name).read_bytes()
        for name in ("final.safetensors", "best.safetensors", "last/state.safetensors")
    ]
    return [
        *found,
        safetensors.torch.save(plain),
        safetensors.torch.save(plain, {"asl": '{"format": 1, "a": [1.5]}', "b": "c"}),
    ]


def tomls() -> list[bytes]:
    """Settings as users write them, a resolved configuration, curricula, and recipes."""
    root = Path(__file__).resolve().parents[2]
    texts = [
        '# tiny\n[dataset]\nname = "demo"\nglosses = 4\n\n[encoder]\nname = "gru"\nhidden-size = 8\n\n'
        "[train]\nepochs = 2\n",
        'encoder = "transformer"\n[augment]\nnames = ["speed", "mask"]\n[augment.speed]\nmax = 0.1\n'
        '[head]\nname = "ctc"\n[loss]\nname = "ctc"\n',
        '[heads.main]\nname = "ctc"\n[heads.main.losses.a]\nname = "ctc"\nweight = 0.5\n[heads.other]\nname = "mean"\n',
        'name = "two"\n[common.dataset]\nname = "demo"\n[[stage]]\nname = "one"\n[stage.head]\nname = "projection"\n'
        '[stage.loss]\nname = "contrast-time"\n[[stage]]\nname = "two"\ninit = "one"\n',
        (run_folder() / "config.toml").read_text(encoding="utf-8"),
    ]
    texts += [p.read_text(encoding="utf-8") for p in sorted((root / "examples").glob("*.toml"))]
    texts += [p.read_text(encoding="utf-8") for p in sorted((root / "plugins").glob("*/recipes/*.toml"))]
    return [re.sub(r"(?m)^(out|root) = .*$", r'\1 = "x"', t).encode() for t in texts]


def npy() -> list[bytes]:
    """Arrays as numpy.save writes them, in both versions of the format."""
    found = []
    for version in ((1, 0), (2, 0)):
        for array in (
            np.arange(6, dtype="f4").reshape(2, 3),
            np.asfortranarray(np.ones((2, 3), ">f8")),
            np.ones((3, 2), "i2"),
        ):
            file = io.BytesIO()
            np.lib.format.write_array(file, array, version)
            found.append(file.getvalue())
    return found
