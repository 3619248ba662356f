"""What is saved comes back to the bit; what is not ours, or not whole, is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from asl_core import CheckpointError
from asl_core.checkpoints.format import (
    DamagedError,
    flatten_optimizer,
    is_whole,
    load_tensors,
    restore_optimizer,
    save_tensors,
)

TENSORS = {
    "float": torch.tensor([0.1, -0.0, float("nan"), float("inf"), 1e-45]),
    "double": torch.tensor(0.1, dtype=torch.float64),
    "half": torch.tensor([[1.5], [2.5]], dtype=torch.bfloat16),
    "count": torch.tensor(2**62),
    "flag": torch.tensor([True, False]),
    "none": torch.zeros(0, 3),
}
META = {"config": {"encoder.name": "gru"}, "vocabulary": ["a", "ü", "手"], "epoch": 3, "nested": {"x": None}}


def same_bits(one: torch.Tensor, other: torch.Tensor) -> bool:
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    return one.contiguous().view(-1).view(torch.uint8).equal(other.contiguous().view(-1).view(torch.uint8))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "x.safetensors"
    save_tensors(path, TENSORS, META)
    return path


def test_round_trip(saved: Path) -> None:
    back = load_tensors(saved)
    assert back.meta == META | {"format": 1}
    assert list(back.tensors) == sorted(TENSORS)
    for name, tensor in TENSORS.items():
        assert same_bits(back.tensors[name], tensor), name


def test_equal_input_gives_equal_bytes(saved: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    save_tensors(other, dict(reversed(TENSORS.items())), dict(reversed(META.items())))
    assert other.read_bytes() == saved.read_bytes()


def test_shared_and_strided_memory(tmp_path: Path) -> None:
    base = torch.arange(12.0).view(3, 4)
    tensors = {"whole": base, "same": base, "turned": base.T, "part": base[1:, ::2], "grad": nn.Parameter(base)}
    save_tensors(tmp_path / "x", tensors, {})
    for name, tensor in load_tensors(tmp_path / "x").tensors.items():
        assert torch.equal(tensor, tensors[name])


def test_under(tmp_path: Path) -> None:
    save_tensors(tmp_path / "x", {"model.a": torch.ones(1), "model.b.c": torch.ones(2), "models.d": torch.ones(3)}, {})
    assert set(load_tensors(tmp_path / "x").under("model")) == {"a", "b.c"}


@pytest.mark.parametrize("keep", [0, 4, 8, 100, -1])
def test_cut_short(saved: Path, keep: int) -> None:
    saved.write_bytes(saved.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match=r"cannot be read as a checkpoint \(.*\w.*\); expected") as raised:
        load_tensors(saved)
    assert str(saved) in str(raised.value)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize("content", [b"\xff" * 64, b"PK\x03\x04zip", b"\x10" + b"\0" * 7 + b"{not json at all", b"{}"])
def test_not_safetensors(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot be read as a checkpoint"):
        load_tensors(path)


def test_missing_and_folders(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.safetensors", tmp_path):
        with pytest.raises(CheckpointError, match="does not exist"):
            load_tensors(path)


@pytest.mark.parametrize(
    "metadata",
    [None, {"other": "x"}, {"asl": "not json"}, {"asl": "3"}, {"asl": "[]"}, {"asl": "{}"}, {"asl": "[" * 10**5}],
)
def test_somebody_elses(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(safetensors.torch.save({"a": torch.ones(1)}, metadata=metadata))
    with pytest.raises(CheckpointError, match="holds tensors without the header that asl writes"):
        load_tensors(path)


def test_another_format(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(safetensors.torch.save({"a": torch.ones(1)}, metadata={"asl": '{"format": 0}'}))
    with pytest.raises(CheckpointError, match="is of checkpoint format 0, this asl reads 1"):
        load_tensors(path)


def test_an_optimizer_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    def made() -> tuple[nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
        groups = [{"params": [p], "weight_decay": 0.1 * p.ndim} for p in model.parameters()]
        return model, torch.optim.AdamW(groups, lr=0.01)

    def step(model: nn.Module, optimizer: torch.optim.Optimizer, number: int) -> None:
        generator = torch.Generator().manual_seed(number)
        model(torch.randn(5, 3, generator=generator)).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()

    model, optimizer = made()
    for number in range(3):
        step(model, optimizer, number)
    tensors = {f"model.{k}": v for k, v in model.state_dict().items()}
    save_tensors(tmp_path / "x", tensors | {f"optimizer.{k}": v for k, v in flatten_optimizer(optimizer).items()}, {})
    other, restored = made()
    back = load_tensors(tmp_path / "x")
    other.load_state_dict(back.under("model"))
    restore_optimizer(restored, back.under("optimizer"))
    for number in range(3, 6):
        step(model, optimizer, number)
        step(other, restored, number)
    for one, two in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, two)
    assert [g["weight_decay"] for g in restored.param_groups] == [0.2, 0.1, 0.2, 0.1]


def test_an_optimizer_that_never_stepped() -> None:
    optimizer = torch.optim.AdamW([nn.Parameter(torch.ones(2))])
    assert flatten_optimizer(optimizer) == {}
    restore_optimizer(optimizer, {})
    assert flatten_optimizer(optimizer) == {}


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("0.step", torch.zeros(1), "other shapes than the parameter"),
        ("0.exp_avg", torch.zeros(3), "other shapes than the parameter"),
        ("0.exp_avg_sq", torch.zeros(2, 1), "other shapes than the parameter"),
        ("0.max_exp_avg_sq", torch.zeros(2), "is not AdamW's"),
        ("1.step", torch.zeros(()), "parameter 1 is not AdamW's"),
        ("-1.step", torch.zeros(()), "parameter -1 is not AdamW's"),
    ],
)
def test_a_state_of_other_parameters_is_refused(key: str, value: torch.Tensor, said: str) -> None:
    parameter = nn.Parameter(torch.ones(2))
    optimizer = torch.optim.AdamW([parameter])
    parameter.sum().backward()
    optimizer.step()
    state = flatten_optimizer(optimizer)
    restore_optimizer(optimizer, state)
    with pytest.raises(ValueError, match=said):
        restore_optimizer(optimizer, state | {key: value})


@pytest.mark.parametrize("what", ["tensors", "json"])
def test_a_changed_byte_is_found(saved: Path, what: str) -> None:
    content = bytearray(saved.read_bytes())
    place = len(content) - 1 if what == "tensors" else content.index(b"gru")
    content[place] ^= 1
    saved.write_bytes(content)
    with pytest.raises(DamagedError, match="checksum differs"):
        load_tensors(saved)


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("a", torch.tensor([1.0, 2, 3, 4, 5, 6]).view(3, 2)),
        ("a", torch.tensor([1.0, 2, 3, 4, 5, 6]).view(2, 3).view(torch.int32)),
        ("b", torch.tensor([1.0, 2, 3, 4, 5, 6]).view(2, 3)),
    ],
    ids=["shape", "type", "name"],
)
def test_the_same_bytes_as_another_tensor_are_found(tmp_path: Path, name: str, changed: torch.Tensor) -> None:
    """The header of safetensors holds shapes, types and names: a change there leaves every byte of numbers alone."""
    path = tmp_path / "x"
    save_tensors(path, {"a": torch.tensor([[1.0, 2, 3], [4, 5, 6]])}, META)
    with safetensors.safe_open(path, framework="pt") as file:
        header = file.metadata()
    path.write_bytes(safetensors.torch.save({name: changed}, metadata=header))
    with pytest.raises(DamagedError, match="checksum differs"):
        load_tensors(path)


def test_a_file_of_before_there_was_a_checksum(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(safetensors.torch.save({"a": torch.ones(1)}, metadata={"asl": '{"format": 1}'}))
    assert load_tensors(path).meta == {"format": 1}


def test_a_name_that_safetensors_cannot_open_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that are not UTF-8; it is no file here, since not every system can have one."""
    monkeypatch.setattr(Path, "is_file", lambda _: True)
    with pytest.raises(CheckpointError, match="has bytes in its name that are not UTF-8") as raised:
        load_tensors(Path("caf\udce9.safetensors"))
    assert not isinstance(raised.value, DamagedError)


def test_what_is_whole(saved: Path) -> None:
    assert is_whole(saved)
    content = bytearray(saved.read_bytes())
    content[-1] ^= 1
    saved.write_bytes(content)
    assert not is_whole(saved)
    assert not is_whole(saved.parent / "gone")
