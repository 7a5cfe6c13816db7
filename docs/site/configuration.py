"""The configuration reference: one page per group of `conf/`, made of the YAML files and their comments."""

import re
from collections.abc import Iterator
from pathlib import Path

from commented import Setting, settings
from mkdocs.exceptions import PluginError

GROUPS = {
    "model": "The frozen network, and what it predicts. [Which ones](../models.md).",
    "domain": "Where images come from. [What each one needs](../data.md).",
    "solver": "How trajectories are integrated, in both directions. [Costs and errors](../solvers.md).",
    "grid": "The sequence of levels. [Costs and errors](../solvers.md).",
    "schedule": "The noise schedule a model was trained with; a part of the model.",
    "prior": "What is learned from the references' latents. [Which one](../sampling.md#priors).",
    "sampler": "How new latents are proposed. [Which one](../sampling.md#samplers).",
    "selection": "Which proposals are kept. [How](../sampling.md#selection).",
    "view": "The RGB picture of a field that eyes and extractors see. [Which one](../data.md).",
    "extractor": "The features in which images are compared; figures of different extractors differ.",
    "control": "The recipe without its network. [Why](../concepts.md#what-the-network-adds).",
    "metric": "What is computed on the features; one or several.",
    "stage": "Settings of the stages that test claims. [What they measure](../claims.md).",
    "baseline": "Whether the stage `preservation` also compares with fine-tuning.",
    "experiment": "Combinations of settings for a purpose.",
    "debug": "Settings to try things out.",
    "sweep": "Sweeps that answer the paper's questions. [What they cost](../sweeps.md).",
    "trainer": "The devices of one run. [From a laptop to a cluster](../cluster.md).",
    "launcher": "Where the runs of a sweep execute. [From a laptop to a cluster](../cluster.md).",
    "sweeper": "Which runs a sweep makes: a grid, or a search. [How](../sweeps.md#search).",
    "logger": "Weights & Biases, a logger of Lightning's, or nothing. [What is logged](../wandb.md).",
    "training": "How the stage `train` trains a copy of the network.",
}
"""Group -> what it is for, in a sentence."""
WORDS = {
    "control": "'control=[{name}]'",
    "metric": "'metric=[{name}]'",
    "schedule": "schedule@model.schedule={name}",
    "stage": "'stages=[{name}]'",
    "sweep": "-m +sweep={name}",
    "launcher": "-m launcher={name}",
    "sweeper": "-m sweeper={name}",
}
"""Group -> how a file of it is chosen, where that is not ``group=name``."""
PACKAGES = {"schedule": "model.schedule"}
"""Group -> where its settings lie, where that is not the group's name and no file says it."""


def knobs(path: Path) -> str:
    """The page of `conf/config.yaml`: the knobs, then every group with its default and its purpose."""
    text = path.read_text(encoding="utf-8")
    _, head = package_and_head(text, "", path)
    found = [s for s in settings(text, "") if not s.key.startswith("hydra.") or s.key.endswith("dir")]
    own = [s for s in found if s.key not in GROUPS]
    chosen = {s.key: s for s in found if s.key in GROUPS}
    rows = [
        f"| [`{group}`]({group}.md) | {code(chosen[group].value if group in chosen else '')} | {says} |"
        for group, says in GROUPS.items()
    ]
    groups = "\n".join(["| group | default | what it chooses |", "|---|---|---|", *rows])
    return "\n\n".join(["# Knobs and defaults", *paragraphs(head), *table(own), "## Groups", groups]) + "\n"


def groups(conf: Path) -> list[str]:
    """The groups below `conf`; each needs its sentence above."""
    found = sorted(path.name for path in conf.iterdir() if any(path.glob("*.yaml")))
    if unknown := set(found) - set(GROUPS):
        raise PluginError(f"GROUPS in {__file__} says nothing of {', '.join(sorted(unknown))}")
    return found


def page(group: str, folder: Path) -> str:
    """The page of one group, in Markdown; `folder` holds its files."""
    parts = [f"# {group}", GROUPS[group]]
    for path in sorted(folder.glob("*.yaml")):
        parts += section(path, group)
    return "\n\n".join(parts) + "\n"


def section(path: Path, group: str) -> Iterator[str]:
    """Heading, head comment, command-line word and settings of one file."""
    text = path.read_text(encoding="utf-8")
    package, head = package_and_head(text, PACKAGES.get(group, group), path)
    yield f"## {path.stem} {{#{path.stem}}}"
    yield from paragraphs(head)
    command = f"ood-diffusion {WORDS.get(group, group + '={name}').format(name=path.stem)}"
    if command not in [line.strip() for line in head]:
        yield f"```bash\n{command}\n```"
    yield from table(settings(text, package))


def package_and_head(text: str, package: str, path: Path) -> tuple[str, list[str]]:
    """Where the file's settings lie, and its head comment, line by line.

    Raises:
        PluginError: if there is none, which ends the build.
    """
    head = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        if line.startswith("# @package"):
            package = line.split()[-1].removeprefix("_global_")
        else:
            head.append(line.removeprefix("#").removeprefix(" "))
    if not "".join(head).strip():
        raise PluginError(f"{path}: a configuration begins with a comment that says what it is")
    return package, head


def table(found: list[Setting]) -> Iterator[str]:
    """The settings as a table, if there are any."""
    if found:
        says = [prose(s.comment).replace("\n", "<br>") for s in found]
        rows = [f"| {code(s.key)} | {code(s.value)} | {say} |" for s, say in zip(found, says, strict=True)]
        yield "\n".join(["| setting | default | meaning |", "|---|---|---|", *rows])


def code(text: str) -> str:
    """`text` as code in a cell of a table; nothing for nothing."""
    return f"`{' '.join(text.split())}`" if text else ""


def prose(text: str) -> str:
    """A comment as Markdown: its code stays code, pages it names become links, the rest is plain text."""
    parts = re.split(r"(`[^`]+`)", text)
    for i in range(0, len(parts), 2):
        plain = re.sub(r"([\\*_\[\]|$])", r"\\\1", parts[i].replace("&", "&amp;").replace("<", "&lt;"))
        parts[i] = re.sub(r"docs/([a-z]+)\.md", r"[docs/\1.md](../\1.md)", plain)
    return "".join(parts)


def paragraphs(head: list[str]) -> Iterator[str]:
    """A head comment as Markdown: indented lines are commands, lines that end early end there."""
    for block in "\n".join(head).split("\n\n"):
        lines = [line for line in block.splitlines() if line.strip()]
        if lines and all(line.startswith("  ") for line in lines):
            yield "```bash\n" + "\n".join(line.strip() for line in lines) + "\n```"
        elif lines:
            yield "\n".join(prose(line) + ("  " if len(line) < 40 else "") for line in lines)
