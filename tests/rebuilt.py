"""What a worker process makes of plain data; a module of its own, because a spawned process imports it anew."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from asl_core.api import configure
from asl_core.clips.clip import Vocabulary
from asl_core.compute.seeding import mix_seed
from asl_core.config.run_config import RunConfig
from asl_core.model.recogniser import build_model
from asl_core.registry.discovery import discover


def outcome(config: RunConfig) -> dict[str, Any]:
    """The registry, the configuration and the first weights, in plain data."""
    report = discover()
    vocabulary = Vocabulary.of(config.dataset.build().clips("train"))
    torch.manual_seed(mix_seed(config.run.seed, "weights"))
    digest = hashlib.sha256()
    for name, tensor in build_model(config, 36, len(vocabulary)).state_dict().items():
        digest.update(name.encode() + str(tuple(tensor.shape)).encode() + tensor.numpy().tobytes())
    return {
        "registry": [(o.slot, report.registry.name_of(o), o.component.factory) for o in report.registry],
        "plugins": [(r.distribution, r.name, r.status) for r in report.records],
        "values": config.values(),
        "weights": digest.hexdigest(),
    }


def from_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """From a configuration's values alone."""
    return outcome(configure(values, environ={}, project_file=False))


def from_text(text: str, folder: str) -> dict[str, Any]:
    """From the TOML that a run saves."""
    file = Path(folder) / "config.toml"
    file.write_text(text, encoding="utf-8")
    return outcome(configure(file=file, environ={}, project_file=False))
