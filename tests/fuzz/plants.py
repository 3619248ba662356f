"""Bugs that are planted in readers, to see that the fuzzer finds them: a mutation test of the fuzzer itself."""

from __future__ import annotations

import importlib
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

__all__ = ["PLANTS"]


def _set(place: str, value: Any) -> None:
    """Replace ``module:Class.name``."""
    module, _, name = place.partition(":")
    owner: Any = importlib.import_module(module)
    *parts, last = name.split(".")
    for part in parts:
        owner = getattr(owner, part)
    setattr(owner, last, value)


def _any_global_of_a_pickle() -> None:
    from asl_core import PickleStandIns, PickleSymbol

    known = PickleStandIns.find

    def find(self: PickleStandIns, module: str, name: str) -> PickleSymbol:
        try:
            return known(self, module, name)
        except Exception:
            function = getattr(importlib.import_module(module), name)
            return PickleSymbol(name, lambda args: function(*args))

    PickleStandIns.find = find  # type: ignore[method-assign]


def _any_shape_of_an_array() -> None:
    def array(self: Any, data: Any, dtype: Any, shape: Any, order: str) -> np.ndarray:
        made = np.zeros(shape, dtype.numbers())
        flat = np.frombuffer(data, dtype.numbers())[: made.size]
        made.reshape(-1)[: len(flat)] = flat
        return made

    _set("asl_wlasl.stand_ins:NumpyStandIns._array", array)


def _a_clip_without_gloss() -> None:
    from asl_wlasl import layout

    known = layout._record

    def record(entry: Any, key: str, features: Any, path: Path) -> Any:
        if isinstance(entry, dict):
            entry["gloss"]
        return known(entry, key, features, path)

    layout._record = record


def _labels_of_another_layout() -> None:
    import json

    def rows(text: str, path: Path) -> Any:
        return [(one["video_id"], entry["gloss"], None) for entry in json.loads(text) for one in entry["instances"]]

    _set("asl_wlasl.label_files:_json_rows", rows)


def _labels_that_repeat() -> None:
    """Reading takes memory by a number in the file."""
    from asl_wlasl import labels

    known = labels._gloss

    def gloss(value: Any) -> str:
        if isinstance(value, int) and not isinstance(value, bool):
            return "x" * min(max(value, 0), 2**40)
        return known(value)

    labels._gloss = gloss


def _any_global_of_a_checkpoint() -> None:
    from asl_stages import loaders_pt

    load = torch.load
    loaders_pt._Names.refused = property(lambda _: [])  # type: ignore[assignment]
    _set("torch:load", lambda path, **_: load(path, weights_only=False, map_location="cpu"))


def _inflated_archives() -> None:
    _set("asl_stages.loaders_pt:_refuse_inflated", lambda *_: None)


def _bare_zip_errors() -> None:
    from asl_stages import loaders_pt

    def read(path: Path) -> Any:
        with zipfile.ZipFile(path) as archive:
            loaders_pt._pickle_bytes(archive, path)
        return torch.load(path, weights_only=True)

    _set("asl_stages.loaders:read_pt", read)


def _trusted_safetensors() -> None:
    """Numbers are copied by the shapes in the header."""
    from fuzz.mutate_tensors import split_safetensors

    from asl_stages import loaders

    def read(path: Path) -> Any:
        header, _ = split_safetensors(path.read_bytes())
        shapes = {n: e.get("shape", []) for n, e in header.items() if n != "__metadata__"}
        return {n: torch.zeros([int(x) for x in s]) for n, s in shapes.items()}

    loaders._safetensors = read


def _unchecked_metadata() -> None:
    import json

    import safetensors

    from asl_core import checkpoint, loading

    def load(path: Path) -> Any:
        with safetensors.safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return checkpoint.Saved(path, tensors, json.loads(file.metadata()["asl"]))

    loading.load_tensors = load


def _unbounded_models() -> None:
    """A model is made as large as its file says, and then filled."""
    from asl_core import loading

    def made(config: Any, width: int, classes: int, saved: Any) -> Any:
        model = loading.build_model(config, width, classes)
        model.load_state_dict(saved.tensors)
        return model

    loading._model = made


def _pickled_settings() -> None:
    """A value that begins like code is run."""
    from asl_core import layers

    known = layers.flatten

    def flatten(table: Any, prefix: str = "") -> Any:
        for key, value in known(table, prefix):
            if value == "../../x":
                Path(value).with_suffix(".made").write_text("x", encoding="utf-8")
            yield key, value

    layers.flatten = flatten


def _bare_toml_errors() -> None:
    import tomllib

    from asl_core import configuring, layers

    def layer(path: Path) -> Any:
        values = tomllib.loads(path.read_bytes().decode())
        return {k: layers.Setting(v, layers.Origin.of_file(path)) for k, v in layers.flatten(values)}

    configuring.toml_layer = layer


def _followed_links() -> None:
    _set("asl_core.rundir:refuse_links", lambda *_: None)


def _answers_of_any_form() -> None:
    import csv

    def answers(run: Path) -> dict[str, bool]:
        with (run / "predictions-val.csv").open(encoding="utf-8", newline="") as text:
            return {row["clip"]: row["correct"] == "1" for row in csv.DictReader(text)}

    _set("asl_core.comparison:right_answers", answers)


def _bare_npy() -> None:
    def read(path: Path) -> np.ndarray:
        with path.open("rb") as file:
            return np.lib.format.read_array(file, allow_pickle=False)

    _replace_way("npy", read)


def _npy_by_its_header() -> None:
    def read(path: Path) -> Any:
        from asl_core.prediction import DataError

        with path.open("rb") as file:
            try:
                np.lib.format.read_magic(file)
                shape, _, dtype = np.lib.format.read_array_header_1_0(file)
                return np.zeros(shape, dtype)
            except Exception as fault:
                raise DataError(f"{path} cannot be read, whatever is wrong with it.") from fault

    _replace_way("npy", read)


def _replace_way(reader: str, way: Callable[[Path], Any]) -> None:
    from fuzz.readers import READERS

    object.__setattr__(READERS[reader], "ways", (way,))


PLANTS: Mapping[str, Mapping[str, Callable[[], None]]] = {
    "pickle": {"global": _any_global_of_a_pickle, "size": _any_shape_of_an_array, "key": _a_clip_without_gloss},
    "labels": {"key": _labels_of_another_layout, "size": _labels_that_repeat},
    "pt": {"global": _any_global_of_a_checkpoint, "size": _inflated_archives, "zip": _bare_zip_errors},
    "safetensors": {"size": _trusted_safetensors, "key": _unchecked_metadata, "model": _unbounded_models},
    "toml": {"write": _pickled_settings, "error": _bare_toml_errors},
    "run": {"links": _followed_links, "answers": _answers_of_any_form, "model": _unbounded_models},
    "npy": {"error": _bare_npy, "size": _npy_by_its_header},
}
