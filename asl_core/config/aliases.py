"""Names that other trainers and guides use for our settings. None is accepted: the error says what to type instead."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["ALIASES", "REMARKS", "VALUES"]


def _table(rows: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Other name -> our names, the likeliest first."""
    names: dict[str, tuple[str, ...]] = {}
    for ours, others in rows.items():
        for other in others.split():
            names[other] = (*names.get(other, ()), *ours.split())
    return names


#: other name -> the last parts of our keys (``learning-rate``), or whole keys (``run.out``), the likeliest first
ALIASES: Mapping[str, tuple[str, ...]] = _table(
    {
        "train.learning-rate": "lr learningrate base-lr init-lr initial-lr max-lr peak-lr lr0 alpha eta",
        "train.batch-size": "bs batch batchsize train-batch-size per-device-train-batch-size minibatch mini- "
        "batch-size b",
        "train.eval-batch-size": "val-batch-size test-batch-size per-device-eval-batch-size",
        "train.epochs": "epoch num-epochs n-epochs nepochs max-epochs num-train-epochs nb-epochs total-epochs ep e",
        "train.weight-decay": "wd l2 decay weightdecay l2-reg regularization regularisation",
        "train.warmup": "warmup-steps warmup-epochs warmup-ratio num-warmup-steps warm-up",
        "train.schedule": "scheduler lr-scheduler sched lr-schedule lr-decay lr-scheduler-type",
        "train.clip-norm": "clip grad-clip clip-grad clip-grad-norm gradient-clip max-grad-norm gradient-clip-val",
        "train.accumulate": "accumulation grad-accum gradient-accumulation-steps accumulate-grad-batches accum-iter",
        "train.patience": "early-stopping early-stop es-patience stop-patience early-stopping-patience",
        "train.select": "monitor metric best-metric metric-for-best-model",
        "train.standardise": "standardize normalize normalise norm-features zscore",
        "train.precision": "fp16 amp bf16 half mixed-precision use-amp fp32 dtype",
        "train.ema": "ema-decay model-ema",
        "train.mixup": "mix-up mixup-alpha",
        "train.tta": "test-time-augmentation views",
        "run.device": "gpu cuda cpu mps gpus num-gpus gpu-id gpu-ids gpuid use-cuda use-gpu no-cuda "
        "accelerator devices",
        "run.threads": "workers num-workers n-workers nworkers dataloader-num-workers num-threads "
        "n-threads jobs njobs j "
        "cpus",
        "run.out": "output-dir output out-dir outdir save-dir savedir save-path save log-dir logdir exp-dir runs-dir "
        "work-dir workdir model-dir checkpoint-dir ckpt-dir results-dir o",
        "run.name": "run-name exp-name experiment experiment-name exp-id tag",
        "run.seed": "random-seed manual-seed rng-seed random-state s",
        "split.fold": "folds k-fold kfold num-folds cv",
        "split.train-share": "train-fraction fraction subset data-fraction",
        "init.path": "pretrained pretrained-path pretrained-model pretrained-weights pretrain weights "
        "weight checkpoint "
        "checkpoint-path checkpoint-file ckpt ckpt-path load load-from load-checkpoint load-model model-path "
        "init-checkpoint init-from finetune fine-tune stage1-checkpoint stage-1-checkpoint stage1-ckpt stage1-path "
        "stage-1 encoder-checkpoint encoder-weights",
        "init.freeze": "freeze-encoder frozen freeze-backbone",
        "root": "data data-dir data-path data-root data-folder datadir datapath dataset-dir "
        "dataset-path dataset-root "
        "features-dir feature-dir features-path features features-root input input-dir root-dir folder dir path d",
        "dataset.train": "train-data train-file train-features train-path train-pkl train-files",
        "dataset.val": "val-data val-file val-features val-path val-pkl valid dev dev-data validation-data eval-data",
        "dataset.test": "test-data test-file test-features test-path test-pkl",
        "labels": "label-file labels-file annotations annotation ann-file json-file gloss-file",
        "glosses": "vocabulary vocab vocab-file num-classes n-classes classes nclasses num-glosses "
        "num-signs vocab-size",
        "hidden-size": "hidden hidden-dim hiddendim hidden-dims hidden-units hid-dim nhid d-model dmodel model-dim "
        "embed-dim embedding-dim embed-size emb-dim rnn-size rnn-dim gru-hidden lstm-hidden units dim width hdim h",
        "layers": "num-layers n-layers nlayers nlayer depth num-encoder-layers encoder-layers rnn-layers gru-layers",
        "heads": "num-heads n-heads nhead nheads attention-heads attn-heads",
        "feedforward": "ff ffn ff-dim ffn-dim dim-feedforward mlp-dim d-ff intermediate-size",
        "dropout": "drop drop-rate dropout-rate dropout-p dropout-prob p-dropout dp",
        "bidirectional": "bidir bi unidirectional",
        "downsample": "stride subsample subsampling downsampling pool-stride",
        "kernel": "kernel-size ksize conv-kernel",
        "blank-penalty": "blank-loss blank-weight blank-pen lambda-blank blank-reg",
        "blank-bias": "blank-init blank-logit-bias",
        "label-smoothing": "smoothing label-smooth ls",
        "temperature": "tau temp",
        "encoder.name": "model arch architecture backbone net network encoder-type model-type model-name rnn-type",
        "head.name": "decoder head-type classifier",
        "loss.name": "criterion loss-fn loss-function loss-type objective",
        "augment.names": "aug augs augmentation augmentations augmentations-list use-augmentation no-augment no-aug",
        "transform.names": "transforms preprocess preprocessing",
        "observer.names": "logger loggers callback callbacks wandb tensorboard report-to",
    }
)

#: other name -> the value that it stands for
VALUES: Mapping[str, str] = {
    **dict.fromkeys(("gpu", "cuda", "use-cuda", "use-gpu", "gpus", "gpu-id", "accelerator"), "cuda"),
    **dict.fromkeys(("cpu", "no-cuda"), "cpu"),
    "mps": "mps",
    **dict.fromkeys(("amp", "use-amp", "mixed-precision", "bf16"), "bf16"),
    **dict.fromkeys(("fp16", "half"), "fp16"),
    "fp32": "fp32",
    **dict.fromkeys(("no-augment", "no-aug"), "none"),
    "unidirectional": "false",
    **dict.fromkeys(("cosine",), "cosine"),
}

#: other name -> what to do, where no setting corresponds to it
REMARKS: Mapping[str, str] = {
    other: remark
    for remark, others in {
        "settings of a file are given as its path alone: asl run FILE.toml": (
            "config cfg conf configuration config-file config-path c yaml hparams settings"
        ),
        "to continue an interrupted run: --resume runs/NAME": (
            "resume-from resume-from-checkpoint continue resume-path restart auto-resume"
        ),
        "a run shows its progress anyway; --quiet shows only the outcome, --debug the traceback of an error": (
            "verbose v verbosity log-level loglevel progress silent q debug-mode vv"
        ),
        "to evaluate a trained run: asl eval RUN --split test": (
            "eval evaluate eval-only test-only do-eval validate do-test do-train"
        ),
        "to name the signs in a file: asl predict RUN FILE": "predict inference infer do-predict",
        "the optimizer is AdamW, set by --learning-rate, --weight-decay and --schedule": (
            "optimizer optimiser optim opt momentum betas adam-epsilon"
        ),
        "to check settings without training: asl check FILE.toml": "dry-run dryrun check fast-dev-run",
        "to list the components: asl ls": "list ls",
        "torchrun starts several processes: asl help processes": (
            "world-size nproc nproc-per-node num-processes distributed ddp local-rank"
        ),
        "train clips are shuffled in every epoch; --seed decides the order": "shuffle no-shuffle",
        "clips are used whole; `asl ls transform` lists what can cut them": (
            "max-frames max-len max-length seq-len num-frames"
        ),
        "asl --version shows it": "version V",
    }.items()
    for other in others.split()
}
