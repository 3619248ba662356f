"""Preparing a run: every check before anything is written, for `asl check --data` as for a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small import small

from asl_core import api
from asl_core.cli import main
from asl_core.errors import CheckpointError, ConfigError
from asl_core.training.checking import check_data
from asl_core.training.prepare import prepare


def configured(out: Path, **more: Any) -> Any:
    return api.configure(small(out / "runs", **more), environ={}, project_file=False)


def test_nothing_is_written_and_the_configuration_is_final(tmp_path: Path) -> None:
    config = configured(tmp_path, transform="unpad")
    prepared = prepare(config)
    assert not list(tmp_path.iterdir())
    assert prepared.config is config, "nothing of it had to be fitted"
    assert prepared.transfer is None
    assert set(prepared.trained_on.clips) == set(prepared.trainer.data.train.ids)


def test_a_check_refuses_what_a_run_would_find_last(tmp_path: Path) -> None:
    """A metric that nothing measures is known when a prediction was made."""
    with pytest.raises(ConfigError, match=r"train.select is 'ctc-isolated/nothing'"):
        check_data(configured(tmp_path, train__select="ctc-isolated/nothing"))
    audit = check_data(configured(tmp_path, train__select="ctc-isolated/ctc-ce"))
    assert set(audit.splits) == {"train", "val"}
    assert not list(tmp_path.iterdir())


def test_weights_that_an_earlier_stage_will_make_need_not_be_there(tmp_path: Path) -> None:
    config = configured(tmp_path, init=str(tmp_path / "later"))
    check_data(config, own_init=False)
    with pytest.raises(CheckpointError, match="later"):
        check_data(config)


def test_check_with_data_prints_each_finding_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    settings = tmp_path / "s.toml"
    settings.write_text('[dataset]\nname = "demo"\nglosses = 4\n', encoding="utf-8")
    with pytest.raises(SystemExit) as stop:
        main(["check", str(settings), "--data"])
    assert stop.value.code == 0
    out, err = capfd.readouterr()
    assert (out + err).count("feature dimensions never change") == 1
