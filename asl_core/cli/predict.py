"""``asl predict``: the signs in files of clips."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from asl_core.cli.averaging import ensemble_flag, tta_flag
from asl_core.cli.paths import check_run, clip_files
from asl_core.cli.run_argument import RUN
from asl_core.cli.showing import showing_progress
from asl_core.cli.wrapping import say
from asl_core.config.runs import known_run
from asl_core.errors import UsageError
from asl_core.text import json_text, one_line, printable

if TYPE_CHECKING:
    from asl_core.evaluation.alignment import Alignment, Placed
    from asl_core.evaluation.prediction import ClipPrediction

__all__ = ["predict"]


class _Rate(click.FloatRange):
    """A range that NaN, which no comparison excludes, is not in."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        rate = super().convert(value, param, ctx)
        if math.isnan(rate):
            self.fail(f"{value} is not in the range {self._describe_range()}.", param, ctx)
        return rate


@click.command("predict")
@click.argument("run", type=RUN)
@click.argument("files", nargs=-1, required=True, metavar="FILE…", type=click.Path(path_type=Path))
@click.option("--top", default=5, show_default=True, type=click.IntRange(min=1), help="glosses for each clip")
@click.option("--weights", type=click.Choice(["final", "best"]), default="final", show_default=True)
@ensemble_flag
@tta_flag
@click.option("--alignment", is_flag=True, help="also align the glosses with the frames of the clip")
@click.option("--fps", type=_Rate(0, 1000, min_open=True), help="frames per second, where files do not say")
@click.option("--device", default="cpu", show_default=True, help="auto, cpu, cuda, cuda:1, mps")
@click.option("--json", "as_json", is_flag=True, help="a list of clips with their glosses and probabilities")
@click.pass_context
def predict(
    ctx: click.Context,
    run: Path,
    files: tuple[Path, ...],
    top: int,
    weights: str,
    ensemble: tuple[Path, ...],
    tta: tuple[str, ...] | None,
    alignment: bool,
    fps: float | None,
    device: str,
    as_json: bool,
) -> None:
    """Name the sign of each clip in each FILE with the model of RUN.

    A FILE is a .npy of one clip (frames × features), a file that the run's data set reads, such as a pickle of the
    reference layout, a file or folder of frames of any format (`asl ls format`), or a folder of such. Of several files
    those that cannot be read are reported, and the exit code is then 1.
    """
    check_run(run, "predict", [known_run(file) or file for file in files])
    for one in ensemble:
        check_run(one, "predict")
    paths = clip_files(files)
    alone = len(paths) == 1 and not files[0].is_dir()

    with showing_progress(as_json=as_json):
        from asl_core.evaluation import prediction, reading

        loaded, *others = prediction.load_ensemble((run, *ensemble), weights=weights, device=device, tta=tta)
    own_rate = reading.own_rate(loaded)
    if ensemble and not as_json:
        say(
            one_line(f"mean of {1 + len(ensemble)} runs; alignments, texts and warnings are those of {run}"),
            err=True,
        )
    entries: list[dict[str, Any]] = []
    failed = 0
    untimed = False
    for path in paths:
        try:
            with showing_progress(as_json=as_json):
                clips = reading.clips_of(loaded, path)
                untimed = untimed or any(clip.fps is None and clip.times is None for clip in clips)
                clips = reading.at_rate(clips, fps or own_rate)
                predicted = prediction.predict_clips(loaded, clips, top=top, alignment=alignment, ensemble=others)
        except UsageError as fault:
            if alone:
                raise
            failed += 1
            entries.append({"schema": prediction.SCHEMA, "file": str(path), "error": str(fault)})
            prefix = "" if str(path) in str(fault) else f"{path}: "
            say(printable(f"error: {prefix}{fault}"), err=True)
            continue
        entries += [p.to_json() if alone else {"file": str(path), **p.to_json()} for p in predicted]
        if as_json:
            continue
        if not alone:
            say(one_line(f"{path}:"))
        for clip in predicted:
            _print(clip)
    rate = own_rate or loaded.fps
    if untimed and fps is None and rate is not None:
        whose = "the model's" if own_rate is None else "dataset.fps of the run"
        text = f"note: frames per second are not known and taken as {rate:g}, {whose}; --fps says another"
        say(one_line(text), err=True)
    if as_json:
        click.echo(json_text(entries, indent=2))
    if failed:
        say(one_line(f"{failed} of {len(paths)} files could not be read."), err=True)
        ctx.exit(1)


def _print(clip: ClipPrediction) -> None:
    """The predictions for one clip."""
    for warning in clip.warnings:
        say(one_line(f"warning: clip {clip.id!r}: {warning}"), err=True)
    say(one_line(clip.id + (f" (is {' '.join(clip.glosses)})" if clip.glosses else "")))
    if clip.text is not None:
        say(one_line(f"  reads {' '.join(clip.text) or 'nothing'}"))
    for gloss, probability in clip.top:
        say(one_line(f"  {100 * probability:5.1f} %  {gloss}"))
    if clip.alignment is not None:
        for line in _alignment_lines(clip.alignment):
            say(one_line(f"  {line}"))


def _alignment_lines(alignment: Alignment) -> Iterable[str]:
    first, last = alignment.best[0].first, alignment.best[-1].last
    cut = "" if (first, last) == (0, alignment.frames - 1) else f", of which the model got {first} to {last}"
    whose = "" if alignment.of_file else " after the transforms, which do not say where they were in the file"
    yield f"frames 0 to {alignment.frames - 1}{whose}{cut}"
    for span in alignment.named:
        if span.gloss is not None:
            yield f"{_frames(span)}: {span.gloss}, on the likeliest path of the predicted glosses"
    spans = ", ".join(f"{span.gloss or 'blank'} {_frames(span)}" for span in alignment.best)
    yield f"best symbol of every frame: {spans}"


def _frames(span: Placed) -> str:
    where = str(span.first) if span.first == span.last else f"{span.first} to {span.last}"
    return f"{where} ({100 * span.probability:.0f} %)"
