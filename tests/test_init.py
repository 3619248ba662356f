"""The public interface: every name is there, once, and imported when used."""

from __future__ import annotations

import importlib
import subprocess
import sys

import asl_core


def test_every_public_name_is_what_its_home_says() -> None:
    """A submodule of the same name would shadow it as soon as that module is imported."""
    for home in asl_core._HOMES:
        importlib.import_module(f"asl_core.{home}")
    for name, home in asl_core._HOME_OF.items():
        assert getattr(asl_core, name) is getattr(importlib.import_module(f"asl_core.{home}"), name), name


def test_catalogue_names_need_no_torch() -> None:
    code = "import sys; from asl_core import Component, hookimpl, option, NoOptions; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_unknown_name() -> None:
    assert not hasattr(asl_core, "nonsense")
