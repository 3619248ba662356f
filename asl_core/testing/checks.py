"""Checks: one named requirement each of a slot's contract, tried on a component.

Every slot has a table of checks, name to function of a *bench*: the component with what is needed to try it. The first
paragraph of a function's docstring is the requirement, and is shown with a failure. A check returns nothing or one
detail to report, and raises :class:`ContractError` where the requirement is not met. The same table serves a plugin's
own tests (:func:`hold`, which stops at the first failure) and ``asl plugins check`` (:func:`results`, which goes
through all).
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import attrs

from asl_core.errors import UsageError
from asl_core.registry.component import Component
from asl_core.registry.contract_checks import takes_facts
from asl_core.registry.options import OptionSpec, option_specs

__all__ = ["Bench", "CheckResult", "Checks", "ContractError", "SkippedCheck", "hold", "require", "results"]


class ContractError(AssertionError):
    """A component does not meet a requirement of its slot's contract."""


class SkippedCheck(Exception):  # noqa: N818 - nothing is wrong
    """A check cannot be made here; the text says why, and what would make it possible."""


def require(condition: object, text: str) -> None:
    """Raise :class:`ContractError` with ``text`` unless the condition holds."""
    if not condition:
        raise ContractError(text)


@attrs.frozen
class CheckResult:
    """The result of one check of one component."""

    slot: str  #: ``encoder``, …, or ``plugin`` for what concerns the whole package
    component: str
    check: str
    status: str  #: ``passed``, ``failed`` or ``skipped``
    reason: str = ""  #: why it failed or was skipped, or a detail of what passed
    contract: str = ""  #: of a failure: the requirement that is not met
    tried_on: str = ""  #: of a failure: options and input

    @property
    def failed(self) -> bool:
        """Whether the requirement is not met."""
        return self.status == "failed"

    def __str__(self) -> str:
        text = f"{self.slot} {self.component}: {self.check} {self.status}{f': {self.reason}' if self.reason else ''}"
        return _with_context(text, self.contract, self.tried_on, " ")


@attrs.define(slots=False)
class Bench:
    """A component under test.

    Attributes:
        component: what is tested.
        values: options other than the defaults, by attribute name.
    """

    component: Component
    values: Mapping[str, Any] = attrs.field(factory=dict)

    @property
    def missing(self) -> list[OptionSpec]:
        """Required options without a value."""
        return [s for s in option_specs(self.component.options) if s.required and s.name not in self.values]

    @property
    def options(self) -> Any:
        """An instance of the options class: the given values, defaults for the rest."""
        return self.component.options(**self.values)

    @property
    def tried_on(self) -> str:
        """The options and the input of the checks, for messages."""
        return ", ".join(f"{name} = {value!r}" for name, value in self.values.items()) or "default options"

    def make(self, *arguments: Any) -> Any:
        """Call the component's factory with the options and ``arguments``."""
        factory = self.component.load()
        return factory(self.options, *arguments, **({"facts": None} if takes_facts(factory) else {}))


AnyBench = TypeVar("AnyBench", bound=Bench)
Checks = Mapping[str, Callable[[AnyBench], str | None]]


def hold(checks: Checks[AnyBench], bench: AnyBench) -> None:
    """Make ``checks`` in order, passing over those that cannot be made here.

    Raises:
        ContractError: of the first check that fails. Whatever the component itself raises is not caught.
    """
    for name, check in checks.items():
        try:
            check(bench)
        except SkippedCheck:
            continue
        except ContractError as why:
            text = f"{bench.component.name!r} fails check {name!r}: {why}"
            raise ContractError(_with_context(text, _contract(check), bench.tried_on, "\n")) from why


def _contract(check: Callable[..., object]) -> str:
    return _one_line((inspect.getdoc(check) or "").partition("\n\n")[0].replace("``", ""))


def _with_context(text: str, contract: str, tried_on: str, separator: str) -> str:
    """A failure with the requirement and the input."""
    lines = [f"Contract: {contract}"] * bool(contract) + [f"Tried on: {tried_on}."] * bool(tried_on)
    return separator.join([text + "." * bool(lines and not text.endswith(".")), *lines])


def results(slot: str, checks: Checks[AnyBench], bench: AnyBench, *, gate: bool = True) -> Iterator[CheckResult]:
    """Make all of ``checks``, whether they fail or not.

    With ``gate`` the first one is the condition of the others: where it does not pass they are skipped, since all
    would fail for the same reason. A component that refuses its default options there with an error message (no folder
    given, clips of another width) is skipped too, not failed.
    """
    component, stem = bench.component.name, f"{slot}.{bench.component.name}"
    barrier = ""
    for index, (name, check) in enumerate(checks.items()):
        if barrier:
            yield CheckResult(slot, component, name, "skipped", barrier)
            continue
        first = gate and index == 0
        status, reason = _outcome(check, bench, stem, refusable=first and not bench.values)
        if first and status != "passed":
            barrier = f"{name!r} comes first, and it was {status}"
        context = (_contract(check), bench.tried_on) if status == "failed" and _contract(check) else ()
        yield CheckResult(slot, component, name, status, reason, *context)


def _outcome(
    check: Callable[[AnyBench], str | None], bench: AnyBench, stem: str, *, refusable: bool
) -> tuple[str, str]:
    try:
        return "passed", check(bench) or ""
    except SkippedCheck as why:
        return "skipped", str(why)
    except ContractError as why:
        return "failed", str(why)
    except UsageError as why:
        text = _one_line(str(why))
        if refusable:
            hint = f"(--set {stem}.KEY=VALUE sets its options, --width N the features per frame.)"
            return "skipped", f"{text} {hint}"
        return "failed", text
    except (Exception, SystemExit) as fault:  # the component's own fault, of any kind
        return "failed", _one_line(f"{type(fault).__name__}: {fault}{_location(fault)}")


_NOT_THEIRS = {"asl_core", "torch", "numpy", "importlib"}  #: packages that are not the component's own code


def _location(fault: BaseException) -> str:
    """The last line of the component's own code in the traceback, if any."""
    frames = [f for f in traceback.extract_tb(fault.__traceback__) if not f.filename.startswith("<")]
    theirs = [f for f in frames if not _NOT_THEIRS & set(Path(f.filename).parts)]
    return f" ({theirs[-1].filename}, line {theirs[-1].lineno})" if theirs else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())
