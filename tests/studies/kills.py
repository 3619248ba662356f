"""Is a run that was killed the run left alone? Kills runs at random moments, goes on with them, compares the bytes.

    python tests/studies/kills.py --kills 50 --real

Half of the kills come by the clock, from the start of the process, or from its first file, to after its last; half
hit one of the run's operations on files, drawn at random, before it or in the middle of a write. A run is killed up to
three times.
``--real`` trains on the WLASL pickles too: 36 numbers with the GRU, hands with the recipe ``hands``; they are looked
for at ``ASL_SHARED_DATA``. Exit code 1 if a run ended in other bytes than the one left alone, could not be gone on
with, lost a finished epoch, or left half a file behind.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import attrs

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from studies.children import FILES, asl, end, files, finish
from studies.disk import KILL, Trap, operations

__all__ = ["Alone", "Story", "kill_run", "left_alone"]

_HERE = Path(__file__).resolve().parents[2]
SHARED = _HERE / os.environ.get("ASL_SHARED_DATA", "../shared/data")
CPU = ["--run.device", "cpu", "--run.threads", "1"]
GRU = ["--encoder", "gru", "--encoder.hidden-size", "4", "--encoder.front-size", "4"]
KINDS = {
    "demo": [
        *("--dataset", "demo", "--dataset.glosses", "6", "--dataset.train", "8", "--dataset.val", "3"),
        *("--batch-size", "4", *GRU),
    ],
    "wlasl numbers": ["--dataset", "wlasl", "--dataset.root", str(SHARED / "wlasl100"), "--dataset.glosses", "5", *GRU],
    "wlasl hands": [
        *("--recipe", "hands", "--dataset.root", str(SHARED / "wlasl100-hands"), "--dataset.glosses", "5"),
    ],
}
EPOCHS = {"demo": 4}  # else 3
PLACES = ("before the first checkpoint", "in an epoch", "in the end")
AT_A_FILE = "at a file"


@attrs.frozen
class Alone:
    """A run that nobody touched."""

    command: list[str]  #: without its name
    seconds: float
    training: float  #: of them, seconds
    operations: int
    files: dict[str, bytes]


@attrs.define
class Story:
    """What happened to a run."""

    places: list[str] = attrs.field(factory=list)  #: where each kill hit
    faults: list[str] = attrs.field(factory=list)


def left_alone(kind: str, folder: Path) -> Alone:
    """The run to compare with, how long it takes, and by how many operations it reaches the disk."""
    out = folder / kind.replace(" ", "-")
    command = ["run", "--quiet", *KINDS[kind], "--epochs", str(EPOCHS.get(kind, 3)), *CPU, "--run.out", str(out)]
    said, record = folder / "alone.txt", folder / "alone.record"
    seconds = math.inf
    for name in ("warm", "alone"):  # the first fills the caches of the disk
        started = time.monotonic()
        if code := end(asl([*command, "--run.name", name], said, Trap(str(out), str(record)))):
            raise SystemExit(f"the run left alone ended with {code}:\n{said.read_text(encoding='utf-8')}")
        seconds = min(seconds, time.monotonic() - started)
    found = files(out / "alone")
    if sorted(found) != sorted(FILES) or found != files(out / "warm"):
        raise SystemExit(f"two runs left alone differ in {out}, or lack one of {', '.join(FILES)}")
    lines = [json.loads(line) for line in (out / "alone" / "timings.jsonl").read_text(encoding="utf-8").splitlines()]
    training = next(line["seconds_training"] for line in lines if "seconds_training" in line)
    return Alone(command, seconds, training, len(operations(record)), found)


def kill_run(alone: Alone, out: Path, name: str, kills: int, rng: random.Random) -> Story:
    """A run killed so many times, or fewer where it is over before, and then gone on with to its end."""
    run, said, record = out / name, out.parent / f"{name}.txt", out.parent / f"{name}.record"
    begin = [*alone.command, "--run.name", name]
    story, epoch = Story(), 0
    while len(story.places) < kills:
        by_clock = rng.random() < 0.5
        code = _by_clock(begin, run, said, rng, alone) if by_clock else _at_a_file(begin, run, said, record, rng, alone)
        if code == 0:
            break  # it was over before
        if code != -KILL and not (os.name == "nt" and code == KILL):
            story.faults.append(f"ended with {code}: {said.read_text(encoding='utf-8')[-500:]}")
            return story
        story.places.append(_place(run, by_clock))
        epoch, before = _epoch(run), epoch
        if epoch < before:
            story.faults.append(f"epoch {before} was finished and is lost")
    if code := finish(begin, run, said):
        story.faults.append(f"could not be gone on with ({code}): {said.read_text(encoding='utf-8')[-500:]}")
        return story
    found = files(run)
    story.faults += [f"{file} differs" for file in FILES if found.get(file) != alone.files[file]]
    story.faults += [f"{p.relative_to(run)} was left behind" for p in run.rglob("*.part")]
    lines = [json.loads(line) for line in (run / "timings.jsonl").read_text(encoding="utf-8").splitlines()]
    twice = [n for n, times in Counter(line.get("epoch") for line in lines if "epoch" in line).items() if times > 1]
    story.faults += [f"epoch {n} was trained again after it was finished" for n in twice]
    return story


def _by_clock(begin: list[str], run: Path, said: Path, rng: random.Random, alone: Alone) -> int:
    words = ["run", "--quiet", "--resume", str(run)] if (run / "config.toml").is_file() else begin
    process = asl(words, said)
    moment = rng.uniform(0, 1.1)
    if words is begin and rng.random() < 0.5:  # most of a small run's time is its start: into the training, then
        while process.is_alive() and not (run / "environment.json").exists():
            time.sleep(0.002)
        process.join(moment * alone.training)
    else:
        process.join(moment * alone.seconds)
    process.kill()
    return end(process)


def _at_a_file(begin: list[str], run: Path, said: Path, record: Path, rng: random.Random, alone: Alone) -> int:
    number = rng.randint(1, alone.operations)
    return finish(begin, run, said, Trap(str(run.parent), str(record), number, "kill", half=rng.random() < 0.7))


def _place(run: Path, by_clock: bool) -> str:
    at_a_file = not by_clock or any(run.rglob("*.part"))
    if (run / "final.safetensors").exists():
        place = PLACES[2]
    else:
        place = PLACES[1] if (run / "last" / "state.safetensors").exists() else PLACES[0]
    return f"{place}, {AT_A_FILE}" if at_a_file else place


def _epoch(run: Path) -> int:
    """How far the run has come by the checkpoint that is there, which has to be whole."""
    from asl_core.checkpoints.format import load_tensors

    last = run / "last" / "state.safetensors"
    return int(load_tensors(last).meta["progress"]["epoch"]) if last.exists() else 0


def main() -> int:
    """Kill until there were enough, print the table and the verdict."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--real", action="store_true", help="WLASL runs too")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    kinds = list(KINDS) if options.real else ["demo"]
    if options.real and not (SHARED / "wlasl100").is_dir():
        print(f"the WLASL pickles are not at {SHARED}; set ASL_SHARED_DATA, or leave out --real")
        return 2
    rng = random.Random(options.seed)
    stories: dict[str, list[Story]] = {kind: [] for kind in kinds}
    with tempfile.TemporaryDirectory() as temporary:
        alone = {kind: left_alone(kind, Path(temporary)) for kind in kinds}
        for kind, one in alone.items():
            print(f"{kind}, left alone: {one.seconds:.1f} s, {one.operations} operations on files", flush=True)
        done, number = 0, 0
        while done < options.kills:
            kind = kinds[number % len(kinds)]
            out = Path(temporary) / kind.replace(" ", "-")
            wanted = min(rng.choice((1, 1, 2, 3)), options.kills - done)
            story = kill_run(alone[kind], out, f"{number}", wanted, rng)
            stories[kind].append(story)
            done, number = done + len(story.places), number + 1
            print(f"{kind} {number}: {'; '.join(story.places) or 'over before'}: {story.faults or 'equal'}", flush=True)
    return _table(stories)


def _table(stories: dict[str, list[Story]]) -> int:
    print(f"\n| run | runs | kills | {' | '.join(PLACES)} | of these, {AT_A_FILE} | runs equal in every byte |")
    print("|---" * 8 + "|")
    for kind, told in stories.items():
        hit = [place.split(", ") for story in told for place in story.places]
        where = Counter(word for words in hit for word in words)
        counts = [where[place] for place in (*PLACES, AT_A_FILE)]
        equal = sum(not story.faults for story in told)
        print(f"| {kind} | {len(told)} | {len(hit)} | {' | '.join(map(str, counts))} | {equal} |")
    faults = [f"{kind}: {fault}" for kind, told in stories.items() for story in told for fault in story.faults]
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
