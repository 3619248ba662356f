"""asl: a plugin-based trainer for sign-language recognition.

This module is the public interface; everything a plugin or a script needs is a name here. Names are imported
when first used, so that a plugin's catalogue (``Component``, ``hookimpl``, ``option``) never imports torch.

    import asl_core as asl
    result = asl.run({"dataset": "wlasl", "dataset.root": "features/", "encoder": "gru"}, [asl.ProgressBar()])
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
    from asl_core.checkpoints.format import Saved as Saved
    from asl_core.checkpoints.format import load_tensors as load_tensors
    from asl_core.checkpoints.format import read_tensors as read_tensors
    from asl_core.cli.paths import data_set_of as data_set_of
    from asl_core.cli.showing import showing_progress as showing_progress
    from asl_core.clips.batch import Batch as Batch
    from asl_core.clips.batch import at_least_float32 as at_least_float32
    from asl_core.clips.batch import frame_mask as frame_mask
    from asl_core.clips.clip import Clip as Clip
    from asl_core.clips.clip import Finding as Finding
    from asl_core.clips.clip import Vocabulary as Vocabulary
    from asl_core.clips.layout import Layout as Layout
    from asl_core.clips.layout import Part as Part
    from asl_core.clips.packed import packed_splits as packed_splits
    from asl_core.clips.packed import read_packed as read_packed
    from asl_core.clips.recording import Recording as Recording
    from asl_core.clips.store import ClipStore as ClipStore
    from asl_core.compute.progress import Phase as Phase
    from asl_core.compute.progress import ProgressReport as ProgressReport
    from asl_core.compute.progress import phase as phase
    from asl_core.compute.progress import track as track
    from asl_core.compute.seeding import ClipRandom as ClipRandom
    from asl_core.compute.seeding import mix_seed as mix_seed
    from asl_core.config.given import registry_with as registry_with
    from asl_core.config.origins import Kind as Kind
    from asl_core.config.origins import Origin as Origin
    from asl_core.config.run_config import Choice as Choice
    from asl_core.config.run_config import HeadChoice as HeadChoice
    from asl_core.config.run_config import LossChoice as LossChoice
    from asl_core.config.run_config import RunConfig as RunConfig
    from asl_core.config.runs import RunSummary as RunSummary
    from asl_core.config.runs import find_run as find_run
    from asl_core.config.runs import list_runs as list_runs
    from asl_core.config.sources import Setting as Setting
    from asl_core.config.tables import InitOptions as InitOptions
    from asl_core.config.tables import RunOptions as RunOptions
    from asl_core.config.tables import SplitOptions as SplitOptions
    from asl_core.config.tables import TrainOptions as TrainOptions
    from asl_core.contracts import Augment as Augment
    from asl_core.contracts import BatchTransform as BatchTransform
    from asl_core.contracts import CheckpointLoader as CheckpointLoader
    from asl_core.contracts import Dataset as Dataset
    from asl_core.contracts import Encoder as Encoder
    from asl_core.contracts import Facts as Facts
    from asl_core.contracts import Foreign as Foreign
    from asl_core.contracts import Format as Format
    from asl_core.contracts import Head as Head
    from asl_core.contracts import HeadOutput as HeadOutput
    from asl_core.contracts import Loss as Loss
    from asl_core.contracts import LossResult as LossResult
    from asl_core.contracts import Sample as Sample
    from asl_core.contracts import Span as Span
    from asl_core.contracts import Transform as Transform
    from asl_core.data.audit import Audit as Audit
    from asl_core.data.audit import SplitSummary as SplitSummary
    from asl_core.data.formats import Formats as Formats
    from asl_core.data.formats import find_format as find_format
    from asl_core.data.formats import natural_order as natural_order
    from asl_core.data.packing import PackedSplit as PackedSplit
    from asl_core.data.packing import pack as pack
    from asl_core.errors import AslError as AslError
    from asl_core.errors import CheckpointError as CheckpointError
    from asl_core.errors import ConfigError as ConfigError
    from asl_core.errors import DataError as DataError
    from asl_core.errors import MissingExtraError as MissingExtraError
    from asl_core.errors import RunError as RunError
    from asl_core.errors import UsageError as UsageError
    from asl_core.errors import as_word as as_word
    from asl_core.evaluation.alignment import Alignment as Alignment
    from asl_core.evaluation.alignment import Placed as Placed
    from asl_core.evaluation.embedding import Embeddings as Embeddings
    from asl_core.evaluation.error_analysis import Explained as Explained
    from asl_core.evaluation.error_analysis import explain_run as explain_run
    from asl_core.evaluation.intervals import wilson_interval as wilson_interval
    from asl_core.evaluation.mistakes import Confusion as Confusion
    from asl_core.evaluation.mistakes import Group as Group
    from asl_core.evaluation.mistakes import Mistake as Mistake
    from asl_core.evaluation.mistakes import Mistakes as Mistakes
    from asl_core.evaluation.mistakes import SignReport as SignReport
    from asl_core.evaluation.prediction import ClipPrediction as ClipPrediction
    from asl_core.evaluation.prediction import predict_clips as predict_clips
    from asl_core.evaluation.prediction import predict_file as predict_file
    from asl_core.evaluation.scoring import Predictions as Predictions
    from asl_core.evaluation.tta import View as View
    from asl_core.files.arrays import array_layout as array_layout
    from asl_core.files.bounded import open_tensors as open_tensors
    from asl_core.files.bounded import parse_json as parse_json
    from asl_core.files.keys import KeyJoin as KeyJoin
    from asl_core.files.keys import join_keys as join_keys
    from asl_core.files.pickles.read import PickleMachine as PickleMachine
    from asl_core.files.pickles.read import read_pickle as read_pickle
    from asl_core.files.pickles.stand_ins import PickleBudget as PickleBudget
    from asl_core.files.pickles.stand_ins import PickleOpaque as PickleOpaque
    from asl_core.files.pickles.stand_ins import PicklePending as PicklePending
    from asl_core.files.pickles.stand_ins import PickleRefused as PickleRefused
    from asl_core.files.pickles.stand_ins import PickleStandIns as PickleStandIns
    from asl_core.files.pickles.stand_ins import PickleSymbol as PickleSymbol
    from asl_core.files.sniffing import FileKind as FileKind
    from asl_core.files.sniffing import recognise_file as recognise_file
    from asl_core.files.text_files import csv_delimiter as csv_delimiter
    from asl_core.files.text_files import metadata_text as metadata_text
    from asl_core.files.text_files import text_encoding as text_encoding
    from asl_core.files.text_files import whole_number as whole_number
    from asl_core.files.unread import split_of_name as split_of_name
    from asl_core.files.unread import unread_files as unread_files
    from asl_core.model.recogniser import Recognizer as Recognizer
    from asl_core.model.recogniser import Standardiser as Standardiser
    from asl_core.model.statistics import frame_statistics as frame_statistics
    from asl_core.registry.component import Component as Component
    from asl_core.registry.component import Offer as Offer
    from asl_core.registry.component import Registry as Registry
    from asl_core.registry.hookspecs import hookimpl as hookimpl
    from asl_core.registry.options import NoOptions as NoOptions
    from asl_core.registry.options import former_attributes as former_attributes
    from asl_core.registry.options import option as option
    from asl_core.studies.comparison import Comparison as Comparison
    from asl_core.studies.comparison import WerComparison as WerComparison
    from asl_core.studies.comparison import compare as compare
    from asl_core.studies.comparison import right_answers as right_answers
    from asl_core.studies.curriculum import Curriculum as Curriculum
    from asl_core.studies.curriculum import Stage as Stage
    from asl_core.studies.curriculum import StageResult as StageResult
    from asl_core.studies.curriculum import load_curriculum as load_curriculum
    from asl_core.studies.curriculum import run_curriculum as run_curriculum
    from asl_core.studies.run_pairs import RunComparison as RunComparison
    from asl_core.studies.run_pairs import compare_runs as compare_runs
    from asl_core.text import shortened as shortened
    from asl_core.training.events import EpochReport as EpochReport
    from asl_core.training.events import EventObserver as EventObserver
    from asl_core.training.events import Observer as Observer
    from asl_core.training.events import RunStarted as RunStarted
    from asl_core.training.events import RunStopped as RunStopped
    from asl_core.training.progress_bar import ProgressBar as ProgressBar

__version__ = "0.1.0"

_HOMES = {
    "evaluation.alignment": ["Alignment", "Placed"],
    "api": ["LoadedRun", "RunResult", "audit_data", "complete", "configure", "evaluate_run", "load", "resume", "run"],
    "files.arrays": ["array_layout"],
    "data.audit": ["Audit", "SplitSummary"],
    "files.bounded": ["open_tensors", "parse_json"],
    "checkpoints.format": ["Saved", "load_tensors", "read_tensors"],
    "studies.comparison": ["Comparison", "WerComparison", "compare", "right_answers"],
    "registry.component": ["Component", "Offer", "Registry"],
    "config.run_config": ["Choice", "HeadChoice", "LossChoice", "RunConfig"],
    "config.tables": ["InitOptions", "RunOptions", "SplitOptions", "TrainOptions"],
    "contracts": [
        "Augment", "BatchTransform", "CheckpointLoader", "Dataset", "Encoder", "Facts", "Foreign", "Format", "Head",
        "HeadOutput", "Loss", "LossResult", "Sample", "Span", "Transform",
    ],
    "training.events": ["EpochReport", "EventObserver", "Observer", "RunStarted", "RunStopped"],
    "studies.curriculum": ["Curriculum", "Stage", "StageResult", "load_curriculum", "run_curriculum"],
    "cli.paths": ["data_set_of"],
    "cli.showing": ["showing_progress"],
    "clips.batch": ["Batch", "at_least_float32", "frame_mask"],
    "clips.clip": ["Clip", "Finding", "Vocabulary"],
    "clips.layout": ["Layout", "Part"],
    "clips.recording": ["Recording"],
    "clips.store": ["ClipStore"],
    "data.formats": ["Formats", "find_format", "natural_order"],
    "evaluation.embedding": ["Embeddings"],
    "errors": [
        "AslError", "CheckpointError", "ConfigError", "DataError", "MissingExtraError", "RunError", "UsageError",
        "as_word",
    ],
    "evaluation.scoring": ["Predictions"],
    "config.given": ["registry_with"],
    "registry.hookspecs": ["hookimpl"],
    "evaluation.intervals": ["wilson_interval"],
    "files.keys": ["KeyJoin", "join_keys"],
    "evaluation.mistakes": ["Confusion", "Group", "Mistake", "Mistakes", "SignReport"],
    "model.recogniser": ["Recognizer", "Standardiser"],
    "model.statistics": ["frame_statistics"],
    "registry.options": ["NoOptions", "former_attributes", "option"],
    "config.origins": ["Kind", "Origin"],
    "config.sources": ["Setting"],
    "clips.packed": ["packed_splits", "read_packed"],
    "data.packing": ["PackedSplit", "pack"],
    "files.pickles.read": ["PickleMachine", "read_pickle"],
    "files.pickles.stand_ins": [
        "PickleBudget", "PickleOpaque", "PicklePending", "PickleRefused", "PickleStandIns", "PickleSymbol",
    ],
    "evaluation.prediction": ["ClipPrediction", "predict_clips", "predict_file"],
    "compute.progress": ["Phase", "ProgressReport", "phase", "track"],
    "training.progress_bar": ["ProgressBar"],
    "compute.seeding": ["ClipRandom", "mix_seed"],
    "studies.run_pairs": ["RunComparison", "compare_runs"],
    "config.runs": ["RunSummary", "find_run", "list_runs"],
    "files.sniffing": ["FileKind", "recognise_file"],
    "files.text_files": ["csv_delimiter", "metadata_text", "text_encoding", "whole_number"],
    "files.unread": ["split_of_name", "unread_files"],
    "evaluation.tta": ["View"],
    "text": ["shortened"],
    "evaluation.error_analysis": ["Explained", "explain_run"],
}  # fmt: skip
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(["__version__", *_HOME_OF])  # noqa: PLE0605 - a list


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'asl_core' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"asl_core.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
