"""What a network is always asked for is fixed, counts in its digest, and fits it."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from ood_diffusion.checks import UserError
from ood_diffusion.models.diffusers_pipeline import load_diffusers
from tests.models.test_diffusers_pipeline import edit
from tests.models.test_parity import stable_diffusion, stable_diffusion_3
from tests.models.tiny_pipelines import save_ddpm


@torch.inference_mode()
def test_the_embedding_of_a_prompt_is_fixed_and_counts(tmp_path: Path) -> None:
    settings = stable_diffusion_3(tmp_path).settings
    model = load_diffusers(str(tmp_path), **settings)
    digest, state = model.digest(), load_file(settings["embedding"])
    save_file({**state, "pooled_projections": state["pooled_projections"] + 1}, settings["embedding"])
    other = load_diffusers(str(tmp_path), **settings)
    x = torch.zeros(1, *model.state_shape)
    assert digest == model.digest() != other.digest()
    assert not torch.equal(model.eps(x, 500.0), other.eps(x, 500.0))
    assert not any(value.requires_grad for value in model.parameters())


@pytest.mark.parametrize(
    ("settings", "change", "message"),
    [
        ({"class_label": 1}, {}, "asked for a prompt and nothing else, but got 'class_label 1'"),
        ({}, {"addition_embed_type": "text_time"}, "nothing else, but got .*text_time"),
        ({"prompt": "a cat"}, {}, "model.embedding must be a file, in place of model.prompt"),
        ({"embedding": "nowhere.safetensors"}, {}, "must be a file, .*nowhere"),
        ({"embedding": None}, {}, "must hold tokenizer/ and text_encoder/"),
        ({}, {"cross_attention_dim": 8}, "entries that differ"),
    ],
)
def test_prompts_that_do_not_fit(
    settings: dict[str, Any], change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    given = stable_diffusion(tmp_path).settings
    edit(tmp_path / "unet/config.json", **change)
    with pytest.raises(UserError, match=message):
        load_diffusers(str(tmp_path), **{**given, **settings})


def test_an_embedding_of_another_network(tmp_path: Path) -> None:
    settings = stable_diffusion(tmp_path).settings
    save_file({"encoder_hidden_states": torch.zeros(1, 7, 17)}, settings["embedding"])
    with pytest.raises(UserError, match=r"must give .*'tokens', 16.* but got .*\(1, 7, 17\)"):
        load_diffusers(str(tmp_path), **settings)


def test_a_network_that_knows_no_words(tmp_path: Path) -> None:
    save_ddpm(tmp_path)
    with pytest.raises(UserError, match=r"null for a UNet2DModel, which knows no words, but got 'a cat'"):
        load_diffusers(str(tmp_path), prompt="a cat")


def test_a_prompt_without_transformers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stable_diffusion(tmp_path)
    for part in ("tokenizer", "text_encoder"):
        (tmp_path / part).mkdir()
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UserError, match=r'pip install "ood-diffusion\[text\]"'):
        load_diffusers(str(tmp_path))
