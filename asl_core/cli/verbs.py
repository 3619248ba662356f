"""The verbs of the command line, by name; a verb's module is imported when it is called."""

from __future__ import annotations

import importlib

import click

__all__ = ["OF_BUILTIN_PLUGINS", "VERBS", "command_of"]

#: verb -> (module, one line of help)
VERBS = {
    "run": ("asl_core.cli.run", "Train a recogniser, or continue a run."),
    "eval": ("asl_core.cli.evaluate", "Evaluate a run on a split of its data set."),
    "predict": ("asl_core.cli.predict", "Predict the signs in files of clips."),
    "audit": ("asl_core.cli.audit", "Check a data set before training."),
    "pack": ("asl_core.cli.pack", "Write a data set as files for training with data larger than memory."),
    "inspect": ("asl_core.cli.inspect", "Show the content of a checkpoint, and how it fits an encoder."),
    "compare": ("asl_core.cli.compare", "Compare two finished runs, or two configurations over several seeds."),
    "runs": ("asl_core.cli.runs", "List runs with their figures."),
    "ls": ("asl_core.cli.catalogue", "List components and recipes."),
    "show": ("asl_core.cli.catalogue", "Show a component with its options, or a recipe."),
    "plugins": ("asl_core.cli.plugins", "List plugins, working and broken; check one, create one."),
    "doctor": ("asl_core.cli.doctor", "Show versions, devices, plugins and folders, and their problems."),
    "check": ("asl_core.cli.check", "Check a settings file without running it."),
    "help": ("asl_core.cli.help", "Show a page of the manual: asl help guide."),
}

#: verbs of the built-in plugins -> one line of help; those of other plugins are listed with their distribution
OF_BUILTIN_PLUGINS = {
    "convert": "Write recordings of any format in another one.",
    "extract": "Extract landmarks from videos.",
}

#: verbs whose name is taken by a builtin -> function
_FUNCTIONS = {"eval": "evaluate", "help": "help_page"}


def command_of(verb: str) -> click.Command:
    """The command of one of our verbs."""
    command: click.Command = getattr(importlib.import_module(VERBS[verb][0]), _FUNCTIONS.get(verb, verb))
    return command
