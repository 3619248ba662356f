"""The verbs of the command line, by name; a verb's module is imported when it is called."""

from __future__ import annotations

import importlib

import click

__all__ = ["VERBS", "command_of"]

#: verb -> (module, one line of help)
VERBS = {
    "run": ("asl_core.cli.run", "Train a recogniser, or go on with a run."),
    "eval": ("asl_core.cli.evaluate", "Evaluate a run on a split of its data set."),
    "predict": ("asl_core.cli.predict", "Name the signs of the clips in a file."),
    "audit": ("asl_core.cli.audit", "Audit a data set without training."),
    "pack": ("asl_core.cli.pack", "Write the clips of a data set as files for training beyond memory."),
    "inspect": ("asl_core.cli.inspect", "Show the content of a checkpoint, and how it fits an encoder."),
    "compare": ("asl_core.cli.compare", "Compare two finished runs, or two configurations over several seeds."),
    "runs": ("asl_core.cli.runs", "List the runs there are, with their figures."),
    "ls": ("asl_core.cli.catalogue", "List the components there are."),
    "show": ("asl_core.cli.catalogue", "Show a component and its options."),
    "plugins": ("asl_core.cli.plugins", "List the plugins, working and broken; check one, begin one."),
    "doctor": ("asl_core.cli.doctor", "Show versions, devices, plugins and folders, and what is wrong with them."),
    "check": ("asl_core.cli.check", "Check a configuration file without running it."),
    "help": ("asl_core.cli.help", "Show a page of the manual: asl help guide."),
}

#: verbs whose function has another name, since theirs is a builtin's
_FUNCTIONS = {"eval": "evaluate", "help": "help_page"}


def command_of(verb: str) -> click.Command:
    """The command of one of our verbs."""
    command: click.Command = getattr(importlib.import_module(VERBS[verb][0]), _FUNCTIONS.get(verb, verb))
    return command
