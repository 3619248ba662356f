"""``asl plugins``, ``asl plugins check`` and ``asl plugins new`` as a user meets them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from packages import ENCODER, asl, plugin

from asl_core.cli import main

PROJECT = '[project]\nname = "{0}-kit"\n[project.entry-points."asl.plugins"]\n{0} = "{0}"\n'
SOURCE = """
import attrs
from asl_core import Component, hookimpl, option

print("a plugin that talks")

@attrs.frozen
class Options:
    root: str = option({default}help="where")

@hookimpl
def asl_{slot}s():
    return [Component(name="toy", factory="{factory}", summary="a toy", options=Options)]
"""


class Outcome:
    def __init__(self, code: int, out: str, err: str):
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Outcome:
        with pytest.raises(SystemExit) as stop:
            main(["plugins", *words])
        said = capsys.readouterr()
        assert "Traceback" not in said.err + said.out
        return Outcome(int(stop.value.code or 0), said.out, said.err)

    return run


def folder(tmp_path: Path, module: str, factory: str, slot: str = "encoder", default: str = '"here", ') -> str:
    path = tmp_path / module
    path.mkdir()
    (path / "pyproject.toml").write_text(PROJECT.format(module))
    (path / f"{module}.py").write_text(SOURCE.format(factory=factory, slot=slot, default=default))
    return str(path)


@pytest.mark.slow
def test_the_table_tells_where_a_plugin_is_from_and_what_is_wrong(tmp_path: Path) -> None:
    site = tmp_path / "site"
    plugin(site, "sound-kit", "sound", ENCODER.format(name="sound"))
    plugin(site, "broken-kit", "broken", "1 / 0")
    done = asl("plugins", path=(site,), cwd=tmp_path, ASL_STRICT_PLUGINS="1")
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert rows["plugin"].split() == ["plugin", "distribution", "version", "from", "import", "status", "components"]
    assert "built in" in rows["encoders"]
    assert "encoder gru, encoder lstm" in rows["encoders"]
    assert rows["sound"].split()[1:4] == ["sound-kit", "1.2", str(site)]
    assert rows["sound"].endswith("ok      encoder sound")
    assert " broken" in rows["broken"].removeprefix("broken")
    assert "ZeroDivisionError" in done.stdout
    blocked = asl("plugins", "-P", "no:sound", path=(site,), cwd=tmp_path).stdout
    assert "plugin 'sound' of sound-kit 1.2 is blocked: left out on request." in blocked
    told = json.loads(asl("plugins", "--json", path=(site,), cwd=tmp_path).stdout)
    (sound,) = [r for r in told if r["name"] == "sound"]
    assert (sound["status"], sound["location"], sound["components"]) == ("ok", str(site), [["encoder", "sound"]])


@pytest.mark.slow
def test_a_sound_plugin_ends_with_0_and_a_line_for_every_check(call: Any, tmp_path: Path) -> None:
    done = call("check", folder(tmp_path, "cli_sound", "wrong_modules:GoodEncoder"))
    assert done.code == 0, done.out
    lines = done.out.splitlines()
    assert lines[0].split() == ["passed", "plugin", "cli_sound", "import"]
    assert any(line.startswith("passed   encoder toy") and " padding" in line for line in lines)
    assert lines[-1].startswith("cli_sound-kit: ")
    assert " 0 failed, " in lines[-1]
    assert "a plugin that talks" not in done.out


@pytest.mark.slow
def test_a_wrong_one_ends_with_1_and_says_what_a_user_would_see(call: Any, tmp_path: Path) -> None:
    done = call("check", folder(tmp_path, "cli_leaky", "wrong_modules:LeakyEncoder"))
    assert done.code == 1
    (line,) = [x for x in done.out.splitlines() if x.startswith("failed")]
    assert line.split()[1:4] == ["encoder", "toy", "padding"]
    assert "padding leaks; mask it, or pack the sequences" in line
    assert " 1 failed, " in done.out.splitlines()[-1]


@pytest.mark.slow
def test_json(call: Any, tmp_path: Path) -> None:
    done = call("check", folder(tmp_path, "cli_json", "wrong_modules:ConstantEncoder"), "--json")
    assert done.code == 1
    told = json.loads(done.out)
    assert told["plugin"] == "cli_json-kit"
    failed = [r for r in told["results"] if r["status"] == "failed"]
    assert told["failed"] == len(failed) > 0
    assert {"slot", "component", "check", "status", "reason", "contract", "tried_on"} == set(failed[0])
    assert "input" in {r["check"] for r in failed}


def test_a_broken_import_is_one_paragraph(call: Any, tmp_path: Path) -> None:
    path = folder(tmp_path, "cli_broken", "a:b")
    (tmp_path / "cli_broken" / "cli_broken.py").write_text("import no_such_library")
    done = call("check", path)
    assert done.code == 1
    first, last = done.out.splitlines()
    assert first.startswith("failed   plugin cli_broken")
    assert "ModuleNotFoundError: No module named 'no_such_library'" in first
    assert last == "cli_broken-kit: 0 passed, 1 failed, 0 skipped"


def test_what_is_skipped_says_how_to_check_it(call: Any, tmp_path: Path) -> None:
    path = folder(tmp_path, "cli_needy", "wrong_clips:GoodDataset", "dataset", "")
    done = call("check", path)
    assert done.code == 0
    assert "it needs --set dataset.toy.root=VALUE (root is where)" in done.out
    file = tmp_path / "clip.bin"
    file.write_bytes(b"1")
    done = call("check", path, "--set", "dataset.toy.root=x", "--sample", f"toy={file}")
    assert done.code == 0, done.out
    assert "skipped" not in done.out.replace("0 skipped", "")


def test_a_data_set_that_refuses_its_defaults_is_skipped(call: Any, tmp_path: Path) -> None:
    path = folder(tmp_path, "cli_homeless", "wrong_clips:HomelessDataset", "dataset")
    done = call("check", path)
    assert done.code == 0
    assert "it was not told where its files are (--set dataset.toy.KEY=VALUE" in done.out
    assert call("check", path, "--set", "dataset.toy.root=x").code == 1


def test_clips_of_another_width(call: Any, tmp_path: Path) -> None:
    path = folder(tmp_path, "cli_narrow", "wrong_clips:NarrowAugment", "augment")
    assert "it is for 7 numbers; check it with another width (--width N)" in call("check", path).out
    done = call("check", path, "--width", "7")
    assert any(line.startswith("passed   augment toy") and " changes " in line for line in done.out.splitlines())


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["os"], "'os' is a module"),
        (["nowhere"], "there is no plugin 'nowhere': neither a folder with a pyproject.toml"),
        (["encoders", "--set", "nonsense"], "--set nonsense: expected --set encoder.my-encoder.hidden-size=64"),
        (["encoders", "--set", "encoder.gruu.layers=1"], "did you mean 'encoder.gru'"),
        (["encoders", "--sample", "x=gone.bin"], "--sample x=gone.bin: no such file"),
        (["encoders", "--width", "0"], "--width"),
        ([], "PACKAGE_OR_PATH"),
    ],
)
def test_wrong_usage_ends_with_2(call: Any, words: list[str], text: str) -> None:
    done = call("check", *words)
    assert done.code == 2
    assert text in done.err


def test_an_unknown_verb_of_the_group(call: Any) -> None:
    done = call("chekc")
    assert done.code == 2
    assert "chekc" in done.err


@pytest.mark.slow
def test_the_group_is_light(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom asl_core.cli import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit: pass\n"
        "print([m for m in ('torch', 'numpy', 'rich') if m in sys.modules])"
    )
    for words in ([], ["--json"], ["--help"], ["check", "--help"], ["new", "--help"], ["new", "light-one"]):
        said = subprocess.run(
            [sys.executable, "-c", code, "plugins", *words], capture_output=True, text=True, check=True, cwd=tmp_path
        )
        assert said.stdout.splitlines()[-1] == "[]", (words, said.stdout)
    assert (tmp_path / "light-one" / "pyproject.toml").is_file()
