"""How much would more clips help? ``python examples/learning_curve.py --root features/`` prints the README's curve.

Trains on shares of the training clips (the same share of every sign; smaller shares lie inside larger ones) with
several seeds, evaluates the last weights on val, and prints a row a share. Runs that are done are not run again, so the
command may be given until the table is whole. Any settings: ``--recipe hands``, ``--set encoder=transformer``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path

import asl_core as asl

HEADER = "| share | train clips | a sign | top-1 | of the seeds | top-5 | gain | 95 % over seeds and clips |"


def summary(run: Path) -> dict[str, float]:
    """Figures of the last weights, and the training clips there were."""
    figures: dict[str, float] = json.loads((run / "summary.json").read_text(encoding="utf-8"))["report"]["metrics"]
    train = json.loads((run / "audit.json").read_text(encoding="utf-8"))["splits"]["train"]
    return figures | {"clips": train["clips"], "glosses": train["glosses"]}


def row_of(share: float, runs: list[Path], before: list[Path] | None, seeds: list[int]) -> str:
    """One line: the figures of a share, and what it gains over the share before it, paired by seed and clip."""
    found = [summary(run) for run in runs]
    clips = found[0]["clips"]
    cells = [
        f"{share:.0%}",
        f"{clips:.0f}",
        f"{clips / found[0]['glosses']:.1f}",
        f"**{100 * statistics.fmean(f['top1'] for f in found):.1f} %**",
        ", ".join(f"{100 * f['top1']:.1f}" for f in found),
        f"{100 * statistics.fmean(f['top5'] for f in found):.1f} %",
    ]
    if before is None:
        return "| " + " | ".join([*cells, "", ""]) + " |"
    change = asl.compare(before, runs, seeds)
    low, high = (100 * v for v in change.interval)
    return "| " + " | ".join([*cells, f"{100 * change.difference:+.1f}", f"{low:+.1f} to {high:+.1f}"]) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="../shared/data/wlasl100", help="folder with the pickles")
    parser.add_argument("--recipe", help="settings to begin with, such as hands")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", dest="settings", help="further settings")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.1, 0.25, 0.5, 1.0], help="of the training clips")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--out", type=Path, default=Path("runs/learning-curve"), help="one folder for one configuration"
    )
    options = parser.parse_args()

    words = [word.partition("=") for word in options.settings]
    if wrong := ["".join(word) for word in words if not (word[0] and word[1])]:
        parser.error(f"--set {wrong[0]}: expected KEY=VALUE, such as encoder=transformer")
    chosen = {"dataset": "wlasl", "dataset.root": options.root} | {key: value for key, _, value in words}
    if chosen["dataset"] != "wlasl" and "--root" not in sys.argv:
        del chosen["dataset.root"]
    print(HEADER + "\n" + 8 * "|---" + "|")
    before = None
    for share in sorted(options.shares):
        runs = []
        for seed in options.seeds:
            own = {"run.out": str(options.out), "run.name": f"share{share:g}-{seed}",
                   "run.seed": seed, "split.train-share": share}  # fmt: skip
            runs.append(asl.complete(asl.configure(own, flags=chosen, recipe=options.recipe)))
        print(row_of(share, runs, before, options.seeds), flush=True)
        before = runs


if __name__ == "__main__":
    main()
