"""Fixtures for the tests of a plugin: the built-ins and the plugins you name, and a tiny data set.

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
from asl_core.testing.isolated import isolated, locate
from asl_core.testing.runs import tiny_settings

__all__ = ["asl_plugins", "asl_registry", "asl_tiny_dataset", "asl_tiny_settings"]

Named = str | os.PathLike[str]


@pytest.fixture
def asl_plugins(monkeypatch: pytest.MonkeyPatch) -> Callable[..., PluginReport]:
    """``asl_plugins("my_plugin", …)``: the report on the built-ins and these plugins.

    Other installed plugins and ``ASL_PLUGINS`` are ignored. A plugin is given as
    :func:`asl_core.testing.locate` takes it; the source of a folder is on the path until the test ends.
    """

    def load(*plugins: Named, builtins: bool = True) -> PluginReport:
        packages = [locate(p) for p in plugins]
        for root in (root for package in packages for root in package.roots):
            monkeypatch.syspath_prepend(root)
        return isolated(*packages, builtins=builtins)

    return load


@pytest.fixture
def asl_registry(asl_plugins: Callable[..., PluginReport]) -> Callable[..., Registry]:
    """``asl_registry("my_plugin", …)``: the components of the built-ins and these plugins; a broken one fails."""

    def load(*plugins: Named, builtins: bool = True) -> Registry:
        report = asl_plugins(*plugins, builtins=builtins)
        if report.broken:
            pytest.fail("; ".join(f"{r.heading}: {r.reason}" for r in report.broken), pytrace=False)
        return report.registry

    return load


@pytest.fixture
def asl_tiny_dataset() -> Dataset:
    """Four synthetic signs with four clips each in train and two in val and test, 36 features per frame."""
    component = isolated().registry.find("dataset", "demo").component
    dataset: Dataset = component.load()(component.options(glosses=4, train=4, val=2, test=2))
    return dataset


@pytest.fixture
def asl_tiny_settings(tmp_path: Path) -> dict[str, Any]:
    """Settings of a run of a second or two on such a data set, in the temporary folder of the test.

    ``asl_core.run(asl_core.configure(asl_tiny_settings | {"encoder": "mine"}, registry=asl_registry("my_plugin")))``
    """
    return tiny_settings(tmp_path / "runs")
