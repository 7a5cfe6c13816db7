import pytest
import torch

from ood_diffusion.diffusion.prediction import TO_CLEAN, TO_EPS, target


@pytest.mark.parametrize(("alpha", "sigma"), [(0.6, 0.8), (0.3, 0.7), (1.0, 5.0)])
@pytest.mark.parametrize("name", TO_EPS)
def test_perfect_network_gives_the_true_noise_and_image(name: str, alpha: float, sigma: float) -> None:
    """Variance-preserving, flow and variance-exploding."""
    x0, eps = torch.randn(2, 2, 3, 4, 4, dtype=torch.float64)
    perfect = target(name, x0, eps, *torch.tensor([alpha, sigma], dtype=torch.float64))
    x = alpha * x0 + sigma * eps
    assert torch.allclose(TO_EPS[name](perfect, x, alpha, sigma), eps)
    assert torch.allclose(TO_CLEAN[name](perfect, x, alpha, sigma), x0)
