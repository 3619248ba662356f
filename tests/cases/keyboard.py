"""At the keyboard: wrong flags, verbs and paths."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from asl_core import api
from cases.table import asl, case

#: what was typed after ``asl run`` -> what the answer names
FLAGS = {
    "--lr 1e-3": "--learning-rate",
    "--learning_rate=1e-3": "--learning-rate",
    "-lr 1e-3": "--learning-rate",
    "--hidden-dim 64": "--encoder.hidden-size",
    "--hidden_size 64": "--encoder.hidden-size",
    "--encoder.hidden-dim 64": "hidden-size",
    "--blank-penalty 0.1": "--loss.blank-penalty",
    "--pretrained x.pt": "--init",
    "--stage1 x.pt": "--init stage1:PATH",
    "--checkpoint checkpoints/stage1/checkpoint_best.pt": "--init",
    "--weights x.pt": "--init",
    "--batch_size 8": "--batch-size",
    "--bs 8": "--batch-size",
    "--BATCH-SIZE 8": "--batch-size",
    "--num-epochs 3": "--epochs",
    "--n_epochs=3": "--epochs",
    "--max_epochs 3": "--epochs",
    "--wd 0.1": "--weight-decay",
    "--num-layers 2": "--encoder.layers",
    "--dropout 0.1": "--encoder.dropout",
    "--num_heads 4": "--encoder transformer",
    "--workers 4": "--threads",
    "--num_workers 4": "--threads",
    "--gpu 0": "--device cuda",
    "--cuda": "--device cuda",
    "--cpu": "--device cpu",
    "--fp16": "--precision fp16",
    "--amp": "--precision bf16",
    "--output-dir out": "--out",
    "--save_dir out": "--out",
    "--data features/": "--dataset.root",
    "--data-dir features/": "--dataset wlasl",
    "--dataset.root features/": "--dataset wlasl",
    "--resume-from runs/x": "--resume",
    "--config c.toml": "asl run FILE.toml",
    "--seeed 1": "--seed",
    "--random-seed 1": "--seed",
    "--verbose": "--quiet",
    "-v": "--debug",
    "--gru": "--encoder gru",
    "--wlasl": "--dataset wlasl",
    "--model gru": "--encoder",
    "--augmentation speed": "--augment",
    "--early-stopping 5": "--patience",
    "--scheduler cosine": "--schedule",
    "--grad-clip 1": "--clip-norm",
    "--label_smoothing 0.1": "--loss.label-smoothing",
    "--split test": "asl eval",
    "--top 3": "asl predict",
    "--optimizer adam": "AdamW",
}

VERBS = {
    "train": "asl run", "fit": "asl run", "list": "asl ls", "evaluate": "asl eval", "test": "asl eval",
    "infer": "asl predict", "info": "asl show", "rnu": "asl run", "evla": "asl eval", "RUN": "asl run",
    "recipes": "asl ls recipe", "resume": "--resume", "version": "asl --version",
}  # fmt: skip

#: each argument a command of its own: its exit code, the time that it took, what it imported
PROBE = """
import sys, time
from asl_core.cli import main
for words in sys.argv[1:]:
    started = time.perf_counter()
    try:
        main(words.split())
    except SystemExit as end:
        took = time.perf_counter() - started
        print(end.code, f"{took:.3f}", [m for m in ("torch", "numpy", "rich") if m in sys.modules], sep="|")
"""


@functools.cache
def trained() -> Path:
    """A run of the smallest model there is, made once."""
    out = Path(tempfile.mkdtemp())
    values = {
        "run.out": str(out), "run.name": "r", "dataset.glosses": 2, "dataset.train": 4, "dataset.val": 2,
        "encoder.hidden-size": 4, "encoder.front-size": 4, "train.epochs": 1, "augment": "none", "run.device": "cpu",
    }  # fmt: skip
    return api.run(api.configure(values, project_file=False, environ={})).path


def clip(path: Path, frames: int = 6) -> Path:
    np.save(path, np.random.default_rng(0).normal(size=(frames, 36)).astype(np.float32))
    return path


@case("--version")
def version(place: Path) -> str:
    said = asl(place, "--version")
    assert said.code == 0
    return said.text


@case("flags of other trainers and of the guide", slow=True)
def flags(place: Path) -> str:
    wrong = {}
    for typed, meant in FLAGS.items():
        said = asl(place, "run", *typed.split())
        assert said.code == 2, (typed, said.text)
        if meant not in said.error.replace(typed.split()[0], "", 1):
            wrong[typed] = said.error
    assert not wrong, wrong
    assert not (place / "runs").exists()
    example = asl(place, "run", "--lr", "1").error
    return f"{len(FLAGS)} wrong flags are answered with the right one, such as --lr: {example}"


@case("several wrong flags at once, with wrong values")
def flags_at_once(place: Path) -> str:
    said = asl(place, "run", "--lr", "1", "--epochs", "many", "--hidden-dim=4", "-v")
    assert said.code == 2
    for text in ("--learning-rate", "'many' is not a whole number", "--encoder.hidden-size", "4 faults"):
        assert text in said.error, said.error
    return said.error


@case("flags of other verbs than run")
def flags_of_verbs(place: Path) -> str:
    for words, meant in (
        ("eval r --gpu 0", "--device cuda"),
        ("eval r --data d", "--root"),
        ("eval r --lr 3", "asl run"),
        ("eval r --splt test", "--split"),
        ("eval r --top 3", "asl predict"),
        ("eval r --verbose", "--debug"),
        ("predict r f --topk 3", "--top"),
        ("predict r f --views mirror", "--tta"),
        ("compare a b --seed 3", "--seeds"),
        ("audit d --rooot x", "--dataset.root"),
        ("ls --verbose", "--debug"),
        ("--lr 3", "asl run"),
    ):
        said = asl(place, *words.split())
        assert said.code == 2, words
        assert meant in said.error, (words, said.error)
    return said.error


@case("verbs of other trainers, misspelt verbs")
def verbs(place: Path) -> str:
    for typed, meant in VERBS.items():
        said = asl(place, typed)
        assert said.code == 2
        assert f"did you mean `{meant}" in said.error or meant in said.error.partition("did you mean")[2], said.error
    (place / "c.toml").write_text("")
    assert "asl run c.toml" in asl(place, "c.toml").error
    assert f"asl eval {trained()}" in asl(place, str(trained())).error
    return asl(place, "train").error


@case("asl alone, asl help, asl help run")
def alone(place: Path) -> str:
    for words in ((), ("--help",), ("-h",)):
        said = asl(place, *words)
        assert said.code == 0
        assert "Verbs:" in said.out
        assert said.err == ""
    assert "Usage: asl eval" in asl(place, "help", "eval").out
    assert asl(place, "help").code == 0
    wrong = asl(place, "help", "train")
    assert wrong.code == 2
    assert "asl run --help" in wrong.error
    return "all print the help, exit code 0"


@case("a wrong flag, verb or path answers without torch, within a second", slow=True)
def quick(place: Path) -> str:
    (place / "c.toml").write_text("[encoder]\nname = 'gru'\nhidden = 3\n")
    (place / "stages.toml").write_text("[[stage]]\nname = 'one'\n")
    commands = (
        "run --lr 1", "run c.toml", "run gone.toml", "run stages.toml --lr 3", "train", "eval gone",
        "run --dataset wlasl --dataset.root gone", "predict gone x.npy", "data gone", "run --resume gone",
        "check gone.toml", "pack o --bogus", "compare gone.toml c.toml", "run .", "eval r --lr 3",
    )  # fmt: skip
    started = time.perf_counter()
    said = subprocess.run(
        [sys.executable, "-c", PROBE, *commands], capture_output=True, text=True, cwd=place, check=True
    )
    whole = time.perf_counter() - started
    rows = [line.split("|") for line in said.stdout.splitlines()]
    assert [(r[0], r[2]) for r in rows] == [("2", "[]")] * len(commands), list(zip(commands, rows, strict=False))
    assert said.stderr.count("error: ") == len(commands)
    took = sorted(float(r[1]) for r in rows)
    return f"{len(rows)} commands in {whole:.1f} s with the start of Python, {took[0]:.3f} to {took[-1]:.3f} s each"


@case("asl run features/, a run, a pickle, weights")
def run_of_what_is_no_file_of_settings(place: Path) -> str:
    (place / "features").mkdir()
    for name in ("features_train_x.pkl", "clip.npy", "w.pt"):
        (place / "features" / name).write_bytes(b"x")
    said = asl(place, "run", "features")
    assert said.code == 2
    assert "asl run --dataset wlasl --dataset.root features" in said.error
    assert "asl audit features" in said.error
    for words, text in (
        (("run", str(trained())), "--resume"),
        (("run", "features/features_train_x.pkl"), "--dataset.train features_train_x.pkl"),
        (("run", "features/w.pt"), "--init features/w.pt"),
        (("run", "setings.toml"), "no such file or folder"),
        (("compare", "features", "features"), "features is a folder; expected a file of settings"),
        (("check", "features"), "asl audit features"),
    ):
        refused = asl(place, *words)
        assert refused.code == 2
        assert text in refused.error, refused.error
    return said.error


@case("arguments that changed places")
def swapped(place: Path) -> str:
    run = trained()
    clip(place / "clip.npy")
    said = asl(place, "predict", "clip.npy", str(run))
    assert said.code == 2
    assert f"did you mean `asl predict {run} clip.npy`?" in said.error
    (place / "f.pkl").write_bytes(b"")
    for words, text in (
        (("eval", "f.pkl"), "asl predict RUN f.pkl"),
        (("eval", str(run / "config.toml")), f"asl eval {run}"),
        (("audit", str(run)), f"asl eval {run}"),
        (("eval", str(run.parent)), f"asl eval {run}"),
        (("predict", str(run), str(run)), "--ensemble"),
        (("compare", "c.toml"), "FIRST SECOND"),
        (("predict", str(run)), "FILE"),
    ):
        refused = asl(place, *words)
        assert refused.code == 2
        assert text in refused.error, (words, refused.err)
    return said.error


@case("predict of several files and of a folder")
def many_files(place: Path) -> str:
    folder = place / "clips"
    folder.mkdir()
    for name in ("a", "b"):
        clip(folder / f"{name}.npy")
    (folder / "notes.txt").write_text("x")
    whole = asl(place, "predict", str(trained()), "clips")
    assert whole.code == 0, whole.err
    assert "clips/a.npy:" in whole.out.replace("\\", "/")
    assert whole.out.count("%") == 4
    assert "notes.txt" in whole.err
    (folder / "bad.npy").write_bytes(b"no array")
    some = asl(place, "predict", str(trained()), "clips/a.npy", "clips/bad.npy", "clips/b.npy", "gone.npy")
    assert some.code == 1
    assert some.out.count("%") == 4
    assert "bad.npy" in some.err
    assert "2 of 4 files could not be read" in some.err
    shutil.rmtree(folder)
    folder.mkdir()
    empty = asl(place, "predict", str(trained()), "clips")
    assert empty.code == 2
    assert "no file of clips" in empty.error
    return " ".join(some.err.split())


@case("flags with values that begin with a dash")
def dashes(place: Path) -> str:
    said = asl(place, "run", "--seed", "-1")
    assert "run.seed: -1 is out of range" in said.error
    assert asl(place, "run", "--epochs").code == 2
    return said.error


@case("lines wrap at words and tables fit 80 columns; whole lines in a pipe")
def narrow(place: Path) -> str:
    longest = {}
    for words in ("ls", "plugins", "show encoder gru", "run --help", "run --lr 1 --hidden-dim 3 --dataset.root x"):
        said = asl(place, *words.split(), environ={"COLUMNS": "80"})
        longest[words] = max(map(len, (said.out + said.err).splitlines()))
    assert max(longest.values()) <= 80, longest
    assert max(map(len, asl(place, "ls").out.splitlines())) > 80, "a pipe has no width"
    return f"the longest of {len(longest)} commands has {max(longest.values())} characters"


@case("asl show recipe NAME")
def recipe(place: Path) -> str:
    said = asl(place, "show", "recipe", "hands-stage1")
    assert said.code == 0
    for text in ("stage stage1", "stage stage2", "train.learning-rate", "0.002", "--recipe hands-stage1"):
        assert text in said.out
    plain = json.loads(asl(place, "show", "recipe", "numbers36", "--json").out)
    assert plain["settings"]["encoder.name"] == "gru"
    assert "did you mean 'hands'" in asl(place, "show", "recipe", "hand").error
    assert "asl show encoder gru" in asl(place, "show", "gru").error
    return said.text[:100]


@case("asl doctor")
def doctor(place: Path) -> str:
    said = asl(place, "doctor", "--no-torch", environ={"ASL_DATA": "gone"})
    assert said.code == 0
    for text in ("asl-core", "python", "torch", "encoders", "can be written", "ASL_DATA names gone", "problem"):
        assert text in said.out, text
    (place / "asl.toml").write_text("[encoder\n")
    broken = json.loads(asl(place, "doctor", "--no-torch", "--json").out)
    assert any("asl check asl.toml" in p for p in broken["problems"])
    return f"{len(broken['problems'])} problems, such as: {broken['problems'][-1]}"
