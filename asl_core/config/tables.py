"""The tables of settings that every run has: training, the run itself, its splits, its starting weights."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from asl_core.files.paths import is_folder_name
from asl_core.registry.options import former_attributes, option

__all__ = ["TABLES", "InitOptions", "RunOptions", "SplitOptions", "TrainOptions"]


@former_attributes
@attrs.frozen
class TrainOptions:
    """How a model is trained."""

    epochs: int = option(60, help="passes over the training clips", ge=1)
    batch_size: int = option(16, help="clips per step", ge=1)
    learning_rate: float = option(1e-3, help="peak learning rate of AdamW", gt=0)
    weight_decay: float = option(0.05, help="decoupled weight decay of AdamW, on matrices only", ge=0)
    warmup: float = option(0.1, help="share of all steps over which the learning rate rises", ge=0, lt=1)
    schedule: str = option("cosine", help="learning rate after warm-up", choices=("cosine", "constant"))
    clip_norm: float = option(5.0, help="largest norm of the gradient; 0 does not clip", ge=0)
    ema: float = option(0.99, help="decay of the moving average of weights that is evaluated; 0 for none", ge=0, lt=1)
    swa_epochs: int = option(
        0,
        help="evaluate the mean of the weights after each of the last N epochs (Izmailov et al. 2018) instead of the "
        "moving average; needs ema 0",
        ge=0,
        former="average-last",
    )
    mixup: float = option(
        0.0, help="mix pairs of clips in half of the batches, shares from Beta(alpha, alpha) (Zhang et al. 2018)", ge=0
    )
    accumulate: int = option(1, help="batches whose gradients are summed for one step", ge=1)
    patience: int = option(0, help="stop after this many epochs without a better val metric; 0 never stops", ge=0)
    select: str = option("auto", help="val metric that selects the best epoch: top1, top5, loss, wer, … or auto")
    standardise: bool = option(True, help="scale every feature to mean 0 and standard deviation 1 on train")
    bucket_batches: int = option(
        32,
        help="batches whose clips are sorted by length together, so that little is padded; 1 for a random order",
        ge=1,
        former="pool",
    )
    tta: tuple[str, ...] = option(
        (),
        help="test-time augmentation: average the probabilities over each clip and these views of it (mirror, slower, "
        "faster), as far as an augmentation of the run offers them; does not change decoded sentences",
        former="average-views",
    )
    eval_batch_size: int = option(64, help="clips per batch in evaluation", ge=1)
    precision: str = option(
        "auto",
        help="arithmetic of the forward pass; auto is bf16 on CUDA devices that have it",
        choices=("auto", "fp32", "bf16", "fp16"),
    )
    on_nan: str = option(
        "stop",
        help="on a loss or gradient that is not finite: stop and name the cause, or skip the step, count it, and stop "
        "after 20 in a row or a whole epoch",
        choices=("stop", "skip"),
    )

    def __attrs_post_init__(self) -> None:
        if not self.swa_epochs:
            return
        if self.ema:
            raise ValueError(
                f"swa-epochs {self.swa_epochs} takes the place of the moving average, and ema is {self.ema:g}: set ema "
                f"to 0, or leave swa-epochs out"
            )
        if self.patience:
            raise ValueError("swa-epochs needs to know which epochs are the last: leave out patience")
        if self.swa_epochs > self.epochs:
            raise ValueError(f"swa-epochs is {self.swa_epochs}, and there are {self.epochs} epochs")


@attrs.frozen
class RunOptions:
    """Where a run is saved and what it runs on."""

    out: str = option("runs", help="folder of the run directories")
    name: str | None = option(None, help="name of the run directory (default: the components and a number)")
    seed: int = option(0, help="seed of the weights, the order of clips and the augmentation", ge=0)
    device: str = option("auto", help="auto, cpu, cuda, cuda:1 or mps")
    # One thread: operations of these models are too small to share, and threads that wait for each other spin, which
    # on a busy machine costs many times what it gains. It also makes results independent of the number of cores.
    threads: int = option(1, help="CPU threads; more may help large models on an idle machine; 0: as torch does", ge=0)

    def __attrs_post_init__(self) -> None:
        if self.name is not None and not is_folder_name(self.name):
            raise ValueError(f"name {self.name[:80]!r} is not a folder name: give a plain name, and the folder as out")


@attrs.frozen
class SplitOptions:
    """Other splits than those of the data set, for studies."""

    fold: str | None = option(None, help="K/N, such as 2/5: cross-validation within train; val is not used")
    fold_by: str = option(
        "gloss", help="what a fold holds out: clips of every gloss, or signers", choices=("gloss", "signer")
    )
    train_share: float = option(1.0, help="share of the train clips of every gloss to train on", gt=0, le=1)
    without: tuple[str, ...] = option((), help="ids of clips to leave out of every split")


@former_attributes
@attrs.frozen
class InitOptions:
    """The weights that a run's encoder starts from."""

    path: str | None = option(None, help="start from this checkpoint: PATH, or LOADER:PATH (stage1:…, run:…, torch:…)")
    map: tuple[str, ...] = option(
        (), help="OLD=NEW prefixes of the checkpoint's tensor names, in whole dotted parts: backbone=,rnn=lstm"
    )
    min_coverage: float = option(
        1.0,
        help="smallest share of the encoder's parameters that the checkpoint must cover",
        gt=0,
        le=1,
        former="share",
    )
    freeze: bool = option(False, help="do not train the transferred weights")
    learning_rate_scale: float = option(1.0, help="factor of the learning rate for the transferred weights", gt=0)
    features: str = option(
        "auto",
        help="scale of the features: as the weights were trained (auto), or deliberately as stored or standardised",
        choices=("auto", "stored", "standardised"),
    )
    transforms: str = option(
        "same", help="whether transforms must be those the weights were trained with", choices=("same", "any")
    )
    ids: str = option(
        "same",
        help="whether equal ids of clips in the data of this run and of the weights mean the same recording (same), or "
        "nothing (any)",
        choices=("same", "any"),
    )

    def __attrs_post_init__(self) -> None:
        if self.path is None and any(getattr(self, f.name) != f.default for f in attrs.fields(InitOptions)):
            raise ValueError("these options say how a checkpoint is loaded, and none is given: give --init PATH")
        if self.freeze and self.learning_rate_scale != 1:
            raise ValueError("freeze does not train the transferred weights; leave out learning-rate-scale")


#: table -> its options
TABLES: Mapping[str, type] = {"train": TrainOptions, "run": RunOptions, "split": SplitOptions, "init": InitOptions}
