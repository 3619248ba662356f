"""Faults made by hand that nobody may miss, and faults that change nothing that anybody could notice."""

from __future__ import annotations

from studies.mutants import Mutant, replaced

__all__ = ["EQUIVALENT", "by_hand"]

SELECTION, MODEL, TRAINER = (
    "asl_core/training/selection.py",
    "asl_core/model/recogniser.py",
    "asl_core/training/trainer.py",
)
CHECKPOINT, DATA, METRICS, SCORING = (
    "asl_core/checkpoints/format.py",
    "asl_core/clips/store.py",
    "asl_core/evaluation/metrics.py",
    "asl_core/evaluation/scoring.py",
)

#: module, what stands there, what is put in its place, what is wrong then
_BY_HAND = (
    (METRICS, '"word error rate", larger_is_better=False', '"word error rate", larger_is_better=True',
     "a larger word error rate is better"),
    (METRICS, "AUTO = (WER, TOP1, LOSS)", "AUTO = (LOSS, WER, TOP1)", "the loss chooses"),
    (SELECTION, "-math.inf if math.isnan(value)", "math.inf if math.isnan(value)", "NaN is best"),
    (TRAINER, 'self.precision.restore(saved.under("precision"))', "pass", "the loss scaler is not restored"),
    (TRAINER, 'restore_optimizer(self.optimizer, saved.under("optimizer"))', "pass", "the optimiser is not restored"),
    (TRAINER, 'nn.ModuleList(self.objectives).load_state_dict(saved.under("objectives"))', "pass",
     "what losses keep is not restored"),
    (CHECKPOINT, "{name} {tensor.dtype} {tuple(tensor.shape)}", "{name} {tensor.dtype}", "no shapes in the checksum"),
    (CHECKPOINT, "{name} {tensor.dtype} {tuple(tensor.shape)}", "{name} {tuple(tensor.shape)}",
     "no types in the checksum"),
    (CHECKPOINT, "{name} {tensor.dtype} {tuple(tensor.shape)}", "{tensor.dtype} {tuple(tensor.shape)}",
     "no names in the checksum"),
    ("plugins/asl_ctc/ctc_head.py", 'if output.values.device.type == "mps" else output.values.double()', "",
     "glosses are ranked in float32"),
    ("asl_core/model/statistics.py", "(squares / len(frames)).sqrt()", "(squares / (len(frames) - 1)).sqrt()",
     "unbiased deviation"),
    (MODEL, "features * batch.mask[:, :, None]", "features", "padding is not zeroed after the scaling"),
    (DATA, "features.masked_fill_(~inside[:, :, None], 0.0)", "pass", "padding holds frames of the first clip"),
    (SCORING, "(scores >= true).sum(1) - 1", "(scores > true).sum(1)", "ties count for the model"),
    (SCORING, "(targets == UNKNOWN) | true[:, 0].isnan()", "true[:, 0].isnan()", "an unknown gloss is the first one"),
    (SCORING, "sum(edits) / sum(lengths)", "sum(edits) / len(lengths)", "WER per clip"),
    ("asl_core/clips/batching.py",
     'mix_seed(seed, epoch, "order")', 'mix_seed(seed, "order")', "every epoch in one order"),
    ("asl_core/evaluation/inference.py",
     "sorted(batches, key=lambda b: b.place)", "batches", "batches in the order they came"),
    ("asl_core/data/folds.py", "n % int(of) == int(number) - 1", "n % int(of) == int(number) % int(of)",
     "another fold than was asked for"),
)  # fmt: skip

#: module, function, line, fault, and why it cannot be noticed
_EQUIVALENT = (
    ("asl_core/clips/clip.py", "module", "UNKNOWN = -1  #: class number of a gloss that the vocabulary lacks",
     "[1 to 2]", "every use goes by its name or by its sign, and it is never saved"),
    ("asl_core/clips/batching.py", "epoch_batches", "for part in torch.split(order, batch_size * max(pool, 1)):",
     "[1 to 2]", "a pool of one batch is not sorted, so that it does not matter how many are taken at a time"),
    ("asl_core/model/statistics.py", "frame_statistics",
     'for part in track(torch.split(frames, 1 << 16), "statistics of train"):',
     "[1 to 2] #1",
     "how many frames are summed at a time changes a float64 sum by less than the float32 result holds"),
    ("asl_core/data/outliers.py", "within_usual",
     "if limits is None or not any(limits.outside(frames[start : start + (1 << 16)]).any() for start in slices):",
     "[16 to 17]", "slices that overlap hold the same frames"),
    ("asl_core/checkpoints/transfer.py", "rule_effects",
     "near = _near_prefix(pairs[old], ours) if pairs[old] else None", "[condition always true]",
     "no prefix is near to an empty one"),
    ("plugins/asl_ctc/scores.py", "_SingleGlossScores.forward", "gloss.masked_fill_(padded[..., None], 0.0)",
     "[0.0 to 1.0]",
     "no path ends on a padded frame (`after` is -inf there), so any finite number gives the same scores"),
    (MODEL, "Standardiser.described",
     'indices = track(torch.split(torch.arange(len(store)), 256), "describing train")', "[256 to 257]",
     "how many clips are described at a time changes no number"),
    ("asl_core/model/statistics.py", "frame_statistics",
     'for part in track(torch.split(frames, 1 << 16), "statistics of train"):',
     "[16 to 17] #1",
     "how many frames are summed at a time changes a float64 sum by less than the float32 result holds"),
    ("asl_core/checkpoints/transfer.py", "suggest_map",
     'prefixes = {name.rsplit(".", n)[0] for name, _ in checkpoint for n in range(1, name.count(".") + 1)}',
     "[1 to 2] #1",
     "a name cut at more dots than it has gives a prefix that is there already, or that nothing stands under"),
    ("plugins/asl_wlasl/files.py", "_matches",
     'while any(mark in str(base) for mark in "*?[") and base != base.parent:',
     "[And to Or]", "a glob that begins at the root of the file system finds the same files"),
)  # fmt: skip

#: id of a fault -> why it cannot be noticed; a test fails where an id is of no fault any more
EQUIVALENT = {f"{module} {where}: {text} {what}": why for module, where, text, what, why in _EQUIVALENT}


def by_hand() -> list[Mutant]:
    """The faults made by hand."""
    return [replaced(*entry) for entry in _BY_HAND]
