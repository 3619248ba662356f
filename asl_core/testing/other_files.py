"""Files that are not of a reader's format, and damaged copies of one that is: what formats and loaders must refuse."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import attrs

from asl_core.testing.checks import Bench, ContractError, SkippedCheck, require

__all__ = ["FileBench", "cut_copies", "other_files", "recognised"]

_CONTENTS = {
    "empty": b"",
    "text": b"epoch,loss\n1,0.5\n" * 40,
    "noise": bytes(range(7, 256, 3)) * 20,
    "zeros": bytes(2048),
}


class Recogniser(Protocol):
    """What formats and checkpoint loaders have in common."""

    def recognises(self, path: Path) -> bool:
        """Whether a file looks like one of its own."""


@attrs.define(slots=False)
class FileBench(Bench):
    """A component that reads files, built as ``factory(options)``."""

    sample: Path | None = attrs.field(default=None, kw_only=True)

    @property
    def tried_on(self) -> str:
        """The options and the sample."""
        return super().tried_on + (f"; sample {self.sample.name}" if self.sample else "")

    @property
    def path(self) -> Path:
        """The sample.

        Raises:
            SkippedCheck: none was given.
        """
        if self.sample is None:
            raise SkippedCheck(f"it needs a file that it reads: --sample {self.component.name}=FILE")
        return self.sample


@contextmanager
def other_files(suffixes: Sequence[str]) -> Iterator[list[Path]]:
    """Paths of a missing file, a folder, and files without meaning, with each of ``suffixes``."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = [folder / f"missing{suffixes[0]}", folder / f"folder{suffixes[0]}"]
        paths[1].mkdir()
        for suffix in dict.fromkeys(suffixes):
            for kind, content in _CONTENTS.items():
                paths.append(folder / f"{kind}{suffix}")
                paths[-1].write_bytes(content)
            paths.append(folder / f"archive{suffix}")
            with zipfile.ZipFile(paths[-1], "w") as archive:
                archive.writestr("readme.txt", "nothing of use")
        yield paths


@contextmanager
def cut_copies(path: Path) -> Iterator[Iterator[tuple[Path, str]]]:
    """Copies of a file, or of a folder with its largest file, cut short; each with a description."""
    with tempfile.TemporaryDirectory() as name:
        yield _cut(path, Path(name))


def _cut(path: Path, folder: Path) -> Iterator[tuple[Path, str]]:
    for share in (0.0, 0.1, 0.5, 0.95):
        copy = target = folder / f"{100 * share:.0f}" / path.name
        copy.parent.mkdir()
        description = f"{path.name} cut to {share:.0%}"
        if path.is_dir():
            shutil.copytree(path, copy)
            files = sorted(file for file in copy.rglob("*") if file.is_file())
            require(files, f"the folder {path.name} has no file")
            target = max(files, key=lambda file: file.stat().st_size)
            description = f"{path.name} with {target.name} cut to {share:.0%}"
        else:
            shutil.copyfile(path, copy)
        content = target.read_bytes()
        target.write_bytes(content[: int(share * len(content))])
        yield copy, description


def recognised(reader: Recogniser, path: Path) -> bool:
    """The answer of ``recognises``, which may not raise."""
    try:
        answer = reader.recognises(path)
    except Exception as fault:
        text = f"recognises({path.name}) raised {type(fault).__name__}: {fault}; it must answer, whatever the file"
        raise ContractError(text) from fault
    require(isinstance(answer, bool), f"recognises({path.name}) gives {answer!r}; expected True or False")
    return answer
