"""What readers of `results.json` expect in a section is what its stage writes there."""

from collections.abc import Iterator
from dataclasses import dataclass, is_dataclass
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import pytest
from typing_extensions import NotRequired, TypedDict, get_type_hints, is_typeddict

from ood_diffusion.claims.check import Check
from ood_diffusion.report import results
from ood_diffusion.study.bandwidth.section import BandwidthSection
from ood_diffusion.study.few_shot.section import FewShotSection
from ood_diffusion.study.interference.section import InterferenceSection

SECTIONS = {
    results.Bandwidth: BandwidthSection,
    results.Interference: InterferenceSection,
    results.FewShot: FewShotSection,
    results.Check: Check,
}


def without_none(shape: Any) -> Any:
    inside = [each for each in get_args(shape) if each is not NoneType]
    return inside[0] if get_origin(shape) in (Union, UnionType) and len(inside) == 1 else shape


def parted(read: Any, written: Any, path: str = "") -> Iterator[str]:
    """Where what is read is not what is written; a field that may be None may be missing in the file."""
    read, kept = without_none(read), without_none(written)
    if is_typeddict(read):
        fields = get_type_hints(kept) if is_dataclass(kept) else {}
        for key, shape in get_type_hints(read).items():
            always = key in read.__required_keys__ and without_none(fields.get(key)) != fields.get(key)
            yield from [f"{path}/{key}"] if always else parted(shape, fields.get(key), f"{path}/{key}")
    elif get_origin(read) is list:
        yield from parted(get_args(read)[0], next(iter(get_args(kept)), None), f"{path}[]")
    elif get_origin(read) is dict:
        if not is_dataclass(kept):
            yield path
    elif read != kept:
        yield path


@pytest.mark.parametrize("read", SECTIONS, ids=lambda read: read.__name__)
def test_what_is_read_is_what_is_written(read: Any) -> None:
    assert list(parted(read, SECTIONS[read])) == []


class Inner(TypedDict):
    a: float


class Outer(TypedDict, total=False):
    b: list[Inner]
    c: str
    d: int


class Needed(TypedDict):
    e: int
    f: NotRequired[int]


@dataclass
class Wrong:
    a: str


@dataclass
class Written:
    b: list[Wrong]
    c: str | None
    e: int | None
    f: int | None


def test_the_test_would_notice() -> None:
    assert list(parted(Outer, Written)) == ["/b[]/a", "/d"]
    assert list(parted(Needed, Written)) == ["/e"]
