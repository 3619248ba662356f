"""``asl inspect``: the content of a checkpoint, and its transfer plan for an encoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from asl_core.cli.flags import ConfiguredCommand, flags_of
from asl_core.cli.wrapping import say
from asl_core.errors import UsageError
from asl_core.files.bounded import plain
from asl_core.text import json_text, one_line

if TYPE_CHECKING:
    from torch import Tensor

    from asl_core.checkpoints.external import Checkpoint
    from asl_core.checkpoints.transfer import Named, TransferPlan
    from asl_core.config.sources import Layer
    from asl_core.registry.component import Registry

__all__ = ["inspect"]


@click.command("inspect", cls=ConfiguredCommand, slots=("encoder",))
@click.argument("checkpoint")
@click.option(
    "--width", type=click.IntRange(min=1), metavar="N", help="features per frame, where the file does not state them"
)
@click.option("--map", "rules", metavar="OLD=NEW,…", help="prefixes of tensor names to change, as --init.map")
@click.option("--json", "as_json", is_flag=True, help="all of it as JSON")
@click.pass_context
def inspect(
    ctx: click.Context, /, checkpoint: str, width: int | None, rules: str | None, as_json: bool, **values: Any
) -> None:
    """Show the content of CHECKPOINT: tensors, epoch, metrics, configuration, vocabulary.

    CHECKPOINT is a file or run directory, or LOADER:PATH. With --encoder and its options, also the transfer plan of
    `asl run --init CHECKPOINT`. No code in the file is run.
    """
    from asl_core.checkpoints.external import best_reading, named, read_checkpoint
    from asl_core.checkpoints.transfer import TransferPlan, rename

    registry = ctx.meta["asl.registry"]
    read = read_checkpoint(checkpoint, registry)
    changes = [r for r in (rules or "").split(",") if r.strip()]
    flags = flags_of(ctx, values)
    plan = None
    if flags:
        encoder = _encoder(read, flags, registry, width)
        read, tensors = best_reading(read, encoder, changes)
        plan = TransferPlan.of(named(tensors), encoder)
    else:
        tensors = rename(read.foreign.tensors, changes)
    if as_json:
        click.echo(json_text(_to_json(read, tensors, plan), indent=2, default=str))
        return
    for line in _lines(read, tensors):
        say(one_line(line))
    if plan is not None:
        say(one_line(f"plan for --encoder {values['encoder']}" if values.get("encoder") else "plan"))
        for line in [*plan.full(), plan.short()[0]]:
            say(one_line(f"  {line}"))


def _encoder(read: Checkpoint, flags: Layer, registry: Registry, width: int | None) -> list[Named]:
    """Names and shapes of the encoder that the flags describe."""
    from asl_core.checkpoints.external import named
    from asl_core.config.resolve import resolve

    width = width or read.foreign.width
    if width is None:
        raise UsageError(
            f"{read.path} does not state its features per frame; give --width N (36 for the reference features)."
        )
    return named(resolve([flags], registry).encoder.build(width).state_dict())


def _lines(read: Checkpoint, tensors: Mapping[str, Tensor]) -> list[str]:
    from asl_core.checkpoints.external import encoder_flags

    foreign = read.foreign
    lines = [f"{read.path}: {foreign.source} (loader {read.loader})", f"encoder     {_size(tensors)}"]
    if foreign.width is not None:
        lines.append(f"reads       {foreign.width} features per frame")
    lines.append(f"features    {_FEATURES[foreign.standardise]}")
    if (flags := encoder_flags(foreign)) is not None:
        lines.append(f"fits        {flags}")
    lines.append(f"vocabulary  {f'{len(foreign.glosses)} glosses' if foreign.glosses else 'none'}")
    for key, value in foreign.facts.items():
        lines.append(f"{key:<11} {_fact(value)}")
    for title, listed in (("encoder tensors", tensors), ("other tensors", foreign.others)):
        if listed:
            lines.append(f"{title} ({_size(listed)})" if listed is not tensors else title)
            wide = max(map(len, listed))
            lines += [f"  {n:<{wide}}  {_kind(t)}" for n, t in listed.items()]
    return lines


_FEATURES = {
    True: "standardised",
    False: "as stored, not standardised",
    None: "unknown whether standardised",
}


def _to_json(read: Checkpoint, tensors: Mapping[str, Tensor], plan: TransferPlan | None) -> dict[str, Any]:
    from asl_core.checkpoints.transfer import dtype_text

    foreign = read.foreign

    def table(tensors: Mapping[str, Tensor]) -> list[dict[str, Any]]:
        return [
            {"name": n, "shape": list(t.shape), "numbers": t.numel(), "kind": dtype_text(t)} for n, t in tensors.items()
        ]

    return {
        "path": str(read.path),
        "loader": read.loader,
        "source": foreign.source,
        "encoder": foreign.encoder,
        "settings": dict(foreign.settings),
        "width": foreign.width,
        "standardised": foreign.standardise,
        "glosses": list(foreign.glosses) if foreign.glosses else None,
        "facts": plain(foreign.facts),
        "tensors": table(tensors),
        "others": table(foreign.others),
        "plan": plan.to_json() if plan else None,
    }


def _size(tensors: Mapping[str, Tensor]) -> str:
    return f"{len(tensors)} tensors, {sum(t.numel() for t in tensors.values()):,} numbers"


def _kind(tensor: Tensor) -> str:
    from asl_core.checkpoints.transfer import dtype_text, shape_text

    return f"{shape_text(tensor.shape)}  {tensor.numel():,}  {dtype_text(tensor)}"


def _fact(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {_fact(v)}" for k, v in value.items())
    return f"{value:.6g}" if isinstance(value, float) else str(value)
