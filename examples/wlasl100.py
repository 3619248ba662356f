"""Compares encoders, heads and recipes on the WLASL100 pickles of 36 features.

    python examples/wlasl100.py --root features/ --seeds 0 1 2

Prints a Markdown table with a row for each configuration: top-1, top-5, parameters and seconds to train over all seeds,
of the last weights, not of the epoch with the best val. Finished runs are reused, so an interrupted command can be
given again.
"""

from __future__ import annotations

from typing import Any

from run_tables import HEADER, finished, fold_settings, parser_of, print_ensembles, row_of

ROWS: dict[str, dict[str, Any]] = {
    "gru, ctc": {"encoder": "gru", "head": "ctc"},
    "transformer, ctc": {"encoder": "transformer", "head": "ctc"},
    "gru, mean pooling": {"encoder": "gru", "head": "mean"},
    "recipe numbers36": {"recipe": "numbers36"},
    "recipe numbers36, convformer": {
        "recipe": "numbers36", "encoder": "convformer", "encoder.downsample": 1, "train.batch-size": 32,
        "train.clip-norm": 1.0,
    },
    "gru, ctc, plain CTC loss": {"encoder": "gru", "head": "ctc", "loss": "ctc"},
    "gru, ctc, numbers as stored": {"encoder": "gru", "head": "ctc", "dataset.class-key": "stored-number"},
}  # fmt: skip


def main() -> None:
    parser = parser_of(__doc__, root="../shared/data/wlasl100", out="runs/wlasl100")
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("--ensemble", "--together", action="store_true", help="add rows for ensembles of the runs")
    parser.add_argument("--folds", type=int, help="N: seed s holds out fold s mod N + 1 of train in place of val")
    options = parser.parse_args()

    print(HEADER)
    runs = []
    for row in options.rows:
        of_row = []
        for seed in options.seeds:
            prefix, fold = fold_settings(options, seed)
            settings = {"dataset": "wlasl", "dataset.root": options.root, "run.seed": seed, **ROWS[row], **fold}
            recipe, name = settings.pop("recipe", None), f"{prefix}{row.replace(', ', '-').replace(' ', '-')}-{seed}"
            of_row.append(finished(options, name, settings, recipe))
        print(row_of(row, of_row), flush=True)
        runs.append(of_row)
    if options.ensemble:
        print_ensembles(options.rows, runs, same_clips=not options.folds)


if __name__ == "__main__":
    main()
