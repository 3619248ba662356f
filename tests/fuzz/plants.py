"""Bugs that are planted in readers, to see that the fuzzer finds them: a mutation test of the fuzzer itself."""

from __future__ import annotations

import contextlib
import importlib
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fuzz import formats

__all__ = ["COSTLY", "PLANTS"]


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

    _set("asl_core.files.pickles.arrays:NumpyStandIns._array", array)


def _a_clip_without_gloss() -> None:
    from asl_wlasl import records

    known = records._record

    def record(entry: Any, *more: Any) -> Any:
        if isinstance(entry, dict):
            entry["gloss"]
        return known(entry, *more)

    vars(records)["_record"] = record


def _labels_of_another_layout() -> None:
    import json

    def rows(text: str, path: Path) -> Any:
        return [(one["video_id"], entry["gloss"], None) for entry in json.loads(text) for one in entry["instances"]]

    _set("asl_wlasl.label_files:_json_rows", rows)


def _labels_that_repeat() -> None:
    """Reading takes memory by a number in the file."""
    from asl_wlasl import label_files

    known = label_files._gloss

    def gloss(value: Any, where: str) -> str | None:
        if isinstance(value, int) and not isinstance(value, bool):
            return "x" * min(max(value, 0), 2**40)
        return known(value, where)

    label_files._gloss = gloss


def _any_global_of_a_checkpoint() -> None:
    from asl_stages import loaders_pt

    load = torch.load
    loaders_pt._Names.refused = property(lambda _: [])  # type: ignore[assignment]
    _set("torch:load", lambda path, **_: load(path, weights_only=False, map_location="cpu"))


def _inflated_archives() -> None:
    """Parts are unpacked, however small the file is."""
    from asl_stages import archive, loaders_pt

    def read(self: archive.Archive, name: str) -> bytes:
        try:
            with zipfile.ZipFile(self.path) as parts:
                return parts.read(f"{self.folder}/{name}")
        except Exception as fault:
            raise archive.ArchiveError(str(fault)) from fault

    def entry(_file: Any, row: Any, _size: int) -> archive.Entry:
        return archive.Entry(row.raw.decode(), row.at + 30, 0, row.crc)

    vars(archive)["_entry"] = entry
    archive.Archive.read = read  # type: ignore[method-assign]
    loaders_pt._MOST_INSTRUCTIONS = 10**9


def _first_of_two_names() -> None:
    """The archive that is checked is another than the one that torch reads."""
    from asl_stages import archive, loaders_pt

    def opened(path: Path) -> archive.Archive:
        made = archive.open_archive(path)
        with contextlib.suppress(zipfile.BadZipFile, StopIteration), zipfile.ZipFile(path) as parts:
            first = next(i for i in parts.infolist() if i.filename.endswith("/data.pkl"))
            with path.open("rb") as file:
                file.seek(first.header_offset + 26)
                start = file.tell() + 4 + sum(int.from_bytes(file.read(2), "little") for _ in range(2))
            made.entries["data.pkl"] = archive.Entry(first.filename, start, first.file_size, first.CRC)
        return made

    refuse = archive._refuse_names
    archive._refuse_names = lambda raws: refuse(list(dict.fromkeys(raws)))
    loaders_pt.open_archive = opened  # type: ignore[attr-defined]


def _unchecked_pickles_of_checkpoints() -> None:
    _set("asl_stages.loaders_pt:check_pickle", lambda *_: None)


def _names_of_any_depth() -> None:
    _unchecked_pickles_of_checkpoints()
    _set("asl_stages.content:_DEEPEST", 10**9)
    _set("asl_stages.content:_ROOM_FOR_NAMES", 10**18)


def _pickles_of_any_cost() -> None:
    _set("asl_core.files.pickles.stand_ins:PickleBudget.spend", lambda *_: None)
    _set("asl_core.files.pickles.instructions:COSTS", [0] * 256)


def _keys_of_any_number() -> None:
    _set("asl_core.files.pickles.stand_ins:PickleBudget.probe", lambda *_: None)
    _set("asl_core.files.pickles.containers:MAX_KEY_NUMBER", 10**99)


def _keys_of_any_kind() -> None:
    _set("asl_core.files.pickles.containers:key_weight", lambda _: 0)


def _clips_of_any_number() -> None:
    from asl_wlasl import records

    records._CLIP = -(10**9)


def _json_of_any_weight() -> None:
    _set("asl_core.files.bounded:_TIMES", 10**9)


def _columns_of_any_number() -> None:
    _set("asl_wlasl.label_files:_CELL_BYTES", 0)
    _set("asl_wlasl.label_files:_LONGEST_LINE", 10**9)


def _headers_of_any_size() -> None:
    _set("asl_core.files.bounded:_HEADER", 10**9)


def _keys_of_any_depth() -> None:
    """Each part of a dotted key costs as much as all before it."""
    for bound in ("_PARTS", "_KEYS", "_BRACKETS"):
        _set(f"asl_core.files.toml_file:{bound}", 10**9)


def _columns_of_any_kind() -> None:
    _set("asl_core.clips.packed:_columns", lambda index, *_: [index[n] for n in ("ids", "labels", "signer", "source")])


def _bare_zip_errors() -> None:
    def read(path: Path) -> Any:
        with zipfile.ZipFile(path) as archive:
            archive.testzip()
        return torch.load(path, weights_only=True)

    _set("asl_stages.loaders:read_pt", read)


def _trusted_safetensors() -> None:
    """Numbers are copied by the shapes in the header."""
    from asl_stages import loaders
    from fuzz.mutate_tensors import split_safetensors

    def read(path: Path) -> Any:
        header, _ = split_safetensors(path.read_bytes())
        shapes = {n: e.get("shape", []) for n, e in header.items() if n != "__metadata__"}
        return {n: torch.zeros([int(x) for x in s]) for n, s in shapes.items()}, {}

    vars(loaders)["read_tensors"] = read


def _unchecked_metadata() -> None:
    import json

    import safetensors

    from asl_core.checkpoints import format as checkpoint
    from asl_core.evaluation import loading

    def load(path: Path) -> Any:
        with safetensors.safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return checkpoint.Saved(path, tensors, json.loads(file.metadata()["asl"]))

    vars(loading)["load_tensors"] = load


def _unbounded_models() -> None:
    """A model is made as large as its file says, and then filled."""
    from asl_core.evaluation import loading
    from asl_core.model import recogniser

    def made(config: Any, width: int, vocabulary: Any, fps: Any, saved: Any) -> Any:
        model = recogniser.build_model(config, width, len(vocabulary), sentences=vocabulary.sentences, fps=fps)
        model.load_state_dict(saved.tensors)
        return model

    loading._model = made


def _pickled_settings() -> None:
    """A value that begins like code is run."""
    from asl_core.config import sources as layers

    known = layers.flatten

    def flatten(table: Any, prefix: str = "") -> Any:
        for key, value in known(table, prefix):
            if value == "../../x":
                Path(value).with_suffix(".made").write_text("x", encoding="utf-8")
            yield key, value

    layers.flatten = flatten


def _bare_toml_errors() -> None:
    """Every reader of TOML says what tomllib says."""
    import sys
    import tomllib

    from asl_core.files import toml_file

    known = toml_file.read_toml

    def read(path: Path, *_: Any, **__: Any) -> toml_file.TomlFile:
        return toml_file.TomlFile(tomllib.loads(path.read_bytes().decode()), {})

    for module in list(sys.modules.values()):
        if getattr(module, "read_toml", None) is known:
            module.read_toml = read  # type: ignore[attr-defined]


def _followed_links() -> None:
    _set("asl_core.files.rundir:refuse_links", lambda *_: None)


def _answers_of_any_form() -> None:
    import csv

    def answers(run: Path) -> dict[str, bool]:
        with (run / "predictions-val.csv").open(encoding="utf-8", newline="") as text:
            return {row["clip"]: row["correct"] == "1" for row in csv.DictReader(text)}

    _set("asl_core.studies.comparison:right_answers", answers)


def _bare_npy() -> None:
    def read(path: Path) -> np.ndarray:
        with path.open("rb") as file:
            return np.lib.format.read_array(file, allow_pickle=False)

    _replace_way("npy", read)


def _npy_by_its_header() -> None:
    def read(path: Path) -> Any:
        from asl_core.errors import DataError

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


#: those that show in what reading costs, and are found by large files
COSTLY = {"memory", "numbers as keys", "nested keys", "clips", "weight", "columns", "names twice", "compressed",
          "nested lists", "header", "parts", "model"}  # fmt: skip

PLANTS: Mapping[str, Mapping[str, Callable[[], None]]] = {
    "pickle": {
        "global": _any_global_of_a_pickle,
        "size": _any_shape_of_an_array,
        "key": _a_clip_without_gloss,
        "memory": _pickles_of_any_cost,
        "numbers as keys": _keys_of_any_number,
        "nested keys": _keys_of_any_kind,
        "clips": _clips_of_any_number,
    },
    "labels": {
        "key": _labels_of_another_layout,
        "size": _labels_that_repeat,
        "weight": _json_of_any_weight,
        "columns": _columns_of_any_number,
    },
    "pt": {
        "global": _any_global_of_a_checkpoint,
        "compressed": _inflated_archives,
        "zip": _bare_zip_errors,
        "names twice": _first_of_two_names,
        "nested keys": _unchecked_pickles_of_checkpoints,
        "nested lists": _names_of_any_depth,
    },
    "safetensors": {
        "size": _trusted_safetensors,
        "key": _unchecked_metadata,
        "model": _unbounded_models,
        "header": _headers_of_any_size,
    },
    "toml": {"write": _pickled_settings, "error": _bare_toml_errors, "parts": _keys_of_any_depth},
    "run": {"links": _followed_links, "answers": _answers_of_any_form, "model": _unbounded_models},
    "npy": {"error": _bare_npy, "size": _npy_by_its_header},
    "packed": {"weight": _json_of_any_weight, "columns": _columns_of_any_kind},
    **{f"format-{name}": planted for name, planted in formats.PLANTS.items() if formats.available(name)},
}
