"""README and manual are true: links resolve, commands run, flags are accepted, every built-in component is named."""

from __future__ import annotations

import importlib.metadata
import pickle
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import torch

from asl_core.cli import VERBS, former, main
from asl_core.cli.run import run
from asl_core.config.configure import configure
from asl_core.config.tables import TABLES
from asl_core.registry.component import BUILTIN
from asl_core.registry.discovery import discover
from asl_core.registry.options import former_keys

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "asl_core" / "docs").glob("*.md"))]
SETTINGS = sorted([*ROOT.glob("plugins/*/recipes/*.toml"), *ROOT.glob("examples/*.toml")])
ALL = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


def commands(page: Path) -> list[str]:
    """Every ``asl …`` line of a page's shell blocks and every command among its text, without comments."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [re.sub(r"\s+#.*", "", line) for block in blocks for line in block.splitlines()]
    inline = re.findall(r"`((?:asl|--)[^`]*)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    return [line for line in [*lines, *inline] if line.startswith("asl ")]


def test_the_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 150


def test_every_built_in_component_is_named() -> None:
    missing = [
        o.component.name
        for o in discover().registry
        if o.distribution == BUILTIN and f"`{o.component.name}`" not in ALL
    ]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_verb_is_there(page: Path) -> None:
    used = {shlex.split(line)[1] for line in commands(page)}
    of_plugins = {entry.name for entry in importlib.metadata.entry_points(group="asl.commands")}
    assert {word for word in used if word.isidentifier()} <= set(VERBS) | of_plugins


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_flags_of_asl_run_are_accepted(page: Path) -> None:
    """Every ``asl run`` line resolves its flags, given that the paths in it are there."""
    for line in commands(page):
        words = shlex.split(line)[2:]
        if not line.startswith("asl run --") or {"--help", "--resume"} & set(words):  # a run says what it takes
            continue
        context = click.Context(run, info_name="run")
        with context:
            run.parse_args(context, words)
        assert not context.meta["asl.unknown"], line


def former_settings() -> set[str]:
    """Dotted keys of 0.1 that are accepted under another name now."""
    options: list[tuple[str, type]] = [*TABLES.items()]
    options += [(o.slot, o.component.options) for o in discover().registry if o.component.options is not None]
    return set(former_keys(options))


def test_no_page_uses_a_former_name() -> None:
    """Of a verb, a flag or an option, nor a word that the manual says in another way."""
    verbs = rf"asl ({'|'.join(former.VERBS)})\b"
    flags = {flag for names in former.FLAGS.values() for flag in names}
    keys = {f"--{key}" for key in former_settings()} | {f"--{k.removeprefix('train.')}" for k in former_settings()}
    words = "numbers a frame|made-up|asked together|stranger"
    assert "--train.pool" in keys
    for page in [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "examples/RESULTS.md"]:
        text = page.read_text(encoding="utf-8")
        found = set(re.findall(r"--[a-z][\w.-]*", text)) & (flags | keys - {"--pool"})  # a flag of examples/*.py too
        assert not found, page
        assert not re.findall(f"{verbs}|{words}", text), page


@pytest.mark.parametrize("file", SETTINGS, ids=lambda p: p.name)
def test_no_recipe_uses_a_former_name(file: Path) -> None:
    def keys(table: dict[str, Any], above: str = "") -> Iterator[str]:
        for key, value in table.items():
            for inner in value if isinstance(value, list) else [value]:
                if isinstance(inner, dict):
                    yield from keys(inner, "" if key in ("common", "stage") else f"{above}{key}.")
            yield re.sub(r"^heads\.\w+\.(losses\.\w+\.)?", lambda m: "loss." if m[1] else "head.", f"{above}{key}")

    assert not set(keys(tomllib.loads(file.read_text(encoding="utf-8")))) & former_settings()


#: commands that no test of this file runs -> why
NOT_RUN = {
    "asl plugins new my-encoder --slot encoder": ".ci/run does, with the three lines after it",
    "asl run --encoder my-encoder": ".ci/run does, with the three lines before it",
    "asl plugins check FOLDER_OR_PACKAGE": "tests/test_testing_plugin.py does",
    "asl run --dataset wlasl --dataset.root features/ --encoder lstm --init stage1:checkpoint_best.pt": "asl_stages",
    "asl run examples/curriculum36.toml --set stage.stage1.dataset.root=pool/ --set "
    "stage.stage2.dataset.root=features/": "needs a pool; tests/test_examples.py resolves it",
    "asl run --recipe hands --dataset.root landmarks/": "tests/test_recipes.py does, with real landmarks",
    "asl run --recipe hands-stage1 --dataset.root landmarks/ --set stage.stage1.dataset.root=pool/": "test_extends.py",
    "asl eval runs/NAME --split test": "the folder has no test split; tests/test_cli.py does",
    "asl compare scratch.toml curriculum.toml --seeds 0-4": "several runs; tests/test_compare.py does",
    "asl compare one.toml other.toml --folds 4 --seeds 0-3": "several runs; tests/test_compare.py does",
    "asl run --dataset files --dataset.root my-signs/ --recipe holistic": "needs landmarks; tests/asl_files does",
    "asl convert my-signs/ my-npz/ --to npz": "needs landmarks; tests/asl_formats/test_convert.py does",
    **dict.fromkeys(
        (
            "asl extract videos/ --out landmarks/",
            "asl extract videos/ --out landmarks/ --list list.csv",
            "asl extract videos/ --out landmarks/ --list WLASL_v0.3.json",
            "asl run --dataset files --dataset.root landmarks/ --recipe hands",
            "asl predict runs/files-convformer-ctc-1 clip.mp4",
            "asl predict RUN clip.mp4",
        ),
        "needs videos and a detector; tests/asl_video does",
    ),
    "asl extract --download-model": "needs the network; tests/asl_video downloads a file",
    "asl run asl.toml": "it is the file of the folder; tests/cases do",
}  # fmt: skip

#: words of the manual -> what stands for them here
MEANT = {
    "FOLDER": "features/", "RUN": "runs/wlasl-gru-ctc-1", "runs/NAME": "runs/wlasl-gru-ctc-1",
    "runs/NAME/config.toml": "runs/wlasl-gru-ctc-1/config.toml", "FILE": "clip.npy", "SLOT": "encoder", "NAME": "gru",
    "runs/first": "runs/wlasl-gru-ctc-1", "runs/second": "runs/wlasl-gru-ctc-2", "runs/third": "runs/wlasl-gru-ctc-3",
}  # fmt: skip


def examples() -> list[str]:
    """Every command of every page once; a verb alone among the text is a mention of it."""
    return [c for c in dict.fromkeys(c.strip() for page in PAGES for c in commands(page)) if len(c.split()) > 2]


def the_users_folder(place: Path) -> None:
    """The files that the manual's commands name, as small as they can be."""
    random = np.random.default_rng(0)
    for split, each in (("train", 2), ("val", 1)):
        clips = {
            f"{split}{gloss}{n}": {
                "features": random.normal(size=(12, 36)).astype(np.float32), "gloss": gloss, "class_id": number,
            }
            for number, gloss in enumerate("abcdefghijklmnopqrst")
            for n in range(each)
        }  # fmt: skip
        (place / "features").mkdir(exist_ok=True)
        (place / "features" / f"features_{split}_wlasl100.pkl").write_bytes(pickle.dumps(clips))
    np.save(place / "clip.npy", random.normal(size=(12, 36)).astype(np.float32))
    (place / "settings.toml").write_text('[dataset]\nname = "wlasl"\nroot = "features/"\n', encoding="utf-8")
    torch.save({"model": {"weight": torch.ones(2, 2)}}, place / "checkpoint_best.pt")


def small_words(words: list[str]) -> list[str]:
    """What a command is given in addition, so that it is done in half a second."""
    more: list[str] = []
    if words[0] == "run" and "--help" not in words:
        more = [w for flag, value in (("--epochs", "2"), ("--encoder.hidden-size", "8")) if flag in words
                for w in (flag, value)]  # fmt: skip
        if not any(w.startswith("--dataset") or w.endswith(".toml") or w in ("--resume", "--recipe") for w in words):
            more += ["--dataset.glosses", "4", "--dataset.train", "2", "--dataset.val", "1"]
    return more


@pytest.mark.slow
def test_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """In the manual's order, in one folder, as a user would type them."""
    assert set(NOT_RUN) <= set(examples()), "commands that no page shows any more"
    the_users_folder(tmp_path)
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "TRAIN__EPOCHS": "1", "ENCODER__HIDDEN_SIZE": "8", "RUN__DEVICE": "cpu", "RUN__THREADS": "1",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"ASL_RUN__{name}", value)
    failed = []
    for line in examples():
        if line in NOT_RUN:
            continue
        words = [MEANT.get(word, word) for word in shlex.split(line)[1:]]
        if "--resume" in words and "--epochs" not in words:  # as a kill leaves it
            Path(MEANT["RUN"], "summary.json").unlink()
        with pytest.raises(SystemExit) as stop:
            main([*words, *small_words(words)])
        said = capsys.readouterr()
        if stop.value.code:
            failed.append(f"{line}: {stop.value.code}: {said.err[-600:]}")
    assert not failed, "\n".join(failed)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_python_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every block of Python of a page, on small settings of the environment."""
    the_users_folder(tmp_path)
    monkeypatch.chdir(tmp_path)
    for name, value in {"TRAIN__EPOCHS": "1", "ENCODER__HIDDEN_SIZE": "8", "DATASET__GLOSSES": "4"}.items():
        monkeypatch.setenv(f"ASL_RUN__{name}", value)
    for block in re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        exec(compile(block, str(page), "exec"), {})  # noqa: S102 - the manual's own


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_toml_is_a_configuration(page: Path, tmp_path: Path) -> None:
    """Every block of TOML of a page is sound."""
    for block in re.findall(r"^```toml\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        (tmp_path / "it.toml").write_text(block, encoding="utf-8")
        configure(file=tmp_path / "it.toml", environ={"ASL_DATA": str(tmp_path)}, project_file=False)


def test_contributing_names_what_is_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"(?:tests|\.ci)/[\w./]+", text)
    assert len(named) > 5
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_ci_takes_the_readmes_test_command() -> None:
    """It looks for that line by a pattern of its own."""
    (pattern,) = re.findall(r"grep -m1 -E '([^']+)' README.md", (ROOT / ".ci" / "run").read_text(encoding="utf-8"))
    assert len(re.findall(pattern, README.read_text(encoding="utf-8"), re.MULTILINE)) == 1
