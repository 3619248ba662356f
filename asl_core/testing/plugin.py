"""All checks on all components of a plugin, whether others fail or not."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from asl_core.errors import ConfigError, nearest
from asl_core.registry.component import SLOTS, Offer, Registry
from asl_core.registry.installed import BUILTIN, former_requirement
from asl_core.registry.option_values import parse_text
from asl_core.registry.options import option_specs
from asl_core.testing.augments import AUGMENT_CHECKS, AugmentBench
from asl_core.testing.batches import WIDTH, one_thread
from asl_core.testing.checks import Bench, CheckResult, Checks, require, results
from asl_core.testing.clips import DATASET_CHECKS, DatasetBench
from asl_core.testing.components import COMPONENT_CHECKS
from asl_core.testing.encoders import ENCODER_CHECKS, EncoderBench
from asl_core.testing.formats import FORMAT_CHECKS, FormatBench
from asl_core.testing.heads import HEAD_CHECKS, HeadBench
from asl_core.testing.isolated import PluginPackage, isolated, locate
from asl_core.testing.loaders import LOADER_CHECKS, LoaderBench
from asl_core.testing.losses import LOSS_CHECKS, LossBench
from asl_core.testing.probe import probe
from asl_core.testing.runs import OBSERVER_CHECKS, RUN_CHECKS, RunBench, fitting
from asl_core.testing.transforms import TRANSFORM_CHECKS, TransformBench

__all__ = ["Setup", "check_plugin", "plugin_results"]

_READERS = ("dataset", "checkpoint-loader", "format")  #: slots that read files and are checked without a run

#: slot -> its checks and their bench, but for losses, which need heads, and observers, which need runs
_BENCHES: Mapping[str, tuple[Checks[Any], type[Bench]]] = {
    "dataset": (DATASET_CHECKS, DatasetBench),
    "format": (FORMAT_CHECKS, FormatBench),
    "transform": (TRANSFORM_CHECKS, TransformBench),
    "augment": (AUGMENT_CHECKS, AugmentBench),
    "encoder": (ENCODER_CHECKS, EncoderBench),
    "head": (HEAD_CHECKS, HeadBench),
    "checkpoint-loader": (LOADER_CHECKS, LoaderBench),
}
# A slot without checks would let every plugin pass.
assert {*_BENCHES, "loss", "observer"} == set(SLOTS)  # noqa: S101


@attrs.frozen
class Setup:
    """Settings of the checks of a plugin's components.

    Attributes:
        options: options other than the defaults, by attribute name, for each ``(slot, name)``.
        samples: a file that it reads, for each name of a data set, format or checkpoint loader.
        width: features per frame of the clips.
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
    """Make every check on every component of a plugin package, whether others fail or not.

    Args:
        plugin: a folder with a pyproject.toml, an installed package or plugin, or a module; see
            :func:`asl_core.testing.locate`.
        options: such as ``{"encoder.mine.hidden-size": 64}``, values as text or of the option's type.
        samples: a file that it reads, for each name of a data set, format or checkpoint loader.
        width: features per frame of the clips that components are tried on.

    Raises:
        UsageError: there is no such plugin, or an option or sample belongs to none of its components.
    """
    return list(plugin_results(locate(plugin), options or {}, samples or {}, width))


def plugin_results(
    package: PluginPackage,
    options: Mapping[str, Any],
    samples: Mapping[str, str | os.PathLike[str]],
    width: int = WIDTH,
) -> Iterator[CheckResult]:
    """The results of :func:`check_plugin`, one by one."""
    sound = []
    if requirement := next((r for e in package.entry_points if (r := former_requirement(e.dist))), None):
        reason = f"{requirement!r} is an unrelated project on the public index: require {BUILTIN!r} instead"
        yield CheckResult("plugin", package.name, "requires", "failed", reason)
    for entry in package.entry_points:
        if package.name == BUILTIN and not package.checks(entry.name):
            sound.append(entry)  # the checked plugins may need it
            continue
        probed = probe(package, entry)
        if not package.checks(entry.name):
            sound += [] if probed.fault else [entry]
            continue
        yield CheckResult("plugin", entry.name, "import", "failed" if probed.fault else "passed", probed.fault)
        if not probed.fault:
            sound.append(entry)
            yield _light(entry.name, probed.heavy, probed.seconds)
    package = attrs.evolve(package, entry_points=tuple(sound))  # importing a broken one here could end this process
    with package.importable(), one_thread():
        report = isolated(package)
        records = [r for r in report.records if r.distribution == package.name and package.checks(r.name)]
        for record in records:
            if record.status == "broken":  # broken only beside the others
                yield CheckResult("plugin", record.name, "together", "failed", " ".join(record.reason.split()))
            elif not record.components:
                text = "its hooks return no component: return a list of asl_core.Component"
                yield CheckResult("plugin", record.name, "offers", "failed", text)
        offers = [o for o in report.registry if o.distribution == package.name and package.checks(o.plugin)]
        setup = _setup(offers, options, samples, width) if offers else Setup()
        for offer in offers:
            yield _own_name(offer, report.registry)
            yield from _component(offer, report.registry, setup)


def _light(name: str, heavy: tuple[str, ...], seconds: float) -> CheckResult:
    if not heavy:
        return CheckResult("plugin", name, "light", "passed", f"imported in {1000 * seconds:.0f} ms")
    return CheckResult(
        "plugin", name, "light", "failed",
        f"its import takes {seconds:.1f} s and imports {', '.join(heavy)}, which would slow down every `asl --help`: "
        f"import them in the modules of the factories, which are loaded when a component is chosen",
    )  # fmt: skip


def _own_name(offer: Offer, registry: Registry) -> CheckResult:
    """The name is unique: a second one could only be used as ``dist:name``."""
    name = offer.component.name
    others = [o for o in registry.slot(offer.slot) if o.component.name == name and o.distribution != offer.distribution]
    text = (
        f"{others[0].qualified} has that name, so users would have to write {offer.qualified}: choose another"
        if others
        else ""
    )
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
    if slot == "loss":
        yield from _loss(offer, registry, setup, values)
    elif slot in _BENCHES:
        checks, bench_class = _BENCHES[slot]
        given: dict[str, Any] = {}
        if slot in _READERS:
            given = {"sample": setup.samples.get(component.name)}
        elif slot != "head":  # its input is the encoder's output
            given = {"width": setup.width}
        yield from results(slot, checks, bench_class(component, values, **given))
    if slot not in _READERS:
        run = RunBench(component, values, slot=slot, registry=registry, name=registry.name_of(offer))
        yield from results(slot, OBSERVER_CHECKS if slot == "observer" else RUN_CHECKS, run)


def _loss(offer: Offer, registry: Registry, setup: Setup, values: Mapping[str, Any]) -> Iterator[CheckResult]:
    """The checks of a loss on every head that it accepts."""
    heads: list[Offer] = []

    def accepts(bench: Bench) -> None:
        kinds = bench.make().accepts
        heads.extend(fitting(registry, "head", kinds))
        require(
            heads,
            f"no installed head is of kind {' or '.join(sorted(kinds)) or '(accepts is empty)'}, which it accepts",
        )

    yield from results("loss", {"accepts": accepts}, Bench(offer.component, values))
    for head in heads:
        bench = LossBench(offer.component, values, setup.width, head=Bench(head.component))
        for result in results("loss", LOSS_CHECKS, bench):
            on = f" ({registry.name_of(head)})" if len(heads) > 1 else ""
            yield attrs.evolve(result, check=result.check + on)


def _setup(
    offers: list[Offer], options: Mapping[str, Any], samples: Mapping[str, str | os.PathLike[str]], width: int
) -> Setup:
    """The given options and samples by component.

    Raises:
        ConfigError: with all options and samples of no component of this plugin, and all values of a wrong type.
    """
    by_name = {f"{o.slot}.{o.component.name}": o for o in offers}
    problems: list[str] = []
    chosen: dict[tuple[str, str], dict[str, Any]] = {}
    for dotted, value in options.items():
        stem, _, key = dotted.rpartition(".")
        offer = by_name.get(stem)
        if offer is None:
            problems.append(f"{dotted}: expected SLOT.NAME.KEY of a component of this plugin{nearest(stem, by_name)}")
            continue
        specs = {s.key: s for s in option_specs(offer.component.options)}
        if key not in specs:
            problems.append(f"{dotted}: no such option{nearest(key, specs)}")
            continue
        try:
            parsed = parse_text(value, specs[key].type) if isinstance(value, str) else value
        except ValueError as fault:
            problems.append(f"{dotted}: {fault}")
            continue
        chosen.setdefault((offer.slot, offer.component.name), {})[specs[key].name] = parsed
    readers = [o.component.name for o in offers if o.slot in _READERS]
    problems += [
        f"sample {name}: no data set, format or checkpoint loader of this plugin has that name{nearest(name, readers)}"
        for name in samples
        if name not in readers
    ]
    if problems:
        raise ConfigError(problems)
    return Setup(chosen, {name: Path(path) for name, path in samples.items()}, width)
