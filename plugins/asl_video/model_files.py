"""The model file of MediaPipe's hand detector: given by a flag or a variable, in a cache folder, or downloaded once."""

from __future__ import annotations

import hashlib
import os
import sys
import urllib.request
from pathlib import Path

from asl_core import DataError, as_word

__all__ = ["FILE_NAME", "SHA256", "URL", "VARIABLE", "cached_model", "download_model", "find_model", "sha256_of"]

FILE_NAME = "hand_landmarker.task"
VARIABLE = "ASL_HAND_MODEL"
URL = "https://storage.googleapis.com/mediapipe-models/hand_landmarker/hand_landmarker/float16/1/hand_landmarker.task"
SHA256 = "fbc2a30080c3c557093b5ddfc334698132eb341044ccee322ccf8bcf3607cde1"
_BYTES = 7_819_105
_TIMEOUT = 60  #: seconds without an answer


def cached_model() -> Path:
    """Where a downloaded model file is kept; ``ASL_CACHE`` names another folder."""
    home = Path.home()
    if (folder := os.environ.get("ASL_CACHE")) is not None:
        return Path(folder) / FILE_NAME
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base / "asl" / FILE_NAME


def find_model(given: Path | None = None) -> Path:
    """The model file: the given one, that of the variable, or the downloaded one.

    Raises:
        DataError: there is none, or the downloaded one was changed.
    """
    variable = os.environ.get(VARIABLE)
    for path, origin in ((given, "--model"), (Path(variable) if variable else None, VARIABLE)):
        if path is not None:
            if not path.is_file():
                raise DataError(f"{origin} {path}: no such file; expected {FILE_NAME} of MediaPipe.")
            return path
    path = cached_model()
    if not path.is_file():
        raise DataError(
            f"the hand detector needs MediaPipe's model file {FILE_NAME} ({_BYTES / 1e6:.1f} MB), which is not here. "
            f"Type `asl extract --download-model` once to download it to {path}, or give a copy by --model FILE or "
            f"the variable {VARIABLE}. It is at {URL}"
        )
    if (digest := sha256_of(path)) != SHA256:
        raise DataError(
            f"{path} is not the model file that was downloaded (SHA-256 {digest[:12]}…, expected {SHA256[:12]}…); "
            f"type `asl extract --download-model` to download it again, or give the file that you want by --model."
        )
    return path


def download_model(url: str = URL, sha256: str = SHA256) -> Path:
    """Download the model file into the cache; nothing is written unless its hash is right.

    Raises:
        DataError: it cannot be downloaded, or is another file.
    """
    path = cached_model()
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer:  # noqa: S310 - our own address; files in tests
            content: bytes = answer.read(2 * _BYTES)
    except (OSError, ValueError) as fault:
        raise DataError(
            f"{url} cannot be downloaded ({fault}). Download it by other means and copy it to {as_word(path)}, or "
            f"give it by --model FILE."
        ) from fault
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256:
        raise DataError(
            f"{url} gave another file than expected ({len(content):,} bytes, SHA-256 {digest[:12]}…, expected "
            f"{sha256[:12]}…); nothing was written. A proxy may have answered: download it by other means."
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
