"""The state of an installation: versions, devices, plugins, folders, and what to type for each problem.

Every part is examined on its own, so that one failure does not hide others. torch is imported in another process, since
a broken torch may end the process that imports it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import attrs

import asl_core
from asl_core.errors import AslError, as_word
from asl_core.files.toml_file import read_toml
from asl_core.registry.discovery import PluginRecord, discover
from asl_core.registry.installed import BUILTIN, FORMER, installed_version, is_former

__all__ = ["Examination", "Part", "examine", "location"]

_PATIENCE = 120.0  #: seconds that the import of torch may take
_LEAST_FREE = 1 << 30  #: bytes below which a run may not find room

_PROBE = """
import json, torch
devices = [{"device": "cpu", "name": "", "memory": None}]
for n in range(torch.cuda.device_count()):
    one = torch.cuda.get_device_properties(n)
    devices.append({"device": f"cuda:{n}", "name": one.name, "memory": one.total_memory})
if torch.backends.mps.is_available():
    devices.append({"device": "mps", "name": "Apple GPU", "memory": None})
print(json.dumps({"version": torch.__version__, "cuda": torch.version.cuda, "devices": devices,
                  "threads": torch.get_num_threads()}))
"""


@attrs.frozen
class Part:
    """One part of an installation: a table, and problems with what to type."""

    title: str
    rows: tuple[tuple[str, ...], ...] = ()
    problems: tuple[str, ...] = ()


@attrs.frozen
class Examination:
    """The whole examination."""

    parts: tuple[Part, ...]

    @property
    def problems(self) -> list[str]:
        """Of all parts."""
        return [p for part in self.parts for p in part.problems]

    def to_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {**{p.title: [list(r) for r in p.rows] for p in self.parts}, "problems": self.problems}


def examine(environ: Mapping[str, str] | None = None, *, torch: bool = True) -> Examination:
    """Examine everything; raises nothing, whatever is broken.

    Args:
        environ: environment (default: the process's).
        torch: whether to import torch in another process, for its devices.
    """
    environ = os.environ if environ is None else environ
    looks: dict[str, Callable[[], Part]] = {
        "installation": _installation,
        "packages": _packages,
        "plugins": lambda: _plugins(environ),
        "folders": _folders,
        "settings": lambda: _settings(environ),
    }
    if torch:
        looks["devices"] = _devices
    return Examination(tuple(_guarded(title, look) for title, look in looks.items()))


def _guarded(title: str, look: Callable[[], Part]) -> Part:
    try:
        return look()
    except Exception as fault:  # it must work when all else is broken
        return Part(title, (), (f"{title} cannot be examined ({type(fault).__name__}: {fault}); please report this.",))


def _installation() -> Part:
    version = installed_version(BUILTIN)
    command = shutil.which("asl")
    rows = [
        (BUILTIN, version or asl_core.__version__, str(Path(asl_core.__file__).parent)),
        ("python", platform.python_version(), sys.executable),
        ("system", platform.platform(), f"{os.cpu_count()} processors"),
        ("command", "asl", command or "not on the PATH"),
    ]
    problems = []
    if version is None:
        problems.append(f"{BUILTIN} is not installed, so it has no plugins: python -m pip install {BUILTIN}")
    here = Path(sys.executable).parent
    if command is None:
        problems.append(
            f"the command asl is not on the PATH: activate the environment, or type {as_word(here / 'asl')}"
        )
    elif version is not None and Path(command).resolve().parent not in (here, here.resolve()):
        problems.append(
            f"the command asl on the PATH, {command}, is in another environment than this ({here}): activate this one"
        )
    for dist in metadata.distributions(name=FORMER):
        if is_former(FORMER, dist):
            if version is not None and _installed(BUILTIN):
                problems.append(f"version 0.1 is still installed under its old name: python -m pip uninstall {FORMER}")
        else:
            problems.append(
                f"the distribution {FORMER!r} {dist.version} is an unrelated project: python -m pip uninstall "
                f"{FORMER}, then python -m pip install --force-reinstall --no-deps {BUILTIN}"
            )
    return Part("installation", tuple(rows), tuple(problems))


def _installed(distribution: str) -> bool:
    try:
        metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def _packages() -> Part:
    """The required packages with their versions."""
    rows, problems = [], []
    for requirement in _requirements():
        name, bounds = requirement
        version = installed_version(name)
        wanted = ", ".join(f"{sign}{number}" for sign, number in bounds)
        rows.append((name, version or "missing", wanted))
        if version is None or not all(_holds(version, sign, number) for sign, number in bounds):
            what = "is missing" if version is None else f"is {version}"
            problems.append(
                f"{name} {what}, expected {wanted}: python -m pip install '{name}{wanted.replace(' ', '')}'"
            )
    return Part("packages", tuple(rows), tuple(problems))


def _requirements() -> list[tuple[str, list[tuple[str, str]]]]:
    for name in (BUILTIN, FORMER):
        try:
            requires = metadata.distribution(name).requires or []
        except metadata.PackageNotFoundError:
            continue
        plain = [r for r in requires if "extra ==" not in r]
        return [
            (
                re.split(r"[^\w.-]", r, maxsplit=1)[0],
                re.findall(r"(>=|<=|==|<|>|!=|~=)\s*([\w.]+)", r.partition(";")[0]),
            )
            for r in plain
        ]
    return []


def _holds(version: str, sign: str, number: str) -> bool:
    have, bound = ([int(n) for n in re.findall(r"\d+", v.partition("+")[0])[:3]] for v in (version, number))
    length = max(len(have), len(bound))
    have, bound = ([*v, *[0] * (length - len(v))] for v in (have, bound))
    found = {">=": have >= bound, "<": have < bound, "<=": have <= bound, ">": have > bound, "!=": have != bound}
    return found.get(sign, True)


def _plugins(environ: Mapping[str, str]) -> Part:
    report = discover(environ={k: v for k, v in environ.items() if k != "ASL_STRICT_PLUGINS"})
    rows = [
        (
            r.name or "?",
            r.status,
            f"{r.distribution} {r.version}",
            f"{len(r.components)} components",
            location(r) or "?",
        )
        for r in report.records
    ]
    problems = [*report.warnings(), *report.notes()]
    if not any(r.status == "ok" for r in report.records):
        problems.append(
            f"no plugin works, so nothing can be trained: python -m pip install --force-reinstall {BUILTIN}"
        )
    return Part("plugins", tuple(rows), tuple(problems))


def _folders() -> Part:
    rows, problems = [], []
    for name, folder, remedy in (
        ("here", Path.cwd(), "change to a folder of yours"),
        ("runs", Path("runs").absolute(), "give another with --out FOLDER"),
        ("temporary", Path(tempfile.gettempdir()), "set TMPDIR to another"),
    ):
        nearest = next(p for p in (folder, *folder.parents) if p.exists())
        fault = "" if nearest.is_dir() else "it is a file"
        try:
            if not fault:
                with tempfile.TemporaryFile(dir=nearest):
                    pass
        except OSError as why:
            fault = why.strerror or str(why)
        free = shutil.disk_usage(nearest).free
        rows.append((name, str(folder), "can be written" if not fault else f"cannot be written: {fault}", _size(free)))
        if fault:
            problems.append(f"{folder} cannot be written ({fault}): {remedy}")
        elif free < _LEAST_FREE:
            problems.append(f"{folder} has {_size(free)} left: make room, or {remedy}")
    return Part("folders", tuple(rows), tuple(problems))


def _settings(environ: Mapping[str, str]) -> Part:
    rows = [(name, value) for name, value in sorted(environ.items()) if name.startswith("ASL_")]
    rows += [(n, environ[n]) for n in ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "WORLD_SIZE") if n in environ]
    problems = []
    if Path("asl.toml").is_file():
        rows.append(("asl.toml", str(Path("asl.toml").absolute())))
        try:
            read_toml(Path("asl.toml"))
        except AslError as fault:
            problems.append(f"{' '.join(str(fault).split())}: asl check asl.toml")
    if "ASL_DATA" in environ and not Path(environ["ASL_DATA"]).is_dir():
        problems.append(f"ASL_DATA names {environ['ASL_DATA']}, which is not a folder: unset it, or set it to one")
    return Part("settings", tuple(rows), tuple(problems))


def _devices() -> Part:
    try:
        # -P: ignore a torch.py in the working directory.
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-P", "-W", "ignore", "-c", _PROBE],
            capture_output=True, text=True, timeout=_PATIENCE, check=False,
        )  # fmt: skip
        answer = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 and done.stdout.strip() else None
        why = (done.stderr.strip().splitlines() or [f"it ends with code {done.returncode}"])[-1]
    except subprocess.TimeoutExpired:
        answer, why = None, f"it takes more than {_PATIENCE:g} s"
    except (OSError, ValueError) as fault:
        answer, why = None, str(fault)
    if answer is None:
        remedy = "python -m pip install --force-reinstall torch"
        return Part(
            "devices", (("torch", "cannot be imported", why),), (f"torch cannot be imported ({why}): {remedy}",)
        )
    rows = [("torch", answer["version"], f"CUDA {answer['cuda']}" if answer["cuda"] else "without CUDA")]
    rows += [(d["device"], d["name"], _size(d["memory"]) if d["memory"] else "") for d in answer["devices"]]
    rows.append(("threads", str(answer["threads"]), "of a run, unless --threads says otherwise"))
    problems = []
    if shutil.which("nvidia-smi") and answer["cuda"] is None:
        problems.append("there is an NVIDIA driver and a torch without CUDA: install torch for CUDA, see pytorch.org")
    return Part("devices", tuple(rows), tuple(problems))


def _size(count: int) -> str:
    return f"{count / 2**30:,.1f} GiB"


def location(record: PluginRecord) -> str | None:
    """The folder that a plugin's top-level module is in, found without importing it."""
    with contextlib.suppress(ImportError, ValueError, AttributeError):
        spec = importlib.util.find_spec(record.module.partition(":")[0].partition(".")[0])
        if spec is not None and spec.origin is not None:
            return str(Path(spec.origin).parent)
    return None
