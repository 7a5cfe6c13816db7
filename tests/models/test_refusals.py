"""What is not read, or cannot be, is refused in one sentence: what was found, what is read, what to do."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from diffusers import (
    DDPMScheduler,
    EDMEulerScheduler,
    FlowMatchEulerDiscreteScheduler,
)

from ood_diffusion.checks import UserError
from ood_diffusion.models.diffusers_pipeline import load_diffusers
from ood_diffusion.models.diffusers_scheduler import read_scheduler
from tests.models.test_diffusers_pipeline import edit
from tests.models.tiny_pipelines import save_ddpm, save_ldm, tiny_unet

NAME = "diffusion_pytorch_model"
BROKEN = (None, "x", -1, 1.5, True, [], {}, [1, "a"])
"""Values that hardly any setting may have."""


def weights(folder: Path) -> Path:
    return folder / f"unet/{NAME}.safetensors"


def without_a_shard(folder: Path) -> None:
    weights(folder).unlink()
    tiny_unet().save_pretrained(folder / "unet", max_shard_size="200KB")
    sorted((folder / "unet").glob("*-of-*"))[1].unlink()


def pointer(folder: Path) -> None:
    weights(folder).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")


def of_flax(folder: Path) -> None:
    weights(folder).rename(folder / "unet/diffusion_flax_model.msgpack")


def of_another_kind(folder: Path) -> None:
    edit(folder / "unet/config.json", _class_name="FluxTransformer2DModel")


def consistency(folder: Path) -> None:
    """A class is missing too, and weights are; neither matters."""
    edit(folder / "unet/config.json", num_class_embeds=10)
    edit(folder / "scheduler/scheduler_config.json", _class_name="CMStochasticIterativeScheduler")
    weights(folder).unlink()


def blocks_from_the_future(folder: Path) -> None:
    edit(folder / "unet/config.json", down_block_types=["NewBlock2D", "NewBlock2D"])


def in_other_folders(folder: Path) -> None:
    (folder / "unet").rename(folder / "prior")


REFUSED: dict[Callable[[Path], None], str] = {
    of_another_kind: r"_class_name in .*config\.json must be one of: AuraFlow.*, but got "
    r"'FluxTransformer2DModel'\. Choose another model: docs/models\.md says which",
    consistency: "must belong to a network that predicts noise, .* a consistency model, .* Choose another",
    without_a_shard: rf"must hold all \d+ files that {NAME}\.safetensors\.index\.json lists, but got "
    rf"'none named {NAME}-00002-of-\d+\.safetensors'\. Download what is missing",
    pointer: r"but got 'a Git LFS pointer in .*'\. Run `git lfs pull`",
    of_flax: rf"must hold {NAME}\.safetensors or {NAME}\.bin, .* but got config\.json, "
    r"diffusion_flax_model\.msgpack\. .*save_pretrained",
    blocks_from_the_future: r"config\.json must hold settings that can be used, but they led to ValueError: "
    "NewBlock2D.* update diffusers",
    in_other_folders: "must hold a network as diffusers saves it, in unet_ema/, unet/, transformer/ or at "
    r"the top, but got 'model_index\.json, prior, scheduler'\. Correct model\.path",
}


@pytest.mark.parametrize("change", REFUSED, ids=lambda change: change.__name__)
def test_words(change: Callable[[Path], None], tmp_path: Path) -> None:
    save_ddpm(tmp_path)
    change(tmp_path)
    with pytest.raises(UserError, match=REFUSED[change]):
        load_diffusers(str(tmp_path))


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"_class_name": "AutoencoderDC"}, "must be one of: AutoencoderKL, VQModel, but got 'AutoencoderDC'"),
        ({"down_block_types": ["New", "New"]}, "must hold settings that can be used"),
    ],
)
def test_autoencoders(entries: dict[str, Any], message: str, tmp_path: Path) -> None:
    save_ldm(tmp_path, "vq")
    edit(tmp_path / "vqvae/config.json", **entries)
    with pytest.raises(UserError, match=message):
        load_diffusers(str(tmp_path))


def tried(config: Path, load: Callable[[], Any], broken: Sequence[object] = BROKEN) -> None:
    """Every setting in a config with each of `broken`: it is read, or refused with a message."""
    text = config.read_text()
    for name in json.loads(text):
        for value in broken:
            edit(config, **{name: value})
            try:
                load()
            except UserError:
                pass
            except Exception as error:
                raise AssertionError(f"{name}: {value!r}") from error
            config.write_text(text)


@pytest.mark.parametrize(
    "kind", [DDPMScheduler, EDMEulerScheduler, FlowMatchEulerDiscreteScheduler], ids=lambda k: k.__name__
)
def test_any_value_in_a_schedulers_config(kind: Any, tmp_path: Path) -> None:
    kind().save_pretrained(tmp_path)
    tried(tmp_path / "scheduler_config.json", lambda: read_scheduler(tmp_path))


def test_any_value_in_a_networks_config(tmp_path: Path) -> None:
    save_ddpm(tmp_path, tiny_unet(sample_size=8, block_out_channels=(8, 8), norm_num_groups=4))
    tried(tmp_path / "unet/config.json", lambda: load_diffusers(str(tmp_path)), (None, "x"))
