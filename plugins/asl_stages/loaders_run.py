"""Loader of our own runs: weights, feature statistics and transforms."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors

from asl_core import CheckpointError, Foreign, NoOptions, as_word, load_tensors, open_tensors

__all__ = ["RunLoader"]


class RunLoader:
    """A run directory (its last weights, ``final.safetensors``), or one of its ``.safetensors`` files."""

    def __init__(self, options: NoOptions):
        pass

    def recognises(self, path: Path) -> bool:
        """By the run's configuration file, or the header of its checkpoints."""
        if path.is_dir():
            return (path / "config.toml").is_file()
        if path.suffix != ".safetensors":
            return False
        try:
            with open_tensors(path) as file:
                return "asl" in (file.metadata() or {})
        except (OSError, safetensors.SafetensorError, ValueError):
            return False

    def load(self, path: Path) -> Foreign:
        """The encoder, with the features and transforms it was trained on.

        Raises:
            CheckpointError: not a run's, unfinished, or damaged.
        """
        saved = load_tensors(_file(path))
        config, glosses = saved.meta.get("config"), saved.meta.get("vocabulary")
        if (
            not isinstance(config, Mapping)
            or not isinstance(glosses, list)
            or not isinstance(config.get("encoder.name"), str)
        ):
            raise CheckpointError(
                f"{saved.path} is not a run's model (the state for --resume is another kind of file); expected "
                f"final.safetensors or best.safetensors."
            )
        standardise = bool(config.get("train.standardise"))
        statistics = saved.tensors.get("standardiser.mean"), saved.tensors.get("standardiser.scale")
        mean, scale = statistics
        width = saved.meta.get("width")
        encoder = saved.under("encoder")
        taken = {f"encoder.{n}" for n in encoder} | {"standardiser.mean", "standardiser.scale"}
        return Foreign(
            tensors=encoder,
            source=f"{saved.path.stem} weights of a run on {config.get('dataset.name', 'an unknown data set')}",
            glosses=tuple(map(str, glosses)) or None,
            settings=_under(config, "encoder", "name"),
            encoder=config["encoder.name"],
            standardise=standardise,
            statistics=(mean, scale) if standardise and mean is not None and scale is not None else None,
            # The encoder's input: batchwise transforms may change the stored width.
            width=len(mean) if mean is not None else width if isinstance(width, int) else None,
            transforms={k: v for k, v in config.items() if k.startswith("transform.")},
            others={n: t for n, t in saved.tensors.items() if n not in taken},
            facts={k: saved.meta[k] for k in ("epoch", "metrics", "config") if k in saved.meta},
        )


def _file(path: Path) -> Path:
    if not path.is_dir():
        return path
    file = path / "final.safetensors"
    if not file.is_file():
        best = path / "best.safetensors"
        raise CheckpointError(
            f"{path} has no {file.name}: that run was cut off, or is no run. `asl run --resume {as_word(path)}` "
            f"finishes it{f'; --init run:{best} takes the weights of its best epoch so far' if best.is_file() else ''}."
        )
    return file


def _under(config: Mapping[str, Any], table: str, *without: str) -> dict[str, Any]:
    options = {k.removeprefix(f"{table}."): v for k, v in config.items() if k.startswith(f"{table}.")}
    return {k: v for k, v in options.items() if k not in without}
