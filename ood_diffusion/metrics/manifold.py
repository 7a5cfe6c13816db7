"""Is this image of the domain? Membership in the union of balls around images of it."""

import torch
from torch import Tensor

from ood_diffusion.checks import require, require_integer
from ood_diffusion.metrics.distances import blocks, compared, neighbour_radii


def inside(features: Tensor, domain: Tensor, k: int) -> Tensor:
    """Whether each image lies in a ball around at least one image of the domain.

    The balls reach to the k-th nearest other image of the domain and are closed (Kynkäänniemi et al. 2019,
    eq. 1): the mean over images is the improved precision. The balls shrink as the domain's images grow in
    number, so only shares at equal numbers can be compared.

    Args:
        features: ``[m, d]``.
        domain: features of images of the domain ``[n, d]``, n > k.
        k: which neighbour sets the radius, at least 1.

    Returns:
        bool ``[m]``.

    Raises:
        UserError: if k < 1, the domain has k images or fewer, or d differs.
    """
    require_integer("nearest_k", k, 1, "Naeem et al. 2020 recommend 5.")
    require(
        len(domain) > k and features.shape[1:] == domain.shape[1:],
        f"a domain must be given by more than {k} images, all with features of one length",
        (list(features.shape), list(domain.shape)),
        "Bring more held-out images or lower nearest_k.",
    )
    radius, parts = neighbour_radii(domain, k), blocks(len(features), len(domain))
    return torch.cat([(compared(features[rows], domain, radius) <= radius).any(dim=1) for rows in parts])
