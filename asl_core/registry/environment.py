"""The environment of a run, as saved in environment.json."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from asl_core.files.commit import commit_of
from asl_core.registry.distribution import BUILTIN, installed_version
from asl_core.registry.installed import PLUGINS, installed

__all__ = ["environment"]


def environment(fingerprints: Mapping[str, str], device: torch.device) -> dict[str, Any]:
    """Versions, plugins, device, threads, git commit, and the fingerprints of the data."""
    packages = (BUILTIN, "torch", "numpy", "pluggy", "attrs", "cattrs", "click", "safetensors")
    plugins = {f"{one.distribution}:{one.entry.name}": one.version for one in installed(PLUGINS)[0]}
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "packages": {name: installed_version(name) for name in packages},
        "plugins": plugins,
        "device": str(device),
        "threads": torch.get_num_threads(),
        "data": dict(fingerprints),
        "git": commit_of(Path.cwd()),
    }
