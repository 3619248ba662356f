"""Time of an epoch against a plain PyTorch loop: ``python tests/bench/epoch.py [--rounds 7]``.

The plain loop is the reference notebook's: batches of 16 in random order, one clip collated at a time, padded to
the longest of the batch, ``pack_padded_sequence``, torch's AdamW and CTC loss. Ours is ``asl``'s own epoch on the
same model, clips, loss, batch size and optimiser settings; augmentation and averaging of weights are off in
both. The two take turns in one process and medians are compared. Before timing, both give the loss of one batch
with the same weights, which has to agree: nothing about a clip's result is changed for speed.
"""

from __future__ import annotations

import argparse
import functools
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

from asl_core import ClipRandom
from asl_core.api import configure
from asl_core.clips.batch import Batch
from asl_core.data.splits import load_data
from asl_core.model.objectives import build_objectives, compute
from asl_core.model.recogniser import build_model
from asl_core.training.loop import Trainer, train_epoch

SHARED = Path(os.environ.get("ASL_SHARED_DATA", Path(__file__).resolve().parents[2] / "../shared/data"))


def with_torchs_dropout(module: nn.Module) -> nn.Module:
    """Our cheaper dropout is part of our time, not of the plain loop's."""
    for name, child in module.named_children():
        if isinstance(child, nn.Dropout):
            setattr(module, name, nn.Dropout(child.p))
        else:
            with_torchs_dropout(child)
    return module


class PlainModel(nn.Module):
    """The same layers as ours, with the GRU run packed as torch offers it."""

    standardiser: Any
    encoder: Any
    head: Any

    def __init__(self, model: Any):
        super().__init__()
        self.standardiser, self.encoder, self.head = model.standardiser, model.encoder, model.heads["main"].linear

    def forward(self, features: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        frames = (features - self.standardiser.mean) / self.standardiser.scale
        encoder = self.encoder
        if hasattr(encoder, "gru"):
            if encoder.front is not None:
                frames = encoder.front(frames, lengths)
            frames = encoder.dropout(encoder._packed(frames, lengths))
        else:
            frames = encoder(frames, lengths)
        return self.head(frames).log_softmax(-1)


def plain_loss(model: PlainModel, clips: list[torch.Tensor], targets: torch.Tensor) -> torch.Tensor:
    """Collate one clip at a time, pad, run, CTC."""
    lengths = torch.tensor([len(c) for c in clips])
    log_probs = model(pad_sequence(clips, batch_first=True), lengths)
    ones = torch.ones(len(clips), dtype=torch.int64)
    return nn.functional.ctc_loss(
        log_probs.transpose(0, 1), targets[:, None] + 1, lengths, ones, reduction="none"
    ).mean()


def plain_epoch(
    model: PlainModel, clips: list[torch.Tensor], targets: torch.Tensor, optimizer: torch.optim.Optimizer
) -> None:
    """Random order, batches of 16, as in any tutorial."""
    model.train()
    for index in torch.randperm(len(clips)).split(16):
        optimizer.zero_grad()
        loss = plain_loss(model, [clips[i] for i in index.tolist()], targets[index])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()


def trainer_for(encoder: str, root: Path) -> Trainer:
    config = configure(
        {
            "dataset": "wlasl", "dataset.root": str(root), "encoder": encoder, "head": "ctc", "loss": "ctc",
            "loss.blank-penalty": 0.0, "augment": "none", "train.ema": 0.0, "train.batch-size": 16,
            "train.clip-norm": 5.0, "run.device": "cpu",
        },
        environ={},
    )  # fmt: skip
    data = load_data(config)
    torch.manual_seed(0)
    model = build_model(config, data.train.width, len(data.vocabulary))
    model.standardiser.fit(data.train.features)
    return Trainer.new(config, data, model, build_objectives(config), torch.device("cpu"))


def same_loss(ours: Trainer, plain: PlainModel, clips: list[torch.Tensor], targets: torch.Tensor) -> float:
    """Relative difference of the two losses on one batch, dropout off."""
    ours.model.eval()
    plain.eval()
    index = torch.arange(0, 16 * 40, 40)
    batch: Batch = ours.data.train.batch(index)
    with torch.no_grad():
        a = compute(ours.model, ours.objectives, batch, lambda _: ClipRandom.of(index, 0)).total
        b = plain_loss(plain, [clips[i] for i in index.tolist()], targets[index])
    return float((a - b).abs() / b)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="epochs of each, in turns")
    parser.add_argument("--root", type=Path, default=SHARED / "wlasl100")
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {options.rounds} rounds, batch size 16")
    print(f"{'encoder':<12} {'plain s':>8} {'asl s':>8} {'ratio':>6}   loss differs by")
    for encoder in ("gru", "transformer"):
        ours = trainer_for(encoder, options.root)
        twin = trainer_for(encoder, options.root)
        twin.model.load_state_dict(ours.model.state_dict())
        plain = PlainModel(with_torchs_dropout(twin.model))
        store = ours.data.train
        clips = [store.clip(i).clone() for i in range(len(store))]
        targets = torch.tensor([t[0] for t in store.targets])
        difference = same_loss(ours, plain, clips, targets)
        optimizer = torch.optim.AdamW(plain.parameters(), lr=1e-3)
        runs: dict[str, Callable[[], object]] = {
            "plain": functools.partial(plain_epoch, plain, clips, targets, optimizer),
            "asl": functools.partial(train_epoch, ours, 1),
        }
        times: dict[str, list[float]] = {name: [] for name in runs}
        for number in range(options.rounds + 1):
            for name, run in runs.items():
                started = time.perf_counter()
                run()
                if number:  # the first of each warms up
                    times[name].append(time.perf_counter() - started)
        a, b = statistics.median(times["plain"]), statistics.median(times["asl"])
        print(f"{encoder:<12} {a:8.2f} {b:8.2f} {b / a:6.2f}   {difference:.1e}")


if __name__ == "__main__":
    main()
