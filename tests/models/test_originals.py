"""Converted checkpoints are the original networks: compared with their mathematics at random weights."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ood_diffusion.checks import UserError
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.models.ddpm import load_ddpm
from ood_diffusion.models.guided_diffusion import load_guided_diffusion
from tests.models.originals import adm, ddpm
from tests.models.originals.state import random_state

pytestmark = pytest.mark.slow

LEVELS = (1.0, 38.5, 1000.0)
SMALL = {"resolution": 32, "ch_mult": (1, 2, 2), "num_res_blocks": 2, "attn_resolutions": (16,)}
FULL: dict[str, Any] = {
    "resolution": 256,
    "ch_mult": (1, 1, 2, 2, 4, 4),
    "num_res_blocks": 2,
    "attn_resolutions": (16,),
}
LEGACY = adm.Flags(32, 64, 1, (16,), (1, 2, 2), num_head_channels=32, resblock_updown=True, learn_sigma=True)
AFHQ = adm.Flags(
    256, 128, 1, (16,), (1, 1, 2, 2, 4, 4), num_head_channels=64, resblock_updown=True, learn_sigma=True
)
ADM = {
    "legacy attention": LEGACY,
    "new attention": replace(LEGACY, use_new_attention_order=True, attention_resolutions=(16, 8)),
    "iDDPM: four heads, convolutions": replace(
        LEGACY, num_heads=4, num_head_channels=-1, resblock_updown=False, num_res_blocks=3
    ),
    "timestep added, variance fixed": replace(LEGACY, use_scale_shift_norm=False, learn_sigma=False),
    "class-conditional": replace(LEGACY, num_classes=10),
    "512: first level half as wide": replace(LEGACY, image_size=64, channel_mult=(0.5, 1, 1, 2)),
}


def load_original_ddpm(path: Path, ch: int, shape: dict[str, Any], **more: Any) -> FrozenModel:
    names = {
        "resolution": "image_size",
        "ch_mult": "channel_mult",
        "attn_resolutions": "attention_resolutions",
    }
    settings = {names.get(name, name): value for name, value in shape.items()}
    return load_ddpm(str(path), num_channels=ch, schedule=Schedule.linear(), **settings, **more)


def load_original_adm(path: Path, flags: adm.Flags, **more: Any) -> FrozenModel:
    return load_guided_diffusion(
        str(path),
        image_size=flags.image_size,
        num_channels=flags.model_channels,
        channel_mult=flags.channel_mult,
        num_res_blocks=flags.num_res_blocks,
        attention_resolutions=flags.attention_resolutions,
        num_heads=flags.num_heads if flags.num_head_channels == -1 else -1,
        num_head_channels=flags.num_head_channels,
        use_scale_shift_norm=flags.use_scale_shift_norm,
        resblock_updown=flags.resblock_updown,
        use_new_attention_order=flags.use_new_attention_order,
        **{"rescale_timesteps": False, "schedule": Schedule.linear(), **more},
    )


def images(batch: int, size: int) -> Tensor:
    return torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(1))


def difference(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).abs().max() / theirs.abs().max())


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Tensor]]:
    path = tmp_path_factory.mktemp("ddpm") / "small.ckpt"
    state = random_state(ddpm.layout(ch=64, **SMALL), seed=0)
    torch.save(state, path)
    return path, state


@pytest.mark.parametrize("gain", [1.0, 0.01])  # at 0.01 the epsilon of the normalizations shows
def test_ddpm_small(tmp_path: Path, gain: float) -> None:
    state = random_state(ddpm.layout(ch=64, **SMALL), seed=0, gain=gain)
    torch.save(state, tmp_path / "a.ckpt")
    model, x = load_original_ddpm(tmp_path / "a.ckpt", 64, SMALL), images(2, 32)
    for t in LEVELS:
        theirs = ddpm.forward(state, x, torch.full((2,), t - 1), **SMALL)
        assert difference(model.eps(x, t), theirs) <= 1e-5


def test_ddpm_full_size(tmp_path: Path) -> None:
    state = random_state(ddpm.layout(), seed=0)
    torch.save(state, tmp_path / "celeba_hq.ckpt")
    model, x = load_original_ddpm(tmp_path / "celeba_hq.ckpt", 128, FULL), images(1, 64)  # of any size
    assert sum(p.numel() for p in model.parameters()) == 113_673_219
    assert difference(model.eps(x, 500.0), ddpm.forward(state, x, torch.tensor([499.0]))) <= 1e-5


@pytest.mark.parametrize("gain", [1.0, 0.01])
@pytest.mark.parametrize("name", ADM)
def test_adm_small(name: str, gain: float, tmp_path: Path) -> None:
    flags = ADM[name]
    state = random_state(adm.layout(flags), seed=0, gain=gain)
    torch.save(state, tmp_path / "a.pt")
    label = None if flags.num_classes is None else 3
    model = load_original_adm(tmp_path / "a.pt", flags, class_label=label)
    x = images(2, flags.image_size)
    y = None if label is None else torch.full((2,), label)
    for t in LEVELS:
        theirs = adm.forward(state, flags, x, torch.full((2,), t - 1), y)[:, :3]
        assert difference(model.eps(x, t), theirs) <= 1e-5


def test_adm_full_size(tmp_path: Path) -> None:
    state = random_state(adm.layout(AFHQ), seed=0)
    torch.save(state, tmp_path / "afhqdog_p2.pt")
    model, x = load_original_adm(tmp_path / "afhqdog_p2.pt", AFHQ), images(1, 64)
    theirs = adm.forward(state, AFHQ, x, torch.tensor([499.0]))[:, :3]
    assert difference(model.eps(x, 500.0), theirs) <= 1e-5


def test_rescaled_timesteps_are_those_of_a_thousand(tmp_path: Path) -> None:
    state = random_state(adm.layout(LEGACY), seed=0)
    torch.save(state, tmp_path / "a.pt")
    schedule = Schedule.cosine(4000)
    model = load_original_adm(tmp_path / "a.pt", LEGACY, schedule=schedule, rescale_timesteps=True)
    x = images(1, 32)
    theirs = adm.forward(state, LEGACY, x, torch.tensor([3000 / 4]))[:, :3]
    assert difference(model.eps(x, 3001.0), theirs) <= 1e-5


@pytest.mark.parametrize("part", ["only", "wrapped", "dictionary", "list"])
def test_what_trainings_save(part: str, small: tuple[Path, dict[str, Tensor]], tmp_path: Path) -> None:
    """One state dict; under a key, with DataParallel's prefix; EMA beside the model; DDIM's list."""
    path, ema = small
    model = {f"module.{name}": value + 1 for name, value in ema.items()}
    optimizer = {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": 1e-4}]}
    saved = {
        "only": ema,
        "wrapped": {"state_dict": {f"module.{name}": value for name, value in ema.items()}, "step": 7},
        "dictionary": {"model": model, "model_ema": ema, "optimizer": optimizer},
        "list": [model, optimizer, 12, 3400, ema],
    }[part]
    torch.save(saved, tmp_path / "a.ckpt")
    one, other = load_original_ddpm(path, 64, SMALL), load_original_ddpm(tmp_path / "a.ckpt", 64, SMALL)
    assert one.digest() == other.digest()
    if part in ("dictionary", "list"):
        entry = "model" if part == "dictionary" else "0"
        raw = load_original_ddpm(tmp_path / "a.ckpt", 64, SMALL, entry=entry)
        assert raw.digest() != one.digest()


def test_another_architecture_is_named_in_the_files_own_words(small: tuple[Path, dict[str, Tensor]]) -> None:
    path, _ = small
    with pytest.raises(
        UserError, match=r"entries that differ.*temb\.dense\.0\.weight: expected \(384, 96\), got \(256, 64\)"
    ):
        load_original_ddpm(path, 96, SMALL)
    with pytest.raises(UserError, match=r"down\.0\.attn\.0.*expected \(64, 64, 1, 1\), got None"):
        load_original_ddpm(path, 64, {**SMALL, "attn_resolutions": (32, 16)})
    with pytest.raises(UserError, match=r"input_blocks\.0\.0\.weight: expected .* got None"):
        load_original_adm(path, LEGACY)


def test_an_entry_too_many_is_refused(small: tuple[Path, dict[str, Tensor]], tmp_path: Path) -> None:
    _, state = small
    torch.save({**state, "extra.weight": torch.zeros(2)}, tmp_path / "a.ckpt")
    with pytest.raises(UserError, match=r"1 entries that differ.*extra\.weight: expected None, got \(2,\)"):
        load_original_ddpm(tmp_path / "a.ckpt", 64, SMALL)


def test_classes_must_be_chosen_exactly_where_there_are_some(tmp_path: Path) -> None:
    flags = replace(LEGACY, num_classes=10)
    torch.save(random_state(adm.layout(flags), seed=0), tmp_path / "classes.pt")
    torch.save(random_state(adm.layout(LEGACY), seed=0), tmp_path / "none.pt")
    for label in (None, 10):
        with pytest.raises(UserError, match=r"class-conditional network's classes, 0 to 9, but got"):
            load_original_adm(tmp_path / "classes.pt", flags, class_label=label)
    with pytest.raises(UserError, match=r"class_label must be null for an unconditional network, but got 3"):
        load_original_adm(tmp_path / "none.pt", LEGACY, class_label=3)
    one, other = (load_original_adm(tmp_path / "classes.pt", flags, class_label=n) for n in (3, 4))
    assert one.digest() == other.digest() and one.recipe() != other.recipe()


def test_an_image_size_the_network_cannot_halve(small: tuple[Path, dict[str, Tensor]]) -> None:
    with pytest.raises(
        UserError, match=r"image_size must be a multiple of 4 for this network, .*, but got 30"
    ):
        load_original_ddpm(small[0], 64, {**SMALL, "resolution": 30})


def test_heads_are_given_one_way(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"one must be -1"):
        load_original_adm(tmp_path / "a.pt", replace(LEGACY, num_head_channels=-1, num_heads=-1))


def test_normalizations_have_the_originals_epsilon(
    small: tuple[Path, dict[str, Tensor]], tmp_path: Path
) -> None:
    """In one attention alone it would change too little for the comparisons above."""
    torch.save(random_state(adm.layout(LEGACY), seed=0), tmp_path / "a.pt")
    ddpm_model, adm_model = (
        load_original_ddpm(small[0], 64, SMALL),
        load_original_adm(tmp_path / "a.pt", LEGACY),
    )
    for model, eps in ((ddpm_model, ddpm.EPS), (adm_model, adm.EPS)):
        norms = [m for m in model.modules() if isinstance(m, torch.nn.GroupNorm)]
        assert len(norms) > 10 and {(m.eps, m.num_groups) for m in norms} == {(eps, 32)}
