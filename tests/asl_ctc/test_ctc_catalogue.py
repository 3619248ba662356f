"""What the plugin offers, and that offering it costs nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

import asl_ctc
from asl_core import Component, Head, Loss
from asl_core.registry.options import option_specs
from asl_ctc.options import CtcHeadOptions, CtcIsolatedOptions, CtcOptions


def test_catalogue_imports_no_torch() -> None:
    code = "import sys, asl_ctc; asl_ctc.asl_heads(); asl_ctc.asl_losses(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("head", asl_ctc.asl_heads(), ids=lambda c: c.name)
def test_every_head_suggests_a_loss_that_accepts_it(head: Component) -> None:
    losses = {c.name: c for c in asl_ctc.asl_losses()}
    made = head.load()(head.options(), 6, 3)
    assert isinstance(made, Head)
    loss = losses[head.suggests["loss.name"]]
    accepting = loss.load()(loss.options())
    assert isinstance(accepting, Loss)
    assert made.kind in accepting.accepts


def test_every_option_says_what_it_means() -> None:
    for component in [*asl_ctc.asl_heads(), *asl_ctc.asl_losses()]:
        for spec in option_specs(component.options):
            assert len(spec.help) > 20, (component.name, spec.key)


def test_the_two_blank_penalties_are_told_apart() -> None:
    def help_of(options: type, key: str) -> str:
        return {spec.key: spec.help for spec in option_specs(options)}[key]

    assert "--loss.blank-penalty" in help_of(CtcHeadOptions, "decode-blank-penalty")
    for options in (CtcOptions, CtcIsolatedOptions):
        assert "--head.decode-blank-penalty" in help_of(options, "blank-penalty")
