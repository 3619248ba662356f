"""Every source of settings says where a value stands; stronger sources win."""

from __future__ import annotations

from pathlib import Path

import pytest

from asl_core.config.configure import configure
from asl_core.config.origins import Kind, Origin
from asl_core.config.sources import env_layer, flag_layer, merge, shown, toml_layer, value_layer
from asl_core.errors import ConfigError


def write(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def test_toml_lines(tmp_path: Path) -> None:
    path = write(
        tmp_path / "run.toml",
        """# a run
encoder.name = "gru"

[train]   # how
epochs = 5
"batch-size" = 8

[heads.main.losses.extra]
weight = 0.5

[augment.mask]
share = 0.1
""",
    )
    layer = toml_layer(path)
    assert {k: (s.value, str(s.origin).removeprefix(str(path))) for k, s in layer.items()} == {
        "encoder.name": ("gru", " line 2"),
        "train.epochs": (5, " line 5"),
        "train.batch-size": (8, " line 6"),
        "heads.main.losses.extra.weight": (0.5, " line 9"),
        "augment.mask.share": (0.1, " line 12"),
    }
    assert not any(s.text for s in layer.values())


@pytest.mark.parametrize(
    "content",
    [
        'dataset = "demo"\nencoder = "gru"\nhead = "ctc"\nloss = "ctc"\naugment = ["a", "b"]',
        '[dataset]\nname = "demo"\n[encoder]\nname = "gru"\n[head]\nname = "ctc"\n[loss]\nname = "ctc"\n'
        '[augment]\nnames = ["a", "b"]',
        'dataset.name = "demo"\nencoder.name = "gru"\naugment = "a, b"\n[heads.main]\nname = "ctc"\n'
        '[heads.main.losses.main]\nname = "ctc"',
    ],
)
def test_short_and_long_forms_are_one(tmp_path: Path, content: str) -> None:
    layer = toml_layer(write(tmp_path / "run.toml", content))
    assert {k: s.value for k, s in layer.items()} == {
        "dataset.name": "demo",
        "encoder.name": "gru",
        "heads.main.name": "ctc",
        "heads.main.losses.main.name": "ctc",
        "augment.names": ("a", "b"),
    }


@pytest.mark.parametrize("key", ["head.dropout", "loss.weight", "loss.name", "heads.aux.name", "train.epochs"])
def test_keys_are_shown_as_they_may_be_written(key: str) -> None:
    (canonical,) = value_layer({key: 1}, "script")
    assert shown(canonical) == key


def test_flags_are_text_under_the_name_that_was_typed() -> None:
    layer = flag_layer({"train.epochs": "5", "augment": "none", "encoder": "gru"}, {"train.epochs": "--epochs"})
    assert layer["train.epochs"].origin == Origin(Kind.FLAG, "--epochs")
    assert layer["train.epochs"].text
    assert layer["augment.names"].value == ()
    assert str(layer["encoder.name"].origin) == "flag --encoder"


def test_environment() -> None:
    environ = {
        "ASL_RUN__TRAIN__BATCH_SIZE": "5",
        "ASL_RUN__ENCODER": "gru",
        "ASL_RUN__HEAD__DROPOUT": "0",
        "ASL_DATA": "clips",
        "EMPTY": "",
        "PATH": "x",
    }
    layer = env_layer(environ, {"ASL_DATA": "dataset.root", "EMPTY": "dataset.labels", "UNSET": "dataset.train"})
    assert {k: (s.value, str(s.origin), s.text) for k, s in layer.items()} == {
        "train.batch-size": ("5", "environment variable ASL_RUN__TRAIN__BATCH_SIZE", True),
        "encoder.name": ("gru", "environment variable ASL_RUN__ENCODER", True),
        "heads.main.dropout": ("0", "environment variable ASL_RUN__HEAD__DROPOUT", True),
        "dataset.root": ("clips", "environment variable ASL_DATA", True),
    }


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "notepad.toml"
    path.write_bytes(b'\xef\xbb\xbf[encoder]\r\nname = "gru"\r\n')
    assert {k: str(s.origin) for k, s in toml_layer(path).items()} == {"encoder.name": f"{path} line 2"}


@pytest.mark.parametrize(
    "content", [b"[encoder\nname = 1", b"x = \xff", b"a = 1\na = 2", b"\x00", b"x = " + b"[" * 20_000]
)
def test_what_is_not_toml(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="is not TOML") as raised:
        toml_layer(path)
    assert str(path) in str(raised.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.toml: cannot be read \(No such file"):
        toml_layer(tmp_path / "gone.toml")


def test_the_later_layer_wins() -> None:
    settings, notes = merge([value_layer({"train.epochs": n}, f"layer {n}") for n in (1, 2, 3)])
    assert (settings["train.epochs"].value, str(settings["train.epochs"].origin)) == (3, "layer 3")
    assert notes == []


def test_options_go_with_the_component_they_were_for() -> None:
    file = value_layer(
        {"encoder": "gru", "encoder.hidden-size": 64, "head": "ctc", "head.weight": 1, "loss": "a", "loss.power": 2,
         "loss.weight": 0.5},
        "file",
    )  # fmt: skip
    settings, notes = merge(
        [file, value_layer({"encoder": "wide", "encoder.layers": 3, "head": "x", "loss": "b"}, "flag")]
    )
    assert {k: s.value for k, s in settings.items()} == {
        "encoder.name": "wide",
        "encoder.layers": 3,
        "heads.main.name": "x",
        "heads.main.losses.main.name": "b",
        "heads.main.losses.main.weight": 0.5,  # of the sum, not of the loss
    }
    assert "encoder.hidden-size = 64 (file) is ignored: it was for 'gru', and flag chooses 'wide'" in notes
    assert any(n.startswith("loss.power = 2 (file)") for n in notes)
    assert any(n.startswith("head.weight = 1 (file)") for n in notes)
    assert len(notes) == 3


def test_losses_go_with_the_head_they_were_for() -> None:
    file = value_layer(
        {"head": "ctc", "loss": "a", "loss.power": 2, "loss.weight": 0.5, "heads.other": {"name": "x"}}, "file"
    )
    settings, notes = merge([file, value_layer({"head": "mean", "loss.smoothing": 0.1}, "flag")])
    assert {k: s.value for k, s in settings.items()} == {
        "heads.main.name": "mean",
        "heads.main.losses.main.weight": 0.5,
        "heads.main.losses.main.smoothing": 0.1,
        "heads.other.name": "x",
    }
    assert notes == [
        "loss.name = 'a' (file) is ignored: it was for 'ctc', and flag chooses 'mean'",
        "loss.power = 2 (file) is ignored: it was for 'ctc', and flag chooses 'mean'",
    ]


def test_choosing_the_same_again_drops_nothing() -> None:
    settings, notes = merge(
        [value_layer({"encoder": "gru", "encoder.hidden-size": 64}, "file"), flag_layer({"encoder": "gru"})]
    )
    assert settings["encoder.hidden-size"].value == 64
    assert notes == []


def test_a_run_is_no_component() -> None:
    """``run.name`` ends in "name" too; another one must not take ``run.seed`` with it."""
    settings, notes = merge([value_layer({"run.name": "a", "run.seed": 3}, "file"), flag_layer({"run.name": "b"})])
    assert settings["run.seed"].value == 3
    assert notes == []


def test_options_go_with_the_list_entry_they_were_for() -> None:
    file = value_layer({"augment": ["speed", "mask"], "augment.speed.share": 0.3, "augment.mask.share": 0.4}, "file")
    settings, notes = merge([file, flag_layer({"augment": "mask"})])
    assert {k: s.value for k, s in settings.items()} == {"augment.names": ("mask",), "augment.mask.share": 0.4}
    assert notes == ["augment.speed.share = 0.3 (file) is ignored: it was for 'speed', and flag --augment chooses mask"]
    settings, notes = merge([file, flag_layer({"augment": "none"})])
    assert {k: s.value for k, s in settings.items()} == {"augment.names": ()}
    assert notes[-1].endswith("flag --augment chooses none")


def test_a_variable_that_an_option_names_survives_a_data_set_chosen_by_flag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """asl.toml names another data set; the variable is for the one that the flag chooses."""
    from asl_core.api import configure
    from asl_core.config.sources import flag_layer

    monkeypatch.chdir(tmp_path)
    (tmp_path / "asl.toml").write_text('[dataset]\nname = "demo"\nglosses = 7\n')
    chosen = configure(flags=flag_layer({"dataset": "wlasl"}), environ={"ASL_DATA": "elsewhere"})
    assert chosen.dataset.options.root == str(tmp_path / "elsewhere")
    told = configure(flags=flag_layer({"dataset": "wlasl", "dataset.root": "here"}), environ={"ASL_DATA": "elsewhere"})
    assert told.dataset.options.root == str(tmp_path / "here")


def test_a_saved_configuration_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What asl.toml says later changes nothing in the repeat of a run."""
    from asl_core.api import configure

    monkeypatch.chdir(tmp_path)
    saved = configure({"dataset": "demo"}, environ={})
    (tmp_path / "config.toml").write_text(saved.to_toml())
    (tmp_path / "asl.toml").write_text('[split]\nfold = "1/3"\n[heads.extra]\nname = "mean"\n')
    assert configure(file="config.toml", environ={}) == saved


def test_no_name_of_a_file_changes_what_a_setting_counts_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a value comes from is data; a folder may be called as a source of settings is."""
    from asl_core.api import configure

    for folder in ("suggested by me", "flag ", "default", "checkpoint", "x line 3"):
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        path = write(tmp_path / folder / "default", 'encodr = "gru"\n[train]\nepoch = 2\nstandardise = false\n')
        for name in (path, Path("default")):
            with pytest.raises(ConfigError) as raised:
                configure(file=name, environ={})
            assert len(raised.value.problems) == 2
        write(path, "[train]\nstandardise = false\n")
        origin = configure(file=path, environ={}).origin("train.standardise")
        assert (origin.kind, origin.file, origin.line, origin.chosen) == (Kind.FILE, str(path), 2, True)


def test_a_variable_without_run_is_no_setting_and_is_refused() -> None:
    with pytest.raises(ConfigError, match="ASL_TRAIN__EPOCHS: no such variable; settings are given as ASL_RUN__TRAIN"):
        configure(environ={"ASL_TRAIN__EPOCHS": "1"}, project_file=False)
    configure(environ={"ASL_STRICT_PLUGINS": "", "ASL_SHARED_DATA": "x"}, project_file=False)
