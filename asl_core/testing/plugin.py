"""All checks on all that a plugin offers, each told whatever came of the others."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from asl_core.errors import ConfigError, nearest
from asl_core.registry.component import SLOTS, Offer, Registry
from asl_core.registry.distribution import BUILTIN, former_requirement
from asl_core.registry.option_values import parse_text
from asl_core.registry.options import option_specs
from asl_core.testing.augments import AUGMENT_CHECKS, AugmentBench
from asl_core.testing.batches import WIDTH, one_thread
from asl_core.testing.checks import Bench, CheckResult, require, results
from asl_core.testing.clips import DATASET_CHECKS, DatasetBench
from asl_core.testing.components import COMPONENT_CHECKS
from asl_core.testing.encoders import ENCODER_CHECKS, EncoderBench
from asl_core.testing.formats import FORMAT_CHECKS, FormatBench
from asl_core.testing.heads import HEAD_CHECKS, HeadBench
from asl_core.testing.isolated import Found, isolated, locate
from asl_core.testing.loaders import LOADER_CHECKS, LoaderBench
from asl_core.testing.losses import LOSS_CHECKS, LossBench
from asl_core.testing.probe import probe
from asl_core.testing.runs import OBSERVER_CHECKS, RUN_CHECKS, RunBench, fitting
from asl_core.testing.transforms import TRANSFORM_CHECKS, TransformBench

__all__ = ["Setup", "check_plugin", "plugin_results"]

_READERS = ("dataset", "checkpoint-loader", "format")  #: slots that read files and need no run to be checked


@attrs.frozen
class Setup:
    """What the checks have to be told about a plugin's components.

    Attributes:
        options: ``(slot, name)`` -> options other than the defaults, by attribute name.
        samples: name of a data set, format or checkpoint loader -> a file that it reads.
        width: numbers a frame of the clips.
    """

    options: Mapping[tuple[str, str], Mapping[str, Any]] = attrs.field(factory=dict)
    samples: Mapping[str, Path] = attrs.field(factory=dict)
    width: int = WIDTH


def check_plugin(
    plugin: str | os.PathLike[str],
    *,
    options: Mapping[str, Any] | None = None,
    samples: Mapping[str, str | os.PathLike[str]] | None = None,
    width: int = WIDTH,
) -> list[CheckResult]:
    """Every check on every component of a plugin package, none of them stopped by another that failed.

    Args:
        plugin: a folder with a pyproject.toml, an installed package or plugin, or a module; see
            :func:`asl_core.testing.locate`.
        options: ``"encoder.mine.hidden-size"`` to its value, as text or as what the option holds.
        samples: name of a data set, format or checkpoint loader to a file that it reads.
        width: numbers a frame of the clips that components are tried on.

    Raises:
        UsageError: there is no such plugin, or an option or sample is of none of its components.
    """
    return list(plugin_results(locate(plugin), options or {}, samples or {}, width))


def plugin_results(
    found: Found, options: Mapping[str, Any], samples: Mapping[str, str | os.PathLike[str]], width: int = WIDTH
) -> Iterator[CheckResult]:
    """The results of :func:`check_plugin` as they come."""
    sound = []
    if requirement := next((r for e in found.entry_points if (r := former_requirement(e.dist))), None):
        reason = f"{requirement!r} is a project of somebody else on the public index: require {BUILTIN!r} instead"
        yield CheckResult("plugin", found.name, "requires", "failed", reason)
    for entry in found.entry_points:
        if found.name == BUILTIN and not found.checks(entry.name):
            sound.append(entry)  # at hand for those that are checked
            continue
        seen = probe(found, entry)
        if not found.checks(entry.name):
            sound += [] if seen.fault else [entry]
            continue
        yield CheckResult("plugin", entry.name, "import", "failed" if seen.fault else "passed", seen.fault)
        if not seen.fault:
            sound.append(entry)
            yield _light(entry.name, seen.heavy, seen.seconds)
    found = attrs.evolve(found, entry_points=tuple(sound))  # what fails there may take this process down with it
    with found.importable(), one_thread():
        report = isolated(found)
        mine = [r for r in report.records if r.distribution == found.name and found.checks(r.name)]
        for record in mine:
            if record.status == "broken":  # what only shows beside the others
                yield CheckResult("plugin", record.name, "together", "failed", " ".join(record.reason.split()))
            elif not record.components:
                text = "its hooks return no component: it does nothing"
                yield CheckResult("plugin", record.name, "offers", "failed", text)
        offers = [o for o in report.registry if o.distribution == found.name and found.checks(o.plugin)]
        setup = _setup(offers, options, samples, width) if offers else Setup()
        for offer in offers:
            yield _own_name(offer, report.registry)
            yield from _component(offer, report.registry, setup)


def _light(name: str, heavy: tuple[str, ...], seconds: float) -> CheckResult:
    if not heavy:
        return CheckResult("plugin", name, "light", "passed", f"imported in {1000 * seconds:.0f} ms")
    return CheckResult(
        "plugin", name, "light", "failed",
        f"its import takes {seconds:.1f} s and brings in {', '.join(heavy)}, which every `asl --help` would wait for: "
        f"import them in the modules of the factories, which are loaded when a component is chosen",
    )  # fmt: skip


def _own_name(offer: Offer, registry: Registry) -> CheckResult:
    """A name of its own: next to a built-in it could only be used as ``dist:name``."""
    name = offer.component.name
    others = [o for o in registry.slot(offer.slot) if o.component.name == name and o.distribution != offer.distribution]
    text = f"{others[0].qualified} has that name, and users would have to write {offer.qualified}" if others else ""
    return CheckResult(offer.slot, name, "name", "failed" if others else "passed", text)


def _component(offer: Offer, registry: Registry, setup: Setup) -> Iterator[CheckResult]:
    slot, component = offer.slot, offer.component
    values = setup.options.get((slot, component.name), {})
    base = Bench(component, values)
    loaded = True
    for result in results(slot, COMPONENT_CHECKS, base, gate=False):
        loaded = loaded and not (result.failed and result.check == "loads")
        yield result
    if not loaded:
        return
    if base.missing:
        keys = " ".join(f"--set {slot}.{component.name}.{s.key}=VALUE" for s in base.missing)
        texts = "; ".join(f"{s.key} is {s.help}" for s in base.missing)
        yield CheckResult(slot, component.name, "all others", "skipped", f"it needs {keys} ({texts})")
        return
    yield from _of_slot(offer, registry, setup, values)


def _of_slot(offer: Offer, registry: Registry, setup: Setup, values: Mapping[str, Any]) -> Iterator[CheckResult]:
    slot, component = offer.slot, offer.component
    sample = setup.samples.get(component.name)
    if slot == "encoder":
        yield from results(slot, ENCODER_CHECKS, EncoderBench(component, values, setup.width))
    elif slot == "head":
        yield from results(slot, HEAD_CHECKS, HeadBench(component, values))
    elif slot == "loss":
        yield from _loss(offer, registry, setup, values)
    elif slot == "augment":
        yield from results(slot, AUGMENT_CHECKS, AugmentBench(component, values, setup.width))
    elif slot == "transform":
        yield from results(slot, TRANSFORM_CHECKS, TransformBench(component, values, setup.width))
    elif slot == "dataset":
        yield from results(slot, DATASET_CHECKS, DatasetBench(component, values, sample=sample))
    elif slot == "checkpoint-loader":
        yield from results(slot, LOADER_CHECKS, LoaderBench(component, values, sample=sample))
    elif slot == "format":
        yield from results(slot, FORMAT_CHECKS, FormatBench(component, values, sample=sample))
    if slot not in _READERS:
        checks = OBSERVER_CHECKS if slot == "observer" else RUN_CHECKS
        bench = RunBench(component, values, slot=slot, registry=registry, name=registry.name_of(offer))
        yield from results(slot, checks, bench)


def _loss(offer: Offer, registry: Registry, setup: Setup, values: Mapping[str, Any]) -> Iterator[CheckResult]:
    """On every head that it accepts."""
    heads: list[Offer] = []

    def accepts(bench: Bench) -> None:
        kinds = bench.make().accepts
        heads.extend(fitting(registry, "head", kinds))
        require(heads, f"no head of kind {' or '.join(sorted(kinds)) or '(accepts is empty)'} is there to try it on")

    yield from results("loss", {"accepts": accepts}, Bench(offer.component, values))
    for head in heads:
        bench = LossBench(offer.component, values, setup.width, head=Bench(head.component))
        for result in results("loss", LOSS_CHECKS, bench):
            on = f" ({registry.name_of(head)})" if len(heads) > 1 else ""
            yield attrs.evolve(result, check=result.check + on)


def _setup(
    offers: list[Offer], options: Mapping[str, Any], samples: Mapping[str, str | os.PathLike[str]], width: int
) -> Setup:
    """What was said by ``SLOT.NAME.KEY`` and by name, as the components take it.

    Raises:
        ConfigError: with all that is of no component of this plugin, or not of the option's type.
    """
    there = {f"{o.slot}.{o.component.name}": o for o in offers}
    problems: list[str] = []
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for dotted, value in options.items():
        stem, _, key = dotted.rpartition(".")
        offer = there.get(stem)
        if offer is None:
            problems.append(f"{dotted}: expected SLOT.NAME.KEY of a component of this plugin{nearest(stem, there)}")
            continue
        specs = {s.key: s for s in option_specs(offer.component.options)}
        if key not in specs:
            problems.append(f"{dotted}: no such option{nearest(key, specs)}")
            continue
        try:
            read = parse_text(value, specs[key].type) if isinstance(value, str) else value
        except ValueError as fault:
            problems.append(f"{dotted}: {fault}")
            continue
        found.setdefault((offer.slot, offer.component.name), {})[specs[key].name] = read
    readers = [o.component.name for o in offers if o.slot in _READERS]
    problems += [
        f"sample {name}: no data set, format or checkpoint loader of this plugin has that name{nearest(name, readers)}"
        for name in samples
        if name not in readers
    ]
    if problems:
        raise ConfigError(problems)
    return Setup(found, {name: Path(path) for name, path in samples.items()}, width)


assert set(SLOTS) == {  # noqa: S101 - a slot without checks would be a plugin that always passes
    "dataset", "transform", "augment", "encoder", "head", "loss", "checkpoint-loader", "observer",
    "format",
}  # fmt: skip
