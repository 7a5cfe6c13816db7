"""The settings of a YAML file with the comments that explain them, which no YAML library keeps."""

from collections.abc import Iterator
from typing import NamedTuple

import yaml


class Setting(NamedTuple):
    """A key of a YAML, dotted, with its value as written and what the comment beside it or above it says."""

    key: str
    value: str
    comment: str


def settings(text: str, package: str) -> list[Setting]:
    """All keys of a YAML in the order of the file, those of `defaults` as the words that replace them."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    return [] if root is None else list(_walk(root, package, text.splitlines()))


def _walk(node: yaml.MappingNode, prefix: str, lines: list[str]) -> Iterator[Setting]:
    for key, value in node.value:
        name = f"{prefix}.{key.value}".lstrip(".")
        if key.value == "defaults":
            yield from _parts(value, prefix, lines)
        elif isinstance(value, yaml.MappingNode) and not value.flow_style:
            yield from _walk(value, name, lines)
        elif key.value != "_target_" or value.value == "???":
            yield Setting(name, _source(value, lines), _comment(key, value, lines))


def _parts(node: yaml.SequenceNode, prefix: str, lines: list[str]) -> Iterator[Setting]:
    """Entries of a defaults list: ``/schedule@schedule: linear`` becomes ``schedule@model.schedule``."""
    for entry in node.value:
        if isinstance(entry, yaml.MappingNode):
            ((key, value),) = entry.value
            group, _, place = key.value.removeprefix("override ").removeprefix("/").partition("@")
            word = f"{group}@{prefix}.{place}" if place and prefix else f"{group}@{place}" if place else group
            yield Setting(word, _source(value, lines), _comment(key, value, lines))
        elif entry.value != "_self_":
            yield Setting("defaults", entry.value, "what is not stated below is as there")


def _source(node: yaml.Node, lines: list[str]) -> str:
    start, end = node.start_mark, node.end_mark
    if start.line == end.line:
        return str(lines[start.line][start.column : end.column])
    return "\n".join([lines[start.line][start.column :], *lines[start.line + 1 : end.line]])


def _comment(key: yaml.Node, value: yaml.Node, lines: list[str]) -> str:
    above: list[str] = []
    for line in reversed(lines[: key.start_mark.line]):
        if not line.strip().startswith("#") or key.start_mark.line - len(above) - 1 < _head_length(lines):
            break
        above.append(line.strip().lstrip("# "))
    beside = lines[value.end_mark.line][value.end_mark.column :] if value.end_mark.line < len(lines) else ""
    beside = beside.partition("#")[2].strip()
    return "\n".join(part for part in (" ".join(reversed(above)), beside) if part)


def _head_length(lines: list[str]) -> int:
    return next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
