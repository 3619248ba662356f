"""Model files of MediaPipe's detectors: given by a flag or a variable, in a cache folder, or downloaded once."""

from __future__ import annotations

import hashlib
import os
import sys
import urllib.request
from pathlib import Path

import attrs

from asl_core import DataError, as_word

__all__ = ["HANDS", "HOLISTIC", "ModelFile", "sha256_of"]

_SITE = "https://storage.googleapis.com/mediapipe-models"
_LARGEST = 64 << 20  #: bytes of an answer
_TIMEOUT = 60  #: seconds without an answer


@attrs.frozen(kw_only=True)
class ModelFile:
    """A model file, and where to find it."""

    name: str
    variable: str  #: of the environment, which names a copy
    url: str
    sha256: str | None = None  #: of the file at ``url``; None where it is not known, and nothing is downloaded

    @property
    def cached(self) -> Path:
        """Where a downloaded file is kept; ``ASL_CACHE`` names another folder."""
        home = Path.home()
        if (folder := os.environ.get("ASL_CACHE")) is not None:
            return Path(folder) / self.name
        if sys.platform == "win32":
            base = Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local"))
        elif sys.platform == "darwin":
            base = home / "Library" / "Caches"
        else:
            base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
        return base / "asl" / self.name

    def find(self, given: Path | None = None) -> Path:
        """The given file, that of the variable, or the downloaded one.

        Raises:
            DataError: there is none, or the downloaded one was changed.
        """
        variable = os.environ.get(self.variable)
        for path, origin in ((given, "--model"), (Path(variable) if variable else None, self.variable)):
            if path is not None:
                if not path.is_file():
                    raise DataError(f"{origin} {path}: no such file; expected {self.name} of MediaPipe.")
                return path
        if self.sha256 is None:
            raise DataError(
                f"the detector needs MediaPipe's model file {self.name}: download it from {self.url}, and give it by "
                f"--model FILE or the variable {self.variable}."
            )
        path = self.cached
        if not path.is_file():
            raise DataError(
                f"the detector needs MediaPipe's model file {self.name}, which is not here. Type `asl extract "
                f"--download-model` once to download it to {path}, or give a copy by --model FILE or the variable "
                f"{self.variable}. It is at {self.url}"
            )
        if (digest := sha256_of(path)) != self.sha256:
            raise DataError(
                f"{path} is not the model file that was downloaded (SHA-256 {digest[:12]}…, expected "
                f"{self.sha256[:12]}…); type `asl extract --download-model` to download it again, or give the file "
                f"that you want by --model."
            )
        return path

    def download(self) -> Path:
        """Download the file into the cache; nothing is written unless its hash is right.

        Raises:
            DataError: it cannot be downloaded, or is another file.
        """
        path = self.cached
        try:
            with urllib.request.urlopen(self.url, timeout=_TIMEOUT) as answer:  # noqa: S310 - no address of others
                content: bytes = answer.read(_LARGEST)
        except (OSError, ValueError) as fault:
            raise DataError(
                f"{self.url} cannot be downloaded ({fault}). Download it by other means and copy it to "
                f"{as_word(path)}, or give it by --model FILE."
            ) from fault
        digest = hashlib.sha256(content).hexdigest()
        if digest != self.sha256:
            raise DataError(
                f"{self.url} gave another file than expected ({len(content):,} bytes, SHA-256 {digest[:12]}…, "
                f"expected {(self.sha256 or 'none')[:12]}…); nothing was written. A proxy may have answered: download "
                f"it by other means."
            )
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(content)
            part.replace(path)
        except OSError as fault:
            part.unlink(missing_ok=True)
            raise DataError(
                f"{path} cannot be written ({fault.strerror or fault}); ASL_CACHE names another folder."
            ) from fault
        return path


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


HANDS = ModelFile(
    name="hand_landmarker.task",
    variable="ASL_HAND_MODEL",
    url=f"{_SITE}/hand_landmarker/hand_landmarker/float16/1/hand_landmarker.task",
    sha256="fbc2a30080c3c557093b5ddfc334698132eb341044ccee322ccf8bcf3607cde1",  # 7,819,105 bytes
)
HOLISTIC = ModelFile(
    name="holistic_landmarker.task",
    variable="ASL_HOLISTIC_MODEL",
    url=f"{_SITE}/holistic_landmarker/holistic_landmarker/float16/latest/holistic_landmarker.task",
)
