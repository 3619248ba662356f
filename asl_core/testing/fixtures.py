"""Fixtures for the tests of a plugin: nothing but the built-ins and the plugins you name, and a tiny data set.

In a test module, or in the ``conftest.py`` beside the project file::

    pytest_plugins = ["asl_core.testing.fixtures"]
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asl_core.contracts import Dataset
from asl_core.registry.component import Registry
from asl_core.registry.discovery import PluginReport
from asl_core.testing.isolated import Found, isolated, locate
from asl_core.testing.runs import tiny_settings

__all__ = ["asl_plugins", "asl_registry", "asl_tiny_dataset", "asl_tiny_settings"]

Named = str | os.PathLike[str]


@pytest.fixture
def asl_plugins(monkeypatch: pytest.MonkeyPatch) -> Callable[..., PluginReport]:
    """``asl_plugins("my_plugin", …)``: what is found, and what is broken, when only these are installed.

    What else is installed, and ``ASL_PLUGINS``, do not count. A plugin is named as
    :func:`asl_core.testing.locate` takes it; the source of a folder is on the path until the test ends.
    """

    def load(*plugins: Named, builtins: bool = True) -> PluginReport:
        found: list[Found] = [locate(p) for p in plugins]
        for one in found:
            for root in one.roots:
                monkeypatch.syspath_prepend(root)
        return isolated(*found, builtins=builtins)

    return load


@pytest.fixture
def asl_registry(asl_plugins: Callable[..., PluginReport]) -> Callable[..., Registry]:
    """``asl_registry("my_plugin", …)``: the components of the built-ins and of these plugins, none of them broken."""

    def load(*plugins: Named, builtins: bool = True) -> Registry:
        report = asl_plugins(*plugins, builtins=builtins)
        if report.broken:
            pytest.fail("; ".join(f"{r.heading}: {r.reason}" for r in report.broken), pytrace=False)
        return report.registry

    return load


@pytest.fixture
def asl_tiny_dataset() -> Dataset:
    """A data set of four made-up signs, four clips of each in train and two in val and test, 36 numbers a frame."""
    component = isolated().registry.find("dataset", "demo").component
    made: Dataset = component.load()(component.options(glosses=4, train=4, val=2, test=2))
    return made


@pytest.fixture
def asl_tiny_settings(tmp_path: Path) -> dict[str, Any]:
    """Settings of a run of a second or two on such a data set, written to a folder of the test.

    ``asl_core.run(asl_core.configure(asl_tiny_settings | {"encoder": "mine"}, registry=asl_registry("my_plugin")))``
    """
    return tiny_settings(tmp_path / "runs")
