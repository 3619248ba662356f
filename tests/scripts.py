"""Scripts run as ``python FILE …`` runs them, in this process: another would import torch for each of them anew."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

__all__ = ["printed"]


def printed(capsys: pytest.CaptureFixture[str], file: Path, *words: str, cwd: Path | None = None) -> str:
    """What the script prints; it may import what is beside it, and ends without a failure."""
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [str(file), *words])
        patch.syspath_prepend(str(file.parent))
        if cwd is not None:
            patch.chdir(cwd)
        capsys.readouterr()
        try:
            runpy.run_path(str(file), run_name="__main__")
        except SystemExit as stop:
            assert not stop.code, capsys.readouterr().err  # noqa: PT017 - scripts may end without raising
        finally:
            for name in set(sys.modules) - before:
                if Path(getattr(sys.modules[name], "__file__", None) or "").parent == file.parent:
                    del sys.modules[name]
    return capsys.readouterr().out
