"""What the package offers and the contracts that people extend have an example; every example is true.

The same by hand: ``pytest --doctest-modules ood_diffusion``.
"""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import ood_diffusion

PACKAGE = Path(ood_diffusion.__file__).parent
MODULES = [
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    for path in sorted(PACKAGE.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]
CONTRACTS = {
    "diffusion.solver": "Solver",
    "domains.base": "Domain",
    "metrics.base": "FeatureExtractor",
    "priors.base": "Prior",
    "samplers.base": "Sampler",
}


@pytest.mark.parametrize("module", MODULES)
def test_examples_are_true(module: str) -> None:
    result = doctest.testmod(import_module(module))
    assert result.attempted and not result.failed


def test_everything_public_has_an_example() -> None:
    public = [getattr(ood_diffusion, name) for name in ood_diffusion.__all__]
    public += [getattr(import_module(f"ood_diffusion.{module}"), name) for module, name in CONTRACTS.items()]
    without = [thing.__qualname__ for thing in public if ">>> " not in (thing.__doc__ or "")]
    assert not without


def test_a_wrong_example_would_be_noticed() -> None:
    wrong = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, None)
    assert doctest.DocTestRunner(verbose=False).run(wrong, out=lambda text: None).failed == 1
