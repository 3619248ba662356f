"""asl: a plugin-based trainer for sign-language recognition.

This module is the public interface; everything a plugin or a script needs is a name here. Names are imported
when first used, so that a plugin's catalogue (``Component``, ``hookimpl``, ``option``) never imports torch.

    import asl_core as asl
    result = asl.run(asl.configure({"dataset": "wlasl", "dataset.root": "features/", "encoder": "gru"}))
    print(result.last["top1"])
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asl_core.api import LoadedRun as LoadedRun
    from asl_core.api import RunResult as RunResult
    from asl_core.api import audit_data as audit_data
    from asl_core.api import complete as complete
    from asl_core.api import configure as configure
    from asl_core.api import evaluate_run as evaluate_run
    from asl_core.api import load as load
    from asl_core.api import resume as resume
    from asl_core.api import run as run
    from asl_core.arrays import array_layout as array_layout
    from asl_core.checkpoint import load_tensors as load_tensors
    from asl_core.component import Component as Component
    from asl_core.component import Offer as Offer
    from asl_core.component import Registry as Registry
    from asl_core.contracts import Augment as Augment
    from asl_core.contracts import BatchTransform as BatchTransform
    from asl_core.contracts import CheckpointLoader as CheckpointLoader
    from asl_core.contracts import Dataset as Dataset
    from asl_core.contracts import Encoder as Encoder
    from asl_core.contracts import EpochReport as EpochReport
    from asl_core.contracts import Foreign as Foreign
    from asl_core.contracts import Head as Head
    from asl_core.contracts import HeadOutput as HeadOutput
    from asl_core.contracts import Loss as Loss
    from asl_core.contracts import LossResult as LossResult
    from asl_core.contracts import Observer as Observer
    from asl_core.contracts import Sample as Sample
    from asl_core.contracts import Span as Span
    from asl_core.contracts import Transform as Transform
    from asl_core.data import Batch as Batch
    from asl_core.data import Clip as Clip
    from asl_core.data import ClipStore as ClipStore
    from asl_core.data import Finding as Finding
    from asl_core.data import Vocabulary as Vocabulary
    from asl_core.data import at_least_float32 as at_least_float32
    from asl_core.data import frame_mask as frame_mask
    from asl_core.errors import AslError as AslError
    from asl_core.errors import CheckpointError as CheckpointError
    from asl_core.errors import ConfigError as ConfigError
    from asl_core.errors import DataError as DataError
    from asl_core.errors import RunError as RunError
    from asl_core.hookspecs import hookimpl as hookimpl
    from asl_core.keys import KeyJoin as KeyJoin
    from asl_core.keys import join_keys as join_keys
    from asl_core.mistakes import Mistakes as Mistakes
    from asl_core.options import NoOptions as NoOptions
    from asl_core.options import option as option
    from asl_core.packed import packed_splits as packed_splits
    from asl_core.packed import read_packed as read_packed
    from asl_core.pickles import PickleBudget as PickleBudget
    from asl_core.pickles import PickleMachine as PickleMachine
    from asl_core.pickles import PickleOpaque as PickleOpaque
    from asl_core.pickles import PicklePending as PicklePending
    from asl_core.pickles import PickleRefused as PickleRefused
    from asl_core.pickles import PickleStandIns as PickleStandIns
    from asl_core.pickles import PickleSymbol as PickleSymbol
    from asl_core.prediction import ClipPrediction as ClipPrediction
    from asl_core.prediction import predict_clips as predict_clips
    from asl_core.prediction import predict_file as predict_file
    from asl_core.random import ClipRandom as ClipRandom
    from asl_core.random import mix_seed as mix_seed
    from asl_core.sniffing import FileKind as FileKind
    from asl_core.sniffing import recognise_file as recognise_file
    from asl_core.text_files import csv_delimiter as csv_delimiter
    from asl_core.text_files import metadata_text as metadata_text
    from asl_core.text_files import text_encoding as text_encoding
    from asl_core.text_files import whole_number as whole_number
    from asl_core.unread import split_of_name as split_of_name
    from asl_core.unread import unread_files as unread_files
    from asl_core.why import Explained as Explained
    from asl_core.why import explain_run as explain_run

__version__ = "0.1.0"

_HOMES = {
    "api": ["LoadedRun", "RunResult", "audit_data", "complete", "configure", "evaluate_run", "load", "resume", "run"],
    "arrays": ["array_layout"],
    "checkpoint": ["load_tensors"],
    "component": ["Component", "Offer", "Registry"],
    "contracts": [
        "Augment", "BatchTransform", "CheckpointLoader", "Dataset", "Encoder", "EpochReport", "Foreign", "Head",
        "HeadOutput", "Loss", "LossResult", "Observer", "Sample", "Span", "Transform",
    ],
    "data": ["Batch", "Clip", "ClipStore", "Finding", "Vocabulary", "at_least_float32", "frame_mask"],
    "errors": ["AslError", "CheckpointError", "ConfigError", "DataError", "RunError"],
    "hookspecs": ["hookimpl"],
    "keys": ["KeyJoin", "join_keys"],
    "mistakes": ["Mistakes"],
    "options": ["NoOptions", "option"],
    "packed": ["packed_splits", "read_packed"],
    "pickles": [
        "PickleBudget", "PickleMachine", "PickleOpaque", "PicklePending", "PickleRefused", "PickleStandIns",
        "PickleSymbol",
    ],
    "prediction": ["ClipPrediction", "predict_clips", "predict_file"],
    "random": ["ClipRandom", "mix_seed"],
    "sniffing": ["FileKind", "recognise_file"],
    "text_files": ["csv_delimiter", "metadata_text", "text_encoding", "whole_number"],
    "unread": ["split_of_name", "unread_files"],
    "why": ["Explained", "explain_run"],
}  # fmt: skip
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(["__version__", *_HOME_OF])


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'asl_core' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"asl_core.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
