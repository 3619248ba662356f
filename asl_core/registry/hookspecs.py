"""The hooks of a plugin, all on one screen.

A plugin is a module named by an entry point of the group ``asl.plugins``. It implements any of these hooks
with ``@asl_core.hookimpl``; each returns a list of :class:`asl_core.Component`. Hooks are called once, at
start-up, so a plugin module must stay light: a factory is named by its path and imported only when chosen.

As pluggy does for hooks, a factory of an encoder, a head or a loss gets ``facts`` if it has a parameter of that name:
:class:`asl_core.Facts`, which say features per frame, classes, whether features are standardised, and more.
"""

from __future__ import annotations

import pluggy

from asl_core.registry.component import Component

__all__ = ["GROUP", "hookimpl", "hookspec"]

GROUP = "asl"
hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@hookspec
def asl_datasets() -> list[Component]:
    """Data sets. Factory: ``(options) -> Dataset``, which hands out clips with gloss strings."""
    return []


@hookspec
def asl_formats() -> list[Component]:
    """Formats of recordings on disk. Factory: ``(options) -> Format``, from a file or folder to points with names."""
    return []


@hookspec
def asl_transforms() -> list[Component]:
    """Per-clip transforms, applied before training and at prediction. Factory: ``(options) -> Transform``."""
    return []


@hookspec
def asl_augments() -> list[Component]:
    """Augmentations of whole training batches. Factory: ``(options) -> Augment``."""
    return []


@hookspec
def asl_encoders() -> list[Component]:
    """Encoders. Factory: ``(options, input_size) -> Encoder``, frames (B, T, D) to (B, T', output_size)."""
    return []


@hookspec
def asl_heads() -> list[Component]:
    """Heads. Factory: ``(options, input_size, classes) -> Head``, encoder frames to scores over glosses."""
    return []


@hookspec
def asl_losses() -> list[Component]:
    """Losses. Factory: ``(options) -> Loss``, a head's output and the batch to a scalar and its parts."""
    return []


@hookspec
def asl_checkpoint_loaders() -> list[Component]:
    """Readers of checkpoints of other programs. Factory: ``(options) -> CheckpointLoader``."""
    return []


@hookspec
def asl_observers() -> list[Component]:
    """Observers of a run. Factory: ``(options) -> Observer``, called once an event, never once a batch."""
    return []
