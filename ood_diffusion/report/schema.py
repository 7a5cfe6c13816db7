"""Whether what was read from a file has the shape that a type says, before anything relies on it."""

import functools
import math
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from typing_extensions import get_type_hints, is_typeddict

LARGEST = 1e50
"""No figure comes near it, and squares of smaller ones are finite."""
MOST_PARTS, DEEPEST = 200_000, 60
"""Of a file: far more than any run writes, and few enough to walk through."""
WORDS = {str: "text", bool: "true or false", int: "an integer", float: "a finite number", dict: "a section"}


def mismatch(value: Any, shape: Any, path: str = "") -> str:
    """What is wrong first, as "metrics/n_real must be an integer, but is 'many'"; empty if nothing is.

    Args:
        value: as JSON or YAML was read.
        shape: a TypedDict (other keys may be anything), a list or a dictionary of something, a Literal, a
            union, None, `Any`, `str`, `bool`, `int` (3.0 is one: JSON has one kind of number) or `float`.
        path: of keys that led to `value`.
    """
    origin, inside = get_origin(shape), get_args(shape)
    if origin in (Union, UnionType):
        found = [mismatch(value, each, path) for each in inside if each is not type(None) or value is None]
        return "" if "" in found else found[0]
    if is_typeddict(shape) or origin is dict:
        if not isinstance(value, dict):
            return wrong(value, "a section", path)
        if lacking := sorted(getattr(shape, "__required_keys__", frozenset()) - value.keys()):
            return f"{join(path, lacking[0])} is missing"
        if origin is dict and (strange := [key for key in value if not isinstance(key, str)]):
            return wrong(strange[0], "text", f"a key of {path or 'it'}")
        if inside[1:] == (Any,):
            return ""
        known = hints(shape) if is_typeddict(shape) else dict.fromkeys(value, inside[1])
        parts = [(key, value[key], known[key]) for key in known if key in value]
    elif origin is list:
        if not isinstance(value, list):
            return wrong(value, "a list", path)
        parts = [(str(i), part, inside[0]) for i, part in enumerate(value)]
    else:
        return "" if fits(value, shape) else wrong(value, word(shape), path)
    return next(filter(None, (mismatch(part, its, join(path, key)) for key, part, its in parts)), "")


hints = functools.cache(get_type_hints)
"""Of a TypedDict: every file of a sweep is of the same few."""


def fits(value: Any, shape: Any) -> bool:
    """Whether a value without parts is of this kind; numbers must be finite."""
    if get_origin(shape) is Literal:
        return value in get_args(shape)
    if shape in (int, float):
        number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST
        return number and (shape is float or float(value).is_integer())
    return shape is Any or isinstance(value, type(None) if shape is None else shape)


def unbounded(value: Any) -> str:
    """Why a file holds what no reader could walk through, print or write again; empty if it does not."""
    parts, row = 0, [value]
    for _ in range(DEEPEST):
        parts += len(row)
        if not row:
            return ""
        if parts > MOST_PARTS:
            return f"it has more than {MOST_PARTS:,} parts"
        for each in row:
            if isinstance(each, str) and not writable(each):
                return f"{each!a} is no text"
            if isinstance(each, int | float) and LARGEST < abs(each) < math.inf:
                return "it holds a number beyond 1e50"
        row = [part for each in row for part in inside(each)]
    return f"it is nested more than {DEEPEST} deep"


def inside(value: Any) -> list[Any]:
    """The parts of a section, its keys among them, or of a list."""
    if isinstance(value, dict):
        return [*value, *value.values()]
    return list(value) if isinstance(value, list | tuple | set) else []


def writable(text: str) -> bool:
    """Whether it can be written as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def wrong(value: Any, expected: str, path: str) -> str:
    """The clause that `mismatch` returns."""
    got = repr(value)
    return f"{path or 'it'} must be {expected}, but is {got if len(got) < 60 else got[:56] + ' ...'}"


def word(shape: Any) -> str:
    """What a value without parts should be."""
    return " or ".join(map(repr, get_args(shape))) or WORDS.get(shape, "empty")


def join(path: str, key: Any) -> str:
    """A path of keys, one longer."""
    return f"{path}/{key}" if path else str(key)
