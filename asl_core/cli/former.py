"""Former names of verbs and flags: accepted for one release, with a notice on standard error that names the new one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from asl_core.cli.wrapping import say
from asl_core.registry.options import LAST
from asl_core.text import printable

__all__ = ["FLAGS", "VERBS", "renamed"]

#: former verb -> the verb
VERBS: Mapping[str, str] = {"data": "audit"}

#: verb -> its former flags -> the flags
FLAGS: Mapping[str, Mapping[str, str]] = {
    "eval": {"--with": "--ensemble", "--average-views": "--tta", "--why": "--errors"},
    "predict": {"--with": "--ensemble", "--average-views": "--tta"},
}


def renamed(words: Sequence[str], *, quiet: bool = False) -> list[str]:
    """The words of a command, ``[verb, *arguments]``, with current names in the place of former ones.

    Args:
        words: as typed.
        quiet: leaves out the notice, as while the shell completes a word.
    """
    if not words:
        return []
    verb = VERBS.get(words[0], words[0])
    flags = FLAGS.get(verb, {})
    end = words.index("--") if "--" in words else len(words)
    current = [verb]
    pairs = {f"asl {words[0]}": f"asl {verb}"} if verb != words[0] else {}
    for index, word in enumerate(words[1:], 1):
        name, equals, value = word.partition("=")
        if index < end and name in flags:
            pairs[name] = flags[name]
            word = f"{flags[name]}{equals}{value}"
        current.append(word)
    for former, now in () if quiet else pairs.items():
        say(printable(f"note: `{former}` is now `{now}`; the old name works until {LAST}"), err=True)
    return current
