"""From layers to a checked configuration: precedence, origins, suggestions, and all faults at once."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_components import component, offer, registry

from asl_core import option
from asl_core.api import configure
from asl_core.config.origins import DEFAULT
from asl_core.config.resolve import resolve
from asl_core.config.run_config import RunConfig
from asl_core.config.sources import flag_layer, toml_layer, value_layer
from asl_core.config.tables import RunOptions, SplitOptions, TrainOptions
from asl_core.errors import ConfigError
from asl_core.registry.discovery import discover


def of(values: Mapping[str, Any], **more: Any) -> RunConfig:
    return resolve([value_layer(values, "script")], registry(**more))


def problems(values: Mapping[str, Any], *extra: Any) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        resolve([value_layer(values, "script")], registry(*extra))
    return list(raised.value.problems)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_defaults() -> None:
    config = resolve([], registry())
    assert (config.dataset.name, config.encoder.name, list(config.heads)) == ("demo", "gru", ["main"])
    assert config.heads["main"].choice.name == "ctc"
    assert config.heads["main"].losses["main"].choice.name == "plain"
    assert config.heads["main"].losses["main"].weight == 1.0
    assert (config.train, config.run, config.split) == (TrainOptions(), RunOptions(), SplitOptions())
    assert config.origins["encoder.name"] == DEFAULT
    assert str(config.origins["heads.main.losses.main.name"]) == "suggested by head ctc"


def test_precedence(here: Path) -> None:
    """Each source sets one key more than the next, so that each wins exactly one."""
    keys = [
        f"train.{k}" for k in ("epochs", "batch-size", "accumulate", "patience", "bucket-batches", "eval-batch-size")
    ]
    made = registry(suggests={"demo": dict.fromkeys(keys, 11)})
    Path("asl.toml").write_text("\n".join(f"{k} = 12" for k in keys[1:]))
    file = here / "run.toml"
    file.write_text("[train]\n" + "\n".join(f"{k.removeprefix('train.')} = 13" for k in keys[2:]))
    environ = {"ASL_RUN__" + k.upper().replace(".", "__").replace("-", "_"): "14" for k in keys[3:]}
    flags = flag_layer(dict.fromkeys(keys[4:], "15"))
    config = configure({keys[5]: 16}, file=file, flags=flags, registry=made, environ=environ)
    assert [config.values()[k] for k in keys] == [11, 12, 13, 14, 15, 16]
    assert [str(config.origins[k]) for k in keys] == [
        "suggested by dataset demo",
        "asl.toml line 1",
        f"{file} line 2",
        "environment variable ASL_RUN__TRAIN__PATIENCE",
        "flag --train.bucket-batches",
        "script",
    ]
    assert "train.warmup" not in config.origins


def test_variables_that_options_name(here: Path) -> None:
    environ = {"TOY_DATA": "from-variable"}
    assert configure({}, registry=registry(), environ=environ).dataset.options.root is None, "demo was not chosen"
    chosen = configure({"dataset": "files"}, registry=registry(), environ=environ)
    assert chosen.dataset.options.root == "from-variable"
    assert str(chosen.origins["dataset.root"]) == "environment variable TOY_DATA"
    beaten = configure(
        flags=flag_layer({"dataset": "files", "dataset.root": "flag"}), registry=registry(), environ=environ
    )
    assert beaten.dataset.options.root == "flag"
    (here / "run.toml").write_text('[dataset]\nname = "files"\nroot = "file"')
    assert configure(file="run.toml", registry=registry(), environ=environ).dataset.options.root == "from-variable"


def test_several_heads_and_losses() -> None:
    config = of(
        {
            "heads.main.name": "ctc",
            "heads.main.losses.main.name": "plain",
            "heads.main.losses.second.name": "other",
            "heads.main.losses.second.weight": 0.25,
            "heads.main.losses.second.smoothing": 0.5,
            "heads.side.name": "ctc",
            "heads.side.hidden-size": 3,
        }
    )
    main, side = config.heads["main"], config.heads["side"]
    assert {k: (v.choice.name, v.weight) for k, v in main.losses.items()} == {
        "main": ("plain", 1.0),
        "second": ("other", 0.25),
    }
    assert main.losses["second"].choice.options.smoothing == 0.5
    assert side.choice.options.hidden_size == 3
    assert [v.choice.name for v in side.losses.values()] == ["plain"], "the head's own suggestion, under its own name"


def test_heads_stand_in_the_order_they_are_named(tmp_path: Path) -> None:
    """The first that ranks is the one that is evaluated, so the order must survive the file."""
    path = tmp_path / "run.toml"
    path.write_text('[heads.zeta]\nname = "ctc"\n[heads.main]\nname = "ctc"\n[heads.alpha]\nname = "ctc"\n')
    config = resolve([toml_layer(path)], registry(suggests={"demo": {"head.dropout": 0.2}}))
    assert list(config.heads) == ["zeta", "main", "alpha"]
    path.write_text(config.to_toml())
    assert list(resolve([toml_layer(path)], registry()).heads) == ["zeta", "main", "alpha"]


def test_a_head_alone_under_another_name() -> None:
    config = of({"heads.aux.name": "ctc"}, suggests={"demo": {"head.dropout": 0.2, "loss.smoothing": 0.1}})
    assert list(config.heads) == ["aux"]
    assert config.heads["aux"].choice.options.dropout == 0.1, "the suggestion was for a head named main"


def test_suggestions_of_other_components() -> None:
    suggests = {
        "demo": {
            "encoder": "wide",
            "encoder.layers": 5,
            "loss": "other",
            "augment": ["mask"],
            "augment.mask.share": 0.9,
        }
    }
    config = of({}, suggests=suggests)
    assert (config.encoder.name, config.encoder.options.layers) == ("wide", 5)
    assert [a.options.share for a in config.augments] == [0.9]
    config = of({"encoder": "gru", "augment": "none"}, suggests=suggests)
    assert config.encoder.name == "gru", "and layers, which gru has not, is no fault"
    assert config.augments == ()
    assert config.notes == ()


def test_a_named_loss_replaces_the_suggested_one() -> None:
    suggests = {"ctc": {"loss.smoothing": 0.3, "train.epochs": 7}}
    config = of({}, suggests=suggests)
    assert config.heads["main"].losses["main"].choice.options.smoothing == 0.3
    config = of({"loss": "other"}, suggests=suggests)
    assert [v.choice.name for v in config.heads["main"].losses.values()] == ["other"]
    assert config.heads["main"].losses["main"].choice.options.smoothing == 0.0
    assert config.train.epochs == 7, "only what is about the loss goes"
    config = of({"heads.main.losses.extra.name": "other"}, suggests=suggests)
    assert list(config.heads["main"].losses) == ["extra"]


def test_a_suggestion_out_of_range_is_told_with_its_origin() -> None:
    with pytest.raises(ConfigError, match=r"suggested by dataset demo: train\.epochs: 0 is out of range"):
        of({}, suggests={"demo": {"train.epochs": 0}})


def test_another_component_in_a_later_layer() -> None:
    layers = [
        value_layer({"encoder": "gru", "encoder.hidden-size": 4, "augment": ["mask"], "augment.mask.share": 1}, "file"),
        flag_layer({"encoder": "wide", "augment": "speed"}),
    ]
    config = resolve(layers, registry())
    assert config.encoder.options.hidden_size == 16
    assert [a.name for a in config.augments] == ["speed"]
    assert len(config.notes) == 2
    assert "encoder.hidden-size = 4 (file) is ignored" in config.notes[0]


def test_every_fault_at_once(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(
        """[encoder]
name = "grue"
hidden-size = "many"
[head]
dropuot = 0.1
dropout = 1.0
bidirectional = "false"
[train]
epochs = 3.9
schedule = "linear"
[trian]
epochs = 1
[augment.mask]
share = 0.5
"""
    )
    with pytest.raises(ConfigError) as raised:
        resolve([toml_layer(path), flag_layer({"run.seed": "-1", "epoch": "3", "loss.weight": "heavy"})], registry())
    assert sorted(p.replace(str(path), "FILE") for p in raised.value.problems) == sorted(
        [
            "FILE line 12: trian.epochs: no such setting; did you mean 'train'?",
            "FILE line 14: augment.mask.share: augment 'mask' is not chosen; add it to augment.names",
            "FILE line 2: there is no encoder 'grue'; did you mean 'gru'? (`asl ls encoder` lists them)",
            "FILE line 5: head.dropuot: no such option; did you mean 'dropout'?",
            "FILE line 6: head.dropout: 1.0 is out of range: expected at least 0 and less than 1",
            "FILE line 7: head.bidirectional: 'false' is not a true or false",
            "FILE line 9: train.epochs: 3.9 is not a whole number (at least 1)",
            "FILE line 10: train.schedule: 'linear' is out of range: expected one of cosine, constant",
            "flag --epoch: epoch: no such setting; did you mean --epochs?",
            "flag --loss.weight: loss.weight: 'heavy' is not a number",
            "flag --run.seed: run.seed: -1 is out of range: expected at least 0",
        ]
    )
    assert str(raised.value).startswith("the configuration has 11 faults:\n  - ")


def test_text_that_cannot_be_read_is_told_once() -> None:
    with pytest.raises(ConfigError) as raised:
        resolve([flag_layer({"loss": "needy", "loss.power": "strong"})], registry())
    assert raised.value.problems == ("flag --loss.power: loss.power: 'strong' is not a number (more than 0)",)


def test_what_is_required() -> None:
    assert problems({"loss": "needy"}) == ["script: loss.power: is required (number): watts"]


def test_a_fault_between_options_names_the_component() -> None:
    @attrs.frozen
    class Paired:
        width: int = option(8, help="numbers")
        heads: int = option(4, help="number")

        def __attrs_post_init__(self) -> None:
            if self.width % self.heads:
                raise ValueError("width is no multiple of heads")

    extra = offer("encoder", component("paired", options=Paired))
    found = problems({"encoder": "paired", "encoder.heads": 3}, extra)
    assert found == ["script: encoder.name: width is no multiple of heads"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"encoder": 3}, "script: encoder.name is 3: expected the name of a encoder"),
        ({"augment": 3}, "script: augment.names is 3: expected a list of augment names"),
        ({"augment": ["mask", 3]}, "script: augment.names is ('mask', 3): expected a list of augment names"),
        ({"augment": "mask,msak"}, "script: there is no augment 'msak'; did you mean 'mask'? (`asl ls"),
        ({"heads.side.dropout": 0.1}, "script: heads.side.name is not set: choose a head (ctc, frames)"),
        ({"head": "frames"}, "script: head 'main' has no loss: set heads.main.losses.main.name (--loss NAME)"),
        ({"loss.weight": -1}, "script: loss.weight: -1 is not a number of at least 0"),
        ({"loss.weight": float("nan")}, "script: loss.weight: nan is not a number of at least 0"),
        ({"loss.weight": True}, "script: loss.weight: True is not a number of at least 0"),
        ({"loss.weight": 10**400}, "script: loss.weight: int too large to convert to float"),
        ({"train.epochs.x": 1}, "script: train.epochs.x: no such setting"),
        ({"": 1}, "script: : no such setting"),
        ({"heads": 1}, "script: heads: no such setting"),
    ],
)  # fmt: skip
def test_single_faults(values: dict[str, Any], expected: str) -> None:
    assert any(p.startswith(expected) for p in problems(values)), problems(values)


def test_lists_from_text_and_toml(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    for text, names in [
        ('"speed, mask"', ["speed", "mask"]),
        ('["mask", "speed"]', ["mask", "speed"]),
        ('"none"', []),
        ("[]", []),
    ]:
        path.write_text(f"augment = {text}")
        assert [a.name for a in resolve([toml_layer(path)], registry()).augments] == names


def test_foreign_names_survive_the_file(tmp_path: Path) -> None:
    """A distribution's name may hold dots, and a clash makes ``dist:name`` the only name there is."""
    path = tmp_path / "run.toml"
    made = registry(offer("augment", component("mask", options=TrainOptions), "my.dist"))
    config = resolve(
        [value_layer({"augment": ["my.dist:mask", "mask"], "augment.my.dist:mask.epochs": 3}, "script")], made
    )
    assert [a.name for a in config.augments] == ["my.dist:mask", "mask"]
    path.write_text(config.to_toml())
    assert resolve([toml_layer(path)], made) == config


def test_the_file_says_where_each_value_is_from(tmp_path: Path) -> None:
    layers = [
        value_layer({"train.epochs": 3}, "a\nweird\x07place\x1b"),
        flag_layer({"run.out": "x\ny"}, {"run.out": "--set run.out=x\ny"}),
    ]
    text = resolve(layers, registry()).to_toml()
    assert tomllib.loads(text)["run"]["out"] == "x\ny"
    assert "epochs = 3  # a\\nweird\\x07place\\x1b\n" in text
    assert "\nbatch-size = 16\n" in text, "a default needs no comment"
    assert 'name = "plain"  # suggested by head ctc\n' in text


PLAIN = st.text(st.characters(codec="utf-8"))


@pytest.mark.slow
@given(
    epochs=st.integers(1, 10**9),
    rate=st.floats(0, exclude_min=True, allow_infinity=False),
    out=PLAIN,
    glosses=st.none() | st.integers(1) | st.lists(PLAIN).map(tuple),
    root=st.none() | PLAIN,
    augments=st.lists(st.sampled_from(["mask", "speed"]), unique=True),
    flag=st.booleans(),
    weight=st.floats(0, 1e300),
)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, **values: Any) -> None:
    said = {
        "dataset": "files",
        "dataset.root": values["root"],
        "dataset.glosses": values["glosses"],
        "encoder.bidirectional": values["flag"],
        "augment": values["augments"],
        "heads.side.name": "ctc",
        "heads.side.losses.extra.name": "other",
        "heads.side.losses.extra.weight": values["weight"],
        "heads.main.name": "ctc",
        "train.epochs": values["epochs"],
        "train.learning-rate": values["rate"],
        "run.out": values["out"],
        "run.name": "not repeated",
    }
    config = of({k: v for k, v in said.items() if v is not None})
    path = tmp_path_factory.getbasetemp() / "round-trip.toml"
    path.write_bytes(config.to_toml().encode())
    again = resolve([toml_layer(path)], registry())
    assert attrs.evolve(again, run=attrs.evolve(again.run, name="not repeated")) == config
    assert list(again.heads) == list(config.heads)
    assert of(config.values()) == again, "a checkpoint holds the same values without a file"


def test_a_fault_between_options_blames_the_one_that_it_is_about() -> None:
    """``--epochs`` was blamed, for being the first of the table that was set."""
    with pytest.raises(ConfigError) as told:
        configure(flags=flag_layer({"train.epochs": "2", "train.swa-epochs": "2"}), environ={}, project_file=False)
    assert told.value.problems[0].startswith("flag --train.swa-epochs: train: swa-epochs 2 takes the place")


@pytest.mark.parametrize("slot", ["augment", "transform", "observer"])
def test_a_component_named_twice_in_a_list_is_refused(slot: str) -> None:
    """Also where it goes by two names. A run of 0.1 that was trained so is read, and says so."""
    twin = offer(slot, component("twin"))
    there = registry(twin)
    twice = {slot: ("twin", twin.qualified)}
    with pytest.raises(ConfigError, match=rf"script: {slot}.names: {slot} '.*' is named 2 times, and would count"):
        resolve([value_layer(twice, "script")], there)
    config = resolve([value_layer(twice, "script")], there, saved=True)
    assert len(getattr(config, f"{slot}s")) == 2
    assert "is named 2 times, and counts each time" in config.notes[-1]


def test_equal_losses_of_a_head_are_refused_and_equal_heads_noted() -> None:
    losses = {"heads.a.name": "ctc", "heads.a.losses.x.name": "other", "heads.a.losses.y.name": "other"}
    with pytest.raises(ConfigError, match="head 'a': loss 'y' is the same component with the same options as 'x'"):
        of(losses)
    heads = {f"heads.{n}.{k}": v for n in "ab" for k, v in (("name", "ctc"), ("losses.x.name", "other"))}
    assert "heads 'a' and 'b' are the same component with the same options and losses" in of(heads).notes


def test_one_part_twice_in_a_list_of_choices_is_refused() -> None:
    values = {"transform": ("hands36",), "transform.hands36.blocks": ("shape", "shape")}
    with pytest.raises(ConfigError, match=r"blocks.*each name once, and 'shape' occurs 2 times"):
        resolve([value_layer(values, "script")], discover().registry)
