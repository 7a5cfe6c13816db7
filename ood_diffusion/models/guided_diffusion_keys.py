"""Where the weights of `UNet2DModel` are in a state dict of OpenAI's U-Net (iDDPM, guided-diffusion)."""

from collections.abc import Iterator, Mapping, Sequence

from ood_diffusion.models.conversion import Shape, Source, pointwise, qkv_part, same

INSIDE = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
    "group_norm": "norm",
}
"""Inside a residual or an attention block: the name in `UNet2DModel` -> the name in ADM."""
QKV = {"to_q": 0, "to_k": 1, "to_v": 2}
OUTER = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "class_embedding": "label_emb",
    "conv_in": "input_blocks.0.0",
    "mid_block.resnets.0": "middle_block.0",
    "mid_block.attentions.0": "middle_block.1",
    "mid_block.resnets.1": "middle_block.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}


def module_places(
    attends: Sequence[bool], num_res_blocks: int, resblock_updown: bool
) -> Iterator[tuple[str, str]]:
    """Every module of `UNet2DModel` that holds weights, and its place in ADM's three lists of blocks.

    Args:
        attends: for each level whether it has self-attention.
        num_res_blocks: residual blocks per level on the way down.
        resblock_updown: whether residual blocks change the resolution.
    """
    yield from OUTER.items()
    last, n = len(attends) - 1, 0
    conv = "" if resblock_updown else ".conv"
    for i, attention in enumerate(attends):
        for j in range(num_res_blocks):
            n += 1
            yield f"down_blocks.{i}.resnets.{j}", f"input_blocks.{n}.0"
            if attention:
                yield f"down_blocks.{i}.attentions.{j}", f"input_blocks.{n}.1"
        if i < last:
            n += 1
            yield f"down_blocks.{i}.downsamplers.0{conv}", f"input_blocks.{n}.0{conv.replace('conv', 'op')}"
    n = -1
    for i, attention in enumerate(reversed(attends)):
        for j in range(num_res_blocks + 1):
            n += 1
            yield f"up_blocks.{i}.resnets.{j}", f"output_blocks.{n}.0"
            if attention:
                yield f"up_blocks.{i}.attentions.{j}", f"output_blocks.{n}.1"
        if i < last:
            yield f"up_blocks.{i}.upsamplers.0{conv}", f"output_blocks.{n}.{1 + attention}{conv}"


def source(
    name: str,
    shape: Shape,
    places: Mapping[str, str],
    num_heads: int,
    num_head_channels: int,
    use_new_attention_order: bool,
) -> Source:
    """Where the parameter `name` of `UNet2DModel`, of the given shape, is in ADM's state dict.

    Args:
        name: of the parameter.
        shape: of the parameter.
        places: see `module_places`.
        num_heads: heads of every attention, or -1.
        num_head_channels: channels of a head, or -1.
        use_new_attention_order: whether queries, keys and values are split before the heads.
    """
    module = next(place for place in places if name.startswith(f"{place}."))
    inside, parameter = name.removeprefix(f"{module}").rpartition(".")[::2]
    inside, there = inside.removeprefix("."), places[module]
    if inside in QKV:
        heads = shape[0] // num_head_channels if num_heads == -1 else num_heads
        return qkv_part(f"{there}.qkv.{parameter}", QKV[inside], heads, not use_new_attention_order)
    if inside == "to_out.0":
        return pointwise(f"{there}.proj_out.{parameter}", ones=1)
    return same(".".join(part for part in (there, INSIDE.get(inside, inside), parameter) if part))
