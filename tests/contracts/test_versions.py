"""Numbers of our own parts never change while their results version stays.

Stores give back what an older version of this package computed, wherever the address is the same. Where a
change of numbers is meant: raise `version` of the class (of its base, if all parts of a kind change), then
run ``python -m tests.contracts.test_versions``, which writes the numbers of new versions, and of no others.
"""

import importlib
import inspect
import json
import math
import pkgutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from ood_diffusion.controls.base import Control, Noise
from ood_diffusion.controls.on_pixels import OnPixels
from ood_diffusion.controls.wiener import Wiener
from ood_diffusion.diffusion.ab2 import AB2
from ood_diffusion.diffusion.ddim import DDIM
from ood_diffusion.diffusion.dpmpp_2m import DPMpp2M
from ood_diffusion.diffusion.edit_friendly import EditFriendly
from ood_diffusion.diffusion.fixed_point import FixedPoint
from ood_diffusion.diffusion.grids import uniform_lambda
from ood_diffusion.diffusion.heun import Heun
from ood_diffusion.diffusion.integrate import integrate
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.diffusion.solver import Solver
from ood_diffusion.diffusion.unipc import UniPC
from ood_diffusion.domains.array import Array
from ood_diffusion.domains.arrays.maps import Maps
from ood_diffusion.domains.base import Domain
from ood_diffusion.domains.collection import Collection
from ood_diffusion.domains.density_sim import DensitySim
from ood_diffusion.domains.galaxies_sim import GalaxiesSim
from ood_diffusion.domains.image_folder import ImageFolder
from ood_diffusion.domains.images.encoded import EncodedImages
from ood_diffusion.domains.model_samples import ModelSamples
from ood_diffusion.domains.preparation import Preparation
from ood_diffusion.domains.radiation_sim import RadiationFieldSim, RadiationSim
from ood_diffusion.domains.sketches_of import SketchesOf
from ood_diffusion.lightning.training import DenoiserTraining
from ood_diffusion.metrics.base import FeatureExtractor
from ood_diffusion.metrics.clip import CLIP
from ood_diffusion.metrics.dinov2 import DINOv2
from ood_diffusion.metrics.efficientnet_lite0 import EfficientNetLite0
from ood_diffusion.metrics.inception import Inception
from ood_diffusion.metrics.vgg16 import VGG16
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.models.edm import EDMModel
from ood_diffusion.models.latent_diffusion import LatentDiffusionModel, load_latent_diffusion
from ood_diffusion.models.unet import UNet
from ood_diffusion.pixels import to_bytes, to_unit_range
from ood_diffusion.priors.base import Prior
from ood_diffusion.priors.gaussian import Gaussian
from ood_diffusion.priors.kde import KDE
from ood_diffusion.priors.shrunk import Shrunk
from ood_diffusion.priors.span import Span
from ood_diffusion.priors.spectral import Spectral
from ood_diffusion.priors.standard_normal import StandardNormal
from ood_diffusion.samplers.base import Sampler
from ood_diffusion.samplers.copy_references import CopyReferences
from ood_diffusion.samplers.draw import Draw
from ood_diffusion.samplers.linear_combination import LinearCombination
from ood_diffusion.samplers.local_combination import LocalCombination
from ood_diffusion.samplers.propose import Acceptance, Proposer
from ood_diffusion.samplers.selection import Geometric, KeepAll, Selection
from ood_diffusion.samplers.slerp import Slerp
from ood_diffusion.seeding import generator
from ood_diffusion.source import identity
from tests.lightning.networks import gaussian_model
from tests.metrics.weights import save_clip, save_dinov2, save_vgg16
from tests.models.tiny_pipelines import save_ldm, tiny_unet

FILE = Path(__file__).with_name("versions.json")
BASES = (Solver, Prior, Sampler, Selection, FeatureExtractor, FrozenModel, Preparation, Domain, Control)
TOLERANCE = 1e-4
"""Of the root mean square: processors round differently, and bytes now and then fall on the other side."""
LINEAR = Schedule.linear()
LEVELS = uniform_lambda(LINEAR, 600, 5)


def wave(*shape: int) -> Tensor:
    """Numbers of about unit variance that no random generator can change, each item smooth and of its own."""
    n = torch.arange(math.prod(shape), dtype=torch.float64)
    item = n // max(1, math.prod(shape[1:]))
    return (torch.sin(0.37 * n + item**2) + torch.cos(0.05 * n * (1 + item % 3))).float().reshape(shape)


def filled(network: nn.Module) -> nn.Module:
    """`network` with weights that no random generator can change."""
    with torch.no_grad():
        for value in network.parameters():
            value.copy_(wave(*value.shape) / math.sqrt(max(1, value[0].numel())))
    return network


def solved(solver: Solver) -> list[Tensor]:
    def eps(x: Tensor, t: float) -> Tensor:
        return torch.tanh(x * (1 + t / 1000)) + 0.1 * t / 1000

    x = wave(2, 3, 8, 8)
    ways = [(LEVELS, 0.0), (LEVELS[::-1], 0.0)] + [(LEVELS[::-1], 0.7)] * solver.stochastic
    noise, wide = partial(wave, *x.shape), wave(2, 3 * len(LEVELS), 8, 8)
    starts = [x, wide if solver.noise_maps else x, x]
    return [
        integrate(eps, start, LINEAR, levels, solver, eta, noise)
        for start, (levels, eta) in zip(starts, ways, strict=False)
    ]


def drawn(*priors: Prior) -> list[Tensor]:
    return [prior.fit(wave(20, 3, 8, 8)).draw([generator(0, i) for i in range(6)]) for prior in priors]


def proposed(sampler: Sampler, selection: Selection) -> list[Tensor]:
    references = wave(20, 3, 8, 8)
    how = Proposer(Gaussian("scalar"), sampler, selection, 8, 0, 800)
    return list(how.fitted(references, lambda: references).items(Acceptance()))


def controlled(*controls: Control) -> list[Tensor]:
    how = Proposer(Gaussian("scalar"), LinearCombination(3, 1.0), KeepAll(), 8, 0, 800)
    return [x for each in controls for x in each.images(wave(20, 3, 8, 8) / 3, how, Noise(0.6, 0.8))]


def seen(model: FrozenModel) -> list[Tensor]:
    """What a model says at three levels, and its way from pictures to states and back."""
    x = wave(2, *model.state_shape)
    with torch.inference_mode():
        states = model.encode(to_unit_range(pictures(2, *model.image_shape[1:])))
        back = to_bytes(model.decode(states)).float()
        return [*(model.eps(x, t) for t in (0.4, 300.5, 900.0)), states, back]


class Shown(nn.Module):
    """A network that says what it is shown."""

    def forward(self, x: Tensor, timestep: Tensor) -> Tensor:
        return torch.tanh(x * (1 + timestep / 1000)) + 0.1 * timestep / 1000


def of_every_prediction(*_: Any) -> list[Tensor]:
    kinds = ("epsilon", "v_prediction", "sample")
    return [x for kind in kinds for x in seen(FrozenModel(Shown(), LINEAR, (3, 8, 8), kind, {}))]


def unet(*_: Any) -> list[Tensor]:
    network = UNet(filled(tiny_unet(in_channels=12, out_channels=24, num_class_embeds=3)), 2, 1, 0.9)
    return seen(FrozenModel(network, LINEAR, (3, 16, 16), "epsilon", {}))


def latent_diffusion(folder: Path) -> list[Tensor]:
    found = []
    for kind in ("vq", "kl"):
        save_ldm(folder / kind, kind)
        model = load_latent_diffusion(str(folder / kind))
        filled(model)
        found += seen(model)
    return found


def inception(folder: Path) -> list[Tensor]:
    from torch_fidelity import feature_extractor_inceptionv3 as module

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "load_state_dict_from_url", lambda *args, **kwargs: {})
        patch.setattr(module.FeatureExtractorInceptionV3, "load_state_dict", lambda *args: None)
        network = filled(module.FeatureExtractorInceptionV3("any", ["2048"]))
    torch.save(network.state_dict(), folder / "weights.pth")
    return [Inception(str(folder / "weights.pth"))(pictures(2, 40, 48))]


def pictures(*shape: int) -> Tensor:
    """uint8 ``[n, 3, H, W]``, smooth."""
    n, height, width = shape
    y, x = torch.meshgrid(torch.arange(height) / height, torch.arange(width) / width, indexing="ij")
    colours = [torch.sin(3 * x + c) * torch.cos(4 * y + i) for i in range(n) for c in range(3)]
    return (127.5 + 127.5 * torch.stack(colours)).to(torch.uint8).reshape(n, 3, height, width)


def rendered(*domains: Domain) -> list[Tensor]:
    return [
        each.render("references", i).float()
        for each in domains
        for i in range(2)
        if i < (each.size("references") or 9)
    ]


def files(folder: Path) -> list[Tensor]:
    for name, picture in zip("ab", pictures(2, 30, 40), strict=True):
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(folder / f"{name}.png")
    return rendered(*(ImageFolder(16, str(folder), crop=crop) for crop in (1.0, 0.6)))


def maps(folder: Path) -> list[Tensor]:
    np.save(folder / "maps.npy", (10 ** wave(4, 24, 30).double()).numpy().round(2))  # bit by bit, wherever
    make = partial(Array, 16, str(folder / "maps.npy"), "NHW", outside="clip")
    return rendered(make(0.1, 20.0), make(0.01, 200.0, "log10", channels="rgb"))


def samples(*_: Any) -> list[Tensor]:
    return rendered(ModelSamples(12, gaussian_model(), AB2(), uniform_lambda, 4))


def trained(*_: Any) -> list[Tensor]:
    """Losses of three steps, and the weights after them."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        training = DenoiserTraining(filled(nn.Conv2d(3, 3, 3, padding=1)), LINEAR, "v_prediction", 0.1, 2, 9)
        network, training.log = training.network, lambda *args, **kwargs: None  # type: ignore[method-assign, assignment]
        training.network.forward = lambda x, _: nn.Conv2d.forward(network, x)  # type: ignore[arg-type]
        how = training.configure_optimizers()
        losses = []
        for i in range(3):
            how["optimizer"].zero_grad()
            loss = training.training_step(pictures(4, 8, 8), i)
            loss.backward()
            how["optimizer"].step()
            how["lr_scheduler"]["scheduler"].step()
            losses.append(loss.detach())
    return [torch.stack(losses), *(value.detach() for value in network.parameters())]


def clip(folder: Path) -> list[Tensor]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CLIP, "only_published", False)
        return [CLIP(str(save_clip(folder / "weights.pt")))(pictures(2, 40, 48))]


PARTS: dict[type, Callable[[Path], list[Tensor]]] = {
    **{type(each): lambda _, each=each: solved(each) for each in (DDIM(), AB2(), Heun(), DPMpp2M(), UniPC())},
    FixedPoint: lambda _: solved(FixedPoint(1e-5, 30)),
    EditFriendly: lambda _: solved(EditFriendly(0.7, 0)),
    Gaussian: lambda _: drawn(Gaussian("scalar"), Gaussian("per_coordinate")),
    KDE: lambda _: drawn(KDE(0.5)),
    Shrunk: lambda _: drawn(Shrunk(0.3), Shrunk(None)),
    Span: lambda _: drawn(Span()),
    Spectral: lambda _: drawn(Spectral()),
    StandardNormal: lambda _: drawn(StandardNormal()),
    CopyReferences: lambda _: proposed(CopyReferences(), KeepAll()),
    Draw: lambda _: proposed(Draw(), KeepAll()),
    LinearCombination: lambda _: proposed(LinearCombination(3, 1.0), KeepAll()),
    LocalCombination: lambda _: proposed(LocalCombination(3, 2.0, 3.0, 5), KeepAll()),
    OnPixels: lambda _: controlled(OnPixels(keeps_variance=True), OnPixels(keeps_variance=False)),
    Wiener: lambda _: controlled(Wiener()),
    Slerp: lambda _: proposed(Slerp(2), KeepAll()),
    KeepAll: lambda _: proposed(Draw(), KeepAll()),
    Geometric: lambda _: proposed(Slerp(2), Geometric(10, 2.0)),
    FrozenModel: of_every_prediction,
    EDMModel: lambda _: seen(EDMModel(Shown(), Schedule.karras(), (3, 8, 8), 0.5, {})),
    LatentDiffusionModel: latent_diffusion,
    UNet: unet,
    EfficientNetLite0: lambda _: [EfficientNetLite0(64)(pictures(2, 40, 48))],
    Inception: inception,
    CLIP: clip,
    DINOv2: lambda folder: [DINOv2(str(save_dinov2(folder / "weights.pth")))(pictures(2, 40, 48))],
    VGG16: lambda folder: [VGG16(str(save_vgg16(folder / "weights.pth")))(pictures(2, 40, 48))],
    EncodedImages: files,
    Maps: maps,
    GalaxiesSim: lambda _: rendered(GalaxiesSim(32)),
    RadiationSim: lambda _: rendered(RadiationSim(32)),
    RadiationFieldSim: lambda _: rendered(RadiationFieldSim(32)),
    DensitySim: lambda _: rendered(DensitySim(32)),
    SketchesOf: lambda _: rendered(SketchesOf(32, GalaxiesSim)),
    ModelSamples: samples,
    DenoiserTraining: trained,
}


def measured(part: type, folder: Path) -> dict[str, Any]:
    """The part's versions and numbers of every result: root mean square, mean, and some values."""
    numbers = []
    for result in PARTS[part](folder):
        flat = result.double().flatten()
        some = flat[:: max(1, len(flat) // 8)] if flat.numel() < 3000 else flat.reshape(8, -1).mean(1)
        numbers.append([float(f"{x:.7g}") for x in (flat.square().mean().sqrt(), flat.mean(), *some)])
    return {"versions": identity(part)["versions"], "numbers": numbers}


def own_parts() -> Iterator[type]:
    """Every class of this package that makes results, without those that only collect files for one."""
    import ood_diffusion

    for group in ("diffusion", "priors", "samplers", "controls", "metrics", "models", "domains"):
        folder = importlib.import_module(f"{ood_diffusion.__name__}.{group}")
        for module in pkgutil.walk_packages(folder.__path__, f"{folder.__name__}."):
            for kind in vars(importlib.import_module(module.name)).values():
                part = inspect.isclass(kind) and kind.__module__ == module.name and issubclass(kind, BASES)
                if part and not inspect.isabstract(kind) and not issubclass(kind, Collection):
                    yield kind


def same(now: list[list[float]], then: list[list[float]]) -> bool:
    shapes = [len(each) for each in now] == [len(each) for each in then]
    return shapes and all(
        abs(a - b) <= TOLERANCE * row[0]
        for row, old in zip(now, then, strict=True)
        for a, b in zip(row, old, strict=True)
    )


def test_every_part_of_ours_states_a_version() -> None:
    found = set(own_parts())
    assert {DDIM, KDE, Slerp, Geometric, Inception, EDMModel, Maps, SketchesOf} <= found
    assert [kind.__name__ for kind in found if "version" not in vars(kind)] == []
    assert found <= set(PARTS), "name it in PARTS, then run python -m tests.contracts.test_versions"


LARGE = (Inception, VGG16)
"""What takes seconds."""


@pytest.mark.parametrize(
    "part",
    [pytest.param(part, id=part.__name__, marks=pytest.mark.slow if part in LARGE else ()) for part in PARTS],
)
def test_numbers_change_with_the_version_only(part: type, tmp_path: Path) -> None:
    then, now = json.loads(FILE.read_text()).get(part.__name__), measured(part, tmp_path)
    assert then is not None and then["versions"] == now["versions"], (
        f"{part.__name__} has a new version: run python -m tests.contracts.test_versions"
    )
    assert same(now["numbers"], then["numbers"]), f"the numbers of {part.__name__} changed: raise its version"


def test_the_test_would_notice() -> None:
    (then,) = solved(DDIM())[:1]
    assert not same([[1.0, float(then.mean())]], [[1.0, float(then.mean()) + 2e-4]])


def write() -> None:
    """Keep the numbers of versions that are known, write those of new ones."""
    known = json.loads(FILE.read_text()) if FILE.exists() else {}
    for part in PARTS:
        if known.get(part.__name__, {}).get("versions") != identity(part)["versions"]:
            with TemporaryDirectory() as folder:
                known[part.__name__] = measured(part, Path(folder))
    lines = [f'"{part.__name__}": {json.dumps(known[part.__name__])}' for part in PARTS]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    write()
