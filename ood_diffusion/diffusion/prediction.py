r"""What a network predicts: its target in training, and its conversion to :math:`\varepsilon` at the border.

Notation: :math:`x = \alpha x_0 + \sigma\varepsilon` with :math:`\alpha^2 + \sigma^2 = 1`.
"""

from collections.abc import Callable

from torch import Tensor

# output, x, alpha, sigma -> eps
ToEps = Callable[[Tensor, Tensor, float, float], Tensor]


def eps_from_epsilon(output: Tensor, x: Tensor, alpha: float, sigma: float) -> Tensor:
    r"""The network already predicts :math:`\varepsilon` (Ho et al. 2020, eq. 14)."""
    return output


def eps_from_v(output: Tensor, x: Tensor, alpha: float, sigma: float) -> Tensor:
    r""":math:`v = \alpha\varepsilon - \sigma x_0`, so :math:`\varepsilon = \alpha v + \sigma x`
    (Salimans & Ho 2022, appendix D)."""
    return alpha * output + sigma * x


def eps_from_sample(output: Tensor, x: Tensor, alpha: float, sigma: float) -> Tensor:
    r"""The network predicts :math:`x_0`, so :math:`\varepsilon = (x - \alpha x_0) / \sigma`."""
    return (x - alpha * output) / sigma


TO_EPS: dict[str, ToEps] = {
    "epsilon": eps_from_epsilon,
    "v_prediction": eps_from_v,
    "sample": eps_from_sample,
}
"""Keyed by the names diffusers uses for `prediction_type`."""


def target(prediction_type: str, x0: Tensor, noise: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    r"""What the network is trained to output at :math:`x = \alpha x_0 + \sigma\varepsilon`.

    Args:
        prediction_type: a key of `TO_EPS`.
        x0: clean images, ``[B, C, H, W]``.
        noise: the :math:`\varepsilon` that was added, same shape.
        alpha: ``[B, 1, 1, 1]``.
        sigma: ``[B, 1, 1, 1]``.
    """
    if prediction_type == "v_prediction":
        return alpha * noise - sigma * x0
    return noise if prediction_type == "epsilon" else x0
