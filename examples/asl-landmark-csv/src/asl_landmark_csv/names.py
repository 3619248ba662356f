"""Glosses of class numbers, from the usual files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from asl_core import DataError, parse_json, text_encoding

__all__ = ["read_names"]


def read_names(file: Path) -> Mapping[str, str]:
    """The gloss of each class number (as text).

    Takes ``{"0": "book", …}`` (id_to_label.json), a list ``[{"gloss": "book", …}, …]`` in the order of the numbers
    (WLASL_v0.3.json), or text with a number and a gloss on each line (wlasl_class_list.txt).

    Raises:
        DataError: the file is missing, or has another form.
    """
    try:
        text = file.read_text(encoding=text_encoding(file))
        glosses = _from_json(parse_json(text)) if file.suffix.lower() == ".json" else _from_lines(text)
    except OSError as fault:
        raise DataError(
            f"{file} cannot be read ({fault.strerror}); --dataset.names takes a file of glosses."
        ) from fault
    except (ValueError, KeyError, TypeError, RecursionError) as fault:
        raise DataError(
            f"{file} does not give glosses of class numbers ({fault}); expected JSON {{number: gloss}}, WLASL's own "
            f"JSON, or a number and a gloss on each line."
        ) from fault
    if not glosses:
        raise DataError(f"{file} names no gloss; expected one for each class number.")
    return glosses


def _from_json(content: object) -> dict[str, str]:
    if isinstance(content, list):
        return {str(number): _gloss(entry["gloss"]) for number, entry in enumerate(content)}
    if isinstance(content, dict):
        return {str(int(number)): _gloss(gloss) for number, gloss in content.items()}
    raise ValueError(f"it holds a {type(content).__name__}")


def _from_lines(text: str) -> dict[str, str]:
    glosses = {}
    for line, words in enumerate(text.splitlines(), start=1):
        if not words.strip():
            continue
        parts = re.fullmatch(r"\s*(\d+)[\s,;]+(\S.*?)\s*", words)
        if parts is None:
            raise ValueError(f"line {line} is {words[:40]!r}")
        number = str(int(parts[1]))
        if number in glosses:
            raise ValueError(f"line {line} names number {number} again")
        glosses[number] = parts[2]
    return glosses


def _gloss(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{value!r} is no gloss")
    return value.strip()
