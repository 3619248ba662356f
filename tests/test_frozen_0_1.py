"""What asl 0.1 wrote still loads, resumes and gives its figures; its option, flag and Python names still work."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import packages
import pytest
from scripts import printed

from asl_core import api
from asl_core.cli import main
from asl_core.errors import ConfigError

FROZEN = Path(__file__).parent / "frozen_0_1"
DIGEST = "d829f9d47628abbe"
FIGURES: dict[str, Any] = json.loads((FROZEN / "figures.json").read_text(encoding="utf-8"))
LSTM = ("--encoder", "lstm", "--encoder.hidden-size", "4", "--encoder.layers", "1")
#: a name of 0.1 -> that of a later version; either will do in what a run writes
RENAMED = {"mmi": "ctc-ce", "frames": "frame-ce"}


def test_the_files_are_what_0_1_wrote() -> None:
    digest = hashlib.sha256()
    for file in sorted(p for p in FROZEN.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
        text = file.suffix in (".toml", ".py", ".json", ".jsonl", ".md", ".txt", ".csv")
        digest.update(file.relative_to(FROZEN).as_posix().encode())
        digest.update(file.read_bytes().replace(b"\r\n", b"\n") if text else file.read_bytes())
    assert digest.hexdigest()[:16] == DIGEST, "tests/frozen_0_1 was edited: take that back, change asl_core instead"


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the runs, settings and files of 0.1."""
    shutil.copytree(FROZEN / "saved", tmp_path / "runs")
    shutil.copytree(FROZEN / "settings", tmp_path / "settings")
    for name in ("clip.npy", "stage1.pt", "script.py"):
        shutil.copy(FROZEN / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def asl(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What the command prints to stdout; a notice that a name is old goes to stderr."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main(list(words))
    printed = capsys.readouterr()
    assert not stop.value.code, printed.err
    return printed.out


def close(figures: Any, expected: Any) -> None:
    """Equal to what another machine's rounding may change; every key of ``expected`` is there."""
    if isinstance(expected, dict):
        for key, value in expected.items():
            close(figures[key], value)
    elif isinstance(expected, list):
        assert len(figures) == len(expected)
        for one, other in zip(figures, expected, strict=True):
            close(one, other)
    elif isinstance(expected, float):
        assert figures == pytest.approx(expected, rel=1e-3, abs=1e-6)
    else:
        assert figures == expected


def last(run: str) -> dict[str, Any]:
    lines = (Path(run) / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    values: dict[str, Any] = json.loads(lines[-1])
    return values


@pytest.mark.parametrize(
    ("figure", "words"),
    [
        ("eval", ()),
        ("eval test", ("--split", "test")),
        ("eval best", ("--weights", "best")),
        ("eval no views", ("--average-views", "none")),
        ("eval ensemble", ("--with", "runs/from-stage1")),
        ("eval errors", ("--why",)),
    ],
)
def test_a_run_is_evaluated(
    copy: Path, capsys: pytest.CaptureFixture[str], figure: str, words: tuple[str, ...]
) -> None:
    """By the flags of 0.1: the JSON has every key of then, with its figures."""
    report = json.loads(asl(capsys, "eval", "runs/plain", *words, "--json", "--device", "cpu"))
    close(report, FIGURES[figure])


def test_a_first_stage_and_a_file_are_evaluated(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    close(json.loads(asl(capsys, "eval", "runs/stage1", "--json", "--device", "cpu")), FIGURES["eval stage1"])
    file = json.loads(asl(capsys, "eval", "runs/plain/best.safetensors", "--json", "--device", "cpu"))
    close(file["metrics"], FIGURES["eval file"])


def test_a_clip_is_predicted(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    close(json.loads(asl(capsys, "predict", "runs/plain", "clip.npy", "--json")), FIGURES["predict"])
    both = asl(capsys, "predict", "runs/plain", "clip.npy", "--with", "runs/from-stage1", "--json")
    close(json.loads(both), FIGURES["predict ensemble"])


def test_two_runs_are_compared_and_listed(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compared = json.loads(asl(capsys, "compare", "runs/plain", "runs/from-stage1", "--json"))
    close(compared, FIGURES["compare"])
    listed = asl(capsys, "runs")
    assert all(name in listed for name in ("plain", "stage1", "from-stage1"))


def test_the_audit_by_its_old_name(capsys: pytest.CaptureFixture[str]) -> None:
    audit = json.loads(asl(capsys, "data", "--dataset", "demo", "--dataset.glosses", "3", "--json"))
    close(audit["splits"], FIGURES["data"]["splits"])
    assert {f["code"] for f in audit["findings"]} >= {f["code"] for f in FIGURES["data"]["findings"]}


@pytest.mark.parametrize(("figure", "place"), [("inspect", "runs/plain"), ("inspect pt", "stage1:stage1.pt")])
def test_checkpoints_are_inspected(copy: Path, capsys: pytest.CaptureFixture[str], figure: str, place: str) -> None:
    report = json.loads(asl(capsys, "inspect", place, "--json"))
    expected = dict(FIGURES[figure])
    assert {t["name"]: t["shape"] for t in report["tensors"]} == expected.pop("tensors")
    close(report, expected)


@pytest.mark.slow
def test_a_finished_run_is_trained_for_more_epochs(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asl(capsys, "run", "--resume", "runs/plain", "--epochs", "6", "--quiet")
    close(last("runs/plain-to-6"), FIGURES["extended"])
    parts = set(last("runs/plain-to-6")["train"])
    assert parts in ({f"ctc-isolated{part}" for part in ends} | {"loss"} for ends in part_names())


def part_names() -> list[list[str]]:
    old = ["", "/consistency", *(f"/{name}" for name in RENAMED)]
    return [old, ["", "/consistency", *(f"/{name}" for name in RENAMED.values())]]


@pytest.mark.slow
def test_an_interrupted_curriculum_goes_on(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its first stage is done and stays as it is; the second is resumed after its first epoch."""
    before = {p: p.read_bytes() for p in Path("runs/two/one").iterdir() if p.is_file()}
    first = Path("runs/two/two/metrics.jsonl").read_text()
    asl(capsys, "run", "settings/two.toml", "--quiet")
    close(last("runs/two/two"), FIGURES["curriculum"])
    assert Path("runs/two/two/metrics.jsonl").read_text().startswith(first)
    assert {p: p.read_bytes() for p in before} == before


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["resumed alone", "after an edit"])
def test_a_stage_of_a_curriculum_is_a_run(copy: Path, capsys: pytest.CaptureFixture[str], stage: str) -> None:
    """It resumes by itself too; and settings that were changed are found in what 0.1 wrote."""
    if stage == "resumed alone":
        asl(capsys, "run", "--resume", "runs/two/two", "--quiet")
        close(last("runs/two/two"), FIGURES["curriculum"])
        return
    file = Path("settings/two.toml")
    file.write_text(file.read_text().replace("evidence-frames = 4.0", "evidence-frames = 5.0"))
    with pytest.raises(SystemExit) as stop:
        main(["run", str(file), "--quiet"])
    assert stop.value.code == 2
    assert "was 4.0 and is 5.0" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("figure", "words"),
    [
        ("again", ("settings/from-stage1.toml",)),
        ("stage1 again", ("settings/stage1.toml",)),
        ("pt", ("settings/plain.toml", "--init", "stage1:stage1.pt", *LSTM)),
        ("again", ("runs/from-stage1/config.toml",)),
        ("stage1 again", ("runs/stage1/config.toml",)),
    ],
)
def test_settings_with_the_names_of_0_1_train_the_same(
    copy: Path, capsys: pytest.CaptureFixture[str], figure: str, words: tuple[str, ...]
) -> None:
    """Settings files, the ``config.toml`` of runs, weights of a run and of the reference's checkpoint."""
    asl(capsys, "run", *words, "--name", "again", "--quiet")
    close(last("runs/again"), FIGURES[figure])


def test_a_saved_run_still_says_what_it_was_trained_on(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The clips of runs before it are known, so a run that starts from it may not be evaluated on them."""
    with pytest.raises(SystemExit) as stop:
        main(["run", "settings/from-stage1.toml", "--name", "again", "--quiet", "--fold", "1/4"])
    assert stop.value.code == 2
    assert "runs/stage1" in capsys.readouterr().err.replace("\\", "/")


OLD: dict[str, tuple[Any, str]] = {
    "train.pool": (3, "3"),
    "train.average-last": (1, "1"),
    "train.average-views": (["slower"], "slower"),
    "init.share": (0.25, "0.25"),
    "head.evidence-frames": (4.5, "4.5"),
}
STAGE1: dict[str, tuple[Any, str]] = {"head.width": (36, "36"), "loss.standardised": (False, "false")}
TINY = {
    "dataset.glosses": 3, "dataset.train": 8, "dataset.val": 4, "dataset.signers": 4, "encoder.layers": 1,
    "encoder.hidden-size": 4, "encoder.front-size": 4, "train.epochs": 1, "run.device": "cpu",
}  # fmt: skip
SUPERVISED = {**TINY, "train.ema": 0, "augment": "speed", "init": "runs/stage1"}
RECONSTRUCT = {**TINY, "head": "reconstruct", "loss": "masked-frames", "train.standardise": "false"}


@pytest.mark.slow
@pytest.mark.parametrize("way", ["flags", "short flags", "--set", "environment"])
def test_old_names_of_options(
    copy: Path, way: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever a setting can be given, its name of 0.1 is taken; a run gives what it gives by any other way."""
    for name, options, base in (("supervised", OLD, SUPERVISED), ("reconstruct", STAGE1, RECONSTRUCT)):
        given = [word for key, value in base.items() for word in (f"--{key}", str(value))]
        with monkeypatch.context() as environment:
            for key, (_, text) in options.items():
                if way == "--set":
                    given += ["--set", f"{key}={text}"]
                elif way == "environment":
                    environment.setenv(f"ASL_RUN__{key.replace('.', '__').replace('-', '_').upper()}", text)
                else:
                    short = way == "short flags" and key.startswith("train.")
                    given += [f"--{key.removeprefix('train.') if short else key}", text]
            asl(capsys, "run", *given, "--name", name, "--quiet")
    loaded = api.load("runs/supervised")
    assert {v for v in loaded.config.values().values() if isinstance(v, int | float)} >= {3, 0.25, 4.5}
    assert [view.name for view in loaded.views] == ["slower"]


def test_old_names_in_a_script(copy: Path) -> None:
    """As keys, and as keyword arguments; a wrong value is refused."""
    base = {k: v for k, v in SUPERVISED.items() if k not in OLD}
    values = {key: value for key, (value, _) in OLD.items()}
    by_key = api.configure({**base, **values}, project_file=False, environ={})
    keywords: Any = {key.replace(".", "__").replace("-", "_"): value for key, value in values.items()}
    assert by_key.values() == api.configure(base, **keywords, project_file=False, environ={}).values()
    assert {v for v in by_key.values().values() if isinstance(v, int | float)} >= {3, 0.25, 4.5}
    assert ["slower"] in by_key.values().values()
    with pytest.raises(ConfigError, match="at least 1"):
        api.configure({"train.pool": 0}, project_file=False, environ={})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_script_with_the_names_of_0_1(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = json.loads(printed(capsys, copy / "script.py", "runs", "made"))
    for line in said["lines"]:
        if isinstance(line, list):
            back = {f"ctc-isolated/{new}": f"ctc-isolated/{old}" for old, new in RENAMED.items()}
            line[1] = sorted(back.get(name, name) for name in line[1])
    close(said, FIGURES["script"])


@pytest.mark.slow
def test_a_recipe_with_the_names_of_0_1(
    copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a plugin that is installed; extended by a settings file with such names too."""
    folder = tmp_path / "installed"
    sources = {f"old_recipe/{p.name}": p.read_text() for p in (FROZEN / "old_recipe").glob("*.py")}
    sources["old_recipe/recipes/old.toml"] = (FROZEN / "old_recipe/recipes/old.toml").read_text()
    packages.install(folder, "old-recipe", sources, {"asl.plugins": {"old": "old_recipe"}})
    monkeypatch.syspath_prepend(folder)
    (copy / "mine.toml").write_text('extends = "old"\n[train]\nepochs = 2\npool = 2\n')
    for name, words in (("named", ("--recipe", "old", "--epochs", "2")), ("extended", ("mine.toml",))):
        asl(capsys, "run", *words, "--quiet", "--name", name)
        assert last(f"runs/{name}")["epoch"] == 2
    sys.modules.pop("old_recipe")
