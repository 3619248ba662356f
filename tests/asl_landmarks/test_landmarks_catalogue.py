"""What the package hands in, and every component through the kit."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy_hands import WIDTHS

import asl_core as asl
from asl_core import Component, testing
from asl_landmarks import asl_augments, asl_transforms

TRANSFORMS = {c.name: c for c in asl_transforms() if c.name not in ("dominant36", "hands36")}
AUGMENTS = {c.name: c for c in asl_augments() if not c.name.endswith("36")}
CLIPWISE = ("resample", "trim", "fill-gaps", "phonology36")


def test_names() -> None:
    transforms = [
        "unpad", "landmarks", "resample", "trim", "fill-gaps", "phonology36", "hand-features", "dominant36", "hands36",
    ]  # fmt: skip
    assert [c.name for c in asl_transforms()] == transforms
    augments = [
        "rotate", "stretch", "mirror-hands", "jitter", "lose-hand", "lose-fingers", "mirror36", "turn36",
    ]  # fmt: skip
    assert [c.name for c in asl_augments()] == augments


def test_catalogue_imports_nothing_heavy() -> None:
    code = (
        "import sys, asl_landmarks as a; a.asl_augments(); a.asl_transforms(); "
        "sys.exit(bool({'torch', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("component", [*asl_transforms(), *asl_augments()], ids=lambda c: c.name)
def test_component(component: Component) -> None:
    testing.check_component(component)


@pytest.mark.parametrize("width", [126, 225, 1629, 1662])
@pytest.mark.parametrize("dominant_right", [True, False])
def test_raw_contract(width: int, dominant_right: bool) -> None:
    testing.check_transform(TRANSFORMS["landmarks"], width=width, dominant_right=dominant_right)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    ("name", "options"),
    [*((n, {}) for n in CLIPWISE), ("trim", {"rest": True}), ("fill-gaps", {"max_gap": 2})],
    ids=str,
)
def test_clipwise_contract(width: int, name: str, options: dict[str, Any]) -> None:
    testing.check_transform(TRANSFORMS[name], width=width, **options)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", sorted(AUGMENTS))
def test_augment_contract(width: int, name: str) -> None:
    testing.check_augment(AUGMENTS[name], width=width)


@pytest.mark.parametrize("component", [*TRANSFORMS.values(), *AUGMENTS.values()][1:], ids=lambda c: c.name)
def test_other_widths_are_refused(component: Component) -> None:
    made = component.load()(component.options())
    assert "have 36" in made.unfit(36)
    assert made.unfit(126 if component.name == "landmarks" else 168) is None


def write_clips(folder: Path) -> dict[str, np.ndarray]:
    """Pickles of 12 train and 12 val clips of three signs, raw; the val clips."""
    random = np.random.default_rng(0)
    for split in ("train", "val"):
        clips: dict[str, Any] = {}
        for number in range(12):
            features = random.uniform(0.2, 0.8, (9, 126)).astype(np.float32)
            features[:2] = -1  # no hand at first
            clips[f"{split}{number}"] = {"features": features, "gloss": f"g{number % 3}", "split": split}
        (folder / f"features_{split}_wlasl100.pkl").write_bytes(pickle.dumps(clips))
    return {name: clip["features"] for name, clip in clips.items()}


@pytest.mark.slow
def test_a_saved_model_takes_raw_landmarks(tmp_path: Path) -> None:
    """Trained by way of every transform, it predicts of a raw array what evaluation gave for that clip."""
    clips = write_clips(tmp_path)
    settings = {
        "dataset": "wlasl",
        "dataset.root": str(tmp_path),
        "encoder": "gru",
        "encoder.hidden-size": 8,
        "encoder.front-size": 8,
        "transform": ["landmarks", "trim", "fill-gaps", "hand-features"],
        "augment": list(AUGMENTS),
        "train.epochs": 1,
        "train.batch-size": 6,
        "run.out": str(tmp_path / "runs"),
        "run.device": "cpu",
        "run.threads": 1,
    }
    result = asl.run(asl.configure(settings, environ={}, project_file=False))
    assert asl.load(result.path).model.standardiser.width == 150
    _, evaluated, store = asl.evaluate_run(result.path, device="cpu")
    assert evaluated.scores is not None
    assert store.lengths.tolist() == [7] * 12
    for place, name in list(enumerate(store.ids))[::4]:
        np.save(tmp_path / "clip.npy", clips[name])
        (predicted,) = asl.predict_file(result.path, tmp_path / "clip.npy")
        best = evaluated.scores[place].exp().topk(3)
        assert [g for g, _ in predicted.top] == [store.vocabulary.glosses[i] for i in best.indices.tolist()]
        assert [p for _, p in predicted.top] == pytest.approx(best.values.tolist(), abs=1e-6)


def test_names_of_components_that_were_in_layout36_still_resolve() -> None:
    """Runs of version 0.1 saved them as ``asl:NAME``, later ones as ``asl-core:NAME``."""
    for distribution in ("asl", "asl-core"):
        settings = {"transform": [f"{distribution}:dominant36", f"{distribution}:hands36"]}
        settings["augment"] = [f"{distribution}:mirror36", f"{distribution}:turn36"]
        config = asl.configure({"dataset": "demo", **settings}, environ={}, project_file=False)
        assert [c.component.name for c in config.transforms] == ["dominant36", "hands36"]
        assert [c.component.name for c in config.augments] == ["mirror36", "turn36"]
