"""Messages for a wrong command line: unknown verbs and flags, missing or extra arguments."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path

import click

from asl_core.cli.other_flags import hint_for_flag
from asl_core.errors import as_word

__all__ = ["meant_by", "usage_text", "verb_hint"]

#: words of other trainers and everyday words -> command
_OTHERS: Mapping[str, str] = {
    word: command
    for command, words in {
        "asl run": "train training fit learn start launch finetune fine-tune pretrain experiment trainer",
        "asl run --resume RUN": "resume continue restart",
        "asl eval": "evaluate evaluation test testing score validate val metrics benchmark report",
        "asl eval RUN --errors": "errors explain analyse analyze confusion mistakes",
        "asl predict": "infer inference recognise recognize classify translate transcribe decode detect demo",
        "asl audit": "dataset datasets validate-data stats statistics check-data",
        "asl ls": "list components models encoders heads losses catalogue catalog registry",
        "asl ls recipe": "recipes recipe",
        "asl show SLOT NAME": "info describe help-component options explain-component",
        "asl inspect": "checkpoint ckpt weights summary dump",
        "asl compare": "diff versus vs ab",
        "asl check": "validate-config lint verify config",
        "asl pack": "convert export-data preprocess prepare",
        "asl plugins": "plugin extensions",
        "asl plugins new NAME": "new scaffold create init-plugin generate",
        "asl doctor": "diagnose diagnostics env environment system devices sysinfo",
        "asl --version": "version",
    }.items()
    for word in words.split()
}


def meant_by(word: str) -> str | None:
    """The command for a word of other trainers: ``asl run`` for ``train``."""
    return _OTHERS.get(word.lower().replace("_", "-"))


def verb_hint(word: str, verbs: Iterable[str]) -> str:
    """The message for an unknown verb."""
    verbs = list(verbs)
    unknown = f"there is no verb {word!r}"
    plain = word.lower().replace("_", "-")
    if plain in verbs:
        return f"{unknown}; did you mean `asl {plain}`?"
    if plain in _OTHERS:
        return f"{unknown}; did you mean `{_OTHERS[plain]}`?"
    path = Path(word)
    if path.suffix == ".toml":
        return f"{unknown}; a file of settings is run by `asl run {as_word(word)}`."
    if (path / "config.toml").is_file():
        return f"{unknown}; a run is evaluated by `asl eval {as_word(word)}`."
    if path.is_dir():
        return f"{unknown}; a folder of features is audited by `asl audit {as_word(word)}`."
    close = difflib.get_close_matches(plain, [*verbs, *_OTHERS], n=1, cutoff=0.6)
    if close:
        return f"{unknown}; did you mean `{_OTHERS.get(close[0], f'asl {close[0]}')}`?"
    return f"{unknown}; the verbs are {', '.join(verbs)}. `asl --help` says what each does."


def usage_text(fault: click.ClickException) -> str:
    """The message for a fault that click found, with the usage of the command."""
    context = fault.ctx if isinstance(fault, click.UsageError) else None
    if isinstance(fault, click.NoSuchOption):
        hint = hint_for_flag(fault.option_name, context)
        if context is not None and context.parent is None:
            hint = f"flags follow a verb, such as `asl run {fault.option_name} …`; `asl --help` lists the verbs."
        return f"there is no flag {fault.option_name}; {hint}{_form(context)}"
    message = fault.format_message()
    message = message if message.startswith("there is") else f"{message[:1].lower()}{message[1:]}"
    return f"{message}{_form(context)}"


def _form(context: click.Context | None) -> str:
    """The usage of the command, on a line of its own."""
    if context is None or context.parent is None:
        return ""
    pieces = " ".join(context.command.collect_usage_pieces(context))
    return f"\nusage: {context.command_path} {pieces} (`{context.command_path} --help` for more)"
