"""Packed files give back what went in, and nothing but such a file is taken."""

from __future__ import annotations

import json
import os
import shutil
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
import safetensors
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toy_components import make_clips

import asl_core as asl
from asl_core import Clip, DataError, Finding, RunError, read_packed
from asl_core.clips.frames import is_mapped
from asl_core.clips.packed import packed_splits
from asl_core.data.packing import pack
from asl_core.errors import UsageError
from asl_packed.dataset import PackedDataset
from asl_packed.options import PackedOptions


class Given:
    """A data set of given clips, handed out one by one."""

    def __init__(self, **splits: Iterable[Clip]):
        self._splits = splits

    def splits(self) -> Sequence[str]:
        return tuple(self._splits)

    def clips(self, split: str) -> Iterator[Clip]:
        yield from self._splits[split]

    def findings(self) -> Sequence[Finding]:
        return [Finding("note", "seen", "it was read", {"clips": 3})]

    def read(self, path: Path) -> Sequence[Clip]:
        raise NotImplementedError


def dataset(root: Path) -> PackedDataset:
    return PackedDataset(PackedOptions(root=str(root)))


TEXT = st.text(st.characters(exclude_categories=()), max_size=5)  # lone surrogates too: ids are not ours


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 6), st.lists(TEXT, max_size=3), st.none() | TEXT, TEXT, TEXT), min_size=1))
def test_what_goes_in_comes_out(tmp_path: Path, made: list[Any]) -> None:
    rng = np.random.default_rng(0)
    clips = [
        Clip(id=name, features=rng.normal(size=(n, 3)), glosses=tuple(g), signer=s, source=source)
        for n, g, s, source, name in made
    ]
    clips[0].features[0] = [np.nan, np.inf, -0.0]  # what is wrong with the numbers, the audit says
    shutil.rmtree(tmp_path / "out", ignore_errors=True)
    pack(Given(train=clips), tmp_path / "out", {})
    found = dataset(tmp_path / "out").clips("train")
    assert [(c.id, c.glosses, c.signer) for c in found] == [(c.id, c.glosses, c.signer) for c in clips]
    assert all(a.features.tobytes() == b.features.tobytes() for a, b in zip(found, clips, strict=True))
    assert all(is_mapped(c.features) for c in found)
    assert all(c.source in f.source for c, f in zip(clips, found, strict=True))


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    clips = make_clips([3, 1, 2], ["b", ("a", "b"), "a"], signers=["s", None, "s"])
    pack(Given(train=clips, val=clips[:1]), tmp_path / "out", {"dataset.name": "given"})
    return tmp_path / "out"


def test_the_folder(packed: Path) -> None:
    assert sorted(p.name for p in packed.iterdir()) == ["packed.json", "train.safetensors", "val.safetensors"]
    assert sorted(p.name for p in packed.parent.iterdir()) == ["out"]
    assert dataset(packed).splits() == ("train", "val")
    assert dataset(packed).findings() == [Finding("note", "seen", "it was read", {"clips": 3})]
    assert json.loads((packed / "packed.json").read_text())["from"] == {"dataset.name": "given"}
    assert [c.id for c in dataset(packed).read(packed / "val.safetensors")] == [make_clips([1])[0].id]
    with safetensors.safe_open(packed / "train.safetensors", "np") as file:  # any tool reads it
        assert file.get_tensor("lengths").tolist() == [3, 1, 2]
        assert file.get_tensor("features").shape == (6, 3)


def test_equal_clips_give_equal_bytes(packed: Path, tmp_path: Path) -> None:
    clips = make_clips([3, 1, 2], ["b", ("a", "b"), "a"], signers=["s", None, "s"])
    pack(Given(train=clips, val=clips[:1]), tmp_path / "again", {"dataset.name": "given"})
    for path in packed.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_many_clips_share_their_texts(tmp_path: Path) -> None:
    clips = make_clips([1] * 50, [("a", "b")] * 50, signers=["s"] * 50)
    pack(Given(train=clips), tmp_path / "out", {})
    found = dataset(tmp_path / "out").clips("train")
    for name in ("glosses", "signer", "source"):
        assert len({id(getattr(c, name)) for c in found}) == 1, name


def test_clips_are_taken_one_at_a_time(tmp_path: Path) -> None:
    made: list[weakref.ref[np.ndarray]] = []

    def clips() -> Iterator[Clip]:
        for n in range(20):
            features = np.full((2, 2), n, np.float32)
            made.append(weakref.ref(features))
            assert sum(one() is not None for one in made) <= 3, "packing holds on to clips"
            yield Clip(id=str(n), features=features)

    pack(Given(train=clips()), tmp_path / "out", {})
    assert len(read_packed(tmp_path / "out" / "train.safetensors")) == 20


@pytest.mark.parametrize(
    ("clips", "said"),
    [
        ([], "split train holds no clip"),
        ([Clip(id="x", features=np.zeros((0, 3)))], r"clip 'x' of train \(unknown source\) has .* of shape \(0, 3\)"),
        ([Clip(id="x", features=np.zeros(3))], r"shape \(3,\)"),
        ([Clip(id="x", features=np.zeros((1, 3))), Clip(id="y", features=np.zeros((1, 4)), source="f")],
         r"clip 'y' of train \(f\) has 4 features per frame, and those before it 3"),
    ],
)  # fmt: skip
def test_clips_that_cannot_be_packed(tmp_path: Path, clips: list[Clip], said: str) -> None:
    with pytest.raises(DataError, match=said):
        pack(Given(train=clips), tmp_path / "out", {})
    assert not list(tmp_path.iterdir()), "nothing is left behind"


def test_nothing_is_overwritten_and_a_killed_pack_is_cleared(packed: Path, tmp_path: Path) -> None:
    one = Given(train=make_clips([1]))
    with pytest.raises(UsageError, match="exists, and is not overwritten"):
        pack(one, packed, {})
    left = tmp_path / "new.part"
    left.mkdir()
    (left / "train.safetensors").write_bytes(b"half")
    pack(one, tmp_path / "new", {})
    assert not left.exists()
    left = tmp_path / "other.part"
    left.mkdir()
    (left / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"holds 'thesis.txt'; move it away"):
        pack(one, tmp_path / "other", {})
    assert (left / "thesis.txt").read_text() == "mine"


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        pack(Given(train=make_clips([1])), tmp_path / "file" / "out", {})


def header_changed(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Write another header into a packed file."""
    data = path.read_bytes()
    header = json.loads(data[8:4096])
    change(header)
    path.write_bytes(data[:8] + json.dumps(header).encode().ljust(4088) + data[4096:])


def own_changed(**values: Any) -> Callable[[dict[str, Any]], None]:
    def change(header: dict[str, Any]) -> None:
        own = json.loads(header["__metadata__"]["asl-packed"]) | values
        header["__metadata__"]["asl-packed"] = json.dumps(own)

    return change


def tensor(name: str, **values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda header: header[name].update(values)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (own_changed(format=2), r"packed format 2, this asl reads 1; use the asl that wrote it"),
        (own_changed(digest="0" * 32), "do not agree with the checksum"),
        (tensor("features", shape=[2**62, 3]), "sizes that no file of this length can hold"),
        (tensor("features", shape=[6, -3]), "sizes that no file"),
        (tensor("features", shape=[True, 3]), "sizes that no file"),
        (tensor("features", shape=[6.0, 3]), "sizes that no file"),
        (tensor("features", shape=[6]), "ValueError"),
        (tensor("features", shape=[7, 3]), "one after the other"),
        (tensor("features", dtype="F64"), "one after the other"),
        (tensor("features", data_offsets=[0, 10**15]), "one after the other"),
        (tensor("lengths", data_offsets=[0, 12]), "one after the other"),  # overlaps the frames
        (tensor("lengths", data_offsets=[-12, 0]), "one after the other"),
        (lambda header: header.pop("index"), "KeyError"),
        (lambda header: header.update(more=header["index"]), "one after the other"),
        (lambda header: header.pop("__metadata__"), "KeyError"),
        (lambda header: header.update(__metadata__=3), "TypeError"),
    ],
)
def test_lying_headers(packed: Path, change: Callable[[dict[str, Any]], None], said: str) -> None:
    path = packed / "train.safetensors"
    header_changed(path, change)
    with pytest.raises(DataError, match=said) as fault:
        read_packed(path)
    assert str(path) in str(fault.value)
    assert "asl" in str(fault.value)


def index_changed(path: Path, change: Callable[[dict[str, Any]], None], lengths: list[int] | None = None) -> None:
    """Write another index, with sizes and a checksum that agree with it, as somebody hostile would."""
    import hashlib

    from asl_core.clips.packed import Sizes

    clips = make_clips([3, 1, 2])
    features = np.concatenate([c.features for c in clips]).tobytes()
    data = path.read_bytes()
    index = json.loads(data[4096 + len(features) + 12 :])
    change(index)
    text = json.dumps(index).encode()
    rest = features + np.array(lengths or [3, 1, 2], "<i4").tobytes() + text
    digest = hashlib.blake2b(rest, digest_size=16).hexdigest()
    path.write_bytes(Sizes(3, 6, 3, len(text)).header(digest) + rest)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda i: i.update(labels=[[0], [99], [0]]), "points at entry 99 of 2"),
        (lambda i: i.update(labels=[[0], [2], [0]]), "points at entry 2 of 2"),
        (lambda i: i.update(labels=[[0], [-1], [0]]), "points at entry -1"),
        (lambda i: i.update(labels=[[0], [True], [0]]), "points at entry True"),
        (lambda i: i.update(labels=[0, 1, 2]), "TypeError"),
        (lambda i: i.update(signer=[0, 5, 0]), "points at entry 5 of 1"),
        (lambda i: i.update(source=[0, None, 0]), "points at entry None"),
        (lambda i: i.update(ids=["a", "b"]), "not of 3 clips"),
        (lambda i: i.update(ids=[1, 2, 3]), "ids are not texts"),
        (lambda i: i.update(glosses={"a": 1}), "glosses are not texts"),
        (lambda i: i.pop("sources"), "KeyError"),
    ],
)
def test_lying_indices(packed: Path, change: Callable[[dict[str, Any]], None], said: str) -> None:
    index_changed(packed / "train.safetensors", change)
    with pytest.raises(DataError, match=said):
        read_packed(packed / "train.safetensors")


@pytest.mark.parametrize("lengths", [[3, 0, 3], [3, 1, 1], [-1, 1, 6], [2**31 - 1, 2, 3]])
def test_lying_lengths(packed: Path, lengths: list[int]) -> None:
    index_changed(packed / "train.safetensors", lambda _: None, lengths)
    with pytest.raises(DataError, match="do not come to its 6 frames"):
        read_packed(packed / "train.safetensors")


def test_an_index_changed_to_itself_is_read(packed: Path) -> None:
    """The tool of the two tests above writes files that are whole."""
    index_changed(packed / "train.safetensors", lambda _: None)
    assert len(read_packed(packed / "train.safetensors")) == 3


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.data())
def test_damage_is_always_found(packed: Path, data: st.DataObject) -> None:
    whole = (packed / "train.safetensors").read_bytes()
    copy = packed / "damaged.safetensors"
    if data.draw(st.booleans()):
        copy.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    else:
        # Spaces fill up the header, and one of them changed to a tab or line end means the same.
        places = [i for i in range(len(whole)) if i >= 4096 or i < 8 or whole[i] != 32]
        place = data.draw(st.sampled_from(places))
        flipped = whole[place] ^ data.draw(st.integers(1, 255))
        copy.write_bytes(whole[:place] + bytes([flipped]) + whole[place + 1 :])
    with pytest.raises(DataError):
        read_packed(copy)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"format": 1}', '{"format": 1, "findings": 3, "splits": {}}',
     '{"format": 1, "findings": [], "splits": {"../../x": 1}}', "[" * 100_000,
     '{"format": 1, "findings": [{"level": "fatal", "code": "", "message": ""}], "splits": {}}',
     '{"format": 9, "findings": [], "splits": {}}'],
)  # fmt: skip
def test_hostile_manifests(packed: Path, text: str) -> None:
    (packed / "packed.json").write_text(text)
    with pytest.raises(DataError, match="packed"):
        packed_splits(packed)


def test_what_a_manifest_holds_beside_what_is_known_does_no_harm(packed: Path) -> None:
    kept = json.loads((packed / "packed.json").read_text())
    kept["findings"] = [{"level": "note", "code": "x", "message": "seen", "data": {}, "taken": "2026"}]
    (packed / "packed.json").write_text(json.dumps({**kept, "author": {"name": "A"}}))
    assert [f.message for f in packed_splits(packed)[1]] == ["seen"]


def test_what_is_missing_is_named(packed: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"give --dataset.root OUT, the folder of `asl pack"):
        PackedDataset(PackedOptions()).splits()
    with pytest.raises(DataError, match=r"holds no packed.json; expected a folder that `asl pack` made"):
        dataset(tmp_path).splits()
    with pytest.raises(DataError, match="has no split 'test'; it has train, val"):
        dataset(packed).clips("test")
    (packed / "val.safetensors").unlink()
    with pytest.raises(DataError, match="does not exist; expected a file that `asl pack` made"):
        dataset(packed).clips("val")


def test_mapped_files_are_closed_with_their_clips(packed: Path) -> None:
    maps = Path("/proc/self/maps")
    if not maps.is_file():
        pytest.skip("only Linux lists what is mapped")
    clips = read_packed(packed / "train.safetensors")
    assert str(packed) in maps.read_text()
    one = attrs.evolve(clips[0], features=clips[0].features.copy())
    del clips
    assert str(packed) not in maps.read_text()
    assert len(one.features) == 3


@pytest.mark.skipif(os.name == "nt", reason="folders are not flushed there")
def test_the_disk_has_all_of_a_pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: set[int] = set()
    real = os.fsync

    def noted(descriptor: int) -> None:
        real(descriptor)
        flushed.add(os.fstat(descriptor).st_ino)

    monkeypatch.setattr(os, "fsync", noted)
    config = asl.configure({"dataset.glosses": 2, "dataset.train": 2, "dataset.val": 1}, environ={}, project_file=False)
    pack(config.dataset.build(), tmp_path / "out", {})
    out = tmp_path / "out"
    assert {path.stat().st_ino for path in (tmp_path, out, *out.iterdir())} <= flushed


@pytest.mark.parametrize("more", [-1, 1])
def test_a_file_of_another_length_than_its_header_tells(packed: Path, more: int) -> None:
    path = packed / "train.safetensors"
    content = path.read_bytes()
    path.write_bytes((content + b"\0")[: len(content) + more])
    with pytest.raises(DataError, match=rf"it has {len(content) + more} bytes, and its header tells of {len(content)}"):
        dataset(packed).clips("train")
