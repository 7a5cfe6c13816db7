"""The page: data, charts, scripts and styles in one file that is allowed to load nothing."""

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from ood_diffusion.checks import Json
from ood_diffusion.claims.compare import kind, qualities
from ood_diffusion.dashboard.album import PLANS, Album
from ood_diffusion.dashboard.charts import specifications, vega_bundle
from ood_diffusion.dashboard.facts import BESIDE, coordinates, facts, share
from ood_diffusion.dashboard.standings import standings
from ood_diffusion.dashboard.theme import DARK, LIGHT, SHAPES, css_variables, vega_config
from ood_diffusion.figures import at
from ood_diffusion.report.collect.command import QUALIFIES
from ood_diffusion.report.collect.run_folder import RunFolder
from ood_diffusion.report.declared import columns, known
from ood_diffusion.report.results import as_json
from ood_diffusion.report.sheets import pictures
from ood_diffusion.report.wording import FID_WARNING

MAX_BYTES = 5_000_000
MOST_PICTURES, FEWEST_PICTURES = 4800, 4
"""Of a kind, of all runs together and of each, that are read: more would not fit into the page."""
ASSETS = Path(__file__).with_name("assets")
SCRIPTS = (
    *("state", "where", "toolbar", "charts", "rows", "save", "tables", "wall", "comparison", "drawer"),
    *("view", "start"),
)
"""In this order they are one script."""
DRAWN = ("series", "ink", "card")
"""Colours of a theme that the script gives to rows of charts."""


def page(
    runs: Sequence[RunFolder], labels: Sequence[str], waiting: int, folder: Path, again: int | None = None
) -> tuple[str, int]:
    """The HTML of runs called `labels`; `waiting` more have not begun.

    Args:
        runs: the runs.
        labels: where each lies, as the page calls it.
        waiting: how many have no folder yet.
        folder: where the page will lie, from which its links lead to the runs.
        again: seconds after which it loads itself anew; None if it does not.

    Returns:
        The text, and how many pictures of a kind any run shows at most: fewer than it has where the page
        would exceed 5 MB, none where it would even so.
    """
    data = {**data_of(runs, labels, waiting, folder), "again": again}
    bundle, album = script_safe(vega_bundle()), Album()
    most = min(PLANS[0].count, max(MOST_PICTURES // max(len(runs), 1), FEWEST_PICTURES))
    albums = [pictures(run.folder, counts(run), most) for run in runs]
    room = MAX_BYTES - len(render(data, bundle).encode())
    for plan in PLANS:
        filled = album.fill(albums, plan, max(room, 0))
        if filled is None:
            continue
        for entry, refers in zip(data["runs"], filled[1], strict=True):
            entry["pictures"] = refers
        text = render({**data, "images": filled[0]}, bundle)
        if len(text.encode()) <= MAX_BYTES:
            break
    return text, max((len(some) for entry in data["runs"] for some in entry["pictures"].values()), default=0)


def data_of(runs: Sequence[RunFolder], labels: Sequence[str], waiting: int, folder: Path) -> Json:
    """Everything that the page shows but pictures, as the script reads it."""
    names = coordinates(runs)
    told = columns([run.results for run in runs], "dashboard")
    equal = {name: qualities(each.path) for name, each in told.items()}
    entries = facts(runs, labels, names, equal, folder)
    kinds = [{name: kind(each, run.results) for name, each in known(run.results, "dashboard").items()}
             for run in runs]  # fmt: skip
    for name in told:
        if len({each[name] for each in kinds if name in each}) > 1:
            equal[name] = {"kinds": f"kind of {name}", **equal[name]}
            for entry, each in zip(entries, kinds, strict=True):
                entry["made"][f"kind of {name}"] = each.get(name)
    alike = {name: share(entries, name) for name in ("config", "versions")}
    comparable = all(len({at(run.results, path) for run in runs if run.results.get("metrics")}) <= 1
                     for path in QUALIFIES)  # fmt: skip
    return {
        "runs": entries,
        "alike": alike,
        "waiting": waiting,
        "coordinates": names,
        "beside": [*BESIDE, "output", "dry_run"],
        "figures": [{"key": name, "name": each.head, "better": each.better, "says": each.says,
                     "equal": equal[name]}
                    for name, each in told.items()
                    if any(name in entry["figures"] for entry in entries)],
        "standings": standings(runs),
        "charts": specifications(),
        "themes": {name: {"config": vega_config(theme), **{part: getattr(theme, part) for part in DRAWN}}
                   for name, theme in (("light", LIGHT), ("dark", DARK))},
        "shapes": SHAPES,
        "warning": "" if comparable else FID_WARNING,
    }  # fmt: skip


def counts(run: RunFolder) -> dict[str, int]:
    """How many references and samples a run has."""
    found = {
        "references": at(run.results, "coordinates/n_references"),
        "samples": at(run.results, "coordinates/n_samples"),
    }
    return {name: int(value) for name, value in found.items() if value is not None}


def render(data: Json, bundle: str) -> str:
    """Fill the template.

    Of scripts only the two that are written here may run, by their hashes, and nothing may be loaded.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    read = {path.name: path.read_text(encoding="utf-8") for path in ASSETS.iterdir() if path.is_file()}
    code = "\n".join(read[f"{name}.js"] for name in SCRIPTS)
    script = script_safe(f'"use strict";\n(() => {{\n{code}\n}})();')
    return (
        environment.from_string(read["template.html.j2"])
        .render(
            data=json_safe(data),
            bundle=bundle,
            script=script,
            hashes=" ".join(source_hash(text) for text in (bundle, script)),
            style=read["style.css"],
            light=css_variables(LIGHT),
            dark=css_variables(DARK),
        )
        .lstrip()
    )


def json_safe(data: Json) -> str:
    """JSON in ASCII that holds no character with which HTML could leave the script element around it.

    In ASCII a folder's name may have bytes that are no UTF-8.
    """
    text = json.dumps(as_json(data), allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def script_safe(code: str) -> str:
    """JavaScript as a script element may hold it: a string in it must not end the element."""
    return code.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def source_hash(code: str) -> str:
    """A script as a Content-Security-Policy names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'"
