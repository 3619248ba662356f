"""Text of files on every way out: glosses, ids, signers, sources, names of tensors, metadata of plugins."""

from __future__ import annotations

import csv
import functools
import json
import pickle
import sys
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from packages import HEAD, install
from small import SMALL, flags

from asl_core.text import from_cell
from cases.table import Outcome, asl, case

#: beginnings of formulas, escape codes, line ends, markup, characters that turn or hide what follows
ODD = [
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2",
    "@SUM(A1)",
    "\t=1",
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x9b2J",
    "one\nerror: two",
    "one\r\nwarning: two",
    "a\u202eb",
    "a\u200bb\u2060",
    "[red]x[/red] :smile:",
    "'quoted",
    "手話",
]


def refuse_raw(said: Outcome) -> None:
    """Nothing on either stream that a terminal obeys or does not draw; no line that a text of the file began."""
    for stream in (said.out, said.err):
        bad = {c for c in stream if not (c.isprintable() or c == "\n")}
        assert not bad, (bad, stream)
        assert "\nerror: two" not in stream
        assert "\nwarning: two" not in stream


def clips(split: str) -> dict[str, dict[str, object]]:
    """A pickle of the reference layout: two clips of each gloss, all texts of it odd."""
    rng = np.random.default_rng(len(split))
    return {
        f"{gloss}{split}{n}": {
            "features": (place + rng.normal(size=(6, 8))).astype(np.float32),
            "gloss": gloss,
            "video_id": f"{gloss}{split}{n}",
            "signer_id": gloss,
            "split": split,
        }
        for place, gloss in enumerate(ODD)
        for n in range(2)
    }


@functools.cache
def trained() -> tuple[Path, Outcome]:
    """A folder with such clips and a run on them, and what the run said."""
    place = Path(tempfile.mkdtemp()).resolve()
    root = place / "a [red] \u202e=1"
    root.mkdir()
    for split in ("train", "val"):
        (root / f"features_{split}_x.pkl").write_bytes(pickle.dumps(clips(split)))
    changed = {"dataset": "wlasl", "dataset.root": str(root), "head": "mean", "train.epochs": 1, "run.name": "r"}
    values = {k: v for k, v in SMALL.items() if not k.startswith("dataset")} | changed
    return place, asl(place, "run", *flags(values))


@case(
    "hostile glosses, ids, signers and folders through run, eval, --errors, predict, audit, pack, JSON",
    slow=True,
)
def verbs(_: Path) -> str:
    place, ran = trained()
    assert ran.code == 0, ran.err
    root = next(p for p in place.iterdir() if p.name.startswith("a "))
    said = [ran]
    for words in (
        ["eval", "runs/r", "--csv", "out.csv"],
        ["eval", "runs/r", "--errors", "--split", "train"],
        ["eval", "runs/r", "--errors", "--json"],
        ["predict", "runs/r", str(root / "features_val_x.pkl")],
        ["predict", "runs/r", str(root / "features_val_x.pkl"), "--json"],
        ["predict", "runs/r", str(root), "--top", "20"],
        ["inspect", "runs/r"],
        ["inspect", "runs/r", "--json"],
        ["audit", str(root)],
        ["audit", str(root), "--json"],
        ["check", "runs/r/config.toml"],
        ["check", "runs/r/config.toml", "--resolved"],
    ):
        done = asl(place, *words)
        assert done.code in (0, 1), (words, done.text)
        if "--json" in words:
            json.loads(done.out)
        said.append(done)
    for one in said:
        refuse_raw(one)
    assert any(":smile:" in one.out for one in said)
    for file in ("log.txt", "config.toml", "audit.json", "summary.json", "environment.json"):
        text = (place / "runs/r" / file).read_text(encoding="utf-8")
        refuse_raw(Outcome(0, text, ""))
    return f"{len(said)} outputs hold no control characters and no lines of a gloss"


@case("hostile glosses and ids in predictions-val.csv and --csv")
def tables(_: Path) -> str:
    place, ran = trained()
    assert ran.code == 0, ran.err
    assert asl(place, "eval", "runs/r", "--csv", "out.csv").code == 0
    for path in (place / "runs/r/predictions-val.csv", place / "out.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            first, *rows = list(csv.reader(file))
        assert {from_cell(row[0]) for row in rows} == set(clips("val"))
        assert {from_cell(row[1]) for row in rows} == {text.strip() for text in ODD}
        for text in (cell for row in [first, *rows] for cell in row):
            assert text.isprintable()
            assert not text.lstrip().startswith(("=", "+", "-", "@")), text
    return f"{len(rows)} rows read back, no formula"


@case("hostile names of tensors, keys and facts in asl inspect of a checkpoint")
def tensors(place: Path) -> str:
    odd = {f"encoder.{text}": torch.ones(2, 2) for text in ODD}
    torch.save({"model": odd, "epoch": ODD[5], ODD[8]: ODD[8], "config": {ODD[6]: ODD}}, place / "x.pt")
    for words in (["x.pt"], ["x.pt", "--json"], ["torch:x.pt", "--encoder", "gru", "--width", "2"]):
        said = asl(place, "inspect", *words)
        refuse_raw(said)
    return " ".join(said.text.split())[:200]


@case("hostile metadata of plugins in asl plugins, ls, show and --help")
def plugins(place: Path) -> str:
    component = f'Component(name="odd", factory="a:b", summary={ODD[8] + ODD[5]!r})'
    source = f"{HEAD}@hookimpl\ndef asl_encoders():\n    return [{component}]\n"
    broken = f"raise ImportError({ODD[8] + ODD[6]!r})\n"
    install(place, "kit", {"plug_odd.py": source}, {"asl.plugins": {"odd": "plug_odd"}})
    install(place, "other", {"plug_bad.py": broken}, {"asl.plugins": {"b\x1b[31m": "plug_bad"}})
    info = place / "kit-1.2.dist-info/METADATA"
    info.write_text("Metadata-Version: 2.1\nName: kit\x1b[31m\nVersion: 1\x9b2J\n", encoding="utf-8")
    with mock.patch.object(sys, "path", [str(place), *sys.path]):
        for words in (
            ["plugins"], ["plugins", "--json"], ["ls"], ["ls", "encoder", "--json"], ["show", "encoder", "odd"],
            ["--help"], ["run", "--help"], ["run", "--encoder", "odd"], ["plugins", "check", "kit"],
        ):  # fmt: skip
            said = asl(place, *words)
            refuse_raw(said)
    return said.text[:200]


@case("hostile texts in settings, file names and words of the command line")
def settings(place: Path) -> str:
    odd = place / "x\x1b[31m\nerror: two.toml"
    odd.write_text(
        f"encoder = {json.dumps(ODD[5] + ODD[8])}\n{json.dumps(ODD[8])} = 1\n[train]\nselect = {json.dumps(ODD[6])}\n"
    )
    (place / "c.toml").write_text(f"[[stage]]\nname = {json.dumps(ODD[5])}\n")
    for words in (
        ["run", odd.name], ["check", odd.name], ["check", "c.toml"], ["run", "c.toml"], ["run", "--resume", odd.name],
        ["eval", odd.name], ["predict", "x", odd.name], ["audit", odd.name], ["inspect", odd.name], [odd.name],
        ["run", f"--{ODD[5]}"], ["compare", odd.name, "c.toml"], ["run", "--recipe", ODD[8]], ["ls", ODD[5]],
        ["plugins", "check", ODD[8]], ["plugins", "new", ODD[5]], ["run", "--set", ODD[8]], ["pack", odd.name],
    ):  # fmt: skip
        said = asl(place, *words)
        assert said.code, words
        refuse_raw(said)
    return said.text[:200]
