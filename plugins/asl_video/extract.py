"""``asl extract``: videos to files of landmarks that ``--dataset files`` trains on."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

import asl_core as asl

__all__ = ["extract"]


@click.command("extract")
@click.argument("videos", required=False, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--out", type=click.Path(path_type=Path), help="folder to write to; the same one continues what was stopped"
)
@click.option(
    "--list", "listed", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="CSV (file, gloss, split, signer, start, end) or WLASL's JSON (default: folders are named after signs)",
)  # fmt: skip
@click.option("--whole", is_flag=True, help="videos are cut already: pass over start and end in the list")
@click.option("--mirror", is_flag=True, help="pictures are mirrored, as some selfie cameras save them")
@click.option("--jobs", type=click.IntRange(min=1), help="videos at once (default: number of processors)")
@click.option(
    "--detector",
    envvar="ASL_DETECTOR",
    default="mediapipe-hands",
    show_default=True,
    help="mediapipe-hands, mediapipe-holistic, or MODULE:FUNCTION",
)
@click.option("--model", type=click.Path(path_type=Path), help="model file of the detector")
@click.option(
    "--timeout", type=click.FloatRange(min=1), default=60.0, show_default=True, help="seconds without a frame"
)
@click.option("--download-model", is_flag=True, help="download MediaPipe's hand_landmarker.task (7.8 MB) first, once")
def extract(
    videos: Path | None,
    out: Path | None,
    listed: Path | None,
    whole: bool,
    mirror: bool,
    jobs: int | None,
    detector: str,
    model: Path | None,
    timeout: float,
    download_model: bool,
) -> None:
    """Find the hands in all VIDEOS, and write a file of landmarks for each.

    \b
    VIDEOS/GLOSS/clip.mp4          folders named after signs
    VIDEOS/SPLIT/GLOSS/clip.mp4    likewise, by train, val and test
    --list FILE                    any folders, and a list of the videos in them

    OUT gets GLOSS/clip.npz, list.csv and the report extract.json. Stopped or killed, the same command goes on; at most
    the clips in work are lost. `asl help video` says more.
    """  # noqa: D301 - click knows the character \b, not two of them
    if download_model:
        from asl_video.model_files import HANDS

        click.echo(f"model file: {HANDS.download()}")
        if videos is None:
            return
    if videos is None or out is None:
        raise click.UsageError("expected a folder of videos and --out FOLDER: asl extract VIDEOS --out landmarks")
    from asl_video.extraction import extract_all
    from asl_video.process import WorkerSettings
    from asl_video.report import as_json, report_lines
    from asl_video.video_lists import list_videos

    found = list_videos(videos, listed, whole=whole)
    settings = WorkerSettings(detector=detector, model=model, mirror=mirror, timeout=timeout)
    try:
        with asl.showing_progress():
            outcomes, identity = extract_all(found.entries, out, settings, jobs or _processors())
    except KeyboardInterrupt:
        click.echo("stopped; what was extracted is kept, and the same command goes on.", err=True)
        raise
    report = as_json(outcomes, found.repeated, identity)
    (out / "extract.json").write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    for line in report_lines(outcomes, found.repeated):
        click.echo(line)
    if not report["extracted"]:
        raise asl.DataError(f"no video of {videos} could be extracted; {out / 'extract.json'} says why of each.")
    click.echo(f"landmarks by {identity}; the report is {out / 'extract.json'}")
    recipe = "holistic" if "holistic" in identity else "hands"
    click.echo(f"train on them: asl run --dataset files --dataset.root {asl.as_word(out)} --recipe {recipe}")


def _processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
