"""A script for asl 0.1: names of options and of Python as they were. Prints one line of JSON."""

import json
import sys
from pathlib import Path

import asl_core as asl

runs, out = Path(sys.argv[1]), sys.argv[2]
values = {
    "dataset": "demo", "dataset.glosses": 3, "dataset.train": 8, "dataset.val": 4, "dataset.signers": 4,
    "encoder": "gru", "encoder.hidden-size": 4, "encoder.front-size": 4, "encoder.layers": 1,
    "head": "ctc", "head.evidence-frames": 4.0, "train.epochs": 1, "train.pool": 3, "train.ema": 0.0,
    "train.average-last": 1, "run.device": "cpu", "run.out": out, "init": str(runs / "stage1"), "init.share": 0.5,
}  # fmt: skip


class Epochs:
    """An observer of api 1."""

    def on_start(self, config, summary):
        self.lines = [config.train.pool, config.train.average_last, config.init.share, summary is not None]

    def on_epoch(self, report):
        self.lines.append([report.epoch, sorted(report.train)])

    def on_end(self, summary):
        self.lines.append("end")


epochs = Epochs()
config = asl.configure(values, train__average_views=[], project_file=False, environ={})
result = asl.run(config, [epochs])
plain = asl.load(runs / "plain", average_views=[])
report, predictions, store = asl.evaluate_run(runs / "plain", average_views=["slower"])
together, _, _ = asl.evaluate_run(runs / "plain", average_views=[], together_with=[runs / "from-stage1"])
explained = asl.explain_run(runs / "plain")
clips = list(plain.config.dataset.build().clips("val"))
told = asl.predict_clips(plain, clips)
both = asl.compare_runs(runs / "plain", runs / "from-stage1")
print(
    json.dumps(
        {
            "lines": epochs.lines,
            "last": result.last["top1"],
            "plain": report["metrics"]["top1"],
            "together": together["metrics"]["top1"],
            "mistakes": len(explained.mistakes.confusions),
            "width": plain.width,
            "told": told[0].top[0][0],
            "clips": [len(store.ids), tuple(predictions.scores.shape), both.clips],
        }
    )
)
