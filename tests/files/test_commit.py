"""The commit is read from git's files; nothing that a folder can configure is run."""

from __future__ import annotations

from pathlib import Path

import pytest

from asl_core.registry.environment import commit_of

ONE, TWO = "1" * 40, "2" * 64


def repository(folder: Path, head: str, **files: str) -> Path:
    git = folder / ".git"
    for name, text in {"HEAD": head, **files}.items():
        (git / name).parent.mkdir(parents=True, exist_ok=True)
        (git / name).write_text(text)
    return folder


def test_where_a_commit_stands(tmp_path: Path) -> None:
    assert commit_of(repository(tmp_path / "detached", f"{ONE}\n")) == ONE
    branch = repository(tmp_path / "branch", "ref: refs/heads/a/b\n", **{"refs/heads/a/b": f"{TWO}\n"})
    assert commit_of(branch) == TWO
    (branch / "deep/er").mkdir(parents=True)
    assert commit_of(branch / "deep/er") == TWO
    packed = f"# pack-refs with: peeled\n{TWO} refs/heads/main-old\n{ONE} refs/heads/main\n^{TWO}\n"
    assert commit_of(repository(tmp_path / "packed", "ref: refs/heads/main\n", **{"packed-refs": packed})) == ONE


@pytest.mark.parametrize("absolute", [True, False])
def test_a_worktree(tmp_path: Path, absolute: bool) -> None:
    main = repository(tmp_path / "main", f"{TWO}\n", **{
        "worktrees/w/HEAD": "ref: refs/heads/w\n", "worktrees/w/commondir": "../..\n", "refs/heads/w": f"{ONE}\n",
    })  # fmt: skip
    (tmp_path / "w").mkdir()
    place = str(main / ".git/worktrees/w") if absolute else "../main/.git/worktrees/w"
    (tmp_path / "w/.git").write_text(f"gitdir: {place}\n")
    assert commit_of(tmp_path / "w") == ONE


@pytest.mark.parametrize(
    "head",
    [
        "",
        "ref: refs/heads/main",  # nothing was committed yet
        "ref: refs/../../secret",
        "ref: refs/heads/../../../secret",
        "ref: /etc/passwd",
        "ref: HEAD",
        "ref: refs/heads/round",
        "not a hash",
        "1" * 41,
        "x" * 100_000,
        "ref: refs/heads/\x1b[31m",
    ],
)
def test_what_says_no_commit(tmp_path: Path, head: str) -> None:
    (tmp_path / "secret").write_text(ONE)
    folder = repository(tmp_path / "x", head, **{"refs/heads/round": "ref: refs/heads/round"})
    assert commit_of(folder) is None


def test_what_is_no_text(tmp_path: Path) -> None:
    folder = repository(tmp_path, "x")
    (folder / ".git/HEAD").write_bytes(b"\xff\xfe")
    assert commit_of(folder) is None
    (folder / ".git/HEAD").unlink()
    (folder / ".git/HEAD").mkdir()
    assert commit_of(folder) is None
