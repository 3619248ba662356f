"""What a check is: a named promise that a component keeps, breaks, or cannot be asked here.

Every slot has a table of checks, name -> function of a *bench*, the component with all that is needed to try it.
A check returns nothing or one detail worth telling, and raises :class:`ContractError` where the promise is broken.
The same table serves a plugin's own tests (:func:`hold`, which stops at the first fault with its traceback) and
``asl plugins check`` (:func:`results`, which goes through all of them).
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import attrs

from asl_core.errors import UsageError
from asl_core.registry.component import Component
from asl_core.registry.kept import takes_facts
from asl_core.registry.options import OptionSpec, option_specs

__all__ = ["Bench", "CheckResult", "Checks", "ContractError", "SkippedCheck", "hold", "require", "results"]


class ContractError(AssertionError):
    """A component does not keep what its slot promises."""


class SkippedCheck(Exception):  # noqa: N818 - nothing is wrong
    """A check cannot be made here; the text says why, and what would make it possible."""


def require(holds: object, text: str) -> None:
    """Raise :class:`ContractError` with ``text`` unless it holds."""
    if not holds:
        raise ContractError(text)


@attrs.frozen
class CheckResult:
    """What came of one check of one component."""

    slot: str  #: ``encoder``, …, or ``plugin`` for what concerns the whole package
    component: str
    check: str
    status: str  #: ``passed``, ``failed`` or ``skipped``
    reason: str = ""  #: why, or a detail worth telling

    @property
    def failed(self) -> bool:
        """Whether the promise is broken."""
        return self.status == "failed"

    def __str__(self) -> str:
        return f"{self.slot} {self.component}: {self.check} {self.status}{f': {self.reason}' if self.reason else ''}"


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
        """Required options that nobody has given."""
        return [s for s in option_specs(self.component.options) if s.required and s.name not in self.values]

    @property
    def options(self) -> Any:
        """An instance of the options class: the given values, defaults for the rest."""
        return self.component.options(**self.values)

    def make(self, *arguments: Any) -> Any:
        """What the factory makes of the options and ``arguments``."""
        factory = self.component.load()
        return factory(self.options, *arguments, **({"facts": None} if takes_facts(factory) else {}))


AnyBench = TypeVar("AnyBench", bound=Bench)
Checks = Mapping[str, Callable[[AnyBench], str | None]]


def hold(checks: Checks[AnyBench], bench: AnyBench) -> None:
    """Go through ``checks`` in order; what cannot be asked here is passed over.

    Raises:
        ContractError: the first promise that is broken. Whatever the component itself raises comes through.
    """
    for check in checks.values():
        try:
            check(bench)
        except SkippedCheck:
            continue


def results(slot: str, checks: Checks[AnyBench], bench: AnyBench, *, gate: bool = True) -> Iterator[CheckResult]:
    """Go through all of ``checks``, whatever comes of them.

    With ``gate`` the first one is the condition of the others: without it they are skipped, since all would say the
    same. A component that refuses its defaults in words there (no folder named, clips of another width) is not
    broken.
    """
    component, stem = bench.component.name, f"{slot}.{bench.component.name}"
    barrier = ""
    for place, (name, check) in enumerate(checks.items()):
        if barrier:
            yield CheckResult(slot, component, name, "skipped", barrier)
            continue
        first = gate and place == 0
        status, reason = _outcome(check, bench, stem, refusable=first and not bench.values)
        if first and status != "passed":
            barrier = f"{name!r} comes first, and it was {status}"
        yield CheckResult(slot, component, name, status, reason)


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
        text = _one_paragraph(str(why))
        if refusable:
            return "skipped", f"{text} (Here --set {stem}.KEY=VALUE sets its options, --width N the numbers a frame.)"
        return "failed", text
    except (Exception, SystemExit) as fault:  # the component's own fault, of any kind
        return "failed", _one_paragraph(f"{type(fault).__name__}: {fault}{_place(fault)}")


_NOT_THEIRS = {"asl_core", "torch", "numpy", "importlib"}  #: packages that a fault of a component comes out of


def _place(fault: BaseException) -> str:
    """The line of the component's own code that a fault came through, as far as there is one."""
    frames = [f for f in traceback.extract_tb(fault.__traceback__) if not f.filename.startswith("<")]
    own = [f for f in frames if not _NOT_THEIRS & set(Path(f.filename).parts)]
    return f" ({own[-1].filename}, line {own[-1].lineno})" if own else ""


def _one_paragraph(text: str) -> str:
    return " ".join(text.split())
