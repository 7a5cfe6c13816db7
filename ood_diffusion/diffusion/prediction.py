r"""What a network predicts: its target in training, and its conversion at the border.

Notation: :math:`x = \alpha x_0 + \sigma\varepsilon` on any schedule. What a network outputs and `x` determine
both :math:`\varepsilon` and :math:`x_0`.
"""

from collections.abc import Callable

from torch import Tensor

# output, x, alpha, sigma -> eps or x0
Conversion = Callable[[Tensor, Tensor, float, float], Tensor]


def eps_from_epsilon(output: Tensor, x: Tensor, alpha: float, sigma: float) -> Tensor:
    r"""The network already predicts :math:`\varepsilon` (Ho et al. 2020, eq. 14)."""
    return output


def eps_from_v(output: Tensor, x: Tensor, alpha: float, sigma: float) -> Tensor:
    r""":math:`v = \alpha\varepsilon - \sigma x_0`, so
    :math:`\varepsilon = (\alpha v + \sigma x)/(\alpha^2 + \sigma^2)` (Salimans & Ho 2022, appendix D)."""
    total = alpha**2 + sigma**2
    return (alpha / total) * output + (sigma / total) * x


def eps_from_sample(output: Tensor, x: Tensor, alpha: float, sigma: float) -> Tensor:
    r"""The network predicts :math:`x_0`, so :math:`\varepsilon = (x - \alpha x_0) / \sigma`."""
    return (x - alpha * output) / sigma


def eps_from_flow(output: Tensor, x: Tensor, alpha: float, sigma: float) -> Tensor:
    r""":math:`v = \varepsilon - x_0`, so :math:`\varepsilon = (x + \alpha v)/(\alpha + \sigma)`.

    The sign is that of SD3 (Esser et al. 2024) and of diffusers; other code may have the opposite.
    """
    total = alpha + sigma
    return x / total + (alpha / total) * output


TO_EPS: dict[str, Conversion] = {
    "epsilon": eps_from_epsilon,
    "v_prediction": eps_from_v,
    "sample": eps_from_sample,
    "flow_prediction": eps_from_flow,
}
"""Keyed by the names diffusers uses for `prediction_type`."""

TO_CLEAN: dict[str, Conversion] = {
    "epsilon": lambda output, x, alpha, sigma: (x - sigma * output) / alpha,
    "v_prediction": lambda output, x, alpha, sigma: (alpha * x - sigma * output) / (alpha**2 + sigma**2),
    "sample": lambda output, x, alpha, sigma: output,
    "flow_prediction": lambda output, x, alpha, sigma: (x - sigma * output) / (alpha + sigma),
}
"""The same output as an estimate of :math:`x_0`; of all but epsilon also where alpha is 0."""


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
    if prediction_type == "flow_prediction":
        return noise - x0
    return noise if prediction_type == "epsilon" else x0
