"""A plugin of asl 0.1 that ships a recipe; a plugin has to have a hook."""

from asl_core import hookimpl


@hookimpl
def asl_observers():
    return []
