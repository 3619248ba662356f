"""Where glosses stand, in frames of the file that they were read from."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import attrs
import numpy as np
import pytest
from small import small

import asl_core as asl
from asl_core.cli import main
from asl_core.data.pipeline import Pipeline
from asl_core.errors import UsageError
from asl_core.evaluation.alignment import frame_numbers


class Cut:
    """Leaves out the first frames and the last, and says so."""

    def __init__(self, first: int, last: int):
        self.first, self.last = first, last

    def frames_kept(self, clip: asl.Clip) -> slice:
        return slice(self.first, len(clip.features) - self.last)

    def __call__(self, clip: asl.Clip) -> asl.Clip:
        return attrs.evolve(clip, features=clip.features[self.frames_kept(clip)])


def halved(clip: asl.Clip) -> asl.Clip:
    """Does not say what it leaves out."""
    return attrs.evolve(clip, features=clip.features[::2])


def doubled(clip: asl.Clip) -> asl.Clip:
    return attrs.evolve(clip, features=2 * clip.features)


def clip_of(frames: int) -> asl.Clip:
    return asl.Clip(id="c", features=np.random.default_rng(0).normal(size=(frames, 36)).astype(np.float32))


def test_frames_are_found_again_through_what_was_cut() -> None:
    numbers = frame_numbers(clip_of(10), [Cut(2, 1), doubled, Cut(1, 0)])
    assert numbers is not None
    assert numbers.tolist() == [3, 4, 5, 6, 7, 8]
    assert frame_numbers(clip_of(10), [Cut(2, 1), halved]) is None


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> asl.RunResult:
    more = {"encoder.downsample": 2}
    return asl.run(asl.configure(small(tmp_path_factory.mktemp("runs")) | more, environ={}))


@pytest.mark.parametrize("frames", [1, 2, 23, 24])
def test_a_clip_s_frames_are_covered_from_the_first_to_the_last(trained: asl.RunResult, frames: int) -> None:
    loaded = asl.load(trained.path)
    (said,) = asl.predict_clips(loaded, [clip_of(frames)], alignment=True)
    found = said.alignment
    assert found is not None
    assert (found.frames, found.of_file) == (frames, True)
    for spans in (found.named, found.best):
        assert (spans[0].first, spans[-1].last) == (0, frames - 1)
        assert all(b.first == a.last + 1 for a, b in itertools.pairwise(spans))
        assert all(0 <= span.probability <= 1 for span in spans)
    assert [span.gloss for span in found.named if span.gloss] == [said.top[0][0]]
    (plain,) = asl.predict_clips(loaded, [clip_of(frames)])
    assert plain.alignment is None
    assert plain.top == said.top


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int | str | None, str]]:
    def call(*words: str) -> tuple[int | str | None, str]:
        with pytest.raises(SystemExit) as stop:
            main(list(words))
        said = capsys.readouterr()
        return stop.value.code, said.out + said.err

    return call


def test_the_command_says_it_in_words_and_as_json(
    trained: asl.RunResult, tmp_path: Path, command: Callable[..., tuple[int | str | None, str]]
) -> None:
    np.save(tmp_path / "clip.npy", clip_of(24).features)
    code, said = command("predict", str(trained.path), str(tmp_path / "clip.npy"), "--alignment")
    assert code == 0, said
    assert "frames 0 to 23\n" in said
    assert "on the likeliest path of the predicted glosses" in said
    assert "best symbol of every frame: " in said
    code, said = command("predict", str(trained.path), str(tmp_path / "clip.npy"), "--alignment", "--json")
    (clip,) = json.loads(said)
    assert clip["alignment"]["best"][-1]["last"] == 23
    code, said = command("predict", str(trained.path), str(tmp_path / "clip.npy"), "--json")
    assert "alignment" not in json.loads(said)[0]


def test_a_head_without_time_is_refused(tmp_path: Path) -> None:
    done = asl.run(asl.configure(small(tmp_path, head="mean", train__epochs=1), environ={}))
    with pytest.raises(UsageError, match="head MeanHead of this run does not align glosses"):
        asl.predict_clips(asl.load(done.path), [clip_of(9)], alignment=True)


def test_trimmed_landmarks_keep_their_place_in_the_file(shared: Path) -> None:
    """On real clips: rest before and after the sign is cut, and what is left is where it was."""
    names = ["landmarks", "fill-gaps", "trim", "hand-features"]
    root = str(shared / "wlasl100-hands")
    config = asl.configure({"dataset": "wlasl", "dataset.root": root, "transform": names}, environ={})
    pipeline = Pipeline.of(config)
    cut = 0
    for clip in list(config.dataset.build().clips("val"))[:40]:
        numbers = frame_numbers(clip, pipeline.clipwise)
        stored = pipeline.clip(clip)
        assert numbers is not None
        assert len(numbers) == len(stored.features)
        assert numbers[-1] < len(clip.features)
        seen = (clip.features != -1).any(1)  # a hand that was not found is -1 throughout
        assert not seen[: numbers[0]].any()
        assert not seen[numbers[-1] + 1 :].any()
        cut += len(clip.features) - len(numbers)
    assert cut > 0
