"""`precision` and `compile`: inside the network only, and without changing what is frozen."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from ood_diffusion.checks import UserError
from ood_diffusion.diffusion.ddim import DDIM
from ood_diffusion.diffusion.dpmpp_2m import DPMpp2M
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.lightning.loop import Loop
from ood_diffusion.lightning.trajectory import Generator, Inverter
from ood_diffusion.metrics.base import FeatureExtractor
from ood_diffusion.models.base import GRAPHS, FrozenModel
from ood_diffusion.precision import PRECISIONS, arithmetic, effective, tf32_switches
from ood_diffusion.storage.store import TensorStore


def tf32_in_use() -> tuple[bool, bool]:
    """Of matrix products and convolutions."""
    products, convolutions = [getattr(part, name) == on for part, name, on, _ in tf32_switches()][:2]
    return products, convolutions


class Spy(nn.Module):
    """One convolution that notes how it was computed."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1, bias=False)
        nn.init.normal_(self.conv.weight, generator=torch.Generator().manual_seed(0))

    def forward(self, x: Tensor, timestep: Tensor) -> Tensor:
        out: Tensor = self.conv(x)
        self.saw = (
            x.dtype,
            out.dtype,
            *tf32_in_use(),
        )
        return out


def spied(prediction_type: str = "v_prediction") -> FrozenModel:
    return FrozenModel(Spy(), Schedule.linear(), (3, 8, 8), prediction_type, {})


class Mean(FeatureExtractor):
    """The mean of each channel."""

    def __init__(self) -> None:
        super().__init__("mean", 3, nn.Identity())

    def features(self, images: Tensor) -> Tensor:
        return images.float().mean(dim=(2, 3))


X = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("precision", "inside", "tf32"),
    [("fp32", torch.float32, False), ("tf32", torch.float32, True), ("bf16", torch.bfloat16, False)],
)
def test_arithmetic_is_chosen_inside_the_network_only(
    precision: str, inside: torch.dtype, tf32: bool
) -> None:
    before = tf32_in_use()
    model = spied().compute_in(precision, False)
    eps = model.eps(X, 500.0)
    assert model.network.saw == (torch.float32, inside, tf32, tf32)
    assert eps.dtype == torch.float32
    assert tf32_in_use() == before
    assert not torch.is_autocast_enabled("cpu")


def test_the_conversion_to_eps_is_not_rounded() -> None:
    """eps is alpha v + sigma x: only v may lose digits."""
    exact, fast = spied().eps(X, 50.0), spied().compute_in("bf16", False).eps(X, 50.0)
    v = spied().network(X.contiguous(memory_format=torch.channels_last), torch.zeros(()))
    assert 0 < float((exact - fast).abs().max()) < 2**-7 * float(v.abs().max())
    alpha, sigma = (f(50.0) for f in (Schedule.linear().alpha, Schedule.linear().sigma))
    assert torch.allclose(exact, alpha * v + sigma * X, atol=1e-6)


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
def test_one_call_can_be_exact(precision: str) -> None:
    model = spied().compute_in(precision, False)
    assert torch.equal(model.eps(X, 500.0, exact=True), spied().eps(X, 500.0))
    assert model.network.saw == (torch.float32, torch.float32, False, False)
    model.eps(X, 500.0)
    assert model.network.saw[1:] != (torch.float32, False, False)


def test_flags_come_back_after_an_error() -> None:
    before = tf32_in_use()
    with pytest.raises(RuntimeError):
        spied().compute_in("fp32", False).eps(torch.zeros(1, 5, 8, 8), 10.0)
    assert tf32_in_use() == before


def test_weights_stay_what_they_are() -> None:
    model = spied()
    digest = model.digest()
    for precision in set(PRECISIONS) - {"fp16"}:
        model.compute_in(precision, False).eps(X, 10.0)
    assert model.digest() == digest


def test_addresses_hold_the_effective_arithmetic(monkeypatch: pytest.MonkeyPatch) -> None:
    """TF32 is there on NVIDIA GPUs of compute capability 8 and above; elsewhere it is fp32."""
    gpu, capability = torch.device("cuda"), [7, 5]
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: tuple(capability))
    assert effective("tf32", torch.device("cpu")) == effective("tf32", gpu) == "fp32"
    capability[:] = 8, 0
    assert effective("tf32", gpu) == "tf32" and effective("fp32", gpu) == "fp32"
    monkeypatch.setattr(torch.version, "hip", "6.0")
    assert effective("tf32", gpu) == "fp32"

    def recipe(precision: str, compile: bool = False) -> object:
        return spied().compute_in(precision, compile).arithmetic_recipe(lambda: torch.device("cpu"))

    assert recipe("tf32") == recipe("fp32") != recipe("bf16")
    assert recipe("fp32", compile=True) != recipe("fp32")


def test_fp16_is_for_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """What autocast is told of a GPU can be seen without one."""
    with pytest.raises(UserError, match=r"precision=fp16 needs a GPU, .* Use precision=fp32\."):
        spied().compute_in("fp16", False).eps(X, 10.0)
    asked: list[object] = []
    monkeypatch.setattr(
        torch, "autocast", lambda *what, enabled: asked.append((*what, enabled)) or nullcontext()
    )
    with arithmetic("fp16", "cuda"), arithmetic("fp32", "cpu"):
        assert asked == [("cuda", torch.float16, True), ("cpu", torch.bfloat16, False)]


def test_unknown_precision() -> None:
    with pytest.raises(UserError, match=r"precision must be one of: bf16, fp16, fp32, tf32, but got 'fp8'"):
        spied().compute_in("fp8", False)


def test_eps_owns_its_memory() -> None:
    """A solver keeps eps in its history while a CUDA graph would overwrite the network's output."""
    model = spied("epsilon")
    eps = model.eps(X, 10.0)
    kept = eps.clone()
    model.eps(2 * X, 10.0)
    assert torch.equal(eps, kept)


@pytest.mark.skipif(
    not (shutil.which("g++") or shutil.which("clang++")), reason="inductor needs a C++ compiler"
)
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_compiled_once_for_every_level_and_equal_to_eager() -> None:
    """One graph for all levels and calls of one batch shape: the timestep is a tensor, not a constant."""
    from torch._dynamo.utils import counters

    counters.clear()
    torch.compiler.reset()
    model, compiled = Plain.model(), Plain.model().compute_in("fp32", True)
    for level in (1.0, 17.25, 500.0, 900.0):
        assert torch.allclose(compiled.eps(X, level), model.eps(X, level), atol=1e-6)
    assert counters["stats"]["unique_graphs"] == 1
    assert compiled.network_calls == 8
    assert list(compiled.state_dict()) == list(model.state_dict())


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[torch.Size]]:
    """Shapes of the batches that graphs were made for, by a backend that counts them and compiles nothing."""
    made: list[torch.Size] = []
    compiled = torch.compile

    def counting(graph: torch.fx.GraphModule, inputs: Sequence[Tensor]) -> Callable[..., Any]:
        made.append(next(each.shape for each in inputs if each.ndim == 4))
        return graph.forward

    monkeypatch.setattr(
        torch, "compile", lambda network, dynamic, mode: compiled(network, backend=counting, dynamic=dynamic)
    )
    torch.compiler.reset()
    yield made
    torch.compiler.reset()


@pytest.mark.slow
def test_no_more_graphs_than_pytorch_makes_and_then_eager(
    graphs: list[torch.Size], caplog: pytest.LogCaptureFixture
) -> None:
    """One for each shape and arithmetic, whatever the level; what comes after them is said once."""
    model, eager = (Plain.model().compute_in("bf16", compile) for compile in (True, False))
    asked = [(n, exact) for n in range(1, GRAPHS // 2 + 2) for exact in (True, False)]
    with torch.inference_mode():
        for (n, exact), t in product(asked, (1.0, 400.5)):
            x = X[:1].expand(n, -1, -1, -1)
            assert torch.allclose(model.eps(x, t, exact), eager.eps(x, t, exact), atol=1e-5)
    assert [shape[0] for shape in graphs] == [n for n, _ in asked[:GRAPHS]]
    said = [each for each in caplog.records if each.name == "ood_diffusion.models.base"]
    assert len(said) == len(asked) - GRAPHS


@pytest.mark.slow
def test_a_run_needs_two_graphs_for_each_size_of_batch(graphs: list[torch.Size], tmp_path: Path) -> None:
    """Loops of 4 at a time over 9 images and over 3, up near the clean image in fp32, and down with noise."""
    model, levels = Plain.model().compute_in("bf16", True), [0.0, 10.0, 400.0, 900.0]
    source = TensorStore(tmp_path, "pictures", {}, torch.uint8)
    source.write(ids := [f"i{i}" for i in range(9)], torch.zeros(9, 3, 8, 8, dtype=torch.uint8))
    trainer = partial(pl.Trainer, accelerator="cpu", logger=False, enable_model_summary=False)
    for n in (9, 3):
        bank = TensorStore(tmp_path, f"latents{n}", {}, torch.float32)
        wanted = {i: i for i in ids[:n]}
        up = Inverter(model, DPMpp2M(), levels)
        Loop(bank, source, wanted, up, min(4, n), "invert").run(trainer)
        images = TensorStore(tmp_path, f"images{n}", {}, torch.uint8)
        down = Generator(model, DDIM(), levels, eta=0.5, seed=0)
        Loop(images, bank, wanted, down, min(4, n), "generate").run(trainer)
    assert sorted(shape[0] for shape in graphs) == [3, 3, 4, 4]


class Plain(nn.Module):
    """Small enough to compile in seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.7))

    def forward(self, x: Tensor, timestep: Tensor) -> Tensor:
        return torch.sin(self.scale * x) * (timestep / 1000)

    @classmethod
    def model(cls) -> FrozenModel:
        return FrozenModel(cls(), Schedule.linear(), (3, 8, 8), "epsilon", {})


@pytest.mark.skipif(not hasattr(torch.backends, "fp32_precision"), reason="PyTorch before 2.9")
def test_a_process_that_uses_torchs_new_switch_can_compute() -> None:
    """After ``torch.backends.fp32_precision = "tf32"`` reading a legacy flag raises RuntimeError."""
    before = torch.backends.fp32_precision
    torch.backends.fp32_precision = "tf32"
    try:
        model = spied().compute_in("fp32", False)
        model.eps(X, 500.0)
        assert model.network.saw[2:] == (False, False)
        assert Mean()(torch.zeros(2, 3, 8, 8, dtype=torch.uint8)).shape == (2, 3)
        assert torch.backends.fp32_precision == "tf32"
    finally:
        torch.backends.fp32_precision = before
