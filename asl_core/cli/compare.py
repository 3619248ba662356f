"""``asl compare``: two finished runs, or two configurations over several seeds, paired by clip."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from asl_core.cli.flags import set_pairs
from asl_core.cli.paths import check_settings_file, kind_of
from asl_core.cli.showing import showing_progress
from asl_core.cli.wrapping import say
from asl_core.config.runs import find_run, known_run
from asl_core.errors import UsageError
from asl_core.text import one_line

if TYPE_CHECKING:
    from asl_core.checkpoints.held_out import Cache
    from asl_core.studies.comparison import Comparison, WerComparison
    from asl_core.studies.curriculum import Curriculum

__all__ = ["compare", "comparison_lines"]


@click.command("compare")
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@click.option("--seeds", default="0-4", show_default=True, help="0-4, or 0,1,2")
@click.option("--out", default="runs/compare", show_default=True, type=click.Path(path_type=Path))
@click.option(
    "--folds", type=click.IntRange(min=2), help="hold out a fold of train in place of val: seed s the fold s mod N + 1"
)
@click.option(
    "--fold-by",
    type=click.Choice(["gloss", "signer"]),
    default="gloss",
    show_default=True,
    help="whether folds hold out clips of every gloss, or whole signers",
)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="a setting for both sides")
@click.option("--json", "as_json", is_flag=True, help="the figures as JSON")
@click.pass_context
def compare(
    ctx: click.Context, /, first: Path, second: Path, seeds: str, out: Path, folds: int | None, fold_by: str,
    settings: tuple[str, ...], as_json: bool,
) -> None:  # fmt: skip
    """Compare two finished runs on the same val clips, or train two configurations with each seed and compare them.

    FIRST and SECOND are finished runs: prints the difference of their last weights, paired by clip, with its interval.

    Or they are TOML files of a run or a curriculum: trains both with each seed and compares their top-1 on val, or
    for sentences whole sentences and word error rate. Finished runs are not repeated; of a curriculum the last stage
    counts. The last weights are compared, not the best epoch on val. To choose between settings, use --folds: val is
    not used, and as many seeds as folds evaluate every clip of train once. In a curriculum each stage holds out its
    fold.
    """
    sides = [known_run(one) or one for one in (first, second)]
    kinds = [kind_of(side) for side in sides]
    runs = [k in _RUNS or (k == "missing" and side.suffix != ".toml") for k, side in zip(kinds, sides, strict=True)]
    if all(runs):
        _compare_runs(ctx, find_run(first), find_run(second), as_json=as_json)
        return
    if any(kind in _RUNS for kind in kinds) and "settings" in kinds:
        raise UsageError(f"{first} and {second}: one is a file of settings, the other a run; name two of a kind.")
    for side in sides:
        check_settings_file(side, "compare")

    from asl_core.compute.torchrun import wanted
    from asl_core.studies import comparison as library
    from asl_core.studies.curriculum import check_held_out

    if wanted() > 1:
        raise UsageError("asl compare trains its runs one after another in one process; leave out torchrun.")

    numbers = _seeds(seeds)
    # Both sides are read before any training.
    plans = [
        [_plan(file, seed, out, {**set_pairs(settings), **_fold(seed, folds, fold_by)}) for seed in numbers]
        for file in (first, second)
    ]
    if _settings(plans[0][0]) == _settings(plans[1][0]):
        raise UsageError(
            f"{first} and {second} come to the same settings, with defaults and suggestions filled in: nothing to "
            f"compare. `asl check FILE --resolved` shows them."
        )
    with showing_progress(as_json=as_json):
        cache: Cache = {}
        for plan in (plan for side in plans for plan in side):
            check_held_out(plan, cache)
        runs_made = [[_run(plan) for plan in side] for side in plans]
    compared = library.compare(runs_made[0], runs_made[1], numbers)
    if as_json:
        click.echo(json.dumps(attrs.asdict(compared), indent=2))
        return
    for line in comparison_lines(first.stem, second.stem, compared):
        say(one_line(line))


def comparison_lines(first: str, second: str, compared: Comparison) -> Iterator[str]:
    """A comparison over seeds for people."""
    several = len(compared.seeds) > 1
    for name, values in ((first, compared.first), (second, compared.second)):
        each = ", ".join(f"{100 * v:.1f}" for v in values)
        spread = f"± {100 * statistics.stdev(values):.1f} over seeds ({each})" if several else "of one seed"
        yield f"{name:<24} {compared.measure} {100 * statistics.fmean(values):.1f} % {spread}"
    # Resampled seeds that all agree have no width, which is not what other seeds would show.
    low, high = compared.seed_interval
    alone = f"{100 * low:+.1f} to {100 * high:+.1f} over seeds alone" if low < high else ""
    alone = alone or ("all seeds differ by the same" if several else "one seed says nothing about others")
    over = "seeds and clips" if several else "clips"
    yield f"{second} - {first}: {_difference(compared.difference, compared.interval)} over {over} ({alone})"
    if compared.wer is not None:
        yield from _wer_lines(first, second, compared.wer)


def _difference(value: float, interval: tuple[float, float]) -> str:
    low, high = interval
    return f"{100 * value:+.1f} points, 95 % interval {100 * low:+.1f} to {100 * high:+.1f}"


def _wer_lines(first: str, second: str, wer: WerComparison) -> Iterator[str]:
    """Word error rates, each with its interval, and their difference."""
    sides = (first, wer.first, wer.first_interval), (second, wer.second, wer.second_interval)
    for name, values, (low, high) in sides:
        mean = 100 * statistics.fmean(values)
        yield f"{name:<24} word error rate {mean:.1f} % (95 % interval {100 * low:.1f} to {100 * high:.1f} %)"
    if wer.interval[0] == wer.interval[1]:  # resampling clips that all differ by the same says nothing of others
        yield f"{second} - {first}: word error rate {100 * wer.difference:+.1f} points, on every resample of the clips"
    else:
        yield f"{second} - {first}: word error rate {_difference(wer.difference, wer.interval)} (bootstrap)"


_RUNS = ("run", "curriculum")


def _compare_runs(ctx: click.Context, first: Path, second: Path, *, as_json: bool) -> None:
    """Two finished runs."""
    from asl_core.studies.run_pairs import compare_runs

    given = [n for n in ("seeds", "out", "folds", "fold_by", "settings") if ctx.get_parameter_source(n) is _TYPED]
    if given:
        names = ", ".join("--set" if n == "settings" else f"--{n.replace('_', '-')}" for n in given)
        raise UsageError(f"{names} is about training, and {first} and {second} are finished runs; leave it out.")
    pair = compare_runs(first, second)
    if as_json:
        click.echo(json.dumps({"first_run": str(first), "second_run": str(second), **attrs.asdict(pair)}, indent=2))
        return
    for warning in pair.warnings:
        say(one_line(f"warning: {warning}"), err=True)
    say(one_line(f"{pair.measure} of the last weights on the same {pair.clips} val clips, paired"))
    for run, share, alone in ((first, pair.first, pair.only_first), (second, pair.second, pair.only_second)):
        say(one_line(f"{run}: {100 * share:.1f} %, {alone} clips that the other had wrong"))
    difference = _difference(pair.difference, pair.interval)
    say(one_line(f"difference: {difference}, p = {pair.p_value:.2g} (exact sign test)"))
    for line in () if pair.wer is None else _wer_lines(str(first), str(second), pair.wer):
        say(one_line(line))


_TYPED = click.core.ParameterSource.COMMANDLINE


def _seeds(text: str) -> list[int]:
    try:
        low, dash, high = text.partition("-")
        return list(range(int(low), int(high) + 1)) if dash else [int(s) for s in text.split(",")]
    except ValueError as fault:
        raise click.BadParameter(f"{text!r} is neither a range such as 0-4 nor a list such as 0,1,2") from fault


def _fold(seed: int, folds: int | None, by: str) -> dict[str, str]:
    """Settings of the fold that a seed holds out."""
    return {} if folds is None else {"split.fold": f"{seed % folds + 1}/{folds}", "split.fold-by": by}


def _plan(file: Path, seed: int, out: Path, settings: dict[str, str]) -> Curriculum:
    """The curriculum of one side with one seed.

    A plain file becomes a curriculum of one stage. Its saved plan has the settings as given: the run itself may leave
    out components that do not fit its clips, and still counts as the same run when the command is repeated.
    """
    from asl_core import api
    from asl_core.config.sources import flag_layer
    from asl_core.studies.curriculum import Curriculum, Stage, is_curriculum, load_curriculum

    name = f"{file.stem}-seed{seed}"
    if fold := settings.get("split.fold"):
        name += f"-{settings.get('split.fold-by', 'gloss')}-fold{fold.replace('/', 'of')}"
    layer = flag_layer({**settings, "run.seed": str(seed), "run.out": str(out), "run.name": name})
    if is_curriculum(file):
        return load_curriculum(file, layer)
    config = api.configure({"run.out": str(out / name), "run.name": "run"}, file=file, flags=layer)
    return Curriculum(out / name, (Stage("run", config, None),))


def _settings(plan: Curriculum) -> list[dict[str, Any]]:
    """The settings of a plan's stages, without their folder."""
    return [{k: v for k, v in stage.config.values().items() if k != "run.out"} for stage in plan.stages]


def _run(plan: Curriculum) -> Path:
    """The last run of a plan: new, resumed, or already finished."""
    from asl_core.studies.curriculum import run_curriculum

    say(one_line(f"{plan.path.name} …"), err=True)
    return run_curriculum(plan, checked=True)[-1].path
