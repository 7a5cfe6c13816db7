"""Where the domain gap comes from."""

from pathlib import Path
from typing import Any

from ood_diffusion.dashboard.facts import coordinates, facts
from ood_diffusion.report.collect.run_folder import find_runs
from tests.dashboard.conftest import estimate, found
from tests.report.fake import write_run


def leave(folder: Path, seed: int, domain: str = "galaxies", **gaps: tuple[float, int]) -> None:
    """A run that measured a gap in these stages: value and number of images."""
    made = found(seed=seed, domain=domain)
    inside = {"bandwidth": ("gap",), "interference": ("training_domain", "fid_unseen")}
    for stage, (value, n) in gaps.items():
        part: Any = {**estimate(value, 10), "n": n}
        for key in reversed(inside[stage]):
            part = {key: part}
        made[stage] = part
    write_run(folder / str(seed), f"domain={domain}", f"seed={seed}", found=made, seed=seed)


def read(folder: Path) -> list[tuple[float | None, float | None]]:
    """Of each run: the gap that it is drawn against, and that among its figures."""
    runs = find_runs(folder)
    entries = facts(runs, [str(i) for i in range(len(runs))], coordinates(runs), {}, folder)
    return [((each["gap"] or [None])[0], each["figures"].get("gap", [None])[0]) for each in entries]


def test_held_out_images_measure_it_where_references_did_not(tmp_path: Path) -> None:
    leave(tmp_path, 0, interference=(500, 8))
    leave(tmp_path, 1, interference=(300, 32))
    leave(tmp_path, 2)
    leave(tmp_path, 3, domain="fields")
    assert read(tmp_path) == [(500, 500), (300, 300), (300, None), (None, None)]  # from the most images


def test_a_place_has_one_kind(tmp_path: Path) -> None:
    leave(tmp_path, 0, interference=(500, 64))
    leave(tmp_path, 1, bandwidth=(700, 16), interference=(510, 64))
    leave(tmp_path, 2, bandwidth=(720, 16))
    leave(tmp_path, 3, domain="fields", interference=(400, 64))
    assert read(tmp_path) == [(710, None), (700, 700), (720, 720), (400, 400)]
