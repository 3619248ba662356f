"""Plugins: what they are called, what is wrong with them, and what their authors are told."""

from __future__ import annotations

import contextlib
import json
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packages import install

from asl_core import testing
from asl_core.registry.component import SLOTS
from cases.table import asl, case


@case("a new plugin requires asl-core, not the stranger's asl")
def new_plugin(place: Path) -> str:
    assert asl(place, "plugins", "new", "my-encoder").code == 0
    project = tomllib.loads((place / "my-encoder/pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert any(r.startswith("asl-core>=") for r in project["dependencies"])
    assert not any(r.startswith(("asl>", "asl=", "asl<")) or r == "asl" for r in project["dependencies"])
    return f"it requires {', '.join(project['dependencies'])}"


@case("names saved as asl:NAME, -P asl")
def old_names(place: Path) -> str:
    shown = asl(place, "show", "encoder", "asl:gru", "--json")
    assert shown.code == 0, shown.text
    assert json.loads(shown.out)["from"] == "asl-core"
    (place / "old.toml").write_text('encoder.name = "asl:gru"\n[loss]\nname = "asl:ctc"\n[head]\nname = "asl:ctc"\n')
    checked = asl(place, "check", "old.toml")
    assert checked.code == 0, checked.text
    assert asl(place, "ls", "encoder", "-P", "asl").code == 0
    left_out = asl(place, "ls", "-P", "no:asl", "--json")
    assert json.loads(left_out.out) == []
    return shown.text[:60]


WRONG = """
import torch
from torch import nn
import asl_core as asl
from asl_core import Component, Encoder, Head, HeadOutput, Loss, hookimpl

class OneArgument(Encoder):
    def __init__(self, options, size):
        super().__init__()
        self.output_size = 4
        self.layer = nn.Linear(size, 4)
    def forward(self, x):
        return self.layer(x)

class NoSize(OneArgument):
    def __init__(self, options, size):
        super().__init__(options, size)
        del self.output_size
    def forward(self, x, lengths):
        return self.layer(x)

class Plain(nn.Module):
    def __init__(self, options, size):
        super().__init__()
        self.layer = nn.Linear(size, 4)
    def forward(self, x, lengths):
        return self.layer(x)

class NoModule:
    def __init__(self, options, size): ...

class NoOptions(OneArgument):
    def __init__(self, size):
        super().__init__(None, size)

class Pair(OneArgument):
    def forward(self, x, lengths):
        return self.layer(x), lengths

class Raises(OneArgument):
    def forward(self, x, lengths):
        return self.layer(x.transpose(1, 2))

class TensorHead(Head):
    kind = "logits"
    needs_frames = False
    def __init__(self, options, size, classes):
        super().__init__()
        self.layer = nn.Linear(size, classes)
    def forward(self, frames, lengths):
        return self.layer(frames)

class ShortHead(TensorHead):
    def forward(self, frames):
        return self.layer(frames)

class NoHead(nn.Module):
    def __init__(self, options, size, classes):
        super().__init__()
    def forward(self, frames, lengths): ...

class TensorLoss(Loss):
    accepts = frozenset({"frame-logits", "clip-logits", "logits"})
    def __init__(self, options):
        super().__init__()
    def forward(self, sample):
        return sample.output.values.sum()

class TwoLoss(TensorLoss):
    def forward(self, output, batch): ...

class NoAccepts(TensorLoss):
    accepts = frozenset()

class NoClips:
    def __init__(self, options): ...
    def splits(self): return ["train"]
    def findings(self): return []

class TupleClips(NoClips):
    def clips(self, split): return [("a", None)]

class NoneTransform:
    def __init__(self, options): ...
    def __call__(self, clip): ...

class NotCalled:
    def __init__(self, options): ...

class NoneAugment:
    def __init__(self, options): ...
    def __call__(self, batch, random): ...

class OneAugment:
    def __init__(self, options): ...
    def __call__(self, batch): return batch

class NoEpoch:
    def __init__(self, options): ...
    def on_start(self, config, summary): ...
    def on_end(self, summary): ...
"""
#: slot -> class -> what the message says
MISTAKES = {
    "encoder": {
        "OneArgument": "forward(features, lengths)", "NoSize": "has no output_size",
        "Plain": "derive from asl_core.Encoder", "NoModule": "an nn.Module is expected",
        "NoOptions": "called as (options, input_size)", "Pair": "it gave a tuple", "Raises": "it raised RuntimeError",
    },
    "head": {"TensorHead": "HeadOutput", "ShortHead": "forward(frames, lengths)", "NoHead": "has no kind"},
    "loss": {"TensorLoss": "LossResult", "TwoLoss": "forward(sample)", "NoAccepts": "accepts no kind of head"},
    "dataset": {"NoClips": "it has no clips(split)", "TupleClips": "it gave a tuple"},
    "transform": {"NoneTransform": "it gave a NoneType", "NotCalled": "cannot be called"},
    "augment": {"NoneAugment": "it gave a NoneType", "OneAugment": "called as it(batch, random)"},
    "observer": {"NoEpoch": "it has no on_epoch(report)"},
}  # fmt: skip
SMALL = (
    "run --quiet --dataset.glosses 2 --dataset.train 4 --dataset.val 2 --encoder.hidden-size 4 --encoder.front-size 4 "
    "--epochs 1 --augment none --device cpu"
)


def wrong_plugins(place: Path) -> Path:
    """A package with all of these mistakes, installed; its folder."""
    hooks = ["", "from asl_core import Component, hookimpl"]
    for slot, classes in MISTAKES.items():
        made = ", ".join(f'Component(name="{c}", factory="wrong_impl:{c}", summary="x")' for c in classes)
        hooks += ["@hookimpl", f"def {SLOTS[slot]}():", f"    return [{made}]"]
    sources = {"wrong_kit.py": "\n".join(hooks) + "\n", "wrong_impl.py": WRONG}
    install(place / "site", "wrong-kit", sources, {"asl.plugins": {"wrong": "wrong_kit"}})
    return place / "site"


@contextlib.contextmanager
def on_path(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in ("wrong_kit", "wrong_impl"):
            sys.modules.pop(name, None)


@case("mistakes in a plugin's components name the contract and asl plugins check", slow=True)
def mistakes(place: Path) -> str:
    said = {}
    with on_path(wrong_plugins(place)):
        for slot, classes in MISTAKES.items():
            for name, text in classes.items():
                words = SMALL.split()
                if slot == "encoder":
                    words = SMALL.replace("--encoder.hidden-size 4 --encoder.front-size 4", "").split()
                if slot == "dataset":
                    words = ["run", "--quiet", "--device", "cpu"]
                if slot == "head":
                    words += ["--loss", "cross-entropy"]
                if slot == "loss":
                    words += ["--head", "mean"]
                if slot == "augment":
                    words[words.index("none")] = name
                else:
                    words += [f"--{slot}", name]
                done = asl(place, *words)
                assert done.code in (1, 2), (name, done.text)
                assert text in done.error, (name, done.error)
                assert "`asl plugins check wrong-kit`" in done.error, (name, done.error)
                assert f"asl_core.{slot.capitalize()}" in done.error, (name, done.error)
                said[name] = done.error
    return f"{len(said)} mistakes, such as: {said['OneArgument']}"


@case("asl plugins check asl_packed, packed, asl-core:packed check that plugin alone", slow=True)
def one_plugin(place: Path) -> str:
    for word in ("asl_packed", "packed", "asl:packed"):
        rows = json.loads(asl(place, "plugins", "check", word, "--json").out)["results"]
        assert {r["component"] for r in rows} == {"packed"}, rows
    found = testing.locate("ctc")
    assert [e.name for e in found.entry_points if found.checks(e.name)] == ["ctc"]
    assert testing.locate("asl_ctc").chosen == ("ctc",)
    assert testing.locate("asl-core").chosen == ()
    return f"{len(rows)} checks of packed"
