r"""Power spectra of images with a channel matrix per frequency, and their square roots.

A stationary random field is white noise passed through a filter; its covariance is diagonal in the
Fourier basis up to one C×C channel matrix per frequency. That is d·C numbers instead of d².
"""

from collections.abc import Iterator

import torch
from torch import Tensor

MOST, VALUES = 256, 2**22
"""Fields transformed at a time, and values in them: bounds the memory beside the fields to 200 MiB or so."""


def power_spectrum(fields: Tensor, mean: Tensor | None = None) -> Tensor:
    r"""Channel cross-power at each frequency, of fields without their sample mean.

    Args:
        fields: ``[n, C, H, W]``, float.
        mean: their mean ``[C, H, W]``; None: they are centred already.

    Returns:
        Hermitian positive semi-definite complex128 ``[H, W // 2 + 1, C, C]``: the mean over fields of
        :math:`F F^*` with the orthonormal FFT, so white noise of unit variance gives the identity.
        Divided by n - 1, for centring by the sample mean.
    """
    _, channels, height, width = fields.shape
    total = torch.zeros(height, width // 2 + 1, channels, channels, dtype=torch.complex128)
    for part in blocks(fields):
        waves = transformed(part if mean is None else part - mean)
        total += waves @ waves.mH
    return total / (len(fields) - 1)


def blocks(fields: Tensor) -> Iterator[Tensor]:
    """Consecutive rows of `fields` ``[n, C, H, W]``, `MOST` and `VALUES` at most."""
    return iter(torch.split(fields, max(1, min(MOST, VALUES // fields[0].numel()))))


def transformed(fields: Tensor) -> Tensor:
    """Orthonormal FFT of ``[n, C, H, W]``: complex128 ``[H, W // 2 + 1, C, n]``."""
    waves: Tensor = torch.fft.rfft2(fields.double(), norm="ortho").permute(2, 3, 1, 0)
    return waves


def occurrences(width: int) -> Tensor:
    """How often the full spectrum of real fields has each column of `transformed`: 1 or 2, float64
    ``[width // 2 + 1]``.
    """
    columns = torch.arange(width // 2 + 1)
    return torch.where((columns == 0) | (2 * columns == width), 1.0, 2.0).double()


def matrix_power(spectrum: Tensor, exponent: float, floor: float = 1e-10) -> Tensor:
    """``spectrum ** exponent`` per frequency, through the eigenvalues of the channel matrices.

    Eigenvalues below `floor` times the mean eigenvalue are raised to it, so that a negative exponent
    stays finite where a frequency or channel direction is empty (grey images, say).
    """
    values, vectors = torch.linalg.eigh(spectrum)
    values = values.clamp_min(floor * float(values.mean()))
    powered: Tensor = (vectors * values.pow(exponent)[..., None, :]) @ vectors.mH
    return powered


def apply_filter(filter_: Tensor, fields: Tensor) -> Tensor:
    """Multiply every field ``[n, C, H, W]`` by a C×C matrix per frequency ``[H, W // 2 + 1, C, C]``."""
    filtered = (filter_ @ transformed(fields)).permute(3, 2, 0, 1)
    back: Tensor = torch.fft.irfft2(filtered, s=fields.shape[-2:], norm="ortho")
    return back.to(fields.dtype)
