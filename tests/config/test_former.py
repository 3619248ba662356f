"""Former names of options: taken from every source with one notice, refused beside the new name, never shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
from click.testing import CliRunner
from toy_components import SmallOptions, component, offer, registry

import asl_core as asl
from asl_core import option
from asl_core.api import configure
from asl_core.cli import cli
from asl_core.config.resolve import resolve
from asl_core.config.resuming import resumed_config
from asl_core.config.run_config import RunConfig
from asl_core.config.sources import flag_layer, value_layer
from asl_core.config.tables import TrainOptions
from asl_core.errors import ConfigError

NOTICE = "`train.pool` is now `train.bucket-batches`; the old name works until 0.3 ({})"


@asl.former_attributes
@attrs.frozen
class NewOptions:
    """An encoder's options that were called otherwise; one was in another table, and one is no longer needed."""

    hidden_size: int = option(8, ge=1, help="units", former=("units", "width"))
    rate: float = option(0.1, help="share", former=("train.rate",))
    facts: int = option(3, ignored="the data say it")


def of(*layers: Mapping[str, Any], **more: Any) -> RunConfig:
    new = offer("encoder", component("new", "Small", NewOptions))
    return resolve([value_layer(layer, "script") for layer in layers], registry(new), **more)


def plain(**more: Any) -> RunConfig:
    values: dict[str, Any] = {"environ": {}, "project_file": False} | more
    return configure(**values)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ({"flags": {"train.pool": "7"}}, "flag --train.pool"),
        ({"environ": {"ASL_RUN__TRAIN__POOL": "7"}}, "environment variable ASL_RUN__TRAIN__POOL"),
        ({"values": {"train.pool": 7}}, "script"),
        ({"values": {"train": {"pool": 7}}}, "script"),
        ({"pool": 7}, "script"),
        ({"train__pool": 7}, "script"),
        ({"file": "mine.toml"}, "mine.toml line 2"),
        ({"project_file": True}, "asl.toml line 2"),
    ],
)
def test_every_source_takes_a_former_name(here: Path, given: dict[str, Any], origin: str) -> None:
    Path("mine.toml").write_text("[train]\npool = 7\n")
    if "project_file" in given:
        Path("asl.toml").write_text("[train]\npool = 7\n")
    config = plain(**given)
    assert config.train.bucket_batches == 7
    assert NOTICE.format(origin) in config.notes
    assert "bucket-batches = 7" in config.to_toml()
    assert "pool" not in config.to_toml().replace("--train.pool", "").replace("POOL", "")
    assert str(config.origin("train.bucket-batches")) == origin


def test_several_former_names_make_one_notice() -> None:
    notes = plain(values={"train.pool": 7, "init.share": 0.5, "init.path": "x"}).notes
    assert notes == (
        "`train.pool` is now `train.bucket-batches`, `init.share` is now `init.min-coverage`; the old names work until "
        "0.3 (script)",
    )


def test_both_names_in_one_source_are_an_error() -> None:
    with pytest.raises(ConfigError) as refused:
        plain(flags=flag_layer({"train.pool": "7", "train.bucket-batches": "8"}))
    assert refused.value.problems == (
        "flag --train.pool: train.pool is the former name of train.bucket-batches, which is given too "
        "(flag --train.bucket-batches): leave out train.pool",
    )
    with pytest.raises(ConfigError, match=r"script: encoder.width is the former name of encoder.hidden-size"):
        of({"encoder": "new", "encoder.units": 2, "encoder.width": 3})


def test_a_stronger_source_beats_a_weaker_one_whichever_name_it_uses(here: Path) -> None:
    Path("mine.toml").write_text("[train]\npool = 7\n")
    config = plain(file="mine.toml", flags={"train.bucket-batches": "8"})
    assert (config.train.bucket_batches, config.notes) == (8, ())
    Path("mine.toml").write_text("[train]\nbucket-batches = 7\n")
    assert plain(file="mine.toml", flags={"train.pool": "8"}).train.bucket_batches == 8


def test_options_of_a_component_and_whole_keys_that_moved() -> None:
    config = of({"encoder": "new", "encoder.units": 5, "train.rate": 0.5})
    assert config.encoder.options == NewOptions(hidden_size=5, rate=0.5)
    assert "`encoder.units` is now `encoder.hidden-size`, `train.rate` is now `encoder.rate`" in config.notes[0]
    with pytest.raises(ConfigError, match=r"train.rate: no such option"):
        of({"encoder": "gru", "train.rate": 0.5})
    # The options of a replaced component go with it, as any do.
    assert of({"encoder": "new", "encoder.units": 5}, {"encoder": "gru"}).encoder.options == SmallOptions()


def test_an_option_that_is_no_longer_needed_is_ignored_with_a_notice() -> None:
    config = of({"encoder": "new", "encoder.facts": 12})
    assert config.encoder.options == NewOptions()
    assert config.notes == (
        "encoder.facts is no longer needed, and ignored (script): the data say it; from 0.3 on it is an error",
    )
    assert "facts" not in config.to_toml()
    with pytest.raises(ValueError, match="ignored has no default"):
        option(ignored="not needed")


def test_what_a_run_of_an_earlier_version_saved_is_read_without_a_notice(here: Path) -> None:
    saved = of({"encoder": "new", "encoder.units": 5, "encoder.facts": 12}, saved=True)
    assert (saved.encoder.options, saved.notes) == (NewOptions(hidden_size=5), ())
    old = (
        plain(values={"encoder": "gru"})
        .to_toml()
        .replace("bucket-batches", "pool")
        .replace("swa-epochs", "average-last")
    )
    Path("config.toml").write_text(old)
    assert plain(file="config.toml").notes == ()
    config, before = resumed_config(here / "config.toml", flag_layer({"run.threads": "2"}), environ={})
    assert not any("pool" in note for note in (*config.notes, *before.notes))
    assert config.changed(json.loads(json.dumps(before.values()))) == ["run.threads"]
    # What is said now is said by the user.
    assert plain(file="config.toml", flags={"train.pool": "3"}).notes == (NOTICE.format("flag --train.pool"),)


def test_saved_values_under_former_names_are_no_change() -> None:
    config = plain()
    before = dict(config.values())
    before["train.pool"] = before.pop("train.bucket-batches")
    assert config.changed(before) == []
    before["train.pool"] = 5
    assert config.changed(before) == ["train.bucket-batches"]


def test_a_plugin_may_suggest_by_a_former_name() -> None:
    new = offer("encoder", component("old", "Small", SmallOptions, suggests={"train.pool": 3}))
    config = resolve([value_layer({"encoder": "old"}, "script")], registry(new))
    assert (config.train.bucket_batches, config.notes) == (3, ())


def test_curriculum(here: Path) -> None:
    Path("two.toml").write_text('[common.train]\npool = 5\n[[stage]]\nname = "a"\n[[stage]]\nname = "b"\n')
    flags = flag_layer({"stage.b.train.bucket-batches": "6"})
    first, second = (s.config for s in asl.load_curriculum(Path("two.toml"), flags).stages)
    assert (first.train.bucket_batches, second.train.bucket_batches) == (5, 6)
    assert (NOTICE.format("two.toml line 2") in first.notes, second.notes) == (True, ())


@pytest.mark.parametrize("key", ["train.pol", "pol", "train.averge-last", "encoder.untis"])
def test_a_typo_near_a_former_name_is_answered_with_the_new_one(key: str) -> None:
    with pytest.raises(ConfigError, match=r"did you mean '[a-z.]*(bucket-batches|swa-epochs|hidden-size)'"):
        of({"encoder": "new", key: 3})


def test_the_command_line_takes_former_flags_and_shows_new_ones(here: Path) -> None:
    shown = CliRunner().invoke(cli, ["run", "--help"]).output
    assert "--bucket-batches" in shown
    assert "--pool" not in shown
    completed = CliRunner().invoke(
        cli,
        [],
        env={"_ASL_COMPLETE": "bash_complete", "COMP_WORDS": "asl run --pool", "COMP_CWORD": "2"},
        prog_name="asl",
    )
    assert "--pool" not in completed.output
    file = Path("mine.toml")
    file.write_text("[train]\npool = 7\n")
    assert NOTICE.format("mine.toml line 2") in CliRunner().invoke(cli, ["check", "mine.toml"]).output.replace(
        "\n", " "
    ).replace("  ", " ")
    refused = CliRunner().invoke(cli, ["run", "--pool", "3", "--train.bucket-batches", "4"])
    assert isinstance(refused.exception, ConfigError)
    assert "flag --pool: train.pool is the former name of train.bucket-batches" in str(refused.exception)
    assert "(flag --bucket-batches)" in str(refused.exception)


def test_former_attributes_are_readable_with_a_warning() -> None:
    with pytest.warns(DeprecationWarning, match=r"TrainOptions.pool is now .bucket_batches; the old name works until"):
        assert TrainOptions(bucket_batches=4).pool == 4  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="'TrainOptions' object has no attribute 'pol'"):
        _ = TrainOptions().pol  # type: ignore[attr-defined]
