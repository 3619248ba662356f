"""The kit lets sound components through and names the promise that a wrong one breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch
import wrong_clips
import wrong_modules

from asl_core import Component, NoOptions, option, testing
from asl_core.errors import DataError, RunError
from asl_core.testing import batches
from asl_core.testing.checks import Bench, CheckResult, SkippedCheck, hold, results


def component(target: str, module: Any = wrong_modules, **more: Any) -> Component:
    return Component(name="toy", factory=f"{module.__name__}:{target}", summary="a toy", **more)


GOOD_HEAD = component("GoodHead")


def check_loss(loss: Component, **options: Any) -> None:
    testing.check_loss(loss, GOOD_HEAD, **options)


def check_loader(loader: Component) -> None:
    testing.check_checkpoint_loader(loader)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("check", "good", "module"),
    [
        (testing.check_encoder, "GoodEncoder", wrong_modules),
        (testing.check_head, "GoodHead", wrong_modules),
        (check_loss, "GoodLoss", wrong_modules),
        (testing.check_augment, "GoodAugment", wrong_clips),
        (testing.check_transform, "GoodTransform", wrong_clips),
        (testing.check_dataset, "GoodDataset", wrong_clips),
        (testing.check_checkpoint_loader, "GoodLoader", wrong_clips),
        (testing.check_observer, "GoodObserver", wrong_clips),
    ],
)
def test_sound_components_pass(check: Callable[[Component], None], good: str, module: Any) -> None:
    check(component(good, module))


#: wrong encoder -> what the kit says of it
ENCODERS = {
    "ConstantEncoder": "other frames give the same output: the encoder ignores its input",
    "IdleEncoder": "the output is the input: the encoder does nothing",
    "LyingEncoder": r"output_lengths declares 23 frames .* and the output has 12",
    "HalvingEncoder": "output_lengths gives 0 for a clip: it lost all its frames",
    "UndeclaredEncoder": "a clip of 128 frames gives 128 and declares 64: what is not declared is dropped",
    "TruncatingEncoder": "the last 32 frames of a clip of 128 change nothing",
    "CompanyEncoder": "output_lengths of a clip depends on the other clips",
    "LeakyEncoder": "has another output alone than among longer ones .*: padding leaks",
    "UnmaskedEncoder": "padding leaks",
    "WideEncoder": "output_size 7 and gives 6 features per frame",
    "FlatEncoder": r"the output has shape \(4, 6\); expected \(B, T', output_size\)",
    "SpareEncoder": "no gradient reaches spare.bias, spare.weight: they would never be trained",
    "DetachedEncoder": "the output depends on no parameter",
    "ForgetfulEncoder": "something it needs is not in the state",
    "NoisyEncoder": "evaluating twice gives two results",
    "UnseededEncoder": "under one seed project.bias start with other values every time",
    "ForeignNoiseEncoder": "in training one seed gives two results",
    "DoubleEncoder": "float32 features give an output of torch.float64",
    "OverflowingEncoder": "NaN or infinite",
}


@pytest.mark.parametrize("name", ENCODERS)
def test_wrong_encoders_are_caught(name: str) -> None:
    with pytest.raises(testing.ContractError, match=ENCODERS[name]):
        testing.check_encoder(component(name))


def test_an_encoder_that_breaks_under_autocast_is_caught() -> None:
    with pytest.raises(RuntimeError, match="dtype"):
        testing.check_encoder(component("OneTypeEncoder"))


def test_an_encoder_that_cannot_be_moved_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "devices", lambda: [torch.device("cpu")] * 2)
    testing.check_encoder(component("GoodEncoder"))
    with pytest.raises(RuntimeError, match="same device"):
        testing.check_encoder(component("StuckEncoder"))


def test_devices_are_those_that_torch_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert [d.type for d in testing.devices()] == ["cpu", "cuda", "mps"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert [d.type for d in testing.devices()] == ["cpu", "mps"]


@pytest.mark.slow
def test_an_encoder_that_remembers_steps_does_not_resume() -> None:
    testing.check_run("encoder", component("GoodEncoder"))
    with pytest.raises(
        testing.ContractError, match="an interrupted and resumed run ends differently from an uninterrupted one"
    ):
        testing.check_run("encoder", component("ResumingEncoder"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("KindlessHead", "kind is empty"),
        ("LogitHead", "do not sum to 1"),
        ("LeakyHead", "padding leaks"),
        ("BlindHead", "the head ignores its input"),
        ("BlockingHead", "no gradient reaches the encoder's frames"),
        ("FramesOnlyHead", r"values have shape \(1, 4, 5\) for 4 clips"),
        ("WrongReadingHead", "expected lists of class numbers 0 to 4"),
        ("ImpatientHead", "a longer one needs fewer"),
        ("FigureHead", r"figure confidence has shape \(\); expected \(B,\)"),
    ],
)
def test_wrong_heads_are_caught(name: str, text: str) -> None:
    with pytest.raises(testing.ContractError, match=text):
        testing.check_head(component(name))


@pytest.mark.parametrize("check", [testing.check_encoder, testing.check_head, check_loss])
def test_factories_of_no_module_are_caught(check: Callable[[Component], None]) -> None:
    with pytest.raises(testing.ContractError, match=r"expected an nn\.Module"):
        check(component("no_module"))
    with pytest.raises(RunError, match="does not load"):
        check(component("nothing_of_that_name"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("VectorLoss", r"the total has shape \(1,\); expected a scalar"),
        ("InfiniteLoss", "the total of 1 clips of random frames is inf"),
        ("LabelBlindLoss", "the same whatever the labels are"),
        ("HeadBlindLoss", "the same whatever the head's output is"),
        ("PaddedLoss", "the loss changes with padding"),
        ("PickyLoss", "does not accept head kind 'toy', only nothing"),
        ("MislabelledLoss", "labels is 'two'; expected one of one, any, none"),
        ("FigureLoss", r"figure right has shape \(\); expected \(4,\)"),
        ("GreedyLoss", "asks for 2 views and corrupts the batch"),
        ("HidingLoss", "is corrupted differently in another batch"),
        ("IdlyHidingLoss", "corrupt changes no clip"),
    ],
)
def test_wrong_losses_are_caught(name: str, text: str) -> None:
    with pytest.raises(testing.ContractError, match=text):
        check_loss(component(name))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("GlobalAugment", "the same .seed, epoch, clip. gave other frames"),
        ("CompanyAugment", "clip 1 is augmented differently alone"),
        ("PaddedAugment", "is augmented differently alone"),
        ("IdleAugment", "it does nothing"),
        ("SpillingAugment", "padding is no longer zero"),
        ("InPlaceAugment", "the batch given to it has changed"),
        ("EmptyingAugment", "a clip lost all its frames"),
        ("DoubleAugment", "float32 frames became torch.float64"),
        ("RenamingAugment", "ids, labels or order"),
    ],
)
def test_wrong_augments_are_caught(name: str, text: str) -> None:
    with pytest.raises(testing.ContractError, match=text):
        testing.check_augment(component(name, wrong_clips))


def test_what_fits_one_width_only_is_checked_on_that() -> None:
    testing.check_augment(component("NarrowAugment", wrong_clips), width=7)
    with pytest.raises(SkippedCheck, match="it is for 7 numbers"):
        hold_strictly(component("NarrowAugment", wrong_clips))


def hold_strictly(made: Component) -> None:
    from asl_core.testing.augments import AUGMENT_CHECKS, AugmentBench

    AUGMENT_CHECKS["builds"](AugmentBench(made))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("InPlaceTransform", "the clip given to it has changed"),
        ("NanTransform", "a clip of 1 frames became NaN"),
        ("EmptyTransform", r"a clip of 1 frames became \(0, 36\)"),
        ("RaggedTransform", "clips of one width become clips of"),
        ("RunningTransform", "keep no state between clips"),
        ("NamelessTransform", "glosses, signer, source of the clip changed"),
    ],
)
def test_wrong_transforms_are_caught(name: str, text: str) -> None:
    with pytest.raises(testing.ContractError, match=text):
        testing.check_transform(component(name, wrong_clips))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("TrainlessDataset", "there is nothing to train on"),
        ("StrangeSplitDataset", r"splits\(\) gives training; expected some of train, val, test"),
        ("TwiceDataset", "ids of train are not unique"),
        ("RestlessDataset", "differs when read again"),
        ("RaggedDataset", "has 5 features per frame, and the clips before it 4"),
        ("FlatDataset", r"is \(4,\); expected"),
        ("NanDataset", "has NaN"),
        ("LetterDataset", "has glosses 'word'; expected a tuple of texts"),
        ("LoudDataset", "findings have level fatal"),
        ("RudeDataset", "a split that it does not have raises KeyError"),
        ("TrustingDataset", "a file that does not exist is not refused"),
    ],
)
def test_wrong_data_sets_are_caught(name: str, text: str) -> None:
    with pytest.raises(testing.ContractError, match=text):
        testing.check_dataset(component(name, wrong_clips))
    with pytest.raises(testing.ContractError, match=text):
        testing.check_dataset(getattr(wrong_clips, name)(NoOptions()))


def test_a_file_that_a_data_set_reads(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(b"1")
    testing.check_dataset(component("GoodDataset", wrong_clips), sample=tmp_path / "x.bin")
    with pytest.raises(DataError):
        testing.check_dataset(component("GoodDataset", wrong_clips), sample=tmp_path / "gone.bin")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("TrustingLoader", "it ran code that a .* file named"),
        ("RudeLoader", "raised ValueError: bad magic number; expected CheckpointError"),
        ("FragileLoader", "recognises.missing.toy. raised FileNotFoundError"),
        ("UndecidedLoader", "gives None; expected True or False"),
        ("CarelessLoader", "own.toy cut to 0% is loaded as if it were whole"),
        ("StrangerLoader", "it does not recognise own.toy"),
    ],
)
def test_wrong_loaders_are_caught(tmp_path: Path, name: str, text: str) -> None:
    sample = wrong_clips.GoodLoader.write(tmp_path / "own.toy")
    testing.check_checkpoint_loader(component("GoodLoader", wrong_clips), sample=sample)
    with pytest.raises(testing.ContractError, match=text):
        testing.check_checkpoint_loader(component(name, wrong_clips), sample=sample)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("GreedyFormat", "it recognises .*, which is not of the format"),
        ("FragileFormat", r"recognises\(missing.bin\) raised FileNotFoundError"),
        ("SmallFormat", "own.toy ends in none of its suffixes"),
        ("ImpoliteFormat", r"read\(missing.bin\) raised KeyError: 'toy'; expected a DataError"),
        ("TwiceFormat", "ids of the recordings of own.toy are not unique"),
        ("HalfSeenFormat", "NaN on some axes and not on others"),
        ("BlindFormat", "no point of own.toy was seen"),
        ("UnendingFormat", "has infinite numbers"),
        ("RestlessFormat", "gives other points when read again"),
        ("CarelessFormat", "own.toy cut to 10% is read as if it were whole"),
    ],
)
def test_wrong_formats_are_caught(tmp_path: Path, name: str, text: str) -> None:
    sample = wrong_clips.GoodFormat.write(tmp_path / "own.toy")
    testing.check_format(component("GoodFormat", wrong_clips), sample=sample)
    testing.check_format(component("GoodFormat", wrong_clips))
    with pytest.raises(testing.ContractError, match=text):
        testing.check_format(component(name, wrong_clips), sample=sample)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kind", "text"),
    [
        ("HalfObserver", testing.ContractError, "needs on_event, or on_start, on_epoch and on_end"),
        ("TakingObserver", testing.ContractError, "it changes the summary or report it is given"),
        ("WritingObserver", testing.ContractError, "ends differently from one without .metrics.jsonl."),
        ("FailingObserver", testing.ContractError, "it raises.*KeyError.*top1"),
    ],
)
def test_wrong_observers_are_caught(name: str, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        testing.check_observer(component(name, wrong_clips))


@attrs.frozen
class Undocumented:
    depth: int = attrs.field(default=2)


@attrs.frozen
class Untrue:
    depth: int = option(2.5, help="layers")


@attrs.frozen
class Documented:
    depth: int = option(2, help="layers", ge=1)


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"options": Undocumented}, "option depth of 'toy' has no help"),
        ({"options": Untrue}, "depth: 2.5 is not a whole number"),
        ({"suggests": {"train.epohcs": 3}}, "train.epohcs, which is no setting; did you mean 'epochs'"),
        ({"suggests": {"train.epochs": "many"}}, "train.epochs = 'many': 'many' is not a whole number"),
        ({"suggests": {"trian.epochs": 3}}, "trian.epochs, which is no setting; did you mean 'train'"),
    ],
)
def test_components_that_are_not_documented_are_caught(more: Mapping[str, Any], text: str) -> None:
    testing.check_component(component("GoodHead", options=Documented, suggests={"loss.name": "toy"}))
    with pytest.raises(testing.ContractError, match=text):
        testing.check_component(component("GoodHead", **more))


def test_a_component_needs_one_line_of_summary() -> None:
    for summary, text in (("", "has no summary"), ("two\nlines", "has several lines")):
        with pytest.raises(testing.ContractError, match=text):
            testing.check_component(attrs.evolve(GOOD_HEAD, summary=summary))


def bench_results(*outcomes: Any) -> Iterator[CheckResult]:
    def check(outcome: Any) -> Callable[[Bench], str | None]:
        def run(bench: Bench) -> str | None:
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        return run

    return results("head", {str(i): check(o) for i, o in enumerate(outcomes)}, Bench(GOOD_HEAD))


def test_one_failure_does_not_hide_the_others() -> None:
    found = list(
        bench_results(
            None, testing.ContractError("broken"), ValueError("a\nb"), SkippedCheck("no"), SystemExit(3), "9 ms"
        )
    )
    assert [(r.status, r.reason.partition(" (")[0]) for r in found] == [
        ("passed", ""),
        ("failed", "broken"),
        ("failed", "ValueError: a b"),
        ("skipped", "no"),
        ("failed", "SystemExit: 3"),
        ("passed", "9 ms"),
    ]
    assert f"{__file__}, line" in found[2].reason
    assert str(found[1]) == "head toy: 1 failed: broken"
    with pytest.raises(KeyboardInterrupt):
        list(bench_results(KeyboardInterrupt()))


def test_nothing_is_asked_of_what_cannot_be_built() -> None:
    found = list(bench_results(testing.ContractError("broken"), None, None))
    assert [r.status for r in found] == ["failed", "skipped", "skipped"]
    assert found[1].reason == "'0' comes first, and it was failed"
    found = list(bench_results(DataError("no folder was named."), None))
    assert [r.status for r in found] == ["skipped", "skipped"]
    assert found[0].reason.startswith("no folder was named. (--set head.toy.KEY=VALUE")


def test_a_failure_says_what_failed_the_contract_and_the_input() -> None:
    with pytest.raises(testing.ContractError) as caught:
        testing.check_encoder(component("LeakyEncoder"), width=9)
    what, contract, tried_on = str(caught.value).splitlines()
    assert what.startswith("'toy' fails check 'padding': a clip of 7 frames has another output alone")
    assert what.endswith("padding leaks; mask it, or pack the sequences.")
    assert contract == "Contract: A clip's output is the same alone, in a batch, and with more padding."
    assert tried_on == "Tried on: default options; clips of 7, 23, 1, 12 frames with 9 features per frame."


def test_every_check_states_its_contract() -> None:
    from asl_core.testing import plugin, runs
    from asl_core.testing.components import COMPONENT_CHECKS
    from asl_core.testing.losses import LOSS_CHECKS

    tables = [COMPONENT_CHECKS, LOSS_CHECKS, runs.OBSERVER_CHECKS, *(checks for checks, _ in plugin._BENCHES.values())]
    for table in tables:
        for name, check in table.items():
            first = (check.__doc__ or "").strip().partition("\n\n")[0]
            assert first.endswith("."), f"{name} of {check.__module__}"


def test_hold_stops_at_the_first_and_passes_over_what_is_skipped() -> None:
    seen = []

    def skipped(bench: Bench) -> None:
        seen.append("skipped")
        raise SkippedCheck("not here")

    def broken(bench: Bench) -> None:
        seen.append("broken")
        raise testing.ContractError("broken")

    with pytest.raises(testing.ContractError):
        hold({"a": skipped, "b": broken, "c": skipped}, Bench(GOOD_HEAD))
    assert seen == ["skipped", "broken"]
