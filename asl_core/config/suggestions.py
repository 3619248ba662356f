"""Settings that the chosen components suggest: stronger than defaults, weaker than what a user sets."""

from __future__ import annotations

from collections.abc import Mapping

from asl_core.config.origins import Kind, Origin
from asl_core.config.sources import Layer, Setting, value_layer
from asl_core.config.tables import TABLES
from asl_core.errors import ConfigError
from asl_core.registry.component import Offer, Registry
from asl_core.registry.options import former_keys

__all__ = ["find_offer", "suggestions"]

_MAIN = "heads.main"
_FORMER = former_keys(TABLES.items())  #: names by which a plugin written for an earlier version suggests settings


def suggestions(settings: Mapping[str, Setting], defaults: Layer, registry: Registry) -> dict[str, Setting]:
    """What the data set, the encoder and the heads suggest, the later the stronger.

    Args:
        settings: of the user.
        defaults: below the suggestions.
        registry: components.
    """
    suggested: dict[str, Setting] = {}
    names = dict.fromkeys(key.split(".")[1] for key in (*settings, *defaults) if key.startswith("heads."))
    stems = {"dataset": "dataset", "encoder": "encoder"} | {f"heads.{name}": "head" for name in names}
    for stem, slot in stems.items():
        key = f"{stem}.name"
        offer = find_offer(slot, settings.get(key) or suggested.get(key) or defaults.get(key), registry)
        if offer is None:
            continue
        layer = value_layer(offer.component.suggests, Origin(Kind.SUGGESTION, f"{slot} {offer.component.name}"))
        layer = {_FORMER.get(k, k): s for k, s in layer.items()}
        if slot == "head":  # "head" and "loss" in its suggestions mean this head, whatever its name in the run
            layer = {_of_head(k, stem): s for k, s in layer.items()}
        suggested.update({k: s for k, s in layer.items() if _applies(k, layer, settings, defaults)})
    return suggested


def find_offer(slot: str, setting: Setting | None, registry: Registry) -> Offer | None:
    """The component that a setting names; None where there is none, which the resolver reports."""
    try:
        return registry.find(slot, setting.value) if setting is not None and isinstance(setting.value, str) else None
    except ConfigError:
        return None


def _of_head(key: str, stem: str) -> str:
    return stem + key.removeprefix(_MAIN) if key.startswith(f"{_MAIN}.") else key


def _applies(key: str, layer: Layer, settings: Mapping[str, Setting], defaults: Layer) -> bool:
    """Whether a suggestion is for a component or head that the user did not replace."""
    stem = key.rpartition(".")[0]
    name = f"{stem}.name"
    if name in settings and name in layer and settings[name].value != layer[name].value:
        return False
    head, losses, _ = stem.partition(".losses.")
    if head.startswith("heads.") and not any(k.startswith(f"{head}.") for k in (*settings, *defaults)):
        return False
    # A loss that the user names replaces those that come with the head.
    named = any(k.startswith(f"{head}.losses.") and k.endswith(".name") for k in settings)
    return not losses or name in settings or not named
