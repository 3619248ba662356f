"""A signal ends a run by an exception, after the files being written are whole."""

from __future__ import annotations

import signal

import pytest

from asl_core.compute.signals import Terminated, stoppable, unbroken


@pytest.mark.parametrize(("number", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)])
def test_it_waits_for_the_writing_and_the_handlers_come_back(number: int, kind: type[BaseException]) -> None:
    seen: list[str] = []
    # A shell starts background jobs with SIGINT ignored, and what is ignored stays so.
    found = signal.signal(number, signal.default_int_handler)
    before = signal.getsignal(number)

    def write() -> None:
        with stoppable(), unbroken():
            signal.raise_signal(number)
            seen.append("written")
            assert signal.getsignal(number) == signal.SIG_DFL, "a second one ends the process at once"

    try:
        with pytest.raises(kind) as raised:
            write()
        assert type(raised.value) is kind
        assert seen == ["written"]
        assert signal.getsignal(number) == before
    finally:
        signal.signal(number, found)


def test_elsewhere_it_raises_at_once() -> None:
    seen = []

    def compute() -> None:
        with stoppable():
            signal.raise_signal(signal.SIGTERM)
            seen.append("reached")

    with pytest.raises(Terminated):
        compute()
    assert not seen
