"""Edit-friendly inversion: the noise with which a stochastic solver comes back to the image exactly."""

from ood_diffusion.checks import require, require_integer, require_positive
from ood_diffusion.diffusion.ddim import DDIM


class EditFriendly(DDIM):
    r"""DDIM's stochastic steps down, whose noise is not fresh but part of the latent.

    (Huberman-Spiegelglas et al. 2024, "An edit friendly DDPM noise space", arXiv 2304.06140, for any eta and
    schedule.) The states of an image are drawn independently of each other, and the latent is the last of
    them and, for every step, the noise that leads to the one below: `integrate.through_maps`. The round trip
    is exact for any network and any number of steps, and says nothing about either. Where the network
    knows the image, a map from level a down to b has variance :math:`(2-q)/q` and the correlation
    :math:`-\sqrt{(1-q')/((2-q)(2-q'))}` with the next one, where :math:`q = \eta^2(1 - s_b^2/s_a^2)`: more
    than the variance 1 and the correlation 0 of fresh noise. What it does not know of the image comes on top.

    Args:
        eta: share of noise in the steps down, above 0 (deterministic), at most 1 (ancestral).
        seed: with an image's id it determines the noise in its states.
    """

    version = 1
    name = "edit_friendly"
    stochastic = False
    noise_maps = True

    def __init__(self, eta: float, seed: int) -> None:
        without = "Without noise there are no noise maps: set eta=1, or choose another solver."
        require_positive("eta with solver=edit_friendly", eta, without)
        require(eta <= 1, "eta must be at most 1 (ancestral)", eta, "Try 1.")
        require_integer("solver.seed", seed, 0, "Leave it to seed.")
        self.eta, self.seed = float(eta), seed
