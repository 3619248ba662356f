"""Hints for a flag that a verb does not have: its own name for it, or the verb that has it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

import click

from asl_core.cli.verbs import VERBS, command_of
from asl_core.config.aliases import ALIASES, VALUES

__all__ = ["flags_of_other_verbs", "hint_for_flag"]

#: other name -> a flag of some verb; for ``asl run`` see :mod:`asl_core.config.aliases`
_FLAGS: Mapping[str, str] = {
    **dict.fromkeys(("topk", "top-k", "k", "n-best", "nbest"), "--top"),
    **dict.fromkeys(("output", "out", "o", "save", "save-csv", "output-file", "csv-path"), "--csv"),
    **dict.fromkeys(("with", "together", "also"), "--ensemble"),
    **dict.fromkeys(("average-views", "test-time-augmentation", "views"), "--tta"),
    **dict.fromkeys(("why", "confusion", "confusion-matrix", "per-class", "analyse", "analyze"), "--errors"),
    **dict.fromkeys(("align", "alignments", "frames"), "--alignment"),
    **dict.fromkeys(("best", "final", "checkpoint", "ckpt"), "--weights"),
    **dict.fromkeys(("set", "subset", "dataset-split"), "--split"),
    **dict.fromkeys(("seed",), "--seeds"),
    **dict.fromkeys(("fold", "k-fold", "kfold", "cv"), "--folds"),
    **dict.fromkeys(("format-json", "output-json", "jsonl"), "--json"),
    **dict.fromkeys(("type", "kind", "what"), "--slot"),
    **dict.fromkeys(("file", "example"), "--sample"),
}


def flags_of_other_verbs() -> Mapping[str, list[str]]:
    """Flag -> the verbs that define it; settings of a run are not among these."""
    verbs: dict[str, list[str]] = {}
    for verb in VERBS:
        for parameter in command_of(verb).params:  # imports the verb's module: only where a flag was wrong
            for flag in (*parameter.opts, *parameter.secondary_opts):
                if isinstance(parameter, click.Option):
                    verbs.setdefault(flag, []).append(verb)
    return verbs


def hint_for_flag(flag: str, context: click.Context | None) -> str:
    """What to type instead of a flag that a verb does not have."""
    known = [o for p in context.command.params if isinstance(p, click.Option) for o in p.opts] if context else []
    word = flag.lstrip("-").replace("_", "-").lower()
    if f"--{word}" in known:
        return f"did you mean --{word}?"
    for key in (_FLAGS.get(word, ""), *(f"--{a.rpartition('.')[2]}" for a in ALIASES.get(word, ()))):
        if key in known:
            value = f" {VALUES[word]}" if word in VALUES else ""
            return f"did you mean {key}{value}?"
    if word in ("verbose", "v", "debug"):
        return "--debug, anywhere, shows the traceback of an error."
    if close := difflib.get_close_matches(f"--{word}", known, n=1, cutoff=0.65):
        return f"did you mean {close[0]}?"
    verb = context.command_path if context else "asl"
    others = flags_of_other_verbs().get(f"--{word}", [])
    if others:
        return f"it is a flag of `asl {others[0]}`."
    if word in ALIASES or word in _run_settings():
        return "it is a setting of a run, given to `asl run`." if verb != "asl run" else ""
    return f"{', '.join(known)} are the flags of `{verb}`." if known else f"`{verb} --help` lists its flags."


def _run_settings() -> set[str]:
    from asl_core.config.tables import TABLES
    from asl_core.registry.options import option_specs

    return {s.key for cls in TABLES.values() for s in option_specs(cls)}
