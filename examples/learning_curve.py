"""How much would more clips help? Trains on shares of the training clips and prints the learning curve.

    python examples/learning_curve.py --root landmarks/ --recipe hands --shares 0.1 0.25 1

Prints a Markdown table with a row for each share: top-1 and top-5 of the last weights over all seeds, and the gain over
the share before, with a 95 % interval, paired by seed and clip. A share has as much of every sign, and contains the
smaller shares. Finished runs are reused, so an interrupted command can be given again.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

from run_tables import finished, parser_of, percent_interval, percents

import asl_core as asl

HEADER = "| share | train clips | a sign | top-1 | of the seeds | top-5 | gain | 95 % over seeds and clips |"


def figures_of(run: Path) -> dict[str, float]:
    """Figures of the last weights, and the numbers of training clips and glosses."""
    figures: dict[str, float] = json.loads((run / "summary.json").read_text(encoding="utf-8"))["report"]["metrics"]
    train = json.loads((run / "audit.json").read_text(encoding="utf-8"))["splits"]["train"]
    return figures | {"clips": train["clips"], "glosses": train["glosses"]}


def row_of(share: float, runs: list[Path], smaller: list[Path] | None, seeds: list[int]) -> str:
    """The row of a share, with its gain over the runs of the ``smaller`` one."""
    figures = [figures_of(run) for run in runs]
    clips = figures[0]["clips"]
    cells = [
        f"{share:.0%}",
        f"{clips:.0f}",
        f"{clips / figures[0]['glosses']:.1f}",
        f"**{100 * statistics.fmean(f['top1'] for f in figures):.1f} %**",
        percents(f["top1"] for f in figures),
        f"{100 * statistics.fmean(f['top5'] for f in figures):.1f} %",
        "",
        "",
    ]
    if smaller is not None:
        change = asl.compare(smaller, runs, seeds)
        cells[-2:] = [f"{100 * change.difference:+.1f}", percent_interval(change.interval)]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = parser_of(__doc__, root="../shared/data/wlasl100", out="runs/learning-curve")
    parser.add_argument("--recipe", help="settings to begin with, such as hands")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.1, 0.25, 0.5, 1.0], help="of the training clips")
    options = parser.parse_args()

    data = {"dataset": "wlasl", "dataset.root": options.root}
    if "dataset" in dict(options.settings) and "--root" not in sys.argv:
        del data["dataset.root"]
    print(HEADER + "\n" + 8 * "|---" + "|")
    smaller = None
    for share in sorted(options.shares):
        runs = []
        for seed in options.seeds:
            settings = {**data, "run.seed": seed, "split.train-share": share}
            runs.append(finished(options, f"share{share:g}-{seed}", settings, options.recipe))
        print(row_of(share, runs, smaller, options.seeds), flush=True)
        smaller = runs


if __name__ == "__main__":
    main()
