"""Pictures out of the sheets of a run, and each different one once."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ood_diffusion.dashboard.album import PLANS, Album, Filled, Plan
from ood_diffusion.report.pictures import Pictures, grid, png_bytes
from ood_diffusion.report.sheets import SHOWN, Pixels, cut, pictures
from ood_diffusion.stages import report
from tests.dashboard.conftest import leave_pictures, pictures_of
from tests.report.fake import images


@pytest.mark.parametrize(("references", "samples"), [(6, 5), (8, 64), (12, 9), (64, 1)])
def test_cutting_undoes_what_the_stage_report_does(references: int, samples: int, tmp_path: Path) -> None:
    given, drawn = images(references, 12), images(samples, 12, seed=1)
    made = Pictures(given, given.flip(2), drawn, given[torch.arange(samples) % references])
    leave_pictures(tmp_path, made)
    found = pictures(tmp_path, {"references": references, "samples": samples})
    wanted = {
        "references": given,
        "reconstructions": given.flip(2),
        "samples": drawn,
        "nearest": made.nearest,
    }
    for kind, tensor in wanted.items():
        assert tensor is not None
        np.testing.assert_array_equal(np.stack(found[kind]), tensor.permute(0, 2, 3, 1).numpy())


def test_it_knows_how_many_pictures_the_stage_shows() -> None:
    assert report.SHOWN == SHOWN


def test_sheets_that_are_not_what_the_results_say_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "references.png").write_bytes(png_bytes(grid(images(16, 12), 8)))
    assert len(cut(tmp_path / "references.png", 16)) == 16
    first = cut(tmp_path / "references.png", 16, 3)
    np.testing.assert_array_equal(np.stack(first), np.stack(cut(tmp_path / "references.png", 16)[:3]))
    assert cut(tmp_path / "references.png", 7) == [] == cut(tmp_path / "references.png", 17)
    whole = (tmp_path / "references.png").read_bytes()
    at = whole.index(b"IDAT")
    shorter = whole[: at - 4] + (100).to_bytes(4, "big") + whole[at:]  # what follows is no chunk
    for damaged in (b"no picture", whole[: len(whole) // 2], shorter):
        (tmp_path / "references.png").write_bytes(damaged)
        assert cut(tmp_path / "references.png", 16) == []
    assert cut(tmp_path / "samples.png", 16) == []


def filled(runs: list[dict[str, list[Pixels]]], plan: Plan) -> Filled:
    made = Album().fill(runs, plan, room=100_000)
    assert made is not None
    return made


def test_equal_pictures_are_held_once(tmp_path: Path) -> None:
    runs = []
    for seed in (1, 2):
        (tmp_path / str(seed)).mkdir()
        leave_pictures(tmp_path / str(seed), pictures_of(seed))
        runs.append(pictures(tmp_path / str(seed), {"references": 6, "samples": 5}))
    held, places = filled(runs, PLANS[0])
    assert places[0]["references"] == places[1]["references"]
    assert places[0]["nearest"] == [places[0]["references"][i] for i in (0, 1, 2, 0, 1)]
    assert len(held) == 6 + 6 + 5 + 5
    fewer, few = filled(runs, Plan(2, 12))
    assert [len(found) for found in few[0].values()] == [2, 2, 2, 2]
    assert sum(map(len, fewer)) < sum(map(len, held)) / 2
    assert Album().fill(runs, PLANS[0], room=100) is None


def test_plans_go_from_generous_to_frugal() -> None:
    sizes = [plan.count * plan.side**2 * (1 + plan.lossless) for plan in PLANS]
    assert sizes == sorted(sizes, reverse=True) and sizes[-1] == 0
