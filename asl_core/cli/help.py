"""``asl help``: the pages of the manual, which come with the package."""

from __future__ import annotations

import sys
from importlib import resources

import click

from asl_core.cli.completion import starting
from asl_core.cli.tables import table_lines
from asl_core.cli.usage import meant_by
from asl_core.cli.wrapping import columns, say
from asl_core.errors import UsageError, nearest
from asl_core.text import printable

__all__ = ["help_page", "topics"]


def topics() -> dict[str, str]:
    """Topic -> page in Markdown; the first line is its title."""
    folder = resources.files("asl_core") / "docs"
    pages = {page.name.removesuffix(".md"): page for page in folder.iterdir() if page.name.endswith(".md")}
    return {topic: pages[topic].read_text(encoding="utf-8") for topic in sorted(pages)}


@click.command("help")
@click.argument("topic", required=False, shell_complete=lambda _ctx, _param, typed: starting(topics(), typed))
def help_page(topic: str | None) -> None:
    """Show a page of the manual, or the list of its pages.

    `asl VERB --help` shows the flags of a verb.
    """
    pages = topics()
    if topic is None:
        say("The pages of the manual; `asl help TOPIC` shows one, `asl --help` lists the verbs.")
        say("")
        rows = [(name, text.partition("\n")[0].removeprefix("# ")) for name, text in pages.items()]
        for line in table_lines(("topic", "about"), rows):
            say(line)
        return
    if topic not in pages:
        command = meant_by(topic)
        verb = f" For the verb: {command} --help." if command else ""
        hint = nearest(topic, pages)
        hint = hint if hint.endswith("?") else f"{hint}."
        raise UsageError(f"the manual has no page {topic!r}{hint}{verb} `asl help` lists them.")
    if columns(sys.stdout) is None:
        click.echo(printable(pages[topic]), nl=False)  # unchanged, to a file or pipe
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(printable(pages[topic])))
