"""Checkpoint files: what is read, and what is refused with which words."""

import hashlib
import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from ood_diffusion.checks import UserError
from ood_diffusion.models.checkpoint import read_state

STATE = OrderedDict(a=torch.arange(6.0).reshape(2, 3), b=torch.ones(2))


class Code:
    """Unpickling this would run a command."""

    def __reduce__(self) -> Any:
        return os.system, ("touch it_ran",)


def saved(path: Path, content: object, legacy: bool = False) -> str:
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return str(path)


@pytest.mark.parametrize("name", ["a.pt", "a.ckpt", "old.pth", "a.safetensors"])
def test_formats(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if path.suffix == ".safetensors":
        save_file(dict(STATE), path)
    else:
        saved(path, STATE, legacy=name.startswith("old"))
    state = read_state(str(path))
    assert set(state) == {"a", "b"} and torch.equal(state["a"], STATE["a"])


def test_half_precision_becomes_float32(tmp_path: Path) -> None:
    state = read_state(saved(tmp_path / "a.pt", {k: v.half() for k, v in STATE.items()}))
    assert {value.dtype for value in state.values()} == {torch.float32}


def test_nothing_is_left_mapped_to_the_file(tmp_path: Path) -> None:
    """A checkpoint replaced during a run must not change the weights in use."""
    state = read_state(saved(tmp_path / "a.pt", STATE))
    size = (tmp_path / "a.pt").stat().st_size
    with open(tmp_path / "a.pt", "r+b") as file:
        file.write(b"\0" * size)
    assert torch.equal(state["a"], STATE["a"])


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "module.module."])
def test_wrappers_prefixes_fall_away(prefix: str, tmp_path: Path) -> None:
    assert set(read_state(saved(tmp_path / "a.pt", {prefix + k: v for k, v in STATE.items()}))) == {"a", "b"}


def test_sha256(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.pt", STATE)
    right = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    assert read_state(path, sha256=right.upper()).keys() == STATE.keys()
    with pytest.raises(UserError, match=rf"a\.pt must have the SHA-256 .*but got '{right}'"):
        read_state(path, sha256="0" * 64)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    "content", [Code(), {"weights": Code()}, [STATE, Code()]], ids=["bare", "in", "beside"]
)
def test_code_is_refused_and_not_run(
    content: object, legacy: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"but .*a\.pt asks for (posix|nt)\.system; reading it could run"):
        read_state(saved(tmp_path / "a.pt", content, legacy))
    assert not Path("it_ran").exists()


def test_a_bare_pickle_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.pt").write_bytes(pickle.dumps(Code()))
    with pytest.raises(UserError, match=r"a\.pt holds something else; reading it could run code"):
        read_state("a.pt")
    assert not Path("it_ran").exists()


def test_a_whole_module_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"asks for torch\.nn\.modules\.linear\.Linear.*Save the"):
        read_state(saved(tmp_path / "a.pt", nn.Linear(2, 2)))


OLD = pytest.param(
    "old.pt", marks=pytest.mark.skipif(torch.__version__ < "2.6", reason="named as code there")
)


@pytest.mark.parametrize("name", ["zip.pt", OLD, "a.safetensors"])
def test_truncated(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    content = {"a": torch.zeros(5000)}
    if path.suffix == ".safetensors":
        save_file(content, path)
    else:
        saved(path, content, legacy=name == "old.pt")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match=rf"must be a whole safetensors or PyTorch file, but .*{name} is not"):
        read_state(str(path))


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "the empty file"),
        (b"\n<!DOCTYPE html><html>sign in</html>", "a web page in"),
        (b"hello you", "a.pt is not"),
    ],
)
def test_no_checkpoint_at_all(content: bytes, what: str, tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(UserError, match=f"whole safetensors or PyTorch file, but.*{what}"):
        read_state(str(tmp_path / "a.pt"))


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.pt does not exist.*docs/models\.md says where"):
        read_state("nowhere.pt")
    with pytest.raises(UserError, match=r"must be a checkpoint file, but got 'the folder"):
        read_state(str(tmp_path))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_not_finite(value: float, tmp_path: Path) -> None:
    path = saved(tmp_path / "a.pt", {**STATE, "c": torch.tensor([0.0, value])})
    with pytest.raises(UserError, match=r"NaN or infinity in 1 of 3 entries of .*a\.pt \(c\)"):
        read_state(path)


def test_several_state_dicts_need_a_choice(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.pt", {"generator": dict(STATE), "critic": dict(STATE)})
    with pytest.raises(UserError, match=r"so model\.entry must name one: generator, critic"):
        read_state(path)
    assert read_state(path, entry="critic").keys() == STATE.keys()
    with pytest.raises(UserError, match=r"must name a state dict in .*: generator, critic, but got 'x'"):
        read_state(path, entry="x")


def test_no_state_dict_inside(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"must hold a state dict .*but got 'dict of step, loss'"):
        read_state(saved(tmp_path / "a.pt", {"step": 3, "loss": 0.1}))
    with pytest.raises(UserError, match=r"is one state dict and has no entries, but got 'ema'"):
        read_state(saved(tmp_path / "b.pt", dict(STATE)), entry="ema")
