"""What of a part's code determines its results.

The package's own classes state a results version, the class attribute `version`, which is raised whenever
their numbers change (`tests/contracts/test_versions.py` notices). A user's code states nothing: its source
counts.
"""

import ast
import functools
import hashlib
import importlib.util
import json
import os
import sys
from collections.abc import Iterator, Mapping
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import PackageNotFoundError, metadata, packages_distributions, version
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from torch.nn import Module

OWN = __name__.partition(".")[0]
RECORDED = {"torch"}
"""Packages whose versions are recorded beside the results instead of being part of their address."""
LIBRARY = Path(os.__file__).parent
"""Where Python's own modules are."""
INSTALLED = {"site-packages", "dist-packages"}
"""What the folders of installed packages are called."""
Recipe = dict[str, Any]
"""What determines a result, as JSON: its `fingerprint` is an address in the store."""


def identity(part: object) -> Recipe:
    """What of a part's code determines its results.

    Args:
        part: an instance, a class, a function, or a `functools.partial` of one.

    Returns:
        "name"; the results "versions" of the package's own classes that it is or derives from; and, for what
        is not the package's own, a digest of the "code": see `code_digest`. What an instance holds in an
        attribute, or in a list of one, counts too, where its code is the user's.
    """
    kind = _kind(part)
    kinds: list[Any] = list(kind.__mro__) if isinstance(kind, type) else [kind]
    found: Recipe = {"name": f"{kind.__module__}.{kind.__qualname__}"}
    if stated := [each for each in kinds if is_own(each) and "version" in vars(each)]:
        found["versions"] = {each.__name__: each.version for each in stated}
    if kind is not part:
        kinds += [held for held in map(_kind, _held(part)) if is_users(held)]
    if code := [code_digest(each) for each in kinds if is_foreign(each)]:
        found["code"] = _digest(code)
    return found


def network_identity(network: Module) -> list[Recipe]:
    """`identity` of the classes in a network, except PyTorch's.

    A class of the package's with a results version stands for what it holds.
    """
    kind = type(network)
    known = identity(kind)
    found = [known] if is_own(kind) or is_foreign(kind) else []
    if "versions" not in known or is_foreign(kind):
        for part in network.children():
            found += [each for each in network_identity(part) if each not in found]
    return found


def targets(config: object) -> Recipe:
    """`identity` of whatever a configuration, plain dictionaries and lists, names in `_target_`."""
    from hydra.utils import get_object

    found = {}
    if isinstance(config, Mapping):
        if isinstance(target := config.get("_target_"), str):
            found[target] = identity(get_object(target))
        config = list(config.values())
    if isinstance(config, list):
        for value in config:
            found |= targets(value)
    return found


def is_own(kind: Any) -> bool:
    """Whether a class or function is the package's."""
    return _top(kind) == OWN


def is_foreign(kind: Any) -> bool:
    """Whether the code of a class or function counts: neither the package's, nor Python's, nor PyTorch's."""
    file = _file(kind.__module__)
    if file is None:
        return _top(kind) not in sys.stdlib_module_names
    return _top(kind) not in {OWN, *RECORDED} and not (file.is_relative_to(LIBRARY) and not _installed(kind))


def is_users(kind: Any) -> bool:
    """Whether the code of a class or function counts and is not installed."""
    return is_foreign(kind) and not _installed(kind)


def code_digest(kind: Any) -> str:
    """Hash the code of a class or function to 16 hexadecimal digits.

    Its module counts and, in turn, every module that one of them imports and that is neither installed nor
    Python's, wherever it lies; comments and layout do not. Of an installed package the module and the
    package's version count. What has no file, such as a cell of a notebook, counts as it was compiled, with
    the functions, classes and constants that it uses.
    """
    file = _file(kind.__module__)
    if file is None:
        return _digest(sorted(_compiled(kind, {}).items()))
    if _installed(kind):
        return _digest(
            [_read(kind.__module__, file, sys.modules.get(kind.__module__))[0], *_release(_top(kind))]
        )
    return _digest(sorted(_sources(kind.__module__, file).items()))


@functools.cache
def _release(package: str) -> list[str]:
    """Name and version of what was installed to be imported as `package`."""
    try:
        names = [metadata(package)["Name"]]
    except PackageNotFoundError:
        names = sorted(set(packages_distributions().get(package, ())))  # seconds
    return [f"{name}=={version(name)}" for name in names]


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _kind(value: object) -> Any:
    """The class of an instance; or the class or function that `value` is, or is a partial or a method of."""
    while isinstance(value, functools.partial):
        value = value.func
    if isinstance(value, MethodType):
        return _kind(value.__self__)
    return value if isinstance(value, type | FunctionType) else type(value)


def _held(part: object) -> Iterator[object]:
    """The values of an instance's attributes, and the items of those that are lists or tuples."""
    for _, value in sorted(getattr(part, "__dict__", {}).items()):
        yield from value if isinstance(value, list | tuple) else (value,)


def _top(kind: Any) -> str:
    return str(kind.__module__).partition(".")[0]


def _installed(kind: Any) -> bool:
    """Whether a class or function is part of an installed package."""
    file = _file(kind.__module__)
    return file is not None and bool(INSTALLED & set(file.parts))


def _spec(name: str) -> ModuleSpec | None:
    """Where a module is found, without importing anything; None: nowhere."""
    if name in sys.modules:
        return getattr(sys.modules[name], "__spec__", None)
    package = name.rpartition(".")[0]
    try:
        if not package:
            return importlib.util.find_spec(name)
        around = _spec(package)
        inside = around.submodule_search_locations if around else None
        return PathFinder.find_spec(name, list(inside)) if inside else None
    except (ImportError, ValueError):
        return None


def _file(name: str) -> Path | None:
    """The file of a module; None if it has none."""
    spec = _spec(name)
    place = spec.origin if spec and spec.has_location else getattr(sys.modules.get(name), "__file__", None)
    return Path(os.path.abspath(place)) if place and os.path.isfile(place) else None


def _sources(name: str, file: Path) -> dict[str, str]:
    """Digests of a module and of what it imports: by their paths from the folder that holds its package on,
    or by their names if they lie elsewhere.
    """
    module = sys.modules.get(name)
    if name == "__main__":
        name = getattr(_spec(name), "name", file.stem)
    root = file.parents[name.count(".") + (file.name == "__init__.py")]
    digest, imported = _read(name, file, module)
    found = {file.relative_to(root).as_posix(): digest}
    todo = seen = imported | _outer(name)
    while todo:
        files = {each: _file(each) for each in todo if each.partition(".")[0] not in {OWN, *RECORDED}}
        todo = set()
        for each, place in files.items():
            inside = place and place.is_relative_to(root)
            if place and not INSTALLED & set(place.parts) and (inside or not place.is_relative_to(LIBRARY)):
                key = place.relative_to(root).as_posix() if inside else each
                found[key], imported = _read(each, place, sys.modules.get(each))
                todo |= imported - seen
        seen = seen | todo
    return found


def _outer(name: str) -> set[str]:
    """The packages around a module, whose `__init__` runs before it."""
    parts = name.split(".")
    return {".".join(parts[:n]) for n in range(1, len(parts))}


_read_before: dict[tuple[str, Path], tuple[object, tuple[str, set[str]]]] = {}


def _read(name: str, file: Path, module: ModuleType | None) -> tuple[str, set[str]]:
    """A module's digest and the names of all that it may import, as they were when it was first read.

    Edits of its file count once it has been loaded again, which gives it another ``__spec__``.
    """
    loaded = getattr(module, "__spec__", None) or module
    before = _read_before.get((name, file))
    if before is None or loaded is None or before[0] is not loaded:
        _read_before[name, file] = before = loaded, _parsed(name, file)
    return before[1]


def _parsed(name: str, file: Path) -> tuple[str, set[str]]:
    content = file.read_bytes()
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):  # no Python source
        return hashlib.sha256(content).hexdigest(), set()
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            outer = package.rsplit(".", node.level - 1)[0] if node.level else ""
            module = ".".join(part for part in (outer, node.module) if part)
            found |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    found |= {outer for each in found for outer in _outer(each)}
    return hashlib.sha256(ast.unparse(tree).encode()).hexdigest(), found


def _compiled(kind: Any, found: dict[str, object]) -> dict[str, object]:
    """Add to `found`, by name, what was compiled of a class or function and what that uses of its module."""
    if kind.__qualname__ in found:
        return found
    texts: list[object] = []
    found[kind.__qualname__] = texts
    for name, member in [("", kind)] if isinstance(kind, FunctionType) else sorted(vars(kind).items()):
        function = getattr(member, "fget", None) or getattr(member, "__wrapped__", None) or member
        function = getattr(function, "__func__", function)
        if not isinstance(function, FunctionType):
            texts.append([name, _constant(member)])
            continue
        texts.append([name, _instructions(function.__code__), _constant(function.__defaults__)])
        for used in sorted(_names(function.__code__) & function.__globals__.keys()):
            value = function.__globals__[used]
            if isinstance(value, type | FunctionType) and value.__module__ == kind.__module__:
                _compiled(value, found)
            elif isinstance(value, type | FunctionType) and is_foreign(value):
                found[used] = code_digest(value)
            else:
                found[used] = _constant(value)
    return found


def _constant(value: object) -> str:
    """Numbers and texts as text; nothing for all else, whose text may differ from process to process."""
    if isinstance(value, list | tuple | frozenset):
        texts = [_constant(each) for each in value]
        return f"[{','.join(sorted(texts) if isinstance(value, frozenset) else texts)}]"
    return repr(value) if isinstance(value, int | float | complex | str | bytes | None) else ""


def _instructions(code: CodeType) -> list[object]:
    inner = [_instructions(x) if isinstance(x, CodeType) else _constant(x) for x in code.co_consts]
    return [code.co_code.hex(), [*code.co_names], inner]


def _names(code: CodeType) -> set[str]:
    return {*code.co_names}.union(*(_names(x) for x in code.co_consts if isinstance(x, CodeType)))
