"""The W&B workspace: valid for wandb-workspaces, and every name in it is one that runs log."""

import json
import re
import sys
from pathlib import Path

import pytest
import wandb
import wandb_workspaces.workspaces as ws
from wandb_workspaces.workspaces import internal

from ood_diffusion.report.flatten import flatten
from ood_diffusion.report.tracking.log import close_run, log_results, open_run
from tests.report import offline_log
from tests.report.fake import pictures, results
from tests.report.workspace import PATH, asked, panels, script, view

BY_OTHER_STAGES = ("interference/", "bandwidth/")
"""Figures of stages that `fake.results` does not have; these stages' own tests look for them."""


def test_the_view_is_valid_and_comes_back_the_same() -> None:
    model = internal.View.model_validate(json.loads(json.dumps(view())))
    again = ws.Workspace._from_model(model)
    assert again._to_model().model_dump(by_alias=True, exclude_none=True, mode="json") == view()
    assert [section.name for section in again.sections] == [
        "Domain gaps: model × domain",
        "Quality against the domain gap",
        "Curves",
        "Samplers",
        "Pictures",
    ]
    assert len([panel["__id__"] for panel in panels()]) == len({panel["__id__"] for panel in panels()})


def test_quality_is_drawn_against_the_gap_of_either_stage() -> None:
    drawn = [panel["config"] for panel in panels() if panel["viewType"] == "Scatter Plot"]
    against = {(config["xAxis"].partition(":")[2], config["yAxis"].partition(":")[2]) for config in drawn}
    for path in script().QUALITY.values():
        assert {(script().GAP, path), (script().BAND["gap"], path)} <= against
    titles = [config["chartTitle"] for config in drawn]
    assert len(set(titles)) == len(titles)


def test_it_shows_one_group_best_first() -> None:
    (runs,) = view()["spec"]["section"]["runSets"]
    assert {"eta_2026", "group"} <= set(re.findall(r'"([^"]+)"', json.dumps(runs["filters"])))
    (key,) = runs["sort"]["keys"]
    assert key == {"key": {"section": "summary", "name": "metrics/sets/samples/fid"}, "ascending": True}


def test_every_name_is_logged(tmp_path: Path) -> None:
    found = results()
    run = open_run({"mode": "offline"}, found["coordinates"], tmp_path)
    try:
        log_results(run, found, pictures())
    finally:
        close_run(run)
    logged, wanted = offline_log.history(tmp_path), asked()
    own = {name for name in wanted["summary"] if not name.startswith(BY_OTHER_STAGES)}
    assert len(own) > 5 and own <= set(flatten(found)) <= set(offline_log.summary(tmp_path))
    assert len(wanted["config"]) > 6 and wanted["config"] <= set(offline_log.config(tmp_path))
    assert wanted["media"] <= set(logged)
    shown = {key for key in logged if key.startswith(("pictures/", "tables/", "pages/"))}
    assert wanted["media"] == shown, "all that is logged is shown"
    (folder,) = tmp_path.glob("wandb/offline-run-*/files")
    columns = json.loads((folder / logged["tables/run"]["path"]).read_text())["columns"]
    charts = [panel["config"] for panel in panels() if panel["viewType"] == "Vega2"]
    assert charts and all(set(chart["fieldSettings"].values()) <= set(columns) for chart in charts)


def test_the_heat_map_has_the_fields_that_panels_fill() -> None:
    text = json.dumps(script().heat_map())
    fields, strings = (set(re.findall(rf"\${{{kind}:(\w+)}}", text)) for kind in ("field", "string"))
    for chart in (panel["config"] for panel in panels() if panel["viewType"] == "Vega2"):
        assert chart["panelDefId"] == f"me/{script().HEAT_MAP}"
        assert set(chart["fieldSettings"]) == fields and set(chart["stringSettings"]) == strings


@pytest.mark.parametrize("there", [False, True])
def test_the_script_saves_chart_and_view(
    there: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sent: list[object] = []

    class Api:
        def create_custom_chart(self, entity: str, name: str, *_: str, spec: object, **__: str) -> None:
            if there:
                raise wandb.Error("name is taken")
            sent.append((entity, name, spec))

    monkeypatch.setattr(wandb, "Api", Api)
    monkeypatch.setattr(ws.Workspace, "save", lambda self: sent.append(self))
    monkeypatch.setattr(sys, "argv", [str(PATH), "--entity", "me", "--group", "eta_2026"])
    with pytest.raises(SystemExit, match="2"):
        script().main()
    assert "no W&B key at hand" in capsys.readouterr().err and not sent
    monkeypatch.setenv("WANDB_API_KEY", "0123456789" * 4)
    script().main()
    *charts, saved = sent
    assert charts == ([] if there else [("me", script().HEAT_MAP, script().heat_map())])
    assert isinstance(saved, ws.Workspace)
    assert (saved.entity, saved.project, saved.name) == ("me", "ood-diffusion", "Sweep eta_2026")
    assert ("name is taken" in capsys.readouterr().out) == there
