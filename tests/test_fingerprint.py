"""What of an object is part of an address."""

import sys
import types
from dataclasses import dataclass
from logging import getLogger
from typing import Any

import pytest

from ood_diffusion.fingerprint import architecture, described
from tests.lightning.networks import GaussianNetwork


class Plain:
    def __init__(self, scale: float) -> None:
        self.scale = scale


class Slots:
    __slots__ = ("scale",)

    def __init__(self, scale: float) -> None:
        self.scale = scale


class Inherits(Slots):
    pass


@dataclass(slots=True)
class Data:
    scale: float


@pytest.mark.parametrize("kind", [Plain, Slots, Inherits, Data])
def test_a_users_object_counts_by_its_attributes_wherever_they_are(kind: Any) -> None:
    assert described(kind(1.0)) == described(kind(1.0)) != described(kind(2.0))


def test_a_network_may_hold_what_another_module_of_the_user_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    other = types.ModuleType("other_")
    monkeypatch.setitem(sys.modules, "other_", other)
    kind = type("Condition", (Plain,), {"__module__": "other_"})
    found = []
    for scale in (1.0, 1.0, 2.0):
        network = GaussianNetwork()
        network.condition = kind(scale)
        found.append(architecture(network))
    assert found[0] == found[1] != found[2]


def test_an_object_of_a_library_counts_by_its_class() -> None:
    assert described(getLogger("a")) == described(getLogger("b")) == "Logger"
