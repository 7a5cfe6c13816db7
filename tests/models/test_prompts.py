"""Prompts: images are those of diffusers' pipelines with the same tiny text encoders, without guidance."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler

from ood_diffusion.checks import UserError
from ood_diffusion.diffusion.ddim import DDIM
from ood_diffusion.diffusion.integrate import integrate
from ood_diffusion.models.diffusers_pipeline import load_diffusers
from tests.models.test_parity import (
    LIMIT,
    STEPS,
    aura_transformer,
    autoencoder,
    conditional_unet,
    difference,
    levels_of,
    same_noise,
    sd3_transformer,
    sd_scheduler,
)

transformers: Any = pytest.importorskip(
    "transformers", reason='transformers is not installed (pip install "ood-diffusion[text]")'
)
tokenizers: Any = pytest.importorskip("tokenizers")

WORDS = ["<pad>", "<unk>", "a", "cat", "of", "galaxies", "<s>", "</s>"]
LENGTH = 12


def tokenizer() -> Any:
    model = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>")
    )
    model.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    model.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 6), ("</s>", 7)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=model,
        pad_token="<pad>",
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        model_max_length=LENGTH,
    )


def clip(projected: bool, seed: int) -> Any:
    torch.manual_seed(seed)
    config = transformers.CLIPTextConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        intermediate_size=16,
        projection_dim=12,
        num_hidden_layers=3,
        num_attention_heads=2,
        max_position_embeddings=LENGTH,
        pad_token_id=0,
        bos_token_id=6,
        eos_token_id=7,
    )
    kind = transformers.CLIPTextModelWithProjection if projected else transformers.CLIPTextModel
    return kind(config).eval()


def t5(kind: str, width: int) -> Any:
    torch.manual_seed(5)
    config = getattr(transformers, kind.replace("EncoderModel", "Config"))(
        vocab_size=len(WORDS), d_model=width, d_kv=8, d_ff=16, num_layers=1, num_heads=2
    )
    return getattr(transformers, kind)(config).eval()


def stable_diffusion() -> Any:
    from diffusers import StableDiffusionPipeline

    parts = autoencoder(), clip(False, 0), tokenizer(), conditional_unet(), sd_scheduler()
    return StableDiffusionPipeline(*parts, None, None, requires_safety_checker=False)


def stable_diffusion_3(with_t5: bool = True, **scheduler: Any) -> Any:
    from diffusers import StableDiffusion3Pipeline

    return StableDiffusion3Pipeline(
        sd3_transformer(),
        FlowMatchEulerDiscreteScheduler(**scheduler),
        autoencoder(shift_factor=0.06),
        clip(True, 0),
        tokenizer(),
        clip(True, 1),
        tokenizer(),
        t5("T5EncoderModel", 32) if with_t5 else None,
        tokenizer() if with_t5 else None,
    )


def aura_flow() -> Any:
    from diffusers import AuraFlowPipeline

    parts = tokenizer(), t5("UMT5EncoderModel", 16), autoencoder(), aura_transformer()
    return AuraFlowPipeline(*parts, FlowMatchEulerDiscreteScheduler(shift=1.73))


PIPELINES: dict[str, Callable[[], Any]] = {
    "stable_diffusion": stable_diffusion,
    "stable_diffusion_3": lambda: stable_diffusion_3(shift=3.0),
    "without_t5": lambda: stable_diffusion_3(False),
    "dynamic_shift": lambda: stable_diffusion_3(use_dynamic_shifting=True),
    "aura_flow": aura_flow,
}


@pytest.mark.parametrize("prompt", [None, "a cat of galaxies"])
@pytest.mark.parametrize("name", PIPELINES)
@torch.inference_mode()
def test_images_are_the_pipelines(name: str, prompt: str | None, tmp_path: Path) -> None:
    pipeline = PIPELINES[name]()
    pipeline.save_pretrained(tmp_path)
    model = load_diffusers(str(tmp_path), prompt=prompt)
    noise = same_noise(2, model.state_shape)
    theirs = pipeline(
        prompt or "",
        num_images_per_prompt=2,
        num_inference_steps=STEPS,
        guidance_scale=1.0,
        height=16,
        width=16,
        latents=noise,
        output_type="np",
    ).images
    levels = levels_of(model, pipeline.scheduler)
    ours = integrate(model.eps, noise, model.schedule, levels, DDIM(), clean=model.clean)
    images = (model.decode(ours) / 2 + 0.5).clamp(0, 1)
    assert difference(images, torch.from_numpy(theirs).permute(0, 3, 1, 2)) < LIMIT


def test_a_prompt_that_is_too_long(tmp_path: Path) -> None:
    stable_diffusion().save_pretrained(tmp_path)
    with pytest.raises(UserError, match=r"model\.prompt must have at most 12 tokens, but got 13"):
        load_diffusers(str(tmp_path), prompt="a " * 11)


def test_encoders_that_are_damaged(tmp_path: Path) -> None:
    stable_diffusion().save_pretrained(tmp_path)
    weights = tmp_path / "text_encoder" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(UserError, match="must hold a tokenizer and a CLIPTextModel, but transformers says"):
        load_diffusers(str(tmp_path))
