"""What a network in a folder of diffusers is always asked for: a class, or a prompt.

The embedding of a prompt is computed once, by the folder's own text encoders, as diffusers' pipelines do it
without guidance; or it is read from a file. It is part of the model's digest.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from ood_diffusion.checks import UserError, require
from ood_diffusion.extras import import_extra
from ood_diffusion.models.checkpoint import read_state
from ood_diffusion.terminal import brief

HIDDEN, POOLED = "encoder_hidden_states", "pooled_projections"
"""diffusers' names of an embedding: of all tokens ``[1, tokens, width]``, and of the whole ``[1, width]``."""
T5_TOKENS = 256
"""Tokens that diffusers' pipelines give T5 and its kin."""


class Condition(NamedTuple):
    """What a network is always asked for; None where its family has no such thing.

    Args:
        class_label: a class.
        prompt: words; None: the empty prompt.
        embedding: in place of a prompt, the file of its embedding: tensors `HIDDEN` and, for SD3, `POOLED`.
    """

    class_label: int | None = None
    prompt: str | None = None
    embedding: str | None = None


class Prompted(nn.Module):
    """A network of diffusers that is asked for one prompt.

    Args:
        network: maps ``(x, timestep=[B], **embedding)`` to an object whose `sample` is shaped like x.
        embedding: see `embedding_of`.
        time_scale: what the timestep is multiplied with before the network sees it.
    """

    version = 1

    def __init__(self, network: nn.Module, embedding: Mapping[str, Tensor], time_scale: float) -> None:
        super().__init__()
        self.network, self.time_scale, self.names = network, time_scale, tuple(embedding)
        for name, value in embedding.items():
            self.register_buffer(name, value)

    def forward(self, x: Tensor, timestep: Tensor) -> Tensor:
        """`x`: ``[B, C, H, W]``; `timestep`: ``[]`` or ``[B]``. Returns ``[B, C, H, W]``."""
        values = ((name, self.get_buffer(name)) for name in self.names)
        embedding = {name: value.expand(len(x), *value.shape[1:]) for name, value in values}
        asked = (timestep * self.time_scale).expand(len(x)).to(x.dtype)
        output: Tensor = self.network(x, timestep=asked, **embedding).sample
        return output


def embedding_of(
    folder: Path, kind: str, config: Mapping[str, Any], condition: Condition
) -> dict[str, Tensor]:
    """The embedding that a network is asked for, by the network's names for its parts.

    Args:
        folder: of the pipeline, with `text_encoder/`, `tokenizer/`, and further ones (`_2`, `_3`).
        kind: the network's class, a key of `ENCODE`.
        config: of the network.
        condition: the prompt, or the file.

    Returns:
        float32 `HIDDEN` and, for SD3, `POOLED`.

    Raises:
        UserError: if an encoder or the file is missing, damaged or does not fit, or the prompt is too long.
    """
    widths = {HIDDEN: config.get("joint_attention_dim", config.get("cross_attention_dim", 0))}
    if config.get("pooled_projection_dim"):
        widths[POOLED] = config["pooled_projection_dim"]
    where = condition.embedding or f"the text encoders in {folder}"
    if condition.embedding is None:
        with torch.no_grad():
            found = ENCODE[kind](folder, condition.prompt or "", widths[HIDDEN])
    else:
        require(
            condition.prompt is None and Path(where).expanduser().is_file(),
            "model.embedding must be a file, in place of model.prompt",
            f"{condition.embedding} and prompt {condition.prompt!r}",
            "Set one of them to null, or correct the path.",
        )
        found = read_state(where)
    got = {name: tuple(value.shape) for name, value in found.items()}
    fits = got.keys() == widths.keys() and all(
        shape[0] == 1 and shape[-1] == widths[name] and len(shape) == (3 if name == HIDDEN else 2)
        for name, shape in got.items()
    )
    expected = {
        HIDDEN: (1, "tokens", widths[HIDDEN]),
        **{n: (1, w) for n, w in widths.items() if n == POOLED},
    }
    require(
        fits,
        f"{where} must give {expected}",
        got,
        "Correct model.embedding, or use the network's own encoders.",
    )
    return {name: value.float().contiguous() for name, value in found.items()}


def stable_diffusion(folder: Path, prompt: str, width: int) -> dict[str, Tensor]:
    """Of Stable Diffusion 1 and 2: the last layer of a CLIP."""
    tokenizer, encoder = load_encoder(folder, "", "CLIPTextModel")
    return {HIDDEN: encoder.double()(tokens(tokenizer, prompt, tokenizer.model_max_length).input_ids)[0]}


def stable_diffusion_3(folder: Path, prompt: str, width: int) -> dict[str, Tensor]:
    """Of Stable Diffusion 3: the last layer but one of two CLIPs, side by side, then tokens of a T5 (0 if it
    is missing); and the projections of both CLIPs."""
    hidden, pooled = [], []
    for number in ("", "_2"):
        tokenizer, encoder = load_encoder(folder, number, "CLIPTextModelWithProjection")
        given = tokens(tokenizer, prompt, tokenizer.model_max_length).input_ids
        found = encoder.double()(given, output_hidden_states=True)
        hidden.append(found.hidden_states[-2])
        pooled.append(found[0])
    clip = torch.cat(hidden, dim=-1)
    t5 = torch.zeros(1, T5_TOKENS, width, dtype=clip.dtype)
    if (folder / "text_encoder_3").is_dir():
        tokenizer, encoder = load_encoder(folder, "_3", "T5EncoderModel")
        t5 = encoder.float()(tokens(tokenizer, prompt, T5_TOKENS).input_ids)[0].to(clip.dtype)
    both = torch.cat([pad(clip, (0, t5.shape[-1] - clip.shape[-1])), t5], dim=1)
    return {HIDDEN: both, POOLED: torch.cat(pooled, dim=-1)}


def aura_flow(folder: Path, prompt: str, width: int) -> dict[str, Tensor]:
    """Of AuraFlow: a T5, 0 where there is no token."""
    tokenizer, encoder = load_encoder(folder, "", "UMT5EncoderModel")
    given = tokens(tokenizer, prompt, T5_TOKENS)
    hidden = encoder.float()(given.input_ids, attention_mask=given.attention_mask)[0]
    return {HIDDEN: hidden * given.attention_mask[:, :, None]}


ENCODE: dict[str, Callable[[Path, str, int], dict[str, Tensor]]] = {
    "UNet2DConditionModel": stable_diffusion,
    "SD3Transformer2DModel": stable_diffusion_3,
    "AuraFlowTransformer2DModel": aura_flow,
}
"""Networks that are asked for a prompt -> its embedding, from folder, prompt and the width of its tokens.

CLIPs compute in float64, so that the rounded result, and the model's digest, are alike on all machines.
"""


def load_encoder(folder: Path, number: str, kind: str) -> tuple[Any, Any]:
    """Tokenizer and text encoder of a pipeline.

    Args:
        folder: the pipeline's.
        number: the end of their folders' names.
        kind: the encoder's class in transformers.
    """
    places = [folder / f"{part}{number}" for part in ("tokenizer", "text_encoder")]
    require(
        all(place.is_dir() for place in places),
        f"a pipeline that is asked for a prompt must hold {places[0].name}/ and {places[1].name}/",
        f"{folder} without",
        "Download it again, or set model.embedding to a file with the prompt's embedding.",
    )
    transformers = import_extra("transformers", "text")
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            places[0], local_files_only=True, trust_remote_code=False
        )
        encoder, found = getattr(transformers, kind).from_pretrained(
            places[1], local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    except Exception as error:  # of transformers, tokenizers or safetensors, for damaged files
        raise UserError(
            f"{places[0]} and {places[1]} must hold a tokenizer and a {kind}, but transformers says: "
            f"{brief(error)}. Download them again, or set model.embedding."
        ) from None
    missing = sorted(found["missing_keys"])
    require(not missing, f"{places[1]} must hold all weights of a {kind}", missing[:3], "Download it again.")
    return tokenizer, encoder


def tokens(tokenizer: Any, prompt: str, length: int) -> Any:
    """`prompt` as `length` tokens, filled up: `input_ids` and `attention_mask`, ``[1, length]``."""
    needed = len(tokenizer(prompt).input_ids)
    require(needed <= length, f"model.prompt must have at most {length} tokens", needed, "Shorten it.")
    return tokenizer(prompt, padding="max_length", max_length=length, truncation=True, return_tensors="pt")
