"""What loops do on a GPU, seen without one: fake tensors say that they lie there, and compute nothing.

A fake tensor has no values, so that whatever waits for a GPU to know one (`.item()`, a boolean index, a
comparison in Python) raises; so does an operation that mixes devices.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from ood_diffusion.diffusion.ab2 import AB2
from ood_diffusion.diffusion.ddim import DDIM
from ood_diffusion.diffusion.dpmpp_2m import DPMpp2M
from ood_diffusion.diffusion.fixed_point import FixedPoint
from ood_diffusion.diffusion.grids import uniform_lambda
from ood_diffusion.diffusion.heun import Heun
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.diffusion.solver import Solver
from ood_diffusion.lightning import trajectory
from ood_diffusion.lightning.trajectory import Generator, Inverter, StatesInverter
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.models.diffusers_pipeline import load_diffusers
from ood_diffusion.models.edm import EDMModel
from ood_diffusion.models.latent_diffusion import load_latent_diffusion
from tests.models.tiny_pipelines import save_ddpm, save_ldm

pytestmark = pytest.mark.skipif(
    torch.__version__ < "2.5" and not torch.cuda.is_available(),
    reason="PyTorch 2.4 asks the driver even for tensors that are not there",
)

EXPLICIT: list[Solver] = [DDIM(), DPMpp2M(), AB2(), Heun()]
IDS = ["a", "b"]
STEPS = 2


def ddpm(folder: Path) -> FrozenModel:
    save_ddpm(folder)
    return load_diffusers(str(folder))


def edm(folder: Path) -> FrozenModel:
    return EDMModel(ddpm(folder).network, Schedule.karras(), (3, 16, 16), 0.5, {})


def latent(folder: Path) -> FrozenModel:
    save_ldm(folder, "kl")
    return load_latent_diffusion(str(folder))


Case = tuple[Callable[[Path], FrozenModel], Solver]
CASES: list[Case] = [(ddpm, solver) for solver in EXPLICIT] + [(edm, DPMpp2M()), (latent, DPMpp2M())]


def name_of(value: object) -> str:
    return str(getattr(value, "name", getattr(value, "__name__", value)))


class Copies(TorchDispatchMode):
    """Counts copies from one kind of device to another."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[str] = []

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        devices = [each.device.type for each in (*args[:1], result) if isinstance(each, Tensor)]
        if len(set(devices)) == 2:
            waited = "" if (kwargs or {}).get("non_blocking") else ", waited for"
            self.made.append(" to ".join(devices) + waited)
        return result


class Here(Executor):
    """Does at once what it is given."""

    def __init__(self, *_: object) -> None: ...

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        done: Future[Any] = Future()
        done.set_result(function(*args, **kwargs))
        return done


@pytest.fixture(scope="module")
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FrozenModel:
    family: Callable[[Path], FrozenModel] = request.param
    return family(tmp_path_factory.mktemp(family.__name__))


@pytest.fixture
def gpu(model: FrozenModel, monkeypatch: pytest.MonkeyPatch) -> Iterator[Copies]:
    """The model on a GPU that is only imagined."""
    monkeypatch.setattr(Tensor, "pin_memory", lambda self: self)  # there is no fake kernel for it
    monkeypatch.setattr(trajectory, "ThreadPoolExecutor", Here)  # tensors are fake in this thread only
    with moved(model), Copies() as copies:
        yield copies


@contextmanager
def moved(module: nn.Module) -> Iterator[None]:
    """Every parameter and buffer of `module` replaced by a fake one on a GPU; put back at the end."""
    before = [(part, name, value) for part in module.modules() for name, value in own_tensors(part)]
    with FakeTensorMode():
        for part, name, value in before:
            place(
                part, name, torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device="cuda")
            )
        yield
    for part, name, value in before:
        place(part, name, value)


def own_tensors(part: nn.Module) -> list[tuple[str, Tensor]]:
    return [*part.named_parameters(recurse=False), *part.named_buffers(recurse=False)]


def place(part: nn.Module, name: str, value: Tensor) -> None:
    if isinstance(getattr(part, name), nn.Parameter):
        value = nn.Parameter(value, requires_grad=False)
    setattr(part, name, value)


def batch(shape: Sequence[int], dtype: torch.dtype = torch.float32) -> Any:
    return {"ids": IDS, "data": torch.empty(4, *shape, dtype=dtype, device="cuda")}


@pytest.mark.parametrize(("model", "solver"), CASES, indirect=["model"], ids=name_of)
@torch.inference_mode()
def test_an_inversion_waits_for_nothing(gpu: Copies, model: FrozenModel, solver: Solver) -> None:
    levels = uniform_lambda(model.schedule, 0.5 * model.schedule.timesteps, STEPS)
    latents = Inverter(model, solver, levels).predict_step(batch(model.image_shape, torch.uint8))
    assert latents.device.type == "cuda" and latents.shape == (4, *model.state_shape)
    states = StatesInverter(model, solver, levels, [1, 2]).predict_step(batch(model.image_shape))
    assert states.device.type == "cuda" and states.shape == (4, 2, *model.state_shape)
    assert gpu.made == []


@pytest.mark.parametrize(
    ("model", "solver", "eta"),
    [(*case, eta) for case in CASES for eta in (0.0, 0.5) if case[1].stochastic or not eta],
    indirect=["model"],
    ids=name_of,
)
@torch.inference_mode()
def test_a_generation_waits_for_nothing(gpu: Copies, model: FrozenModel, solver: Solver, eta: float) -> None:
    """With fresh noise one copy a step, which nothing waits for."""
    levels = uniform_lambda(model.schedule, 0.5 * model.schedule.timesteps, STEPS)
    generator = Generator(model, solver, levels, eta, seed=0)
    images = generator.predict_step(batch(model.state_shape))
    assert images.device.type == "cuda" and images.shape == (4, *model.image_shape)
    assert images.dtype == torch.uint8
    assert generator.finite is not None and generator.finite.device.type == "cuda"
    assert gpu.made == ["cpu to cuda"] * (len(levels) - 1 if eta else 0)


@pytest.mark.parametrize("model", [ddpm], indirect=True, ids=name_of)
@torch.inference_mode()
def test_an_implicit_solver_has_to_know(gpu: Copies, model: FrozenModel) -> None:
    """Whether it has converged: the one wait that a loop has, on the way up."""
    levels = uniform_lambda(model.schedule, 0.5 * model.schedule.timesteps, STEPS)
    solver = FixedPoint(1e-5, 3)
    with pytest.raises(DataDependentOutputException):
        Inverter(model, solver, levels).predict_step(batch(model.image_shape, torch.uint8))
    Generator(model, solver, levels, 0.0, seed=0).predict_step(batch(model.state_shape))
    assert gpu.made == []
