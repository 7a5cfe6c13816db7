"""Models and domains by the names that they have in `conf/`."""

from pathlib import Path

import torch
from torch import Tensor

from ood_diffusion.api.composed import as_user_errors, composed
from ood_diffusion.api.session import opened, whole
from ood_diffusion.checks import UserError
from ood_diffusion.fields.scale import Scale
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.runs.assemble import build_domain, build_model
from ood_diffusion.runs.settings import read_settings


def load_model(
    name: str | None = None,
    /,
    *,
    precision: str | None = None,
    compile: bool | None = None,
    **settings: object,
) -> FrozenModel:
    """A frozen model.

    Args:
        name: a file in ``conf/model``, like "cats_64" or "diffusers"; None: the command's default.
        precision: arithmetic inside the network: "fp32", "tf32", "bf16" or, on a GPU, "fp16".
        compile: whether `torch.compile` fuses it.
        settings: values in that file, like ``weights="unet.safetensors"``; dictionaries are merged.

    Raises:
        UserError: for an unknown name or setting, or weights that are missing or do not fit.

    Examples:
        >>> from ood_diffusion import load_model
        >>> load_model("cats_64", precision="fp32").image_shape
        (3, 64, 64)
    """
    knobs = {"precision": precision, "compile": compile}
    values = {key: value for key, value in knobs.items() if value is not None}
    cfg, _ = composed({"model": name}, values | {f"model.{key}": value for key, value in settings.items()})
    read_settings(cfg)
    with as_user_errors(), torch.random.fork_rng(devices=[]):  # networks are made with random weights first
        return build_model(cfg)


@whole
def load_domain(
    name: str,
    model: FrozenModel,
    /,
    *,
    n_references: int | None = None,
    n_held_out: int | None = None,
    store: str | Path | None = None,
    **settings: object,
) -> tuple[Tensor, Tensor]:
    """Images of a domain at the size of the model's, in two sets without a picture in common.

    Args:
        name: a file in ``conf/domain``, like "galaxies_sim", or "image_folder" with ``path="my_images"``.
        model: whose images have the size that is wanted.
        n_references: images for the prior to learn from.
        n_held_out: images to judge by, at most.
        store: a folder in which they are kept and looked for; None: nowhere.
        settings: values in that file.

    Returns:
        References and held-out images ``[n, C, H, W]``: uint8, or float32 fields in [-1, 1].
        Images that are equal are there once.

    Raises:
        UserError: for an unknown name or setting, data that are missing or damaged, or too few images.

    Examples:
        >>> from ood_diffusion import load_domain, load_model
        >>> model = load_model("cats_64")
        >>> references, held_out = load_domain("galaxies_sim", model, n_references=2, n_held_out=4)
        >>> references.shape, held_out.shape, references.dtype
        (torch.Size([2, 3, 64, 64]), torch.Size([4, 3, 64, 64]), torch.uint8)
    """
    values = {f"domain.{key}": value for key, value in settings.items()}
    with opened(model, store, values, domain=name, n_references=n_references, n_held_out=n_held_out) as run:
        references, held_out = run.references, run.held_out
        read = run.pictures.read
        return read(list(references.values())), read(list(held_out.values()))


def load_scale(name: str, model: FrozenModel, /, **settings: object) -> Scale:
    """What the fields of a domain, and those generated from them, are in physical units.

    Args:
        name: a file in ``conf/domain`` whose pictures are fields, such as "array".
        model: as for `load_domain`.
        settings: values in that file, as for `load_domain`.

    Returns:
        The scale: ``scale.to_physical(images)`` takes float32 ``[n, C, H, W]`` to float64 in the unit of the
        data, ``scale.to_unit`` goes back.

    Raises:
        UserError: as `load_domain`, and for a domain of photographs.

    Examples:
        >>> from ood_diffusion import UserError, load_model, load_scale
        >>> try:
        ...     load_scale("galaxies_sim", load_model("cats_64"))
        ... except UserError as error:
        ...     print(error)
        domain=galaxies_sim makes photographs, which have no physical scale. Use domain=array.
    """
    cfg, _ = composed({"domain": name}, {f"domain.{key}": value for key, value in settings.items()})
    with as_user_errors():
        scale = build_domain(cfg.domain, model).physical_scale
    if scale is None:
        raise UserError(f"domain={name} makes photographs, which have no physical scale. Use domain=array.")
    return scale
