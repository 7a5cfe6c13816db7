"""Networks that are not what they say: each fault is refused, and named."""

import logging

import pytest
import torch
from torch import Tensor, nn

from ood_diffusion.checks import UserError
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.models.probe import CHANCE, NUMBER, ROWS, STATE, probe
from ood_diffusion.models.torch_module import load_torch_module
from tests.lightning.networks import GaussianNetwork, gaussian_model


class Base(nn.Module):
    """An honest network, to be spoiled."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.5))
        self.last: Tensor | float = 0.0
        self.register_buffer("calls", torch.zeros(()), persistent=False)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.weight * x * (1 + t.view(-1, 1, 1, 1) / 1000)


class Remembers(Base):
    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        answer = super().forward(x, t) + 0.01 * self.last
        self.last = x.mean()
        return answer


class RemembersOneShape(Base):
    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        before = self.last if isinstance(self.last, Tensor) and self.last.shape == x.shape else x
        self.last = x * (1 + t.view(-1, 1, 1, 1) / 1000)
        return super().forward(x, t) + 0.1 * before


class Counts(Base):
    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        self.last = self.last + 1.0
        return super().forward(x, t) * (1 + 0.01 * self.last)


class Drops(Base):
    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return nn.functional.dropout(super().forward(x, t), 0.1, training=True)


class Noise(Base):
    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return super().forward(x, t) + 0.01 * torch.randn_like(x)


class Centres(Base):
    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return super().forward(x - 0.01 * x.mean(dim=0), t)


class BatchStatistics(Base):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3, track_running_stats=False)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return super().forward(self.norm(x), t)


class Divides(Base):
    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return super().forward(x, t) / len(x)


class Writes(Base):
    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        self.weight.mul_(1.001)
        return super().forward(x, t)


class PutsBack(Base):
    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        kept = self.weight.clone()
        self.weight.mul_(2)
        answer = super().forward(x, t)
        self.weight.copy_(kept)
        return answer


class PutsBackUnseen(Base):
    """Autograd's version counter does not see writes to `data`."""

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        self.weight.data.mul_(2)
        answer = super().forward(x, t)
        self.weight.data.div_(2)
        return answer


class LendsItsWeight(Base):
    """Another's values, for as long as it computes."""

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        kept, self.weight.data = self.weight.data, self.weight.data + 1
        answer = super().forward(x, t)
        self.weight.data = kept
        return answer


class Replaces(Base):
    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        self.weight = nn.Parameter(self.weight * 1.001, requires_grad=False)
        return super().forward(x, t)


class CountsInABuffer(Base):
    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(x, t)


class OneRow(Base):
    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return super().forward(x, t)[:1]


class TwoRows(Base):
    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return super().forward(x, t)[:1].expand(2, -1, -1, -1)


class Complex(Base):
    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return torch.fft.fft2(super().forward(x, t))


class Integers(Base):
    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return super().forward(x, t).round().long()


class Yes(Base):
    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return super().forward(x, t) > 0


class DividesByZero(Base):
    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return super().forward(x, t) / (t < 900).view(-1, 1, 1, 1)


WRITES, REAL = (
    "must leave its weights and buffers as they are",
    "must return real floating-point numbers, but got torch",
)
FAULTS = {
    Remembers: STATE, RemembersOneShape: STATE, Counts: STATE,
    Drops: CHANCE, Noise: CHANCE,
    Centres: ROWS, BatchStatistics: ROWS, Divides: NUMBER,
    Writes: WRITES, PutsBack: WRITES, PutsBackUnseen: WRITES,
    LendsItsWeight: WRITES, Replaces: WRITES, CountsInABuffer: WRITES,
    OneRow: r"shape (2, 3, 8, 8) to a tensor of that shape, but got (1, 3, 8, 8)",
    TwoRows: r"shape (1, 3, 8, 8) to a tensor of that shape, but got (2, 3, 8, 8)",
    Complex: f"{REAL}.complex64", Integers: f"{REAL}.int64", Yes: f"{REAL}.bool",
    DividesByZero: "must return finite numbers, but got NaN or infinity",
}  # fmt: skip


def load(network: nn.Module) -> FrozenModel:
    return load_torch_module(network, 8, "epsilon", Schedule.linear())


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_is_refused_and_named(kind: type[Base]) -> None:
    with pytest.raises(UserError) as caught:
        load(kind())
    assert FAULTS[kind] in str(caught.value)


def test_a_model_built_in_python_is_asked_too_and_once() -> None:
    asked: list[int] = []
    model = gaussian_model()
    model.network.register_forward_hook(lambda network, given, answer: asked.append(len(answer)))
    probe(model)
    probe(model)
    assert sorted(asked) == [1] * 6 + [2] * 3 and model.network_calls == 0
    with pytest.raises(UserError, match="draws random numbers"):
        probe(FrozenModel(Drops(), Schedule.linear(), (3, 8, 8), "epsilon", {}))


def test_the_generator_is_left_as_it_was() -> None:
    before = torch.get_rng_state()
    with pytest.raises(UserError):
        load(Remembers())
    assert torch.equal(torch.get_rng_state(), before)


class Half(Base):
    """Products in half precision, which round otherwise in another batch."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.conv, self.dtype = nn.Conv2d(3, 3, 3, padding=1), dtype

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return self.conv(super().forward(x, t)).to(self.dtype)


class Caches(Base):
    """Makes a table in its first call."""

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        if "table" not in dict(self.named_buffers()):
            self.register_buffer("table", torch.ones(3, 1, 1), persistent=False)
        return super().forward(x, t) * self.get_buffer("table")


class Blind(Base):
    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.weight * x


@pytest.mark.parametrize("network", [Half(torch.float32), Caches(), GaussianNetwork(), Blind()])
def test_honest_networks_pass(network: nn.Module, caplog: pytest.LogCaptureFixture) -> None:
    load(network)
    assert not caplog.messages


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floating_point_outputs_are_converted_with_one_line(
    dtype: torch.dtype, caplog: pytest.LogCaptureFixture
) -> None:
    model = load(Half(dtype))
    assert caplog.messages == [f"model.network returns {dtype}: converted to float32"]
    assert model.eps(torch.zeros(1, 3, 8, 8), 10.0).dtype == torch.float32


class Whole(Base):
    """Looks its timestep up in a table."""

    def __init__(self, rounds: bool) -> None:
        super().__init__()
        self.table, self.rounds = nn.Embedding(1000, 1), rounds

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        index = (t.round() if self.rounds else t).long()
        return super().forward(x, torch.zeros_like(t)) * self.table(index).view(-1, 1, 1, 1)


@pytest.mark.parametrize("rounds", [True, False])
def test_whole_timesteps_are_named(rounds: bool, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        load(Whole(rounds))
    (said,) = caplog.messages
    assert said.startswith(
        "model.network returns for timestep 10.5 exactly what it returns for 10: it accepts only whole"
    )


def test_a_network_that_comes_compiled_is_asked_all_the_same() -> None:
    load(torch.compile(Base(), backend="eager"))  # type: ignore[arg-type]
    with pytest.raises(UserError, match=WRITES):
        load(torch.compile(PutsBackUnseen(), backend="eager"))  # type: ignore[arg-type]
