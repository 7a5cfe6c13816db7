"""The W&B workspace that compares the runs of a sweep (docs/wandb.md). It needs the extra `workspaces`.

python sweeps/wandb/workspace.py --entity ME --group eta_2026-11-25_20-32-09-049545
"""

import argparse
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ood_diffusion.report.tracking.mode import has_key

HEAT_MAP = "ood_diffusion_heat_map"
"""What W&B calls the chart in heat_map.json, which W&B has no panel for."""
SAMPLES = "metrics/sets/samples/"
QUALITY = {
    "FID": f"{SAMPLES}fid",
    "KID": f"{SAMPLES}kid",
    "precision": f"{SAMPLES}precision",
    "recall": f"{SAMPLES}recall",
    "novelty": "metrics/novelty/ratio",
}
HEAT_MAPS = {"FID of the samples": "fid", "FID of real images": "fid_of_references", "novelty": "novelty"}
"""Title -> column of the table "run"."""
GAP = "interference/training_domain/fid_unseen/value"
"""FID between the unseen domain and the training domain, by the stage interference: of held-out images."""
BAND = {"gap": "bandwidth/gap/value", "band": "bandwidth/comparison/unseen/value"}
"""The same by the stage bandwidth, of references, and how far one may move from a latent, in degrees."""
PSNR = "reconstruct/psnr_mean"
CURVES = {"eta": ("FID", "KID", "novelty"), "level": ("FID", "novelty"), "n_references": ("FID", "recall")}
"""Knob -> what is drawn against it."""
WAYS = ("prior", "sampler", "selection", "eta")
PICTURES = ("samples", "sample_and_nearest_reference", "reference_and_reconstruction", "references")
TABLES = ("samples", "reconstructions")


def workspace(entity: str, project: str, group: str) -> Any:
    """The specification of the workspace; nothing is sent.

    Args:
        entity: the user or team that owns it, and the heat map's chart.
        project: where the runs are.
        group: the sweep's, as W&B shows it.
    """
    import wandb_workspaces.workspaces as ws
    from wandb_workspaces import expr

    best_first = expr.Ordering(expr.Summary(QUALITY["FID"]), ascending=True)
    shown = [
        *(f"config:{x}" for x in ("model", "domain", *WAYS)),
        *(f"summary:{x}" for x in QUALITY.values()),
    ]
    return ws.Workspace(
        entity=entity,
        project=project,
        name=f"Sweep {group}",
        sections=[
            ws.Section(name=name, panels=panels, is_open=True) for name, panels in sections(entity).items()
        ],
        settings=ws.WorkspaceSettings(max_runs=500),
        runset_settings=ws.RunsetSettings(
            filters=[expr.Metric("Group") == group], order=[best_first], pinned_columns=shown
        ),
    )


def sections(entity: str) -> dict[str, list[Any]]:
    """Name of a section -> its panels, in the order in which they are read."""
    import wandb_workspaces.reports.v2 as wr

    def scatter(title: str, x: Any, path: str, **more: Any) -> Any:
        return wr.ScatterPlot(title=title, x=x, y=wr.SummaryMetric(path), **more)

    path = QUALITY["FID"]
    gaps = {"interference": wr.SummaryMetric(GAP), "bandwidth": wr.SummaryMetric(BAND["gap"])}
    way = [wr.ParallelCoordinatesPlotColumn(metric=wr.Config(x), display_name=x) for x in WAYS]
    ends = [
        wr.ParallelCoordinatesPlotColumn(metric=wr.SummaryMetric(x), display_name=name)
        for name, x in QUALITY.items()
    ]
    return {
        "Domain gaps: model × domain": [
            wr.CustomChart(
                query={"summaryTable": {"tableKey": "tables/run"}},
                chart_name=f"{entity}/{HEAT_MAP}",
                chart_fields={"x": "domain", "y": "model", "value": column},
                chart_strings={"title": title},
            )
            for title, column in HEAT_MAPS.items()
        ],
        "Quality against the domain gap": [
            *(
                scatter(f"{name} against the gap, by {stage}", gap, x, regression=True)
                for stage, gap in gaps.items()
                for name, x in QUALITY.items()
            ),
            scatter("usable band (degrees) against the gap", gaps["bandwidth"], BAND["band"]),
        ],
        "Curves": [
            *(
                scatter(f"{name} against {knob}", wr.Config(knob), QUALITY[name])
                for knob, names in CURVES.items()
                for name in names
            ),
            scatter("round-trip PSNR (dB) against steps", wr.Config("steps"), PSNR, log_x=True),
        ],
        "Samplers": [
            *(
                wr.BarPlot(
                    title=f"FID by {x}", metrics=[path], groupby=wr.Config(x), groupby_rangefunc="stderr"
                )
                for x in ("sampler", "prior")
            ),
            wr.ParallelCoordinatesPlot(title="ways to propose latents", columns=way + ends),
        ],
        "Pictures": [
            *(
                wr.MediaBrowser(title=x.replace("_", " "), media_keys=[f"pictures/{x}"], gallery_axis="run")
                for x in PICTURES
            ),
            *(wr.WeavePanelSummaryTable(table_name=f"tables/{x}") for x in TABLES),
            *(wr.MediaBrowser(title=f"{x}, row by row", media_keys=[f"pages/{x}"]) for x in TABLES),
        ],
    }


def heat_map() -> dict[str, Any]:
    """The chart of a figure over two coordinates, in Vega-Lite, with W&B's placeholders."""
    found: dict[str, Any] = json.loads((Path(__file__).parent / "heat_map.json").read_text())
    return found


def main() -> None:
    """Save the chart of the heat maps, then the workspace that shows it."""
    import wandb

    parser = argparse.ArgumentParser(description="Save a W&B workspace that compares the runs of a sweep.")
    parser.add_argument("--entity", required=True, help="user or team on W&B")
    parser.add_argument("--project", default="ood-diffusion", help="logger.project of the runs")
    parser.add_argument("--group", required=True, help="of the sweep: its name and that of its folder")
    asked = parser.parse_args()
    if find_spec("wandb_workspaces") is None:
        parser.error('wandb-workspaces is not installed. Run `pip install "ood-diffusion[workspaces]"`.')
    if not has_key():
        parser.error("no W&B key at hand. Run `wandb login` or set WANDB_API_KEY.")
    try:
        api = wandb.Api()
    except wandb.Error as error:
        parser.error(f"W&B lets nobody in: {error}")
    try:
        api.create_custom_chart(
            asked.entity, HEAT_MAP, "model × domain", spec_type="vega2", access="private", spec=heat_map()
        )
    except wandb.Error as error:  # such as: it is there already
        print(f"The chart of the heat maps was not saved ({error}).")
    workspace(asked.entity, asked.project, asked.group).save()


if __name__ == "__main__":
    main()
