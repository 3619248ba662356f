"""Readers: joins by key, files beside those that are read, metadata, checkpoints, formats known by their content."""

from __future__ import annotations

import bz2
import contextlib
import datetime
import functools
import gc
import gzip
import json
import lzma
import os
import pickle
import re
import shlex
import shutil
import sys
import tempfile
import warnings
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import safetensors.torch
import torch

from cases.table import Outcome, asl, case

RNG = np.random.default_rng(1)
TINY = (
    "--encoder", "gru", "--encoder.hidden-size", "8", "--encoder.front-size", "8", "--train.epochs", "1", "--device",
    "cpu", "--threads", "1",
)  # fmt: skip


def clip(frames: int = 9, width: int = 36) -> np.ndarray:
    return RNG.standard_normal((frames, width)).astype("f4")


def write(path: Path, clips: Mapping[str, Any]) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_bytes(pickle.dumps(dict(clips)))
    return path


def labelled(count: int = 8, **fields: Any) -> dict[str, Any]:
    return {
        f"{65539 + n}": {"features": clip(), "gloss": ("drink", "book")[n % 2], "gloss_id": n % 2} | fields
        for n in range(count)
    }


def bare(count: int = 4) -> dict[str, Any]:
    return {f"{65539 + n}": clip() for n in range(count)}


@functools.cache
def trained() -> Path:
    """A folder with clips, and the run ``runs/x`` that was trained on them, without val."""
    place = Path(tempfile.mkdtemp())
    write(place / "data/features_train_x.pkl", labelled())
    said = asl(place, "run", "--dataset", "wlasl", "--dataset.root", "data", "--name", "x", *TINY)
    assert said.code == 0, said.text
    (place / "said.txt").write_text(said.out, encoding="utf-8")
    return place


def predict(place: Path, file: str) -> Outcome:
    return asl(place, "predict", str(trained() / "runs/x"), file)


def typed(place: Path, text: str) -> str:
    """Carry out the ``python -c …`` that a message says to type; the file it makes."""
    found = re.search(r'python -c "(?P<code>.+?)" (?P<rest>\S+ \S+)', text)
    assert found is not None, text
    source, result = shlex.split(found["rest"])
    quiet = warnings.catch_warnings(category=ResourceWarning, action="ignore")  # of files left open to its end
    with contextlib.chdir(place), mock.patch.object(sys, "argv", ["-c", source, result]), quiet:
        exec(found["code"], {})  # noqa: S102 - our own message
        gc.collect()
    return result


# Joins by key


@case("labels.csv says 65539.mp4 where the clip is 65539")
def labels_with_endings(place: Path) -> str:
    write(place / "data/features_train_x.pkl", bare())
    (place / "data/labels.csv").write_text("65539.mp4,drink\n65540.mp4,book\n65541.mp4,go\n9.mp4,no\n")
    ask = ("audit", "data", "--dataset.labels", "labels.csv")
    said = asl(place, *ask)
    assert said.code == 2
    assert "0 of 4 train clips match one of 4 of its entries" in said.error
    assert "differ only in file ending: '65539' is written '65539.mp4' there" in said.error
    loose = asl(place, *ask, "--dataset.label-ids", "loose")
    assert loose.code == 0
    assert "1 of 4 train clips have no gloss; labels.csv does not name them" in loose.text
    return said.error


@case("label ids with a folder, leading zeros, capitals, 65539.0")
def labels_spelled_otherwise(place: Path) -> str:
    write(place / "data/features_train_x.pkl", {"a65539": clip(), "b7": clip()})
    heard = []
    for ids in (("clips/a65539.mp4", "clips/b7.mp4"), ("a065539", "b0007"), ("A65539", "B7"), ("a65539.0", "b7.0")):
        (place / "data/labels.csv").write_text(f"{ids[0]},drink\n{ids[1]},book\n")
        said = asl(place, "audit", "data", "--dataset.labels", "labels.csv")
        assert said.code == 2
        assert "2 differ only in" in said.error
        assert "--dataset.label-ids loose" in said.error
        heard.append(said.error.partition("2 differ only in ")[2].partition(":")[0])
        assert asl(place, "audit", "data", "--dataset.labels", "labels.csv", "--dataset.label-ids", "loose").code == 0
    return "; ".join(heard)


@case("WLASL's JSON for clips whose ids lost their leading zeros")
def wlasl_json(place: Path) -> str:
    write(place / "data/features_train_x.pkl", {"335": clip(), "336": clip()})
    instances = [{"video_id": f"{n:05d}", "signer_id": 118} for n in (335, 336, 337)]
    (place / "data/WLASL_v0.3.json").write_text(json.dumps([{"gloss": "book", "instances": instances}]))
    said = asl(place, "audit", "data", "--dataset.labels", "WLASL_v0.3.json")
    assert said.code == 2
    assert "2 differ only in leading zeros: '335' is written '00335' there" in said.error
    return said.error


@case("some labels match and some do not")
def labels_in_part(place: Path) -> str:
    write(place / "data/features_train_x.pkl", bare())
    (place / "data/labels.csv").write_text("65539,drink\n65540,book\n1,go\n")
    said = asl(place, "audit", "data", "--dataset.labels", "labels.csv")
    assert said.code == 0
    assert "2 of 4 clips match one of 3 entries" in said.text
    assert "2 clips match none (first '65541')" in said.text
    assert "labels.csv are not used (first '1')" in said.text
    return said.text


@case("--dataset.glosses of other capitals, and one that no clip has")
def glosses(place: Path) -> str:
    write(place / "data/features_train_x.pkl", labelled())
    said = asl(place, "audit", "data", "--dataset.glosses", "Drink,zebra")
    assert said.code == 2
    assert "0 of 2 of the names match one of 2 glosses of train" in said.error
    assert "type --dataset.glosses drink" in said.error
    return said.error


@case("--init.map with a prefix that maps nothing, or into nothing")
def init_map(place: Path) -> str:
    torch.save({f"backbone.{n}": t for n, t in torch.nn.GRU(4, 4).state_dict().items()}, place / "x.pt")
    ask = ("run", "--dataset.glosses", "2", "--dataset.train", "2", "--init", "x.pt", *TINY)
    said = asl(place, *ask, "--init.map", "Backbone=rnn")
    assert said.code == 2
    assert "Did you mean --init.map backbone=rnn?" in said.error
    other = asl(place, *ask, "--init.map", "backbone=nowhere")
    assert other.code == 2
    assert "renames 4 tensors, and the encoder has none of the new names" in other.error
    assert not (place / "runs").exists()
    return said.error


@case("vocabulary.json spells the glosses in another way")
def vocabulary(place: Path) -> str:
    write(place / "data/features_train_x.pkl", labelled())
    (place / "data/vocabulary.json").write_text(json.dumps({"gloss_to_id": {"DRINK": 0, "BOOK": 1}}))
    said = asl(place, "audit", "data")
    assert "differ only in capital letters" in said.text
    return said.text


@case("labels.csv: columns swapped, no heading, two glosses for one clip, blank glosses")
def label_faults(place: Path) -> str:
    write(place / "data/features_train_x.pkl", bare())
    ask = ("audit", "data", "--dataset.labels", "labels.csv")
    for text, words in (
        ("drink,65539\nbook,65540\n", 'columns are swapped. Put the line "gloss,id" on top'),
        ("65539,drink,7\n65540,book,8\n", "3 columns and no heading that names them. Put a line such as id,gloss"),
        ("id,gloss\n65539,drink\n65539,book\n", "two glosses, 'drink' and 'book' (line 3)"),
        ("id,gloss\n65539,\n", "1 ids have an empty gloss"),
    ):
        (place / "data/labels.csv").write_text(text)
        said = asl(place, *ask)
        assert said.code == 2
        assert words in said.error, said.error
    (place / "data/labels.csv").write_text("id,gloss\n65539,drink\n65540,\n65541, \n65542,go\n")
    said = asl(place, *ask)
    assert said.code == 0
    assert "2 ids of" in said.text
    assert "empty gloss (first '65540')" in said.text
    return said.text


@case("labels.csv with ; or tabs, in UTF-16, with a byte order mark, under other headings")
def label_flavours(place: Path) -> str:
    write(place / "data/features_train_x.pkl", bare())
    heard = []
    for text, encoding in (
        ("id;gloss\n{};a, b\n{};c\n{};c\n{};d\n", "utf-8"),
        ("Video ID\tLabel\n{}\ta, b\n{}\tc\n{}\tc\n{}\td\n", "utf-16"),
        ('sign,file\n"a, b",{}\nc,{}\nc,{}\nd,{}\n', "utf-8-sig"),
        ("id,label,word\n{},1,a b\n{},2,c\n{},2,c\n{},3,d\n", "utf-16-le"),
    ):
        (place / "data/labels.csv").write_bytes(text.format(*bare()).encode(encoding))
        said = asl(place, "audit", "data", "--dataset.labels", "labels.csv")
        assert said.code == 0, said.text
        assert "4 clips, 3 glosses" in said.text
        heard.append(said.text.partition("labels.csv: ")[2].partition(" note")[0] or "comma")
    return "; ".join(heard)


# Files beside those that are read


@case("features_dev_*.pkl and .pkl.gz beside the train files")
def beside(place: Path) -> str:
    write(place / "data/features_train_x.pkl", labelled())
    write(place / "data/features_dev_x.pkl", {f"v{k}": v for k, v in labelled(2).items()})
    (place / "data/features_val_x.pkl.gz").write_bytes(gzip.compress(pickle.dumps({})))
    said = asl(place, "audit", "data")
    assert "is not read ('features_dev_x.pkl'). --dataset.val features_dev_x.pkl reads them" in said.text
    assert "'features_val_x.pkl.gz' is a gzip archive of a pickle. Unpack it first" in said.text
    assert "val    2 clips" in asl(place, "audit", "data", "--dataset.val", "features_dev_x.pkl").out
    return said.text


@case("a run without val names only next commands that work")
def next_commands(place: Path) -> str:
    told = (trained() / "said.txt").read_text(encoding="utf-8").partition("next: ")[2]
    assert "asl eval" not in told, told
    assert told.strip().endswith("FILE")
    np.save(place / "clip.npy", clip())
    assert predict(place, "clip.npy").code == 0
    refused = asl(trained(), "eval", "runs/x")
    assert refused.code == 2
    assert "only train. Evaluate on the training clips with --split train" in refused.error, refused.text
    assert asl(trained(), "eval", "runs/x", "--split", "train").code == 0
    return told


@case("next commands of a stage-1 run, with and without val")
def next_of_stage1(place: Path) -> str:
    heard = []
    for val in ("2", "0"):
        said = asl(place, "run", "--head", "reconstruct", "--loss", "masked-frames", "--dataset.glosses", "2",
                   "--dataset.train", "3", "--dataset.val", val, "--name", f"v{val}", *TINY)  # fmt: skip
        assert said.code == 0
        told = said.out.partition("next: ")[2].strip()
        assert told == ("asl eval runs/v2" if val == "2" else "asl inspect runs/v0").replace("/", os.sep)
        assert asl(place, *told.replace(os.sep, "/").split()[1:]).code == 0
        heard.append(told)
    return "; ".join(heard)


@case("pickles of splits, of columns, of a list of clips")
def other_pickles(place: Path) -> str:
    for content, words in (
        ({"train": labelled(2), "val": labelled(2)}, "for name, clips in content.items()"),
        ({"X": [clip(), clip()], "y": ["a", "b"]}, "zip(content['X'], content['y'])"),
        ([clip(), clip()], "{str(n): clip for n, clip in enumerate(clips)}"),
        (clip(), "numpy.save"),
    ):
        (place / "x.pkl").write_bytes(pickle.dumps(content))
        said = predict(place, "x.pkl")
        assert said.code == 2
        assert words in said.error, said.error
    return said.error


@case("no pickle of the expected name, but others")
def other_names(place: Path) -> str:
    write(place / "data/train.p", labelled())
    said = asl(place, "audit", "data")
    assert said.code == 2
    assert "--dataset.train train.p" in said.error
    assert asl(place, "audit", "data", "--dataset.train", "train.p").code == 0
    (place / "data/train.p").rename(place / "data/train.pkl.xz")
    (place / "data/train.pkl.xz").write_bytes(lzma.compress((place / "data/train.pkl.xz").read_bytes()))
    packed = asl(place, "audit", "data")
    assert "'train.pkl.xz' is an xz archive of a pickle" in packed.error
    typed(place, packed.error)
    assert asl(place, "audit", "data", "--dataset.train", "train.pkl").code == 0
    return said.error


# Metadata that decides nothing


@case("signer_id NaN or 7.0, gloss_id '2' or 2.0, a field of an unknown type")
def metadata(place: Path) -> str:
    fields: list[dict[str, Any]] = [
        {"signer_id": float("nan")}, {"signer_id": 7.0}, {"gloss_id": "2"}, {"gloss_id": 2.0}, {"signer_id": [1]},
        {"taken": datetime.datetime(2026, 1, 1)}, {"path": Path("x")}, {"tags": {1}}, {"extra": np.array([None])},
    ]  # fmt: skip
    for field in fields:
        write(place / "data/features_train_x.pkl", labelled(4, **field))
        said = asl(place, "audit", "data")
        assert said.code == 0, (field, said.text)
        if next(iter(field)) in ("taken", "path", "tags", "extra"):
            assert f"note: the field '{next(iter(field))}' of 4 of 4 clips holds" in said.text
    return said.text


@case("glosses under label or Gloss")
def gloss_fields(place: Path) -> str:
    for field in ("label", "Gloss", "sign"):
        write(place / "data/features_train_x.pkl", {str(n): {"features": clip(), field: f"g{n}"} for n in range(3)})
        said = asl(place, "audit", "data")
        assert said.code == 0
        assert "3 clips, 3 glosses" in said.text
        assert f"the glosses of 3 of 3 clips are read from their field '{field}'" in said.text
    return said.text


# Checkpoints


@case("{'model': state_dict, 'best_acc': tensor(.91)}", slow=True)
def lone_tensor(place: Path) -> str:
    whole = safetensors.torch.load_file(trained() / "runs/x/final.safetensors")
    encoder = {n.removeprefix("encoder."): t for n, t in whole.items() if n.startswith("encoder.")}
    lone = torch.tensor(0.91)
    heard = []
    for name, content in {
        "model": {"model": encoder, "best_acc": lone},
        "ema": {"ema": encoder, "model": {"w": torch.ones(10**6)}, "best_acc": lone},
        "module": {"state_dict": {f"module.encoder.{n}": t for n, t in encoder.items()}, "epoch": lone},
        "list": [{"loss": lone}, {"nets": [{"w": torch.ones(3)}, encoder]}],
    }.items():
        torch.save(content, place / "x.pt")
        said = asl(place, "run", "--dataset", "wlasl", "--dataset.root", str(trained() / "data"), "--init", "x.pt",
                   "--name", name, *TINY)  # fmt: skip
        assert said.code == 0, said.text
        assert "100 %" in said.out
        heard.append(said.text.partition("x.pt: ")[2].partition(" (loader")[0])
    return "; ".join(heard)


# What is given to predict, and to the data set


@case("gzip, bzip2, xz, lzma and zlib of a pickle: what to type is typed, and works", slow=True)
def compressed(place: Path) -> str:
    data = pickle.dumps(bare())
    for name, content in {
        "x.pkl.gz": gzip.compress(data), "x.pkl.bz2": bz2.compress(data), "x.pkl.xz": lzma.compress(data),
        "x.pkl.lzma": lzma.compress(data, lzma.FORMAT_ALONE), "x.pkl": zlib.compress(data),
    }.items():  # fmt: skip
        (place / name).write_bytes(content)
        said = predict(place, name)
        assert said.code == 2
        assert "archive" in said.error, said.error
        assert predict(place, typed(place, said.error)).code == 0
    return said.error


@case("numpy.save of a dict and of a list of clips, .npz, .npy of clips: what to type works", slow=True)
def arrays_in_files(place: Path) -> str:
    clips = np.empty(2, object)
    clips[:] = [clip(), clip(7)]
    makers: dict[str, Callable[[Path], None]] = {
        "dict.npy": lambda p: np.save(p, np.array(labelled(2), dtype=object)),
        "list.npy": lambda p: np.save(p, clips),
        "many.npz": lambda p: np.savez(p, **bare(2)),
        "one.npz": lambda p: np.savez_compressed(p, x=clip()),
    }
    for name, make in makers.items():
        make(place / name)
        said = predict(place, name)
        assert said.code == 2, said.text
        assert predict(place, typed(place, said.error)).code == 0, said.error
    return said.error


@case(".npy of 1, 3, 4 and 5 dimensions: what to type works", slow=True)
def shapes(place: Path) -> str:
    heard = []
    for shape, words in {
        (9 * 36,): "one row of numbers",
        (36,): "one row of numbers",
        (9, 18, 2): "(frames, points, coordinates)",
        (2, 9, 18): "(coordinates, frames, points)",
        (1, 9, 36): "a batch of one",
        (5, 9, 36): "5 clips of one length",
        (3, 9, 12, 1): "(coordinates, frames, points, people)",
        (2, 9, 12, 3): "(people, frames, points, coordinates)",
        (9, 2, 12, 3): "(frames, people, points, coordinates)",
        (7, 9, 12, 3): "7 clips of points",
        (7, 3, 9, 12): "7 clips of points",
        (7, 3, 9, 12, 2): "7 clips of points",
    }.items():
        np.save(place / "x.npy", RNG.standard_normal(shape).astype("f4"))
        said = predict(place, "x.npy")
        assert said.code == 2
        assert words in said.error, said.error
        assert predict(place, typed(place, said.error)).code == 0, said.error
        heard.append(words)
    return "; ".join(heard)


@case("a clip whose frames and numbers changed places")
def turned(place: Path) -> str:
    np.save(place / "x.npy", clip().T)
    said = predict(place, "x.npy")
    assert said.code == 2
    assert "store x.T" in said.error
    return said.error


@case("csv, json, mp4, HDF5, a web page given to predict and to the data set", slow=True)
def other_formats(place: Path) -> str:
    frames = clip()
    table = "\n".join(",".join(map(str, row)) for row in frames.tolist())
    files: dict[str, tuple[bytes, str, bool]] = {
        "x.csv": (table.encode(), "CSV text of 36 columns", True),
        "head.csv": ((",".join("abcdefghijklmnopqrstuvwxyzabcdefghij") + "\n" + table).encode(), "CSV text", True),
        "x.json": (json.dumps(frames.tolist()).encode(), "JSON text", True),
        "x.mp4": (b"\0\0\0\x18ftypmp42" + bytes(99), "a video (MP4 or MOV)", False),
        "x.h5": (b"\x89HDF\r\n\x1a\n" + bytes(99), "an HDF5 file", False),
        "x.pkl": (b"<!DOCTYPE html>", "a web page", False),
        "x.joblib": (b"\x80\x04\x95\0\0\0\0\0\0\0\0}\x94\x8c\x13joblib.numpy_pickle\x94.", "a file of joblib", False),
        "named.npy": (b"RIFF\0\0\0\0AVI LIST", "a video (AVI)", False),
    }
    for name, (content, words, works) in files.items():
        (place / name).write_bytes(content)
        said = predict(place, name)
        assert said.code == 2, (name, said.text)
        assert words in said.error, (name, said.error)
        assert "copy" not in said.error
        if works:
            assert predict(place, typed(place, said.error)).code == 0
        (place / "data").mkdir(exist_ok=True)
        shutil.copy(place / name, place / "data" / f"features_train_{name}.pkl")
        data = asl(place, "audit", "data")
        assert data.code == 2
        assert words in data.error, (name, data.error)
        shutil.rmtree(place / "data")
    return said.error
