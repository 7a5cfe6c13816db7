import pytest
import torch

from ood_diffusion.geometry import spectrum
from ood_diffusion.geometry.spectrum import apply_filter, matrix_power, occurrences, power_spectrum


def white(n: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, 3, 8, 8, generator=torch.Generator().manual_seed(seed))


def test_white_noise_has_the_identity_everywhere() -> None:
    found = power_spectrum(white(4000))
    assert float((found - torch.eye(3)).abs().max()) < 0.12


@pytest.mark.parametrize("width", [7, 8])
def test_total_power_is_the_variance(width: int) -> None:
    """Parseval: the half spectrum's columns count twice, except the first and, of an even width, the last."""
    x = white(50)[..., :width]
    power = (torch.einsum("hwcc->hw", power_spectrum(x)).real * occurrences(width)).sum()
    assert torch.allclose(power, x.double().square().sum() / 49)


def test_neither_the_mean_nor_the_blocks_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    x = white(50) + 3
    whole = power_spectrum(x - x.mean(dim=0))
    monkeypatch.setattr(spectrum, "VALUES", 7 * x[0].numel())
    assert [len(part) for part in spectrum.blocks(x)] == [7] * 7 + [1]
    assert torch.allclose(power_spectrum(x, x.mean(dim=0)), whole, rtol=1e-9)


def test_filter_by_root_gives_the_spectrum_back() -> None:
    mix = torch.tensor([[1.0, 0, 0], [0.8, 0.5, 0], [-0.3, 0.2, 2.0]])
    coloured = torch.einsum("ij,njhw->nihw", mix, white(3000) + white(3000).roll(1, dims=-1))
    root = matrix_power(power_spectrum(coloured), 0.5)
    again = power_spectrum(apply_filter(root, white(3000, seed=1)))
    scale = power_spectrum(coloured).abs().max()
    assert float((again - power_spectrum(coloured)).abs().max() / scale) < 0.1


def test_whitening_undoes_the_root() -> None:
    x = white(40)
    spectrum = power_spectrum(x)
    there = apply_filter(matrix_power(spectrum, 0.5), x)
    assert torch.allclose(apply_filter(matrix_power(spectrum, -0.5), there), x, atol=1e-5)


def test_empty_channel_directions_stay_finite() -> None:
    grey = white(20)[:, :1].expand(-1, 3, -1, -1)
    whitened = apply_filter(matrix_power(power_spectrum(grey), -0.5), grey)
    assert bool(torch.isfinite(whitened).all())
