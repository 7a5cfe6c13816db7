"""What a folder's own configs say of path, prediction and network: as diffusers' own objects compute it."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DiTTransformer2DModel,
    Transformer2DModel,
    UNet2DModel,
)
from diffusers.training_utils import EMAModel
from safetensors.torch import load_file, save_file
from torch import Tensor

from ood_diffusion.checks import UserError
from ood_diffusion.models.diffusers_pipeline import load_diffusers
from ood_diffusion.models.diffusers_scheduler import read_scheduler
from ood_diffusion.models.edm import load_edm
from tests.models.test_diffusers_pipeline import edit
from tests.models.tiny_pipelines import save_ddpm, tiny_unet

X = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
DIT: dict[str, Any] = {
    "num_attention_heads": 2,
    "attention_head_dim": 8,
    "in_channels": 3,
    "out_channels": 6,
    "num_layers": 2,
    "sample_size": 16,
    "patch_size": 4,
    "num_embeds_ada_norm": 5,
    "attention_bias": True,
    "norm_type": "ada_norm_zero",
    "norm_elementwise_affine": False,
    "activation_fn": "gelu-approximate",
}


def close(ours: Tensor, theirs: Tensor) -> bool:
    return float((ours - theirs).abs().max()) < 1e-4 * float(theirs.abs().max())


def test_edm_takes_no_other_networks(tmp_path: Path) -> None:
    save_ddpm(tmp_path)
    model = load_diffusers(str(tmp_path))
    with pytest.raises(UserError, match=r"model=edm needs .*EDM.*got 'DDPMScheduler'. Use model=diffusers"):
        load_edm(str(tmp_path), model.schedule, 0.5)


def test_use_flow_sigmas_is_a_flow(tmp_path: Path) -> None:
    config = {"use_flow_sigmas": True, "flow_shift": 2.0, "prediction_type": "flow_prediction"}
    (tmp_path / "scheduler_config.json").write_text(json.dumps(config))
    schedule, prediction_type, _ = read_scheduler(tmp_path)
    assert prediction_type == "flow_prediction" and schedule.sigma(500) == pytest.approx(2 / 3)


def test_configs_from_before_prediction_types(tmp_path: Path) -> None:
    """`predict_epsilon: false` meant the image."""
    path = tmp_path / "scheduler_config.json"
    for value, expected in ((False, "sample"), (True, "epsilon")):
        DDPMScheduler().save_pretrained(tmp_path)
        config = json.loads(path.read_text())
        del config["prediction_type"]
        path.write_text(json.dumps({**config, "predict_epsilon": value}))
        assert read_scheduler(tmp_path).prediction_type == expected


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"_class_name": "CMStochasticIterativeScheduler"}, "a consistency model, which predicts the end"),
        ({"_class_name": "LCMScheduler", "beta_schedule": "linear"}, "a consistency model"),
        ({"_class_name": "ScoreSdeVeScheduler"}, "a network that predicts a score"),
        ({"_class_name": "IPNDMScheduler"}, "must describe a schedule with betas, of flow matching or EDM"),
        (
            {"_class_name": "FlowMatchEulerDiscreteScheduler", "use_dynamic_shifting": True},
            "use_dynamic_shifting in .* must belong to a network of patches.* but got a UNet",
        ),
        ({"_class_name": "EulerDiscreteScheduler", "timestep_type": "continuous"}, "timestep_type in"),
        (
            {"_class_name": "EDMEulerScheduler", "prediction_type": "v_prediction"},
            "prediction_type in .* must be one of: epsilon,",
        ),
    ],
)
def test_what_is_not_understood_is_named(config: dict[str, Any], message: str, tmp_path: Path) -> None:
    (tmp_path / "scheduler_config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=message):
        read_scheduler(tmp_path)


def save_dit(folder: Path, kind: Any = DiTTransformer2DModel, **more: Any) -> Any:
    torch.manual_seed(0)
    network = kind(**{**DIT, **more}).eval()
    for value in network.parameters():  # a DiT begins with zeros
        torch.nn.init.normal_(value, std=0.2)
    network.save_pretrained(folder / "transformer")
    DDIMScheduler(clip_sample=False).save_pretrained(folder / "scheduler")
    return network


@pytest.mark.parametrize("kind", [DiTTransformer2DModel, Transformer2DModel])
@pytest.mark.parametrize(("class_label", "asked"), [(None, 5), (2, 2)])
@torch.inference_mode()
def test_dit(kind: Any, class_label: int | None, asked: int, tmp_path: Path) -> None:
    """Asked as `DiTPipeline` asks it; class 5 of 5 is none of them. The variance is left out."""
    network = save_dit(tmp_path, kind)
    model = load_diffusers(str(tmp_path), class_label)
    labels, timestep = torch.full((2,), asked), torch.full((2,), 99)
    theirs = network(X, timestep=timestep, class_labels=labels).sample[:, :3]
    assert close(model.eps(X, 100.0), theirs)
    assert model.recipe()["class_label"] == asked


def test_dits_that_do_not_fit(tmp_path: Path) -> None:
    save_dit(tmp_path)
    with pytest.raises(UserError, match="classes, 0 to 4, but got 5"):
        load_diffusers(str(tmp_path), 5)
    edit(tmp_path / "transformer/config.json", norm_type="layer_norm")
    with pytest.raises(UserError, match="must be a DiT: norm_type ada_norm_zero"):
        load_diffusers(str(tmp_path))


@torch.inference_mode()
@pytest.mark.parametrize("how", ["fp16", "shards", "byte_order_mark"])
def test_folders_as_diffusers_writes_them(how: str, tmp_path: Path) -> None:
    unet = save_ddpm(tmp_path)
    folder = tmp_path / "unet"
    if how == "byte_order_mark":
        text = (folder / "config.json").read_text()
        (folder / "config.json").write_text(text, encoding="utf-8-sig")
    else:
        (folder / "diffusion_pytorch_model.safetensors").unlink()
        if how == "fp16":
            unet = unet.half()
            unet.save_pretrained(folder, variant="fp16")
            unet = unet.float()
            assert (folder / "diffusion_pytorch_model.fp16.safetensors").is_file()
        else:
            unet.save_pretrained(folder, max_shard_size="200KB")
            assert len(list(folder.glob("*-of-*.safetensors"))) > 1
    theirs = unet(X, torch.tensor(99.0)).sample
    assert close(load_diffusers(str(tmp_path)).eps(X, 100.0), theirs)


def test_an_index_names_no_file_elsewhere(tmp_path: Path) -> None:
    save_ddpm(tmp_path)
    (tmp_path / "unet/diffusion_pytorch_model.safetensors").unlink()
    index = tmp_path / "unet/diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"conv_in.weight": "../secret.safetensors"}}))
    with pytest.raises(UserError, match="must map entries to files beside it"):
        load_diffusers(str(tmp_path))


@torch.inference_mode()
def test_the_average_is_preferred(tmp_path: Path) -> None:
    """`unet_ema` is what diffusers' training scripts write, with settings of the averaging in its config."""
    unet = save_ddpm(tmp_path)
    average = EMAModel(unet.parameters(), model_cls=UNet2DModel, model_config=unet.config)
    path = tmp_path / "unet/diffusion_pytorch_model.safetensors"
    save_file({name: 2 * value for name, value in load_file(path).items()}, path)
    average.save_pretrained(tmp_path / "unet_ema")
    assert "decay" in json.loads((tmp_path / "unet_ema/config.json").read_text())
    theirs = tiny_unet()(X, torch.tensor(99.0)).sample
    assert close(load_diffusers(str(tmp_path)).eps(X, 100.0), theirs)
