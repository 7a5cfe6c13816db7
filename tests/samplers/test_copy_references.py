import torch
from scipy.stats import chisquare

from ood_diffusion.priors.standard_normal import StandardNormal
from ood_diffusion.samplers.copy_references import CopyReferences
from ood_diffusion.seeding import generator

REFERENCES = torch.randn(12, 3, 4, 4, generator=torch.Generator().manual_seed(0))


def chosen(n: int) -> torch.Tensor:
    """Which reference each of n proposals equals, bit for bit."""
    sampler = CopyReferences()
    sampler.bind(REFERENCES, StandardNormal().fit(REFERENCES))
    z = sampler.draw([generator(0, "proposal", i) for i in range(n)])
    assert z.shape == (n, 3, 4, 4) and z.dtype == torch.float32
    equal = (z[:, None] == REFERENCES).flatten(2).all(dim=2)
    assert bool((equal.sum(dim=1) == 1).all())
    return equal.long().argmax(dim=1)


def test_every_reference_is_equally_likely() -> None:
    counts = torch.bincount(chosen(2400), minlength=len(REFERENCES))
    assert chisquare(counts.numpy()).pvalue > 1e-3


def test_choices_are_independent_so_they_repeat() -> None:
    """Neighbouring proposals agree as often as two dice with 12 sides do, not never."""
    which = chosen(2400)
    repeats = int((which[1:] == which[:-1]).sum())
    assert abs(repeats - 2399 / 12) < 4 * (2399 / 12 * 11 / 12) ** 0.5


def test_a_proposal_does_not_depend_on_its_batch() -> None:
    assert torch.equal(chosen(50)[:7], chosen(7))
