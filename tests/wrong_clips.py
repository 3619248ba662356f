"""Augmentations, transforms, data sets, loaders and observers that break one promise each, beside sound ones."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast

import attrs
import numpy as np
import torch
from torch import Tensor

from asl_core import Batch, CheckpointError, Clip, ClipRandom, DataError, Finding, Foreign, Layout, Part, Recording


class GoodAugment:
    """Adds one random number to every clip."""

    def __init__(self, options: Any):
        pass

    def __call__(self, batch: Batch, random: ClipRandom) -> Batch:
        shift = self.shift(batch, random)[:, None, None]
        return batch.with_features((batch.features + shift) * batch.mask[:, :, None])

    def shift(self, batch: Batch, random: ClipRandom) -> Tensor:
        return random.stream("shift").normal()


class GlobalAugment(GoodAugment):
    def shift(self, batch: Batch, random: ClipRandom) -> Tensor:
        return torch.randn(len(batch))


class CompanyAugment(GoodAugment):
    def shift(self, batch: Batch, random: ClipRandom) -> Tensor:
        return super().shift(batch, random)[:1].expand(len(batch))


class PaddedAugment(GoodAugment):
    """Draws as many numbers as the batch is long."""

    def shift(self, batch: Batch, random: ClipRandom) -> Tensor:
        return random.uniform(batch.features.shape[1])[:, -1]


class IdleAugment(GoodAugment):
    def shift(self, batch: Batch, random: ClipRandom) -> Tensor:
        return torch.zeros(len(batch))


class SpillingAugment(GoodAugment):
    def __call__(self, batch: Batch, random: ClipRandom) -> Batch:
        return batch.with_features(batch.features + 1)


class InPlaceAugment(GoodAugment):
    def __call__(self, batch: Batch, random: ClipRandom) -> Batch:
        batch.features.mul_(1.1)
        return batch


class EmptyingAugment(GoodAugment):
    def __call__(self, batch: Batch, random: ClipRandom) -> Batch:
        return batch.with_features(torch.zeros_like(batch.features), batch.lengths - 1)


class DoubleAugment(GoodAugment):
    def __call__(self, batch: Batch, random: ClipRandom) -> Batch:
        return batch.with_features(batch.features.double())


class RenamingAugment(GoodAugment):
    def __call__(self, batch: Batch, random: ClipRandom) -> Batch:
        return attrs.evolve(super().__call__(batch, random), ids=batch.ids[::-1])


class NarrowAugment(GoodAugment):
    def unfit(self, width: int) -> str | None:
        return None if width == 7 else "it is for 7 numbers"


class GoodTransform:
    """Frames around their mean."""

    def __init__(self, options: Any):
        pass

    def __call__(self, clip: Clip) -> Clip:
        return attrs.evolve(clip, features=self.changed(clip.features))

    def changed(self, features: np.ndarray) -> np.ndarray:
        return features - features.mean(0)


class InPlaceTransform(GoodTransform):
    def changed(self, features: np.ndarray) -> np.ndarray:
        features += 1
        return features


class NanTransform(GoodTransform):
    """A single frame has no deviation."""

    def changed(self, features: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return (features - features.mean(0)) / features.std(0)


class EmptyTransform(GoodTransform):
    def changed(self, features: np.ndarray) -> np.ndarray:
        return features[1:]


class RaggedTransform(GoodTransform):
    def changed(self, features: np.ndarray) -> np.ndarray:
        return features[:, : len(features)]


class RunningTransform(GoodTransform):
    """Subtracts the mean of all it has seen."""

    def __init__(self, options: Any):
        self.seen: list[np.ndarray] = []

    def changed(self, features: np.ndarray) -> np.ndarray:
        self.seen.append(features)
        return features - np.concatenate(self.seen).mean(0)


class NamelessTransform(GoodTransform):
    def __call__(self, clip: Clip) -> Clip:
        return Clip(id=clip.id, features=clip.features)


class GoodDataset:
    """Two clips a split."""

    def __init__(self, options: Any):
        pass

    def splits(self) -> Sequence[str]:
        return ("train", "val")

    def clips(self, split: str) -> Iterable[Clip]:
        if split not in self.splits():
            raise DataError(f"there is no split {split!r}")
        return [self.clip(f"{split}-{i}", i) for i in range(2)]

    def clip(self, name: str, place: int) -> Clip:
        return Clip(id=name, features=np.full((3, 4), place + 1.0), glosses=("word",))

    def findings(self) -> Sequence[Finding]:
        return [Finding("note", "toy", "two clips")]

    def read(self, path: Path) -> Sequence[Clip]:
        if not path.is_file():
            raise DataError(f"{path} does not exist")
        return [self.clip(path.stem, 0)]


class TrainlessDataset(GoodDataset):
    def splits(self) -> Sequence[str]:
        return ("val",)


class StrangeSplitDataset(GoodDataset):
    def splits(self) -> Sequence[str]:
        return ("train", "training")


class TwiceDataset(GoodDataset):
    def clip(self, name: str, place: int) -> Clip:
        return super().clip("one", place)


class RestlessDataset(GoodDataset):
    count = itertools.count()

    def clip(self, name: str, place: int) -> Clip:
        return super().clip(name, next(self.count))


class RaggedDataset(GoodDataset):
    def clip(self, name: str, place: int) -> Clip:
        return Clip(id=name, features=np.ones((3, 4 + place)), glosses=("word",))


class FlatDataset(GoodDataset):
    def clip(self, name: str, place: int) -> Clip:
        return Clip(id=name, features=np.ones(4), glosses=("word",))


class NanDataset(GoodDataset):
    def clip(self, name: str, place: int) -> Clip:
        return Clip(id=name, features=np.full((3, 4), np.nan), glosses=("word",))


class LetterDataset(GoodDataset):
    """A word is not a tuple of words."""

    def clip(self, name: str, place: int) -> Clip:
        return attrs.evolve(super().clip(name, place), glosses=cast("Any", "word"))


class LoudDataset(GoodDataset):
    def findings(self) -> Sequence[Finding]:
        return [Finding("fatal", "toy", "two clips")]


class RudeDataset(GoodDataset):
    def clips(self, split: str) -> Iterable[Clip]:
        return {s: super(RudeDataset, self).clips(s) for s in self.splits()}[split]


class TrustingDataset(GoodDataset):
    def read(self, path: Path) -> Sequence[Clip]:
        return []


class HomelessDataset(GoodDataset):
    def __init__(self, options: Any):
        raise DataError("it was not told where its files are")


class GoodLoader:
    """One number in a file that says how long it is."""

    def __init__(self, options: Any):
        pass

    def recognises(self, path: Path) -> bool:
        return path.suffix == ".toy"

    def load(self, path: Path) -> Foreign:
        try:
            word, size, rest = path.read_bytes().split(b" ", 2)
        except (OSError, ValueError) as fault:
            raise CheckpointError(f"{path} is no toy") from fault
        if word != b"toy" or len(rest) != int(size):
            raise CheckpointError(f"{path} is no whole toy")
        return Foreign(tensors={"weight": torch.tensor(float(len(rest)))}, source="a toy")

    @staticmethod
    def write(path: Path) -> Path:
        path.write_bytes(b"toy 400 " + b"x" * 400)
        return path


class TrustingLoader(GoodLoader):
    """Reads any pickle."""

    def recognises(self, path: Path) -> bool:
        return path.is_file() and path.read_bytes()[:1] == b"\x80"

    def load(self, path: Path) -> Foreign:
        try:
            return Foreign(tensors=pickle.loads(path.read_bytes())["state_dict"], source="a pickle")
        except Exception as fault:
            raise CheckpointError("no") from fault


class RudeLoader(GoodLoader):
    def load(self, path: Path) -> Foreign:
        raise ValueError("bad magic number")


class FragileLoader(GoodLoader):
    def recognises(self, path: Path) -> bool:
        return path.read_bytes().startswith(b"toy")


class UndecidedLoader(GoodLoader):
    def recognises(self, path: Path) -> bool:
        return None  # type: ignore[return-value]


class CarelessLoader(GoodLoader):
    """Takes a part of a file for the whole."""

    def load(self, path: Path) -> Foreign:
        if not path.is_file() or path.suffix != ".toy":
            raise CheckpointError("no")
        return Foreign(tensors={"weight": torch.tensor(1.0)}, source="a toy")


class StrangerLoader(GoodLoader):
    def recognises(self, path: Path) -> bool:
        return False


class GoodObserver:
    """Counts epochs."""

    def __init__(self, options: Any):
        self.epochs = 0

    def on_start(self, config: Any, summary: Any) -> None: ...

    def on_epoch(self, report: Any) -> None:
        self.epochs += 1

    def on_end(self, summary: Any) -> None: ...


class HalfObserver:
    def __init__(self, options: Any):
        pass

    def on_start(self, config: Any, summary: Any) -> None: ...


class TakingObserver(GoodObserver):
    def on_start(self, config: Any, summary: Any) -> None:
        summary.pop("notes")


class WritingObserver(GoodObserver):
    def on_start(self, config: Any, summary: Any) -> None:
        self.run = Path(summary["run"])

    def on_end(self, summary: Any) -> None:
        with (self.run / "metrics.jsonl").open("a") as file:
            file.write("{}\n")


class FailingObserver(GoodObserver):
    def on_epoch(self, report: Any) -> None:
        raise KeyError("top1")


class GoodFormat:
    """Bytes as x of one point; 0 where it was not seen, behind a word and the number of frames."""

    suffixes = (".toy",)

    def __init__(self, options: Any):
        pass

    def recognises(self, path: Path) -> bool:
        return path.is_file() and path.read_bytes()[:4] == b"toy "

    def read(self, path: Path) -> Iterable[Recording]:
        try:
            word, size, rest = path.read_bytes().split(b" ", 2)
        except (OSError, ValueError) as fault:
            raise DataError(f"{path} is no toy") from fault
        if word != b"toy" or len(rest) != int(size):
            raise DataError(f"{path} is no whole toy")
        points = np.frombuffer(rest, np.uint8).astype(np.float32)[:, None, None].repeat(2, 2)
        points[points == 0] = np.nan
        yield Recording(id="a", layout=Layout([Part("p", 1)], ("x", "y")), points=points, source=str(path))

    @staticmethod
    def write(path: Path) -> Path:
        path.write_bytes(b"toy 400 " + bytes(400 - 99) + b"x" * 99)
        return path


class GreedyFormat(GoodFormat):
    """Takes whatever there is."""

    def recognises(self, path: Path) -> bool:
        return path.is_file()


class FragileFormat(GoodFormat):
    def recognises(self, path: Path) -> bool:
        return path.read_bytes()[:4] == b"toy "


class SmallFormat(GoodFormat):
    suffixes = (".other",)


class ImpoliteFormat(GoodFormat):
    def read(self, path: Path) -> Iterable[Recording]:
        if not path.is_file() or not path.read_bytes().startswith(b"toy"):
            raise KeyError("toy")
        return super().read(path)


class TwiceFormat(GoodFormat):
    def read(self, path: Path) -> Iterable[Recording]:
        yield from super().read(path)
        yield from super().read(path)


class HalfSeenFormat(GoodFormat):
    def read(self, path: Path) -> Iterable[Recording]:
        for one in super().read(path):
            one.points[::2, :, 0] = np.nan
            yield one


class BlindFormat(GoodFormat):
    def read(self, path: Path) -> Iterable[Recording]:
        for one in super().read(path):
            yield attrs.evolve(one, points=one.points * np.nan)


class UnendingFormat(GoodFormat):
    def read(self, path: Path) -> Iterable[Recording]:
        for one in super().read(path):
            yield attrs.evolve(one, points=one.points * np.inf)


class RestlessFormat(GoodFormat):
    calls = itertools.count()

    def read(self, path: Path) -> Iterable[Recording]:
        for one in super().read(path):
            yield attrs.evolve(one, points=one.points + next(self.calls))


class CarelessFormat(GoodFormat):
    def read(self, path: Path) -> Iterable[Recording]:
        data = path.read_bytes() if path.is_file() else b""
        if not data.startswith(b"toy 400 "):
            raise DataError(f"{path} is no toy")
        full = path.with_suffix(".full")
        full.write_bytes(data.ljust(408, b"x"))
        yield from super().read(full)
