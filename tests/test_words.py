"""Fingerprints, generators and the wording of errors."""

import subprocess
import sys

import pytest
import torch

from ood_diffusion.checks import UserError, require, require_choice
from ood_diffusion.fingerprint import fingerprint, tensor_digest, weights_digest
from ood_diffusion.seeding import generator, normal


def test_fingerprint_ignores_key_order_only() -> None:
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 1.5})


def test_fingerprint_refuses_what_it_cannot_express() -> None:
    with pytest.raises(TypeError):
        fingerprint({"a": object()})


def test_tensor_digest_depends_on_values_shape_and_dtype_not_strides() -> None:
    x = torch.arange(6.0).view(2, 3)
    assert tensor_digest(x) == tensor_digest(x.t().contiguous().t())
    assert len({tensor_digest(y) for y in (x, x + 1, x.view(3, 2), x.double())}) == 4


def test_weights_digest_sees_one_changed_bit() -> None:
    layer = torch.nn.Linear(3, 3)
    before = weights_digest(layer.state_dict())
    layer.weight.data[0, 0] += 1e-6
    assert weights_digest(layer.state_dict()) != before


def test_generators_are_the_same_in_every_process() -> None:
    code = (
        "import torch; from ood_diffusion.seeding import generator;"
        "print(torch.randn(1, generator=generator(3, 'noise', 7)).item())"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert float(there) == torch.randn(1, generator=generator(3, "noise", 7)).item()


def test_generators_differ_by_seed_purpose_and_item() -> None:
    names = [(0, "a", 1), (1, "a", 1), (0, "b", 1), (0, "a", 2), (0, "a1", ""), (0, "", "a1")]
    first = {torch.randn(1, generator=generator(*name)).item() for name in names}
    assert len(first) == len(names)


def test_normal_gives_each_item_its_own_row() -> None:
    both = normal([generator(0, i) for i in (1, 2)], (3, 2))
    assert torch.equal(both[1], normal([generator(0, 2)], (3, 2))[0])


def test_wording() -> None:
    with pytest.raises(UserError, match=r"^steps must be positive, but got 0\. Raise it\.$"):
        require(False, "steps must be positive", 0, "Raise it.")
    with pytest.raises(UserError, match="must be one of: a, b, but got 'c'"):
        require_choice("letter", "c", ["b", "a"])
