"""CONTRIBUTING: the map names every file of the core and no other, and twelve tasks can be found on it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tower import ORDER

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
#: first cell and second cell of a row
ROWS = re.findall(r"^\| (`[^|]*?) \| (.*?) \|$", TEXT[TEXT.index("## Where things are") :], re.MULTILINE)

#: What a newcomer who has read only CONTRIBUTING should find at the first try: a task, where it is done (a file, or a
#: folder of which every file is right), and a name that shows it. The list is no part of CONTRIBUTING on purpose.
TASKS = [
    ("Print the word error rate with two decimals, everywhere.", "asl_core/evaluation/metrics.py", "def text"),
    ("Where is Ctrl-C caught while a run trains?", "asl_core/compute/signals.py", "SIGINT"),
    ("A pickle that would run code is refused. Where?", "asl_core/files/pickles", "PickleRefused"),
    (
        "--select foo is refused before training, since nothing measures foo.",
        "asl_core/training/selection.py",
        "is not measured",
    ),
    ("The note about signers who are in train and in val.", "asl_core/data/audit.py", "shared-signers"),
    ("People type --lrate: suggest --learning-rate.", "asl_core/config/aliases.py", "base-lr"),
    ("Add a linear decay of the learning rate.", "asl_core/training/optimiser.py", "cosine"),
    (
        "A plugin that fails to import is reported, and the rest works. Where?",
        "asl_core/registry/discovery.py",
        "import",
    ),
    ("The environment beats the settings file. Where is that order?", "asl_core/config/configure.py", "env_layer"),
    ("A tensor of a checkpoint is counted as missing or mismatched.", "asl_core/checkpoints/transfer.py", "mismatched"),
    ("Add a column to predictions-val.csv.", "asl_core/evaluation/predictions_csv.py", "csv"),
    ("The right and the left hand of raw landmarks are told apart.", "plugins/asl_landmarks/handedness.py", "right"),
]


@pytest.mark.parametrize(("task", "place", "name"), TASKS, ids=[t[0][:40] for t in TASKS])
def test_a_task_is_done_where_the_list_says(task: str, place: str, name: str) -> None:
    path = ROOT / place
    files = sorted(path.glob("*.py")) if path.is_dir() else [path]
    assert any(name in file.read_text(encoding="utf-8") for file in files), f"{task} {place} has no {name!r}"
    words = [*Path(place).parts[1:-1], path.stem]
    assert all(f"`{w}" in TEXT for w in words), f"CONTRIBUTING does not name {' '.join(words)}"


def test_the_list_is_of_twelve() -> None:
    assert len(TASKS) == len({place for _, place, _ in TASKS}) == 12


def wing_rows() -> dict[str, str]:
    return {
        wing.strip("/").removesuffix(".py"): cells for cells in ROWS for wing in re.findall(r"`([^`]+)`", cells[0])[:2]
    }


def test_the_map_has_every_wing_once_from_the_top() -> None:
    wings = [
        w.strip("/").removesuffix(".py") for first, _ in ROWS for w in re.findall(r"`([^`]+)`", first.split(":")[0])
    ]
    assert [w for w in wings if not w.startswith("asl_")] == list(reversed(ORDER))
    plugins = {p.name for p in (ROOT / "plugins").glob("asl_*") if (p / "__init__.py").is_file()}
    assert {w for w in wings if w.startswith("asl_")} == plugins


@pytest.mark.parametrize(
    "wing", [w for w in ORDER if (ROOT / "asl_core" / w).is_dir() and w not in ("scaffold", "testing")]
)
def test_every_file_of_a_wing_is_on_the_map(wing: str) -> None:
    """Verbs apart, whose files are called as they are."""
    (row,) = (f"{first} {rest}" for first, rest in ROWS if first.startswith(f"`{wing}/`"))
    named = set(re.findall(r"`([a-z_]+)/?`", row))
    folder = ROOT / "asl_core" / wing
    modules = {p.stem for p in folder.iterdir() if p.suffix == ".py" or (p / "__init__.py").is_file()} - {"__init__"}
    if wing == "cli":
        from asl_core.cli.verbs import VERBS

        modules -= set(VERBS) | {"evaluate"}
    others = {"ls", "show", "resume", "run", wing}  # verbs and the wing itself
    gone = {n for n in named - modules - others if not (folder / f"{n}.py").exists()}
    missing = modules - named
    assert (missing, gone) == (set(), set()), (
        f"CONTRIBUTING's row of {wing}/: files that it lacks, and that are no more"
    )
