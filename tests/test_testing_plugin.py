"""``check_plugin``, what it takes a plugin to be, and what a plugin's own tests are given: fixtures and strategies."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import wrong_clips
from hypothesis import given, settings
from hypothesis import strategies as st
from packages import install

import asl_core as asl
from asl_core import Batch, Clip, testing
from asl_core.contracts import Dataset
from asl_core.errors import ConfigError, UsageError
from asl_core.registry.discovery import PluginReport
from asl_core.testing.strategies import batches, clip_randoms, clips

pytest_plugins = ["asl_core.testing.fixtures"]

CATALOGUE = """
import attrs
from asl_core import Component, hookimpl, option

@attrs.frozen
class Options:
    size: int = option({default}help="units", ge=1)

@hookimpl
def asl_{slot}s():
    return [Component(name="{name}", factory="{factory}", summary="a toy", options=Options)]
"""


def catalogue(factory: str, slot: str = "encoder", name: str = "toy", default: str = "3, ") -> str:
    return CATALOGUE.format(factory=factory, slot=slot, name=name, default=default)


def tree(folder: Path, module: str, source: str, project: str | None = None, root: str = "src") -> Path:
    """A package's source, not installed."""
    (folder / root / module).mkdir(parents=True)
    (folder / root / module / "__init__.py").write_text(source)
    told = f'[project]\nname = "{module}-kit"\nversion = "1.2"\n' if project is None else project
    if project is None:
        told += f'[project.entry-points."asl.plugins"]\n{module} = "{module}"\n'
    (folder / "pyproject.toml").write_text(told)
    return folder


def told(results: list[testing.CheckResult], status: str) -> dict[str, str]:
    return {r.check: r.reason for r in results if r.status == status}


@pytest.mark.slow
def test_a_sound_plugin_passes_everything(tmp_path: Path) -> None:
    results = testing.check_plugin(tree(tmp_path, "sound_one", catalogue("wrong_modules:GoodEncoder")))
    assert told(results, "failed") == {}
    assert {*told(results, "skipped")} <= {"device"}
    passed = told(results, "passed")
    expected = {"import", "light", "name", "documented", "shapes", "lengths", "padding", "gradients", "state", "seed"}
    assert expected | {"trains", "resumes"} <= set(passed)
    assert passed["light"].endswith(" ms")
    assert not any(str(tmp_path) in p for p in sys.path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("factory", "check", "text"),
    [
        ("ConstantEncoder", "input", "ignores its input"),
        ("LyingEncoder", "lengths", "declares 23 frames"),
        ("LeakyEncoder", "padding", "padding leaks"),
        ("OneTypeEncoder", "mixed precision", "wrong_modules.py, line"),
        ("ResumingEncoder", "resumes", "ends differently from an uninterrupted one"),
        ("nothing", "loads", "does not load"),
    ],
)
def test_what_is_wrong_is_told_with_all_else(tmp_path: Path, factory: str, check: str, text: str) -> None:
    folder = tree(tmp_path, f"wrong_{factory.lower()}", catalogue(f"wrong_modules:{factory}"))
    results = testing.check_plugin(folder)
    failed = told(results, "failed")
    assert text in failed[check]
    assert "\n" not in failed[check]
    assert len(told(results, "passed")) >= 5


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("import no_such_library", "ModuleNotFoundError: No module named 'no_such_library'"),
        ("import os; os._exit(7)", "ended the process with code 7"),
        ("raise SystemExit(3)", "called exit(3)"),
        ("print('hello')\n1 / 0", "ZeroDivisionError"),
        ("x = 1", "implements no hook"),
    ],
)
def test_a_plugin_that_cannot_be_imported_is_told_in_a_paragraph(tmp_path: Path, source: str, text: str) -> None:
    (result,) = testing.check_plugin(tree(tmp_path, "unsound_" + str(len(source)), source))
    assert (result.check, result.status) == ("import", "failed")
    assert text in result.reason
    assert "\n" not in result.reason


def test_a_plugin_that_offers_nothing_is_told(tmp_path: Path) -> None:
    source = "from asl_core import hookimpl\n@hookimpl\ndef asl_encoders():\n    return []\n"
    failed = told(testing.check_plugin(tree(tmp_path, "idle_one", source)), "failed")
    assert failed == {"offers": "its hooks return no component: return a list of asl_core.Component"}


@pytest.mark.slow
def test_plugins_of_one_package_that_get_in_each_other_s_way(tmp_path: Path) -> None:
    """Each is fine alone; together they offer one name twice."""
    source = catalogue("wrong_modules:GoodEncoder")
    names = '[project]\nname = "two"\n[project.entry-points."asl.plugins"]\na = "twin_one"\nb = "twin_two"\n'
    folder = tree(tmp_path, "twin_one", source, names)
    (folder / "src" / "twin_two.py").write_text(source)
    failed = told(testing.check_plugin(folder), "failed")
    assert set(failed) == {"together"}
    assert "it offers encoder 'toy', which its package already offers" in failed["together"]


@pytest.mark.slow
def test_a_catalogue_that_imports_torch_is_told_with_its_time(tmp_path: Path) -> None:
    source = "import torch\nimport numpy\n" + catalogue("wrong_modules:GoodEncoder")
    failed = told(testing.check_plugin(tree(tmp_path, "heavy_one", source)), "failed")
    assert set(failed) == {"light"}
    assert " s and imports numpy, torch, which would slow down every `asl --help`" in failed["light"]


@pytest.mark.slow
def test_a_name_that_a_built_in_has(tmp_path: Path) -> None:
    source = catalogue("wrong_modules:GoodEncoder", name="gru")
    failed = told(testing.check_plugin(tree(tmp_path, "claiming_one", source)), "failed")
    assert failed == {
        "name": "asl-core:gru has that name, so users would have to write claiming_one-kit:gru: choose another"
    }


@pytest.mark.slow
def test_required_options_are_asked_for_and_taken(tmp_path: Path) -> None:
    folder = tree(tmp_path, "needy_one", catalogue("wrong_modules:GoodEncoder", default=""))
    skipped = told(testing.check_plugin(folder), "skipped")
    assert skipped["all others"] == "it needs --set encoder.toy.size=VALUE (size is units)"
    for value in ("4", 4):
        results = testing.check_plugin(folder, options={"encoder.toy.size": value})
        assert told(results, "failed") == {}
        assert "padding" in told(results, "passed")


def test_options_and_samples_of_nothing_are_refused_all_at_once(tmp_path: Path) -> None:
    folder = tree(tmp_path, "asked_one", catalogue("wrong_modules:GoodEncoder"))
    options = {"encoder.toi.size": 4, "encoder.toy.sise": 4, "encoder.toy.size": "many"}
    with pytest.raises(ConfigError) as refused:
        testing.check_plugin(folder, options=options, samples={"toy": "x"})
    text = "\n".join(refused.value.problems)
    for part in ("did you mean 'encoder.toy'", "did you mean 'size'", "'many' is not a whole number", "sample toy"):
        assert part in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("slot", "factory", "checks"),
    [
        ("head", "wrong_modules:GoodHead", {"scores", "encoder gradient", "gradients"}),
        ("augment", "wrong_clips:GoodAugment", {"random", "changes", "trains", "resumes"}),
        ("transform", "wrong_clips:GoodTransform", {"pure", "trains", "resumes"}),
        ("dataset", "wrong_clips:GoodDataset", {"clips", "same again", "refuses"}),
        ("checkpoint_loader", "wrong_clips:GoodLoader", {"other files", "hostile"}),
        ("observer", "wrong_clips:GoodObserver", {"changes nothing", "resumes"}),
    ],
)
def test_every_slot_has_its_checks(tmp_path: Path, slot: str, factory: str, checks: set[str]) -> None:
    results = testing.check_plugin(tree(tmp_path, f"toy_{slot}", catalogue(factory, slot)))
    assert told(results, "failed") == {}
    assert checks <= set(told(results, "passed"))
    assert {r.slot for r in results} == {"plugin", slot.replace("_", "-")}


@pytest.mark.slow
def test_a_loss_is_checked_on_every_head_that_it_accepts(tmp_path: Path) -> None:
    """On a head of its own package too; without any it cannot be used, and that is told."""
    source = catalogue("wrong_modules:GoodLoss", "losse", name="toy")
    head = catalogue("wrong_modules:GoodHead", "head")
    results = testing.check_plugin(tree(tmp_path / "both", "lossy_two", source + head))
    assert told([r for r in results if r.slot == "loss"], "failed") == {}
    assert "trains" in told([r for r in results if r.slot == "loss"], "passed")
    failed = told(testing.check_plugin(tree(tmp_path / "one", "lossy_one", source)), "failed")
    assert failed["accepts"] == "no installed head is of kind toy, which it accepts"


@pytest.mark.parametrize("name", [o.component.name for o in testing.isolated().registry.slot("checkpoint-loader")])
def test_built_in_loaders_run_nothing_and_refuse_in_words(name: str) -> None:
    testing.check_checkpoint_loader(testing.isolated().registry.find("checkpoint-loader", name).component)


@pytest.mark.slow
def test_samples_are_read(tmp_path: Path) -> None:
    folder = tree(tmp_path, "reading_one", catalogue("wrong_clips:GoodLoader", "checkpoint_loader"))
    assert "--sample toy=FILE" in told(testing.check_plugin(folder), "skipped")["reads"]
    file = wrong_clips.GoodLoader.write(tmp_path / "x.toy")
    results = testing.check_plugin(folder, samples={"toy": file})
    assert {"reads", "damaged"} <= set(told(results, "passed"))


@pytest.mark.parametrize(
    ("root", "project"),
    [
        ("src", ""),
        (".", ""),
        ("lib", '[tool.hatch.build.targets.wheel]\npackages = ["lib/placed_one"]\n'),
        ("python", '[tool.setuptools.packages.find]\nwhere = ["python"]\n'),
        ("code", '[tool.setuptools.package-dir]\n"" = "code"\n'),
    ],
)
def test_where_the_source_of_a_folder_is_found(tmp_path: Path, root: str, project: str) -> None:
    head = '[project]\nname = "placed"\n[project.entry-points."asl.plugins"]\nplaced = "placed_one"\n'
    folder = tree(tmp_path, "placed_one", catalogue("wrong_modules:GoodEncoder"), head + project, root)
    found = testing.locate(folder)
    assert [(found.name, e.name, e.value) for e in found.entry_points] == [("placed", "placed", "placed_one")]
    assert found.roots == ((folder / root).resolve(),)


@pytest.mark.parametrize(
    ("project", "text"),
    [
        ("[project\n", "is not TOML"),
        ('[project]\nname = "x"\n', 'expected [project.entry-points."asl.plugins"] with NAME = "module"'),
        ('[project.entry-points."asl.plugins"]\nx = "gone.deep:at"\n', "there is no gone in the folder, its src"),
    ],
)
def test_folders_that_are_no_plugin_are_refused(tmp_path: Path, project: str, text: str) -> None:
    with pytest.raises(UsageError) as refused:
        testing.locate(tree(tmp_path, "some_one", "", project))
    assert text in str(refused.value)
    assert str(tmp_path) in str(refused.value)


def test_plugins_are_found_by_any_of_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = catalogue("wrong_modules:GoodEncoder")
    install(tmp_path, "Named-Kit", {"named_one.py": source}, {"asl.plugins": {"entry": "named_one"}})
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("Named-Kit", "named_kit", "entry"):
        assert testing.locate(name).name == "Named-Kit"
    assert testing.locate("named_one").name == "Named-Kit"
    assert [e.value for e in testing.locate("named_one").entry_points] == ["named_one"]
    assert len(testing.locate("asl").entry_points) >= 6
    with pytest.raises(UsageError, match=r"did you mean '[Nn]amed-[Kk]it'"):
        testing.locate("Named-Kid")
    (tmp_path / "careless.py").write_text("raise SystemExit('imported')")
    for name in ("os", "careless"):
        with pytest.raises(UsageError, match=rf"'{name}' is a module .* and no plugin: nothing in it is marked"):
            testing.locate(name)
    (tmp_path / "bare").mkdir()
    with pytest.raises(UsageError, match=r"has no pyproject\.toml"):
        testing.locate(tmp_path / "bare")


def test_only_what_is_named_is_there(
    asl_plugins: Callable[..., PluginReport], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = catalogue("wrong_modules:GoodEncoder", name="stranger")
    install(tmp_path, "stranger", {"strange_one.py": source}, {"asl.plugins": {"stranger": "strange_one"}})
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("ASL_PLUGINS", "-encoders")
    folder = tree(tmp_path / "mine", "mine_one", catalogue("wrong_modules:GoodEncoder", name="mine"))
    report = asl_plugins(folder)
    names = {o.component.name for o in report.registry.slot("encoder")}
    assert names >= {"gru", "mine"}
    assert "stranger" not in names
    assert {o.component.name for o in asl_plugins(folder, builtins=False).registry} == {"mine"}
    assert "stranger" in {o.component.name for o in asl_plugins("stranger").registry}


def test_a_registry_of_broken_plugins_fails_the_test(asl_registry: Callable[..., asl.Registry], tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"plugin 'raising_one' of raising_one-kit 1\.2.*ZeroDivisionError"):
        asl_registry(tree(tmp_path, "raising_one", "1 / 0"))


def test_a_run_with_the_fixtures(
    asl_registry: Callable[..., asl.Registry], asl_tiny_settings: dict[str, Any], tmp_path: Path
) -> None:
    registry = asl_registry(tree(tmp_path / "own", "own_one", catalogue("wrong_modules:GoodEncoder", name="own")))
    config = asl.configure(asl_tiny_settings | {"encoder": "own"}, registry=registry, environ={}, project_file=False)
    result = asl.run(config, registry=registry)
    assert result.path.parent == tmp_path / "runs"
    assert 0 <= result.last["top1"] <= 1


def test_the_tiny_data_set(asl_tiny_dataset: Dataset) -> None:
    testing.check_dataset(asl_tiny_dataset)
    found = list(asl_tiny_dataset.clips("train"))
    assert len(found) == 16
    assert len({c.glosses for c in found}) == 4


@settings(max_examples=30, deadline=None)
@given(batches(max_glosses=3), st.data())
def test_batches_keep_what_batches_promise(batch: Batch, data: st.DataObject) -> None:
    assert batch.features.dtype == torch.float32
    assert 1 <= len(batch) <= 6
    assert int(batch.lengths.min()) >= 1
    assert int(batch.lengths.max()) <= batch.features.shape[1]
    assert not batch.features[~batch.mask].any()
    assert len(batch.targets) == int(batch.target_lengths.sum())
    random = data.draw(clip_randoms(batch))
    assert random.uniform().shape == (len(batch),)


@settings(max_examples=30, deadline=None)
@given(clips(max_frames=5, width=3, max_size=10.0))
def test_clips_are_finite_and_bounded(clip: Clip) -> None:
    assert clip.features.shape[1:] == (3,)
    assert 1 <= len(clip.features) <= 5
    assert abs(clip.features).max() <= 10


@pytest.mark.slow
def test_strategies_without_hypothesis_say_what_to_do() -> None:
    script = "import sys; sys.modules['hypothesis'] = None; import asl_core.testing.strategies"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "ImportError: asl_core.testing.strategies needs hypothesis, which asl itself does not" in done.stderr


@pytest.mark.slow
def test_the_kit_needs_neither_pytest_nor_hypothesis() -> None:
    script = "import sys; sys.modules['pytest'] = sys.modules['hypothesis'] = None; import asl_core.testing"
    environ = {**os.environ, "PYTHONWARNINGS": "error"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, env=environ)
    assert (done.returncode, done.stderr) == (0, "")
