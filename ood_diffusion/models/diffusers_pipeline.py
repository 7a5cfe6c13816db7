"""A pipeline that diffusers has saved, whatever network, scheduler and autoencoder it has."""

from ood_diffusion.models.base import FrozenModel
from ood_diffusion.models.diffusers_condition import Condition
from ood_diffusion.models.diffusers_folder import find_folder, read_json
from ood_diffusion.models.diffusers_network import read_network
from ood_diffusion.models.diffusers_scheduler import check_kind, read_scheduler, scheduler_config
from ood_diffusion.models.edm import EDMModel
from ood_diffusion.models.latent_diffusion import AUTOENCODERS, load_latent_diffusion


def load_diffusers(
    path: str,
    class_label: int | None = None,
    revision: str | None = None,
    prompt: str | None = None,
    embedding: str | None = None,
) -> FrozenModel:
    """A frozen model from a pipeline; all that it is, its own configs say.

    Args:
        path: the folder, or an id on the hub such as ``google/ddpm-church-256``.
        class_label: the class to ask a class-conditional network for; of a DiT, None is no class.
        revision: commit, tag or branch of a hub id.
        prompt: what to ask a network for that knows words; None: the empty prompt.
        embedding: in place of a prompt, see `diffusers_condition.Condition`.

    Raises:
        UserError: if the folder or a file in it is missing, damaged, does not fit or is not understood.
    """
    folder = find_folder(path, revision)
    where = scheduler_config(folder)
    if where.is_file():  # before weights are read
        check_kind(read_json(where), where)
    if any((folder / name).is_dir() for name in AUTOENCODERS):
        return load_latent_diffusion(str(folder), class_label, None, prompt, embedding)
    network, recipe, shape, tokens = read_network(folder, None, Condition(class_label, prompt, embedding))
    schedule, prediction_type, sigma_data = read_scheduler(folder, tokens)
    if sigma_data is not None:
        return EDMModel(network, schedule, shape, sigma_data, recipe)
    return FrozenModel(network, schedule, shape, prediction_type, recipe)
