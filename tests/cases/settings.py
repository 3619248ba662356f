"""Settings: where they come from, files of all encodings, ``asl check``, ``asl.toml`` of a stranger's folder."""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path

import pytest
from small import flags, small

from asl_core.config.configure import configure
from asl_core.errors import ConfigError, UsageError
from cases.security import link
from cases.table import asl, case

TINY = {**small(Path("runs"), train__epochs=1), "dataset.glosses": 3, "dataset.train": 3}
COMMON = """[common]
dataset = {name = "demo", glosses = 3, train = 3, val = 2}
encoder = {name = "gru", hidden-size = 8, front-size = 8}
train = {epochs = 1, batch-size = 8}
run = {device = "cpu", threads = 1}
"""
CURRICULUM = f'{COMMON}[[stage]]\nname = "zero"\n[[stage]]\nname = "a-last"\ninit = "zero"\n'


@functools.cache
def curriculum_runs() -> Path:
    """A folder in which a curriculum of two stages was run."""
    place = Path(tempfile.mkdtemp()).resolve()
    (place / "c.toml").write_text(CURRICULUM)
    done = asl(place, "run", "c.toml", "--quiet")
    assert done.code == 0, done.err
    return place


@case("unknown keys of a settings file in ./suggested by me/")
def folder_named_as_a_source(place: Path) -> str:
    said = []
    for folder in ("suggested by me", "default", "flag ", "environment variable"):
        (place / folder).mkdir()
        (place / folder / "x.toml").write_text("[train]\nepoch = 2\n[nonsense]\nx = 1\n")
        done = asl(place, "check", f"{folder}/x.toml")
        assert done.code == 2
        assert "2 faults" in done.error
        said.append(done.error)
    return said[0]


@case("a byte order mark before settings, a curriculum and asl.toml")
def byte_order_mark(place: Path) -> str:
    for name, text in (("s.toml", 'encoder = "gru"\n'), ("c.toml", CURRICULUM), ("asl.toml", "[train]\nepochs = 1\n")):
        (place / name).write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    one, stages = asl(place, "check", "s.toml"), asl(place, "check", "c.toml")
    assert one.code == 0, one.err
    assert stages.code == 0, stages.err
    assert "2 stages" in stages.out
    assert "asl.toml of this folder is used; it sets train.epochs" in one.text
    return stages.text


@case("settings in UTF-16 and in Latin-1")
def other_encodings(place: Path) -> str:
    (place / "w.toml").write_text('encoder = "gru"\n', encoding="utf-16")
    (place / "l.toml").write_text('# für\nencoder = "grü"\n', encoding="latin-1")
    wide, narrow = asl(place, "run", "w.toml"), asl(place, "check", "l.toml")
    assert (wide.code, narrow.code) == (2, 2)
    assert "UTF-16" in wide.error
    assert "line 1 has the byte 0xfc" in narrow.error
    assert "Latin-1" in narrow.error
    return f"{wide.error} / {narrow.error}"


@case("asl check of a curriculum, sound and with faults in two stages")
def check_curriculum(place: Path) -> str:
    (place / "c.toml").write_text(CURRICULUM)
    sound = asl(place, "check", "c.toml")
    assert sound.code == 0, sound.err
    assert "asl run c.toml" in sound.out
    (place / "c.toml").write_text(
        CURRICULUM.replace('"zero"\n[[', '"zero"\nencodr = "x"\n[[') + "[stage.train]\nepochs = 0\n"
    )
    faulty = asl(place, "check", "c.toml")
    assert faulty.code == 2
    assert "stage 'zero': c.toml line 8: encodr: no such setting" in faulty.error
    assert "stage 'a-last': c.toml line 13: train.epochs: 0 is out of range" in faulty.error
    same = asl(place, "run", "c.toml")
    assert same.error == faulty.error
    assert asl(place, "check", "c.toml", environ={"ASL_RUN__TRAIN__EPOCHS": "x"}).code == 2
    return faulty.error


@case("asl check heeds asl.toml and ASL_RUN__…, as asl run does")
def check_layers(place: Path) -> str:
    (place / "s.toml").write_text('encoder = "gru"\n')
    environ = {"ASL_RUN__TRAIN__EPOCHS": "0", "ASL_RUN__NONSENSE": "1"}
    (place / "asl.toml").write_text("[train]\nbatch-size = 0\n")
    checked, ran = (asl(place, verb, "s.toml", environ=environ) for verb in ("check", "run"))
    assert checked.code == ran.code == 2
    assert checked.error == ran.error
    for part in ("3 faults", "ASL_RUN__TRAIN__EPOCHS", "ASL_RUN__NONSENSE", "asl.toml line 2"):
        assert part in checked.error, part
    return checked.error


@case("asl check of settings whose data set, device, weights or name cannot be used")
def check_parts(place: Path) -> str:
    (place / "empty").mkdir()
    for text, part in (
        ('[dataset]\nname = "wlasl"\nroot = "gone"\n', "gone"),
        ('[dataset]\nname = "wlasl"\nroot = "empty"\n', "empty"),
        ('[dataset]\nname = "wlasl"\n', "root"),
        ('[dataset]\nname = "packed"\nroot = "empty"\n', "packed.json"),
        ('[run]\ndevice = "cuda:77"\n', "cuda:77"),
        ('init = "gone.pt"\n', "gone.pt"),
        ("[train]\nmixup = 0.2\n[loss]\nname = 'frames'\n", "loss"),
    ):
        (place / "s.toml").write_text(text)
        said = asl(place, "check", "s.toml")
        assert said.code == 2, (text, said.out)
        assert part in said.error, (text, said.error)
    (place / "s.toml").write_text("[run]\nname = 'taken'\n")
    (place / "runs/taken").mkdir(parents=True)
    (place / "runs/taken/config.toml").touch()
    said = asl(place, "check", "s.toml")
    assert "never overwritten" in said.error
    return said.error


@case("asl check --data reads the clips, and leaves nothing behind")
def check_data(place: Path) -> str:
    (place / "s.toml").write_text(COMMON.replace("[common]\n", ""))
    said = asl(place, "check", "s.toml", "--data")
    assert said.code == 0, said.err
    assert "train  9 clips, 3 glosses" in said.out
    assert [p.name for p in place.iterdir()] == ["s.toml"]
    return said.text


@case("asl.configure(recipe=…) of a curriculum")
def configure_curriculum(place: Path) -> str:
    with pytest.raises(ConfigError) as raised:
        configure(recipe="hands-stage1", environ={}, project_file=False)
    (place / "c.toml").write_text(CURRICULUM)
    with pytest.raises(ConfigError) as other:
        configure(file=place / "c.toml", environ={}, project_file=False)
    for fault in (raised, other):
        (problem,) = fault.value.problems
        assert "asl_core.run_curriculum(asl_core.load_curriculum(" in problem
    assert "asl run --recipe hands-stage1" in str(raised.value)
    return str(raised.value)


@case("asl.toml of the working folder is said on the first screen")
def project_file_is_said(place: Path) -> str:
    (place / "asl.toml").write_text('[train]\nepochs = 1\n[encoder]\nname = "gru"\nhidden-size = 8\n')
    words = flags({k: v for k, v in TINY.items() if k not in ("train.epochs", "encoder", "encoder.hidden-size")})
    said = asl(place, "run", *words)
    assert said.code == 0, said.err
    note = "note: asl.toml of this folder is used; it sets train.epochs, encoder.name, encoder.hidden-size"
    assert note in said.out
    first = json.loads(asl(place, "run", "--json", *words).out.splitlines()[0])
    assert note.removeprefix("note: ") in first["notes"]
    assert "asl.toml" not in asl(place, "run", *words, "--train.epochs", "1", "--encoder", "lstm").text
    return note


@case("asl.toml that names files outside of its folder", slow=True)
def project_file_leads_out(place: Path) -> str:
    outside, inside = place / "outside", place / "inside"
    outside.mkdir()
    (inside / "data").mkdir(parents=True)
    (outside / "x.pkl").write_bytes(b"")
    (inside / "plain").mkdir()
    link(inside / "link", outside)
    link(inside / "data/x.pkl", outside / "x.pkl")
    texts = (
        f'[dataset]\nname = "wlasl"\nroot = {json.dumps(str(outside))}\n',
        '[dataset]\nname = "wlasl"\nroot = "../outside"\n',
        '[dataset]\nname = "wlasl"\nroot = "plain/../../outside"\n',
        '[dataset]\nname = "wlasl"\nroot = "link"\n',
        '[dataset]\nname = "wlasl"\nroot = "data"\n',
        '[dataset]\nname = "wlasl"\nroot = "plain"\ntrain = "../../outside/x.pkl"\n',
        '[dataset]\nname = "wlasl"\nroot = "plain"\nlabels = "/etc/passwd"\n',
        '[dataset]\nname = "wlasl"\ntrain = "data/*.pkl"\n',
        '[dataset]\nname = "wlasl"\nroot = "~"\n',
        '[dataset]\nname = "wlasl"\nroot = "C:\\\\clips"\n',
        '[dataset]\nname = "wlasl"\nroot = "\\\\\\\\host\\\\clips"\n',
        '[run]\nout = "../x"\n', '[run]\nout = "link/x"\n', '[run]\nout = "/tmp/x"\n',
        '[init]\npath = "run:../x"\n', 'init = "/x.pt"\n', 'init = "torch:/x.pt"\n',
    )  # fmt: skip
    for text in texts:
        (inside / "asl.toml").write_text(text)
        words: tuple[str, ...]
        for words in (("run",), ("check", "s.toml")):
            (inside / "s.toml").write_text("[train]\nepochs = 1\n")
            said = asl(inside, *words)
            assert said.code == 2, (text, said.out)
            assert "asl.toml line" in said.error, (text, said.error)
            assert "files in its folder only" in said.error, (text, said.error)
    assert [p.name for p in outside.iterdir()] == ["x.pkl"]
    (inside / "asl.toml").write_text('[run]\nout = "../x"\n[dataset]\nname = "demo"\n')
    for words in (("run", "--out", "here"), ("check", "asl.toml")):
        assert "of its own folder" not in asl(inside, *words, *(["--epochs", "0"] if words[0] == "run" else [])).error
    said = asl(inside, "runs")
    assert "type `--run.out ../x`" in said.error
    return said.error


@case("asl eval of best.safetensors says which weights", slow=True)
def weights_are_named(_: Path) -> str:
    place = curriculum_runs()
    best = asl(place, "eval", "runs/c/zero/best.safetensors")
    assert best.code == 0, best.err
    assert "val, best weights:" in best.out
    assert "val, final weights:" in asl(place, "eval", "runs/c/zero/final.safetensors").out
    assert "val, best weights:" in asl(place, "eval", "runs/c/zero", "--weights", "best").out
    (place / "other.safetensors").write_bytes((place / "runs/c/zero/best.safetensors").read_bytes())
    assert "val, weights of other.safetensors:" in asl(place, "eval", "other.safetensors").out
    return best.out.splitlines()[0]


@case("eval, predict, inspect, --resume, --init and the library on a curriculum's folder: the advice works", slow=True)
def curriculum_folder(_: Path) -> str:
    from asl_core import api

    place = curriculum_runs()
    (place / "clip.npy").write_bytes(b"")
    said = {}
    for words in (["eval"], ["inspect"], ["run", "--resume"], ["run", "--init"], ["predict"]):
        done = asl(place, *words, "runs/c", *(["clip.npy"] if words == ["predict"] else []))
        assert done.code == 2, done.out
        assert "zero, a-last" in done.error, done.error
        said[" ".join(words)] = done.error
    for words in (["eval", "runs/c/a-last"], ["inspect", "runs/c/a-last"], ["run", "--resume", "runs/c/a-last"]):
        assert any(f"asl {' '.join(words)}" in text for text in said.values()), words
        assert asl(place, *words).code == 0
    for call in (api.load, api.resume):
        with pytest.raises(UsageError, match="zero, a-last"):
            call(place / "runs/c")
    return said["eval"]
