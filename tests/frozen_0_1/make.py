"""What wrote this folder, with asl 0.1 (commit 7220ef5); kept as a record. A later version must not run it."""

import contextlib
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

import asl_core as asl
from asl_core.cli import main

HERE = Path(__file__).resolve().parent


def command(*words):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            main(list(words))
        except SystemExit as stop:
            assert not stop.code, words
    return out.getvalue()


class Stop:
    def on_start(self, config, summary): ...

    def on_epoch(self, report):
        raise KeyboardInterrupt

    def on_end(self, summary): ...


def last(run):
    line = (Path(run) / "metrics.jsonl").read_text().splitlines()[-1]
    values = json.loads(line)
    return {s: {k: v for k, v in values[s].items() if k in ("loss", "top1", "top5")} for s in ("train", "val")}


def external():
    """The shape that the reference's stage 1 saves."""
    from asl_encoders.lstm import LstmEncoder
    from asl_encoders.options import LstmOptions

    torch.manual_seed(0)
    encoder = LstmEncoder(LstmOptions(hidden_size=4, layers=1), 36)
    tensors = {f"encoder.{k}": v for k, v in encoder.state_dict().items()}
    torch.save({"epoch": 3, "model_state_dict": tensors}, "stage1.pt")


def make():
    shutil.rmtree("runs", ignore_errors=True)
    for name in ("plain", "stage1", "from-stage1"):
        command("run", f"settings/{name}.toml", "--name", name, "--quiet")
    curriculum = asl.load_curriculum(Path("settings/two.toml"))
    try:
        asl.run_curriculum(curriculum, lambda stage: [Stop()] if stage.name == "two" else [])
    except KeyboardInterrupt:
        pass
    for path in Path("runs").rglob("*"):
        if path.name in (".lock", "timings.jsonl"):
            path.unlink()
    for run in ("stage1", "from-stage1", "two/one"):
        Path(f"runs/{run}/best.safetensors").unlink()
    for run in ("stage1", "from-stage1", "two/one"):
        shutil.rmtree(f"runs/{run}/last", ignore_errors=True)
    config = asl.configure(file="settings/plain.toml", project_file=False, environ={})
    np.save("clip.npy", next(iter(config.dataset.build().clips("test"))).features)
    external()
    shutil.rmtree("saved", ignore_errors=True)
    Path("runs").rename("saved")


def figures():
    """Of copies: the folder is read only from here on."""
    work = Path(sys.argv[1])
    shutil.copytree("saved", work / "runs")
    for name in ("settings", "clip.npy", "stage1.pt", "script.py"):
        (shutil.copytree if Path(name).is_dir() else shutil.copy)(name, work / name)
    import os

    os.chdir(work)
    done = {}
    for key, words in {
        "eval": (),
        "eval test": ("--split", "test"),
        "eval best": ("--weights", "best"),
        "eval no views": ("--average-views", "none"),
        "eval ensemble": ("--with", "runs/from-stage1"),
        "eval errors": ("--why",),
    }.items():
        done[key] = json.loads(command("eval", "runs/plain", *words, "--json", "--device", "cpu"))
    for report in done.values():
        for key in ("hardest", "easiest", "confusions", "per_class", "class_top1"):
            report.pop(key, None)
    done["eval errors"]["why"] = {k: done["eval errors"]["why"][k] for k in ("clips", "right", "confusions")}
    done["eval stage1"] = json.loads(command("eval", "runs/stage1", "--json", "--device", "cpu"))
    done["eval file"] = json.loads(command("eval", "runs/plain/best.safetensors", "--json"))["metrics"]
    done["predict"] = json.loads(command("predict", "runs/plain", "clip.npy", "--json"))
    done["predict ensemble"] = json.loads(command("predict", "runs/plain", "clip.npy", "--with", "runs/from-stage1", "--json"))
    done["compare"] = json.loads(command("compare", "runs/plain", "runs/from-stage1", "--json"))
    done["data"] = json.loads(command("data", "--dataset", "demo", "--dataset.glosses", "3", "--json"))
    for key, place in (("inspect", "runs/plain"), ("inspect pt", "stage1:stage1.pt")):
        shown = json.loads(command("inspect", place, "--json"))
        done[key] = {k: shown[k] for k in ("loader", "encoder", "settings", "width", "standardised", "glosses")}
        done[key]["tensors"] = {t["name"]: t["shape"] for t in shown["tensors"]}
    command("run", "--resume", "runs/plain", "--epochs", "6", "--quiet")
    done["extended"] = last("runs/plain-to-6")
    command("run", "settings/two.toml", "--quiet")
    done["curriculum"] = last("runs/two/two")
    command("run", "settings/from-stage1.toml", "--name", "again", "--quiet")
    done["again"] = last("runs/again")
    command("run", "settings/stage1.toml", "--name", "stage1-again", "--quiet")
    done["stage1 again"] = last("runs/stage1-again")
    command("run", "settings/plain.toml", "--name", "pt", "--quiet", "--init", "stage1:stage1.pt",
            "--encoder", "lstm", "--encoder.hidden-size", "4", "--encoder.layers", "1")  # fmt: skip
    done["pt"] = last("runs/pt")
    said = subprocess.run([sys.executable, "script.py", "runs", "made"], capture_output=True, text=True, check=True)
    done["script"] = json.loads(said.stdout)
    (HERE / "figures.json").write_text(json.dumps(done, indent=1) + "\n")


if __name__ == "__main__":
    if len(sys.argv) == 1:
        make()
    else:
        figures()
