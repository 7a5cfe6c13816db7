r"""Power spectra of images with a channel matrix per frequency, and their square roots.

A stationary random field is white noise passed through a filter; its covariance is diagonal in the
Fourier basis up to one C×C channel matrix per frequency. That is d·C numbers instead of d².
"""

import torch
from torch import Tensor


def power_spectrum(fields: Tensor) -> Tensor:
    r"""Channel cross-power at each frequency, of fields that are already centred.

    Args:
        fields: ``[n, C, H, W]``, float.

    Returns:
        Hermitian positive semi-definite complex128 ``[H, W // 2 + 1, C, C]``: the mean over fields of
        :math:`F F^*` with the orthonormal FFT, so white noise of unit variance gives the identity.
        Divided by n - 1, for centring by the sample mean.
    """
    _, channels, height, width = fields.shape
    total = torch.zeros(height, width // 2 + 1, channels, channels, dtype=torch.complex128)
    for part in torch.split(fields, 256):
        transformed = torch.fft.rfft2(part.double(), norm="ortho").permute(2, 3, 1, 0)
        total += transformed @ transformed.mH
    return total / (len(fields) - 1)


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
    transformed = torch.fft.rfft2(fields.double(), norm="ortho").permute(2, 3, 1, 0)
    filtered = (filter_ @ transformed).permute(3, 2, 0, 1)
    back: Tensor = torch.fft.irfft2(filtered, s=fields.shape[-2:], norm="ortho")
    return back.to(fields.dtype)
