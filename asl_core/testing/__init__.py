"""Checks for the tests of plugins. A failure says what failed, the contract, the input, and what to change.

    from asl_core import testing

    def test_my_encoder():
        testing.check_encoder(my_component)

``check_plugin("my_plugin")`` checks all components of a package and returns every result, as ``asl plugins check``
prints them. :mod:`asl_core.testing.fixtures` has fixtures for pytest, :mod:`asl_core.testing.strategies` batches for
hypothesis; neither is imported here, so that the core needs neither.
"""

from __future__ import annotations

from asl_core.clips.batch import frame_mask as frame_mask
from asl_core.registry.options import option_specs as option_specs
from asl_core.testing.augments import check_augment
from asl_core.testing.batches import CLASSES, LENGTHS, WIDTH, devices, random_batch
from asl_core.testing.checks import CheckResult, ContractError
from asl_core.testing.clips import check_dataset
from asl_core.testing.components import check_component, options_of
from asl_core.testing.encoders import check_encoder
from asl_core.testing.formats import check_format
from asl_core.testing.heads import check_head
from asl_core.testing.isolated import isolated, locate
from asl_core.testing.loaders import check_checkpoint_loader
from asl_core.testing.losses import check_loss
from asl_core.testing.plugin import check_plugin
from asl_core.testing.runs import check_observer, check_run, tiny_settings
from asl_core.testing.transforms import check_transform

__all__ = [
    "CLASSES",
    "LENGTHS",
    "WIDTH",
    "CheckResult",
    "ContractError",
    "check_augment",
    "check_checkpoint_loader",
    "check_component",
    "check_dataset",
    "check_encoder",
    "check_format",
    "check_head",
    "check_loss",
    "check_observer",
    "check_plugin",
    "check_run",
    "check_transform",
    "devices",
    "isolated",
    "locate",
    "options_of",
    "random_batch",
    "tiny_settings",
]
