"""Packages of strangers beside the built-ins, as a user meets them: the real command, in a process of its own."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from packages import ENCODER, HEAD, asl, install, plugin
from small import flags, small

from asl_core.cli import main

PROBE = """
import sys
from asl_core.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print(sorted(m for m in sys.modules if m.startswith(("plug_", "torch", "numpy"))))
"""


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three broken packages: one raises at import, one misspells a hook, one claims a name that is taken."""
    folder = tmp_path_factory.mktemp("site")
    plugin(folder, "raising-kit", "raising", "import no_such_library\n" + ENCODER.format(name="raising"))
    plugin(folder, "misspelt-kit", "misspelt", ENCODER.replace("asl_encoders", "asl_encoder").format(name="misspelt"))
    plugin(folder, "claiming-kit", "claiming", ENCODER.format(name="gru"))
    return folder


NAMED = (
    "plugin 'raising' of raising-kit 1.2 is not used: its import of 'plug_raising' failed (ModuleNotFoundError: No "
    "module named 'no_such_library'). Everything else works; fix, uninstall or leave it out (-P no:raising or "
    "ASL_PLUGINS=-raising).",
    "plugin 'misspelt' of misspelt-kit 1.2 is not used: there is no hook 'asl_encoder'; did you mean 'asl_encoders'?",
    "The hooks are asl_datasets, asl_formats, asl_transforms, asl_augments",
    "leave it out (-P no:misspelt or ASL_PLUGINS=-misspelt)",
    "encoder 'gru' is offered twice: choose asl-core:gru or claiming-kit:gru; the plain name means the built-in.",
)


def test_help_works_beside_three_broken_plugins_and_imports_none(broken: Path, tmp_path: Path) -> None:
    done = asl("--help", path=(broken,), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Train a recogniser" in done.stdout
    probed = asl_probe("--help", path=(broken,), cwd=tmp_path)
    assert probed == []


@pytest.mark.slow
def test_plugins_names_the_three_with_what_to_do(broken: Path, tmp_path: Path) -> None:
    done = asl("plugins", path=(broken,), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for text in NAMED:
        assert text in done.stdout
    rows = json.loads(asl("plugins", "--json", path=(broken,), cwd=tmp_path).stdout)
    rows = rows if isinstance(rows, list) else rows["plugins"]
    foreign = {r["name"]: r["status"] for r in rows if r["distribution"] != "asl-core"}
    assert foreign == {"raising": "broken", "misspelt": "broken", "claiming": "ok"}


@pytest.mark.slow
def test_a_run_on_built_ins_works_and_names_the_three(broken: Path, tmp_path: Path) -> None:
    words = flags(small(tmp_path, train__epochs=1, run__name="r"))
    done = asl("run", "--quiet", *words, path=(broken,), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for text in NAMED:
        assert text in done.stderr
    assert 'name = "gru"' in (tmp_path / "r/config.toml").read_text()
    record = json.loads((tmp_path / "r/environment.json").read_text())
    assert "claiming-kit" in json.dumps(record["plugins"])


@pytest.mark.slow
def test_left_out_they_are_told_no_more(broken: Path, tmp_path: Path) -> None:
    words = ["-P", "no:raising", "-P", "no:misspelt-kit", "-P", "no:claiming_kit:claiming"]
    done = asl("ls", "encoder", *words, path=(broken,), cwd=tmp_path, ASL_STRICT_PLUGINS="1")
    assert (done.returncode, done.stderr) == (0, "")
    for variable in ("", "none", "-raising,-misspelt,-claiming"):
        done = asl("ls", "encoder", path=(broken,), cwd=tmp_path, ASL_STRICT_PLUGINS="1", ASL_PLUGINS=variable)
        assert (done.returncode, done.stderr) == (0, ""), variable


@pytest.mark.slow
def test_strict_refuses_the_three_at_once(broken: Path, tmp_path: Path) -> None:
    done = asl("run", *flags(small(tmp_path)), path=(broken,), cwd=tmp_path, ASL_STRICT_PLUGINS="1")
    assert done.returncode == 2
    for text in NAMED:
        assert text in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_name_to_leave_out_that_nobody_has_is_told(broken: Path, tmp_path: Path) -> None:
    done = asl("show", "encoder", "gru", "-P", "no:clamming", path=(broken,), cwd=tmp_path)
    assert done.returncode == 0
    assert "blocks 'clamming', and no plugin or package of that name is installed" in done.stderr
    assert "did you mean 'claiming'?" in done.stderr


def asl_probe(*words: str, path: tuple[Path, ...], cwd: Path) -> list[str]:
    """The modules of foreign plugins, torch and numpy that a command imports."""
    import ast
    import subprocess

    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *words], capture_output=True, text=True, cwd=cwd, env=environ, check=True
    )
    found: list[str] = ast.literal_eval(done.stdout.splitlines()[-1])
    return found


@pytest.mark.slow
def test_a_plugin_that_imports_torch_is_told_with_its_time_and_does_not_slow_the_help(tmp_path: Path) -> None:
    site = tmp_path / "site"
    plugin(site, "heavy-kit", "heavy", "import torch\n" + ENCODER.format(name="heavy"))
    for words in (["--help"], ["--version"]):
        assert asl_probe(*words, path=(site,), cwd=tmp_path) == [], words
    (row,) = [r for r in plugin_rows(site, tmp_path) if r["name"] == "heavy"]
    assert row["status"] == "ok"
    assert row["seconds"] > 0.05
    assert row["notes"] == [
        f"its import takes {row['seconds']:.1f} s, since it imports torch: name factories by their path, import there."
    ]


def plugin_rows(site: Path, cwd: Path, **environ: str) -> list[dict[str, Any]]:
    rows = json.loads(asl("plugins", "--json", path=(site,), cwd=cwd, **environ).stdout)
    return rows if isinstance(rows, list) else rows["plugins"]


@pytest.mark.slow
def test_plugins_that_exit_hang_up_or_print_spoil_no_output(tmp_path: Path) -> None:
    site = tmp_path / "site"
    plugin(site, "leaving", "leaving", "import sys\nprint('bye')\nsys.exit(0)\n")
    plugin(site, "loud", "loud", "print('{')\n" + ENCODER.format(name="loud"))
    plugin(site, "rubbish", "rubbish", HEAD + "@hookimpl\ndef asl_losses():\n    return [print, None]\n")
    plugin(site, "skipping", "skipping", "class Skip(BaseException): pass\nraise Skip\n")
    done = asl("ls", "encoder", "--json", path=(site,), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {r["name"] for r in json.loads(done.stdout)} >= {"gru", "loud"}
    status = {r["name"]: r["status"] for r in plugin_rows(site, tmp_path)}
    assert [status[n] for n in ("leaving", "loud", "rubbish", "skipping")] == ["broken", "ok", "broken", "broken"]


@pytest.mark.slow
def test_a_damaged_package_takes_nothing_down(tmp_path: Path) -> None:
    site = tmp_path / "site"
    install(site, "damaged", {}, b"[asl.plugins]\nno equals sign\n")
    install(site, "binary", {}, b"\xff\xfe")
    done = asl("--help", path=(site,), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    done = asl("ls", path=(site,), cwd=tmp_path)
    assert done.returncode == 0
    assert "package damaged 1.2 is not used: its entry_points.txt cannot be read" in done.stderr
    assert "-P no:binary" in done.stderr


@pytest.mark.slow
def test_the_order_of_the_path_does_not_matter(broken: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    plugin(other, "aaa-kit", "claiming", ENCODER.format(name="gru"))
    plugin(other, "zzz-kit", "sound", ENCODER.format(name="sound"))
    (other / "plug_claiming.py").rename(other / "plug_other.py")
    (other / "aaa_kit-1.2.dist-info/entry_points.txt").write_text("[asl.plugins]\nclaiming = plug_other\n")
    said = []
    for path in ((broken, other), (other, broken)):
        listed = asl("ls", "--json", path=path, cwd=tmp_path)
        told = asl("ls", path=path, cwd=tmp_path).stderr
        said.append((listed.stdout, told))
    assert said[0] == said[1]
    assert {"aaa-kit:gru", "claiming-kit:gru", "sound"} <= {r["name"] for r in json.loads(said[0][0])}


@pytest.mark.slow
def test_verbs_are_listed_without_import_and_blocked_like_plugins(tmp_path: Path) -> None:
    site = tmp_path / "site"
    shout = "import click\n@click.command()\ndef verb():\n    click.echo('{}')\n"
    for name, verb in (("one", "shout"), ("two", "shout"), ("three", "run"), ("four", "whisper")):
        source = shout.format(name) if name != "four" else "1 / 0"
        install(site, name, {f"plug_{name}.py": source}, {"asl.commands": {verb: f"plug_{name}:verb"}})
    listed = asl("--help", path=(site,), cwd=tmp_path)
    assert listed.returncode == 0
    for name in ("one:shout", "two:shout", "three:run", "whisper"):
        assert f"\n  {name} " in listed.stdout
    assert asl_probe("--help", path=(site,), cwd=tmp_path) == []
    assert asl("two:shout", path=(site,), cwd=tmp_path).stdout == "two\n"
    assert asl("three:run", path=(site,), cwd=tmp_path).stdout == "three\n"
    # Leaving the other out frees the plain name.
    assert asl("shout", "-P", "no:one", path=(site,), cwd=tmp_path).stdout == "two\n"
    assert asl("shout", path=(site,), cwd=tmp_path, ASL_PLUGINS="").returncode == 2
    failed = asl("whisper", path=(site,), cwd=tmp_path)
    assert failed.returncode == 1
    assert "verb 'whisper' of four cannot be loaded (ZeroDivisionError: division by zero)" in failed.stderr


def test_what_is_left_out_is_left_out_of_resumed_runs(
    broken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one process after the other: the flag holds for its command alone."""
    monkeypatch.syspath_prepend(broken)
    monkeypatch.chdir(tmp_path)
    words = flags(small(tmp_path, train__epochs=1, run__name="r"))

    def call(*words: str) -> str:
        with pytest.raises(SystemExit) as stop:
            main(list(words))
        assert not stop.value.code
        return capsys.readouterr().err

    left_out = ("-P", "no:raising", "-P", "no:misspelt", "-P", "no:claiming")
    assert call("run", "--quiet", *words, *left_out) == ""
    assert call("run", "--quiet", "--resume", "r", *left_out) == ""
    assert "raising-kit" in call("run", "--quiet", "--resume", "r")


STRANGE = (
    HEAD
    + """from strange_options import LinearOptions
@hookimpl
def asl_encoders():
    summary = "not the built-in"
    return [Component(name="gru", factory="strange_linear:Linear", options=LinearOptions, summary=summary)]
"""
)
STRANGE_OPTIONS = """import attrs
from asl_core import option
@attrs.frozen
class LinearOptions:
    size: int = option(4, help="of its output")
"""
STRANGE_ENCODER = """import torch
from asl_core import Encoder
class Linear(Encoder):
    def __init__(self, options, input_size):
        super().__init__()
        self.output_size = options.size
        self.linear = torch.nn.Linear(input_size, options.size)
    def forward(self, features, lengths):
        return self.linear(features)
"""


def test_a_saved_run_means_the_same_component_with_the_built_in_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A foreign encoder that took the plain name of a built-in left out is saved by its full name."""
    files = {"stranger.py": STRANGE, "strange_options.py": STRANGE_OPTIONS, "strange_linear.py": STRANGE_ENCODER}
    site = tmp_path / "site"
    install(site, "strange-kit", files, {"asl.plugins": {"stranger": "stranger"}})
    monkeypatch.syspath_prepend(site)
    monkeypatch.chdir(tmp_path)
    values = {k: v for k, v in small(tmp_path, train__epochs=1, run__name="r").items() if not k.startswith("encoder.")}

    def call(*words: str) -> tuple[str, str]:
        with pytest.raises(SystemExit) as stop:
            main(list(words))
        said = capsys.readouterr()
        assert not stop.value.code, said.err
        return said.out, said.err

    out, _ = call("run", *flags(values | {"encoder.size": 3}), "-P", "no:encoders")
    assert "model  gru encoder" in out
    saved = (tmp_path / "r" / "config.toml").read_text(encoding="utf-8")
    assert 'name = "strange-kit:gru"  # flag --encoder' in saved
    assert "size = 3  # flag --encoder.size" in saved
    call("eval", "r", "--device", "cpu")  # with the built-in back
    out, _ = call("run", "r/config.toml", "--name", "again")
    assert "model  strange-kit:gru encoder" in out
    assert (tmp_path / "again/metrics.jsonl").read_bytes() == (tmp_path / "r/metrics.jsonl").read_bytes()
