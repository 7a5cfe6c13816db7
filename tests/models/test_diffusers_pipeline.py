"""Folders saved by diffusers mean here what they mean there."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, UNet2DModel
from safetensors.torch import load_file, save_file

from ood_diffusion.checks import UserError
from ood_diffusion.models.diffusers_pipeline import load_diffusers
from ood_diffusion.models.diffusers_scheduler import read_scheduler
from tests.models.tiny_pipelines import save_ddpm, tiny_unet

SCHEDULERS: dict[str, dict[str, Any]] = {
    "linear": {},
    "scaled_linear": {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012},
    "cosine": {"beta_schedule": "squaredcos_cap_v2", "num_train_timesteps": 200},
    "sigmoid": {"beta_schedule": "sigmoid"},
    "zero_snr": {"rescale_betas_zero_snr": True},
    "trained_betas": {"trained_betas": np.linspace(0.001, 0.03, 100).tolist()},
}
X = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", SCHEDULERS)
def test_schedule_is_the_schedulers(name: str, tmp_path: Path) -> None:
    save_ddpm(tmp_path, **SCHEDULERS[name])
    schedule = read_scheduler(tmp_path).schedule
    theirs = DDPMScheduler(**SCHEDULERS[name]).alphas_cumprod
    ours = torch.tensor([schedule.alpha(t) ** 2 for t in range(1, schedule.timesteps + 1)])
    assert torch.allclose(ours, theirs.double().float(), rtol=2e-5, atol=1e-9)


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction", "sample"])
def test_prediction_types(prediction_type: str, tmp_path: Path) -> None:
    """The clean image that diffusers' scheduler sees in the network's output is the one our eps implies."""
    unet = save_ddpm(tmp_path, prediction_type=prediction_type)
    model = load_diffusers(str(tmp_path))
    scheduler = DDIMScheduler(prediction_type=prediction_type, clip_sample=False)
    scheduler.set_timesteps(1000)
    for timestep in (0, 400, 999):
        with torch.no_grad():
            output = unet(X, timestep).sample
        x0 = scheduler.step(output, timestep, X).pred_original_sample
        alpha, sigma = model.schedule.alpha(timestep + 1), model.schedule.sigma(timestep + 1)
        ours = model.eps(X, timestep + 1.0)
        theirs = (X - alpha * x0) / sigma
        assert float((ours - theirs).abs().max()) <= 2e-5 * float(
            theirs.abs().max() + x0.abs().max() * alpha / sigma
        )


def test_the_network_is_loaded_bit_by_bit(tmp_path: Path) -> None:
    unet = save_ddpm(tmp_path).to(memory_format=torch.channels_last)
    with torch.no_grad():
        theirs = unet(X.contiguous(memory_format=torch.channels_last), torch.tensor(122.0)).sample
    assert torch.equal(load_diffusers(str(tmp_path)).eps(X, 123.0), theirs)


def test_flat_folders_and_pickled_weights(tmp_path: Path) -> None:
    """google/ddpm-* keep everything at the top, the first of them as .bin."""
    save_ddpm(tmp_path / "a")
    flat = tmp_path / "flat"
    flat.mkdir()
    (tmp_path / "a/unet/config.json").rename(flat / "config.json")
    (tmp_path / "a/scheduler/scheduler_config.json").rename(flat / "scheduler_config.json")
    state = load_file(tmp_path / "a/unet/diffusion_pytorch_model.safetensors")
    torch.save(state, flat / "diffusion_pytorch_model.bin")
    save_ddpm(tmp_path / "b")
    assert load_diffusers(str(flat)).recipe() == load_diffusers(str(tmp_path / "b")).recipe()


def test_old_names_of_attention_blocks(tmp_path: Path) -> None:
    save_ddpm(tmp_path)
    modern = load_diffusers(str(tmp_path)).digest()
    path = tmp_path / "unet/diffusion_pytorch_model.safetensors"
    old = {
        name.replace("to_q", "query")
        .replace("to_k", "key")
        .replace("to_v", "value")
        .replace("to_out.0", "proj_attn"): v
        for name, v in load_file(path).items()
    }
    assert any("query" in name for name in old)
    save_file(old, path)
    theirs = UNet2DModel.from_pretrained(tmp_path, subfolder="unet").eval()
    ours = load_diffusers(str(tmp_path))
    assert ours.digest() == modern
    with torch.no_grad():
        assert torch.allclose(ours.eps(X, 7.0), theirs(X, torch.tensor(6.0)).sample, atol=1e-5)


def test_a_learned_variance_is_left_out(tmp_path: Path) -> None:
    unet = save_ddpm(tmp_path, tiny_unet(out_channels=6))
    with torch.no_grad():
        theirs = unet(X, torch.tensor(99.0)).sample[:, :3]
    assert torch.allclose(load_diffusers(str(tmp_path)).eps(X, 100.0), theirs, atol=1e-5)


def test_classes(tmp_path: Path) -> None:
    unet = save_ddpm(tmp_path, tiny_unet(num_class_embeds=5))
    with pytest.raises(UserError, match="class-conditional network's classes, 0 to 4, but got None"):
        load_diffusers(str(tmp_path))
    with torch.no_grad():
        theirs = unet(X, torch.tensor(99.0), class_labels=torch.tensor([3, 3])).sample
    assert torch.allclose(load_diffusers(str(tmp_path), class_label=3).eps(X, 100.0), theirs, atol=1e-5)


def edit(path: Path, **entries: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))


@pytest.mark.parametrize(
    ("part", "entries", "message"),
    [
        (
            "scheduler",
            {"prediction_type": "score"},
            "prediction_type in .* must be one of: epsilon, flow_prediction, sample, v_prediction",
        ),
        (
            "scheduler",
            {"beta_schedule": "laplace"},
            "beta_schedule in .* must be one of: linear, scaled_linear",
        ),
        ("scheduler", {"trained_betas": [0.1, 1.5]}, "betas of a schedule must lie between 0 and 1"),
        ("unet", {"_class_name": "SanaTransformer2DModel"}, "_class_name in .* must be one of: AuraFlowT"),
        ("unet", {"in_channels": 1, "out_channels": 3}, "must map 1 channels to as many"),
        (
            "unet",
            {"sample_size": None},
            "sample_size in .* must be the side of the images, or .*, but got None",
        ),
        ("unet", {"sample_size": [16, 31]}, r"image_size must be a multiple of 2 .*, but got \[16, 31\]"),
        (
            "unet",
            {"sample_size": 15},
            "image_size must be a multiple of 2 for this network, or .*, but got 15",
        ),
        ("unet", {"wings": 2}, r"only settings that this version of diffusers supports, but got \['wings'\]"),
        ("unet", {"class_embed_type": "timestep"}, "unconditional or have numbered classes"),
        ("unet", {"block_out_channels": [32, 32]}, "entries that differ"),
    ],
)
def test_configs_that_do_not_fit(part: str, entries: dict[str, Any], message: str, tmp_path: Path) -> None:
    save_ddpm(tmp_path)
    edit(tmp_path / part / ("config.json" if part == "unet" else "scheduler_config.json"), **entries)
    with pytest.raises(UserError, match=message):
        load_diffusers(str(tmp_path))


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"must be a folder saved by diffusers or an id on the Hugging Face hub"
    ):
        load_diffusers("a/b/c")
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        UserError, match=r"must hold a network as diffusers saves it, in unet_ema/, .* but got 'nothing'"
    ):
        load_diffusers(str(tmp_path / "empty"))
    save_ddpm(tmp_path)
    (tmp_path / "unet/config.json").write_text("{")
    with pytest.raises(UserError, match=r"config\.json must be a JSON file, but"):
        load_diffusers(str(tmp_path))


def test_a_hub_id_without_a_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match=r"hf download google/ddpm-church-256 --local-dir DIR"):
        load_diffusers("google/ddpm-church-256")
