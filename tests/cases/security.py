"""What somebody else's folder, file or text may not do: run programs, lead elsewhere, fill the memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from small import flags, small

from cases.table import asl, case

#: a run of a moment
TINY = flags({**small(Path("runs"), train__epochs=1), "dataset.glosses": 3, "dataset.train": 3})
HOSTILE = "import pathlib\npathlib.Path(__file__).with_name('ran').touch()\n"


def python(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A process of its own, with ``place`` as working folder."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("ASL_") and k != "PYTHONPATH"}
    return subprocess.run(words, cwd=place, capture_output=True, text=True, check=False, env=inherited, timeout=120)


def link(name: Path, target: Path) -> None:
    """A symbolic link; Windows makes them for administrators and developers alone."""
    try:
        name.symlink_to(target)
    except OSError as fault:
        pytest.skip(f"no links can be made here ({fault})")


@case("a .git/config that names a program for git to run")
def git_config(place: Path) -> str:
    git = place / ".git"
    (git / "refs/heads").mkdir(parents=True)
    (git / "objects").mkdir()
    program = place / "program"
    program.write_text(f"#!/bin/sh\ntouch '{place / 'ran'}'\n")
    program.chmod(0o755)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "refs/heads/main").write_text("1234567890" * 4 + "\n")
    (git / "config").write_text(
        f'[core]\nrepositoryformatversion = 0\nfsmonitor = "{program}"\nhooksPath = "{place}"\n'
    )
    done = asl(place, "run", *TINY, "--name", "r")
    assert done.code == 0, done.err
    assert not (place / "ran").exists()
    commit = json.loads((place / "runs/r/environment.json").read_text())["git"]
    assert commit == "1234567890" * 4
    return f"the commit {commit[:7]} was read, and no program was run"


@case("click.py in the working folder, by python -m asl_core, python -P -m and the command itself", slow=True)
def modules_of_the_folder(place: Path) -> str:
    for name in ("click", "attrs", "attr", "pluggy", "torch", "numpy", "tomli_w", "cattrs", "rich", "json", "re"):
        (place / f"{name}.py").write_text(HOSTILE)
    command = Path(sys.executable).with_name("asl.exe" if os.name == "nt" else "asl")
    forms = [[sys.executable, "-P", "-m", "asl_core"], *([[str(command)]] if command.is_file() else [])]
    for name in ("json", "re"):  # of the standard library: Python itself imports them before us for a bare -m
        (place / f"{name}.py").rename(place / f"{name}.kept")
    forms.append([sys.executable, "-m", "asl_core"])
    for form in forms:
        done = python(place, *form, "ls", "encoder")
        assert done.returncode == 0, done.stderr
        assert "gru" in done.stdout
        assert not (place / "ran").exists(), form
    return f"{len(forms)} forms ran nothing of the folder"


@case("WORLD_SIZE without torchrun: the form that is advised keeps the working folder off the path")
def torchrun_advice(place: Path) -> str:
    said = asl(place, "run", *TINY, environ={"WORLD_SIZE": "2"})
    assert said.code == 2
    assert "torchrun --no-python --nproc-per-node N asl run" in said.error
    return said.error


@case("a link config.toml.part in a run's folder")
def part_link(place: Path) -> str:
    (place / "runs/b").mkdir(parents=True)
    victim = place / "victim"
    victim.write_text("mine")
    link(place / "runs/b/config.toml.part", victim)
    said = asl(place, "run", *TINY, "--name", "b")
    assert victim.read_text() == "mine"
    assert said.code == 2
    assert "leads out of the run directory" in said.error
    return said.error


@case("a link .lock in a run's folder")
def lock_link(place: Path) -> str:
    (place / "runs/b").mkdir(parents=True)
    victim = place / "victim"
    victim.write_text("mine")
    link(place / "runs/b/.lock", victim)
    said = asl(place, "run", *TINY, "--name", "b")
    assert victim.read_text() == "mine"
    assert said.code == 2
    return said.error


@case("links beside what asl writes: curriculum.json.part, a packed folder's .part, the .part of --csv")
def other_part_links(place: Path) -> str:
    victim = place / "victim"
    victim.write_text("mine")
    (place / "runs/c").mkdir(parents=True)
    link(place / "runs/c/curriculum.json.part", victim)
    (place / "c.toml").write_text('[[stage]]\nname = "s"\nencoder = "gru"\n')
    done = asl(place, "run", "c.toml", *[w for w in TINY if w not in ("--run.out", "runs")])
    assert done.code == 0, done.err
    link(place / "out.csv.part", victim)
    done = asl(place, "eval", "runs/c/s", "--csv", "out.csv")
    assert done.code == 0, done.err
    assert (place / "out.csv").is_file()
    (place / "elsewhere").mkdir()
    link(place / "packed.part", place / "elsewhere")
    said = asl(place, "pack", "packed", "--dataset", "demo")
    assert said.code == 2
    assert not list((place / "elsewhere").iterdir())
    assert victim.read_text() == "mine"
    return f"the file that the links lead to is as it was; {said.error}"


@case("names of folders that lead elsewhere", slow=True)
def names_that_lead_elsewhere(place: Path) -> str:
    inside = place / "a/b/inside"
    inside.mkdir(parents=True)
    (inside / "c.toml").write_text('[[stage]]\nname = "s"\n')
    (inside / "r.toml").write_text('[run]\nname = "../../x"\n')
    (inside / "n.toml").write_text('name = "../../x"\n[[stage]]\nname = "s"\n')
    (inside / "s.toml").write_text('[[stage]]\nname = "../../x"\n')
    (inside / "d.toml").write_text('[common.run]\nname = "../../x"\n[[stage]]\nname = "s"\n')
    said = []
    for name in ("../../x", "..", ".", "/tmp/x", "a/b", "a\\b", "c:x", "", "a\nb", "\x1b[31m"):  # noqa: S108
        for words in (("run", "c.toml"), ("run",), ("run", "--quiet", "r.toml")):
            done = asl(inside, *words, "--name", name)
            assert done.code == 2, (words, name, done.out)
            assert "--name" in done.error
        said.append(done.error)
    for file in ("r.toml", "n.toml", "s.toml"):
        done = asl(inside, "run", file)
        assert done.code == 2, (file, done.out)
        assert file in done.error
    for name in ("../x", "..", "/x", "a/b", "-x"):
        assert asl(inside, "plugins", "new", "--", name).code == 2
    assert sorted(p.name for p in place.rglob("*") if p.is_dir()) == ["a", "b", "inside"]
    return said[0]


@case("a dotted key of thousands of parts as asl.toml, for --help")
def deep_key(place: Path) -> str:
    (place / "asl.toml").write_text(".".join(["a"] * 16_000) + " = 1\n")
    assert asl(place, "run", "--help").code == 0
    said = asl(place, "run")
    assert said.code == 2
    assert "line 1 has a key of more than 16 parts" in said.error
    return said.error
