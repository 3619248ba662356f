"""Names find components; built-ins keep theirs."""

from __future__ import annotations

import pytest
from toy_components import component, offer, registry

from asl_core import Component
from asl_core.errors import ConfigError, RunError
from asl_core.registry.component import SLOTS, Registry


@pytest.mark.parametrize("factory", ["module", "module:", ":thing", "", "module.thing"])
def test_a_factory_is_a_path(factory: str) -> None:
    with pytest.raises(ValueError, match=r'expected "package\.module:callable"'):
        Component(name="x", factory=factory, summary="")


@pytest.mark.parametrize("name", ["", "a b", "dist:name", "a.b", "a/b", "a_b"])
def test_a_name_fits_flags_and_files(name: str) -> None:
    with pytest.raises(ValueError, match="expected letters, digits and '-'"):
        component(name)


def test_load() -> None:
    assert Component(name="x", factory="collections:OrderedDict.fromkeys", summary="").load()("ab") == {
        "a": None,
        "b": None,
    }


@pytest.mark.parametrize("factory", ["no_such_module:x", "math:no_such", "math:pi.no_such"])
def test_a_factory_that_does_not_load(factory: str) -> None:
    with pytest.raises(RunError, match=f"'x' cannot be used: its factory '{factory}' does not load") as raised:
        Component(name="x", factory=factory, summary="").load()
    assert raised.value.exit_code == 1


def test_find() -> None:
    made = registry()
    assert made.find("encoder", "gru") is made.find("encoder", "asl-core:gru")
    assert made.find("encoder", "asl:gru") is made.find("encoder", "gru"), "as 0.1 saved it"
    with pytest.raises(ConfigError, match="there is no encoder 'gur'; did you mean 'gru'"):
        made.find("encoder", "gur")
    with pytest.raises(ConfigError, match="there is no encoder 'zzz'; there is gru, pool, wide"):
        made.find("encoder", "zzz")
    with pytest.raises(ConfigError, match="there is no encoder 'asl-core:gur'; did you mean 'asl-core:gru'"):
        made.find("encoder", "asl-core:gur")
    with pytest.raises(ConfigError, match="there is no transform 'x'; there is none"):
        made.find("transform", "x")


def test_the_shortest_name_that_means_an_offer_finds_it() -> None:
    made = Registry(
        [
            offer("encoder", component(n), d)
            for d, n in [("asl-core", "gru"), ("x", "gru"), ("x", "own"), ("x", "both"), ("y", "both")]
        ]
    )
    short = {o.qualified: made.name_of(o) for o in made}
    assert short == {"asl-core:gru": "gru", "x:gru": "x:gru", "x:own": "own", "x:both": "x:both", "y:both": "y:both"}
    for found in made:
        assert made.find("encoder", short[found.qualified]) is found
    assert [(slot, name) for slot, name, _ in made.clashes()] == [("encoder", "both"), ("encoder", "gru")]


def test_one_name_in_two_slots_is_no_clash() -> None:
    made = Registry([offer("head", component("ctc"), "x"), offer("loss", component("ctc"), "y")])
    assert made.clashes() == []
    assert [o.slot for o in made] == ["head", "loss"]


def test_every_slot_has_a_documented_hook() -> None:
    from asl_core.registry import hookspecs

    assert len(SLOTS) <= 10
    for hook in SLOTS.values():
        assert "Factory: ``(options" in (getattr(hookspecs, hook).__doc__ or "")
