"""The command line as a user meets it: what it prints, what it refuses and with which exit code."""

from __future__ import annotations

import json
import os
import pickle
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from small import flags, small

from asl_core.cli import main


class Outcome:
    def __init__(self, code: str | int | None, out: str, err: str):
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def asl(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Call the command line in an empty folder; no traceback may ever reach the user."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ASL_DATA", raising=False)

    def call(*words: str) -> Outcome:
        with pytest.raises(SystemExit) as stop:
            main(list(words))
        said = capsys.readouterr()
        assert "Traceback" not in said.err + said.out
        return Outcome(stop.value.code, said.out, said.err)

    return call


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from asl_core import api

    return api.run(api.configure(small(tmp_path_factory.mktemp("runs")), environ={})).path


def features(clips: int = 6, width: int = 4, split: str = "train") -> dict:
    rng = np.random.default_rng(0)
    return {
        f"{split}{i}": {
            "features": rng.normal(size=(5 + i, width)).astype(np.float32), "gloss": f"sign{i % 2}",
            "gloss_id": 1 + i % 2, "video_id": f"{split}{i}", "split": split,
        }
        for i in range(clips)
    }  # fmt: skip


def write(root: Path, train: object, val: object = None) -> Path:
    root.mkdir(exist_ok=True)
    (root / "features_train_x.pkl").write_bytes(pickle.dumps(train))
    if val is not None:
        (root / "features_val_x.pkl").write_bytes(pickle.dumps(val))
    return root


def wlasl(root: Path, *more: str) -> list[str]:
    words = ["run", "--quiet", "--dataset", "wlasl", "--dataset.root", str(root), "--epochs", "1", "--device", "cpu"]
    return [*words, "--encoder.hidden-size", "4", "--encoder.front-size", "4", *more]


@pytest.mark.slow
def test_run_says_all_on_one_screen_and_the_next_command(asl, tmp_path: Path) -> None:
    done = asl("run", *flags(small(tmp_path, run__name="a")))
    assert done.code == 0, done.err
    for word in (
        "train  36 clips",
        "val ",
        "gru encoder",
        "parameters",
        "on cpu",
        "epoch 3/3",
        "blank",
        "top1",
        "left",
    ):
        assert word in done.out
    assert "95 % interval" in done.out
    assert f"asl eval {tmp_path / 'a'}" in done.out


def test_json_lines(asl, tmp_path: Path) -> None:
    events = [json.loads(line) for line in asl("run", "--json", *flags(small(tmp_path))).out.splitlines()]
    events = [e for e in events if e["event"] != "progress"]  # those come where a step takes long
    assert [e["event"] for e in events] == ["start", "epoch", "epoch", "epoch", "end"]
    assert events[-1]["report"]["metrics"]["top1"] == events[-2]["val"]["top1"]


def test_quiet(asl, tmp_path: Path) -> None:
    done = asl("run", "--quiet", *flags(small(tmp_path)))
    assert "epoch 1/3" not in done.out
    assert "top-1" in done.out


def test_eval_and_csv(asl, trained: Path, tmp_path: Path) -> None:
    done = asl("eval", str(trained), "--json", "--csv", str(tmp_path / "p.csv"))
    assert done.code == 0, done.err
    summary = json.loads((trained / "summary.json").read_text())
    assert json.loads(done.out)["metrics"]["top1"] == summary["report"]["metrics"]["top1"]
    assert (tmp_path / "p.csv").read_text() == (trained / "predictions-val.csv").read_text()


def test_eval_on_test_is_noted(asl, trained: Path) -> None:
    assert asl("eval", str(trained), "--split", "test").code == 0
    assert "evaluated on test (final)" in (trained / "log.txt").read_text()


def test_eval_of_an_unknown_split(asl, trained: Path) -> None:
    done = asl("eval", str(trained), "--split", "dev")
    assert done.code == 2
    assert "train, val, test" in done.err


def test_predict_npy_equals_the_evaluation(asl, trained: Path, tmp_path: Path) -> None:
    from asl_core import api

    clip = next(iter(api.load(trained).config.dataset.build().clips("val")))
    np.save(tmp_path / "clip.npy", clip.features)
    done = asl("predict", str(trained), str(tmp_path / "clip.npy"), "--json")
    assert done.code == 0, done.err
    top = json.loads(done.out)[0]["top"]
    rows = (trained / "predictions-val.csv").read_text().splitlines()
    row = next(r for r in rows if r.startswith(f"{clip.id},")).split(",")
    header = rows[0].split(",")
    assert top[0]["gloss"] == row[header.index("gloss1")]
    assert top[0]["probability"] == pytest.approx(float(row[header.index("probability1")]), abs=2e-6)
    assert len(top) == 5


def test_predict_pickle(asl, tmp_path: Path) -> None:
    root = write(tmp_path / "d", features(), features(2, split="val"))
    done = asl(*wlasl(root, "--name", "r", "--augment", "none"))
    assert done.code == 0, done.err
    said = asl("predict", "runs/r", str(root / "features_val_x.pkl"))
    assert said.code == 0, said.err
    assert "val0 (is sign0)" in said.out
    assert said.out.count("%") == 4


@pytest.mark.parametrize(
    ("array", "word"),
    [
        (np.zeros((5, 7), np.float32), "36"),
        (np.zeros((0, 36), np.float32), "frames"),
        (np.zeros(36, np.float32), "frames"),
        (np.full((5, 36), np.nan, np.float32), "NaN"),
        (np.array([[{}]]), "object"),
    ],
)
def test_predict_refuses(asl, trained: Path, tmp_path: Path, array: np.ndarray, word: str) -> None:
    np.save(tmp_path / "x.npy", array, allow_pickle=True)
    done = asl("predict", str(trained), str(tmp_path / "x.npy"))
    assert done.code == 2
    assert word in done.err


def test_predict_refuses_a_npy_that_claims_too_much(asl, trained: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((5, 36), np.float32))
    content = (tmp_path / "x.npy").read_bytes()
    (tmp_path / "x.npy").write_bytes(content.replace(b"(5, 36), }         ", b"(500000000, 36), } "))
    done = asl("predict", str(trained), str(tmp_path / "x.npy"))
    assert done.code == 2
    assert "cut short or damaged" in done.err
    (tmp_path / "x.npy").write_bytes(content[:40])
    assert asl("predict", str(trained), str(tmp_path / "x.npy")).code == 2


class Evil:
    def __reduce__(self):
        return (os.system, ("touch was-run",))


BAD = {
    "missing": (None, "--dataset.root"),
    "empty": (b"", "empty"),
    "not a pickle": (b"<html>not found</html>", "pickle"),
    "truncated": (pickle.dumps(features())[:-200], "truncated|cut short|ends"),
    "code": (pickle.dumps({"a": Evil()}), "system"),
    "no clips": (pickle.dumps({}), "clip"),
    "nan": (
        pickle.dumps({"a": {**features()["train0"], "features": np.full((3, 4), np.nan, np.float32)}}),
        "NaN|finite",
    ),
    "infinite": (
        pickle.dumps({"a": {**features()["train0"], "features": np.full((3, 4), np.inf, np.float32)}}),
        "finite",
    ),
    "no frames": (pickle.dumps({"a": {**features()["train0"], "features": np.zeros((0, 4), np.float32)}}), "frame"),
    "widths": (
        pickle.dumps({**features(2), "b": {**features()["train0"], "features": np.zeros((3, 9), np.float32)}}),
        "9",
    ),
    "twice": (pickle.dumps([features()["train0"], features()["train0"]]), "train0"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_data(asl, tmp_path: Path, name: str) -> None:
    """Each is refused in one paragraph with exit code 2, and nothing is left behind."""
    import re

    content, word = BAD[name]
    root = tmp_path / "d"
    if content is not None:
        root.mkdir()
        (root / "features_train_x.pkl").write_bytes(content)
    done = asl(*wlasl(root))
    assert done.code == 2
    assert re.search(word, done.err), done.err
    assert str(root) in done.err
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "was-run").exists()


def test_huge_claim_in_a_small_pickle(asl, tmp_path: Path) -> None:
    """numpy's _reconstruct takes any shape; ours takes none."""
    claim = b"\x80\x04cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nJ\x00\x00\x00\x7f\x85C\x01btR."
    root = tmp_path / "d"
    root.mkdir()
    (root / "features_train_x.pkl").write_bytes(claim)
    done = asl(*wlasl(root))
    assert done.code == 2
    assert "features_train_x.pkl" in done.err


def test_gloss_that_only_val_has_is_told_and_wrong(asl, tmp_path: Path) -> None:
    val = features(4, split="val")
    val["val1"]["gloss"] = "unheard"
    done = asl(*wlasl(write(tmp_path / "d", features(), val), "--name", "r"))
    assert done.code == 0, done.err
    assert "without unknown glosses" in done.out
    audit = json.loads((tmp_path / "runs/r/audit.json").read_text())
    assert "unknown-glosses" in {f["code"] for f in audit["findings"]}
    report = json.loads((tmp_path / "runs/r/summary.json").read_text())["report"]
    assert report["metrics"]["top1"] <= 0.75


def test_run_without_val(asl, tmp_path: Path) -> None:
    done = asl(*wlasl(write(tmp_path / "d", features()), "--name", "r"))
    assert done.code == 0, done.err
    assert (tmp_path / "runs/r/final.safetensors").is_file()


def test_suggested_augmentation_that_does_not_fit_is_left_out_and_told(asl, tmp_path: Path) -> None:
    root = write(tmp_path / "d", features())
    words = [w for w in wlasl(root) if w != "--quiet"]
    done = asl(*words)
    assert done.code == 0, done.err
    assert "augment mirror36 does not fit" in done.out
    done = asl(*words, "--augment", "mirror36")
    assert done.code == 2
    assert "flag --augment" in done.err


def test_all_faults_of_a_configuration_at_once(asl, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(
        '[encoder]\nname = "gru"\nhidden-size = "wide"\nlayres = 2\n\n[train]\nepochs = 0\n'
    )
    done = asl("run", "c.toml", "--encoder.dropout", "1.5", "--head.blank-bais", "1", "--loss", "ctcc", "--epohcs", "3")
    assert done.code == 2
    for text in (
        "c.toml line 3", "'wide' is not a whole number", "c.toml line 4", "did you mean 'layers'", "c.toml line 7",
        "at least 1", "--encoder.dropout", "less than 1", "did you mean 'blank-bias'", "did you mean 'ctc'",
        "--epohcs",
    ):  # fmt: skip
        assert text in done.err, (text, done.err)
    assert "7 faults" in done.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["run", "--encoder", "gruu"], "did you mean 'gru'"),
        (["run", "--epochs", "3.9"], "whole number"),
        (["run", "--epochs", "0"], "at least 1"),
        (["run", "--standardise", "maybe"], "true or false"),
        (["run", "--device", "cuda:99"], "run.device"),
        (["run", "missing.toml"], "missing.toml"),
        (["run", "--set", "nonsense"], "KEY=VALUE"),
        (["run", "--resume", "nowhere"], "nowhere"),
        (["run", "--resume", "nowhere", "--epochs", "3"], "nowhere: no such run"),
        (["run", "--precision", "fp16", "--device", "cpu"], "fp16"),
        (["run", "--dataset", "wlasl"], "--dataset.root"),
        (["eval", "nowhere"], "nowhere"),
        (["predict", "nowhere", "x.npy"], "nowhere"),
        (["show", "encoder", "nothing"], "gru"),
        (["ls", "encoders"], "encoder"),
        (["nonsense"], "nonsense"),
        (["check", "missing.toml"], "missing.toml"),
        (["audit", "nowhere"], "nowhere"),
    ],
)
def test_wrong_usage(asl, tmp_path: Path, words: list[str], text: str) -> None:
    done = asl(*words)
    assert done.code == 2
    assert text in done.err, done.err
    assert not (tmp_path / "runs").exists()


def test_run_directory_that_exists(asl, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "notes.txt").write_text("mine")
    done = asl("run", *flags(small(tmp_path, run__name="taken")))
    assert done.code == 2
    assert "taken exists and is not a run" in done.err
    assert [p.name for p in (tmp_path / "taken").iterdir()] == ["notes.txt"]


def test_run_directory_that_cannot_be_made(asl, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = asl("run", *flags(small(tmp_path / "file")))
    assert done.code == 2
    assert "--out" in done.err


def test_check(asl, tmp_path: Path, trained: Path) -> None:
    done = asl("check", str(trained / "config.toml"))
    assert done.code == 0, done.err
    (tmp_path / "bad.toml").write_text('[encoder]\nname = "gru"\nhidden_size = 3\n')
    done = asl("check", str(tmp_path / "bad.toml"))
    assert done.code == 2
    assert "did you mean 'hidden-size'" in done.err


def test_ls_show_plugins(asl) -> None:
    assert "gru" in asl("ls", "encoder").out
    assert {r["name"] for r in json.loads(asl("ls", "head", "--json").out)} >= {"ctc", "mean"}
    shown = asl("show", "encoder", "gru").out
    assert "hidden-size" in shown
    assert "at least 1" in shown
    assert "encoders" in asl("plugins").out


def test_help_of_what_is_chosen(asl) -> None:
    said = asl("run", "--encoder", "transformer", "--loss", "ctc", "--help")
    assert said.code == 0
    assert "--encoder.heads" in said.out
    assert "--loss.blank-penalty" in said.out
    assert "--epochs" in said.out
    assert "--encoder.bidirectional" not in said.out
    places = [
        said.out.index(f"\n{title}:\n") for title in ("Components", "Most used settings", "Dataset demo", "Training")
    ]
    assert places == sorted(places)
    assert said.out.count("  --epochs N") == 1
    assert "--train.epochs N" not in said.out


def test_data_audits_and_exits_2_on_errors(asl, tmp_path: Path) -> None:
    root = write(tmp_path / "d", features(), features(2, split="val"))
    done = asl("audit", str(root))
    assert done.code == 0, done.err
    assert "train  6 clips, 2 glosses" in done.out
    assert json.loads(asl("audit", str(root), "--json").out)["splits"]["val"]["clips"] == 2


@pytest.mark.slow
def test_help_is_light_and_version(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom asl_core.cli import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit: pass\n"
        "print([m for m in ('torch', 'numpy', 'asl_wlasl.dataset', 'rich') if m in sys.modules])"
    )
    for words in (["--help"], ["--version"], ["run", "--help"], ["ls"], ["show", "encoder", "gru"], ["plugins"]):
        said = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True, cwd=tmp_path
        )
        assert said.stdout.splitlines()[-1] == "[]", (words, said.stdout)


@pytest.mark.slow
def test_ctrl_c_exits_130_and_says_how_to_go_on(tmp_path: Path) -> None:
    values = small(tmp_path, run__name="cut", train__epochs=500)
    # A shell starts background jobs with SIGINT ignored, and children inherit that: take it back.
    code = "import signal, asl_core.cli; signal.signal(signal.SIGINT, signal.default_int_handler); asl_core.cli.main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "run", "--quiet", *flags(values)], stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (tmp_path / "cut/metrics.jsonl").is_file():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "--resume" in err
    assert "Traceback" not in err


def test_debug_shows_the_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from asl_core.errors import AslError

    monkeypatch.chdir(tmp_path)
    with pytest.raises(AslError):
        main(["run", "--encoder", "gruu", "--debug"])


def test_a_folder_whose_name_looks_like_a_glob_and_a_relative_root(asl, tmp_path: Path, monkeypatch) -> None:
    """The name means itself, and a run is used from another folder than it was made in."""
    root = write(tmp_path / "d [x]*", features(), features(2, split="val"))
    done = asl(*wlasl(Path(root.name), "--name", "r"))
    assert done.code == 0, done.err
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    again = asl("eval", str(tmp_path / "runs/r"))
    assert again.code == 0, again.err


def test_figures_that_are_not_finite_are_null_and_told(asl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asl_core.data.numbers.LARGEST", float("inf"))  # such clips are refused
    val = features(2, split="val")
    val["val0"]["features"][0, 0] = 3e38
    root = write(tmp_path / "d", features(), val)
    done = asl(*[w for w in wlasl(root, "--name", "r", "--standardise", "false") if w != "--quiet"])
    assert done.code == 0, done.err
    assert "is not a number" in done.out
    line = (tmp_path / "runs/r/metrics.jsonl").read_text()
    assert "NaN" not in line
    assert json.loads(line)["val"]["loss"] is None


def test_control_characters_are_shown_not_obeyed(asl, tmp_path: Path) -> None:
    clips = features()
    for clip in clips.values():
        clip["gloss"] += "\x1b[31m"
    done = asl(*wlasl(write(tmp_path / "d", clips, features(2, split="val"))))
    assert done.code == 0, done.err
    assert "\x1b" not in done.out + done.err


@pytest.mark.slow
def test_closed_output_does_not_end_the_training(tmp_path: Path) -> None:
    words = flags(small(tmp_path, run__name="r"))
    process = subprocess.Popen(
        [sys.executable, "-m", "asl_core", "run", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 0, err
    assert (tmp_path / "r/summary.json").is_file()


def test_a_broken_project_file_does_not_stop_the_help(asl, tmp_path: Path) -> None:
    (tmp_path / "asl.toml").write_text("[encoder\n")
    assert asl("run", "--help").code == 0
    assert "asl.toml" in asl("run").err


@pytest.mark.skipif(os.name == "nt", reason="reads the command as a POSIX shell does")
def test_what_is_to_be_typed_next_is_in_quotes(asl, tmp_path: Path) -> None:
    """A folder with a space once made a command that could not be pasted."""
    said = asl("run", *flags(small(tmp_path / "my runs", run__name="it's é", train__epochs=1)))
    words = shlex.split(said.out.partition("next: ")[2].partition(", or")[0])
    assert words == ["asl", "eval", str(tmp_path / "my runs" / "it's é")]
