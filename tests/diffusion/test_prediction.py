import pytest
import torch

from ood_diffusion.diffusion.prediction import TO_EPS, target


@pytest.mark.parametrize("name", ["epsilon", "v_prediction", "sample"])
def test_perfect_network_gives_the_true_noise(name: str) -> None:
    x0, eps = torch.randn(2, 3, 4, 4, dtype=torch.float64), torch.randn(2, 3, 4, 4, dtype=torch.float64)
    alpha, sigma = 0.6, 0.8
    perfect = target(name, x0, eps, torch.tensor(alpha), torch.tensor(sigma))
    assert torch.allclose(TO_EPS[name](perfect, alpha * x0 + sigma * eps, alpha, sigma), eps)
