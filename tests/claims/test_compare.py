"""`ood-diffusion compare`: which interval a difference has, and what must not be compared."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats

from ood_diffusion.checks import UserError
from ood_diffusion.claims.combined import minus
from ood_diffusion.claims.compare import Difference, difference, drawn, runs_of
from ood_diffusion.claims.compare_command import DRAWS, MARGIN, compare
from ood_diffusion.report.collect.run_folder import RunFolder
from ood_diffusion.report.influences import FILE, in_order, keep, read
from ood_diffusion.report.pictures import grid, png_bytes
from ood_diffusion.report.sheets import SEPARATOR
from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.statistics.feature_intervals import NORMAL, fid_influence
from tests.report.fake import images, results, write_run

FID, PSNR = "metrics/sets/samples/fid", "reconstruct/psnr_mean"


def found(fid: float = 100.0, held_out: str = "h", extractor: str = "", **knobs: Any) -> dict[str, Any]:
    """Results with an interval of FID and the digests of the images."""
    made: dict[str, Any] = results()
    made["coordinates"] |= knobs
    made["metrics"]["sets"]["samples"]["fid"] = fid
    made["metrics"]["intervals"] = {
        "samples": {"fid": {"value": fid, "low": fid - 8, "high": fid + 6, "n": 64}}
    }
    made["metrics"]["extractor"] = extractor or made["metrics"]["extractor"]
    used = {name: {"n": 96, "digest": name + held_out} for name in ("references", "held_out")}
    made["data"] = {"domain": {"settings": {}, "used": used}}
    return made


def between(folder: Path, name: str = "fid") -> Difference:
    first, other = runs_of([RunFolder(folder / each) for each in ("0", "1")])
    return difference(name, first, other)


def leave(folder: Path, influences: Any, held_out: Any, psnr: Any = (30.0, 31.0, 35.0)) -> None:
    keep(folder, {FID: {"samples": influences, "held_out": held_out}})
    keep(folder, {PSNR: {"references": psnr}})


def test_paired_it_is_the_interval_of_paired_figures(tmp_path: Path) -> None:
    x, y, real = torch.randn(3, 12, 4).unbind()
    made = [fid_influence(each, real) for each in (x, x + 0.1 * y)]
    for i, each in enumerate(made):
        write_run(tmp_path / str(i), f"eta={i}", found=found(each.value, eta=float(i)))
        leave(tmp_path / str(i), each.of_generated, each.of_real)
    wanted = made[1].minus(made[0]).interval()
    paired = between(tmp_path)
    assert paired.how == "paired: the same held-out images"
    value, low, high = paired.bounds
    assert value == pytest.approx(wanted.value, rel=1e-5)
    student = float(stats.t.ppf(0.975, 11)) / NORMAL
    assert (high - low) / 2 == pytest.approx(student * (wanted.high - wanted.low) / 2, rel=1e-4)


def test_of_a_mean_it_is_students_paired_interval(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(40, 5, 9)
    b = a + rng.normal(1, 0.1, 9)
    for i, values in enumerate((a, b)):
        made = found()
        made["reconstruct"] |= {"psnr_mean": values.mean(), "psnr_sd": values.std(ddof=1), "n": 9}
        write_run(tmp_path / str(i), found=made)
        leave(tmp_path / str(i), [1, 2, 3], [1, 2, 3], values)
    paired = between(tmp_path, "psnr")
    ends = stats.ttest_rel(b, a).confidence_interval()
    assert paired.how == "paired: the same references"
    assert paired.bounds == pytest.approx(((b - a).mean(), *ends), rel=1e-4)
    for each in "01":
        (tmp_path / each / FILE).unlink()
    value, low, high = between(tmp_path, "psnr").bounds  # from the spread of each, as if of other images
    half = np.hypot(*(stats.t.ppf(0.975, 8) * stats.sem(x) for x in (a, b)))
    assert (value - low, high - value) == pytest.approx((half, half))


@pytest.mark.parametrize(
    ("other", "left", "why"),
    [
        ("h", (False, True), f"no {FILE} in A"),
        ("h", (False, False), f"no {FILE} in A and B"),
        ("else", (True, True), "other held-out images"),
    ],
)
def test_what_is_not_paired_combines_both_intervals(
    tmp_path: Path, other: str, left: tuple[bool, bool], why: str
) -> None:
    for i, (digest, there) in enumerate(zip(("h", other), left, strict=True)):
        write_run(tmp_path / str(i), found=found(100.0 - 20 * i, digest))
        if there:
            leave(tmp_path / str(i), [1, 2, 3], [1, 2, 3])
    wanted = minus(Estimate(80, 72, 86, 64), Estimate(100, 92, 106, 64))
    combined = between(tmp_path)
    assert combined.bounds == pytest.approx((wanted.value, wanted.low, wanted.high))
    assert combined.how == f"not paired ({why}): too wide where the runs share images"


def test_what_must_not_be_compared_is_refused(tmp_path: Path) -> None:
    write_run(tmp_path / "0", found=found())
    write_run(tmp_path / "1", found=found(extractor="inception of view log"))
    assert between(tmp_path) == Difference(
        (), "not compared: features efficientnet_lite0 and inception of view log"
    )
    assert between(tmp_path, "novelty").bounds == ()
    assert between(tmp_path, "psnr").bounds[0] == 0
    fewer = found()
    fewer["metrics"]["sets"]["samples"]["n"] = 32
    (tmp_path / "1" / "results.json").write_text(json.dumps(fewer))
    assert between(tmp_path).how == "not compared: numbers of samples 64 and 32"
    assert between(tmp_path, "novelty") == Difference((0.0,), "no interval is recorded")
    del fewer["metrics"]
    (tmp_path / "1" / "results.json").write_text(json.dumps(fewer))
    assert between(tmp_path).how == "not measured by B"


def test_gaps_of_other_images_are_not_compared(tmp_path: Path) -> None:
    places = [("bandwidth", "gap"), ("interference", "training_domain", "fid_unseen")]
    for i, (stage, *inside) in enumerate(places):
        for j, n in enumerate((24, 512)):
            section: Any = {"value": 100.0 + n, "low": 90.0 + n, "high": 110.0 + n, "n": n}
            for key in reversed(inside):
                section = {key: section}
            write_run(tmp_path / str(2 * i + j), found={**found(), stage: section})
    few, many, other_few, _ = runs_of([RunFolder(tmp_path / str(i)) for i in range(4)])
    here = "bandwidth/gap/value of 24 images"
    assert difference("gap", few, many).how == f"not compared: kinds {here} and {here.replace('24', '512')}"
    there = "interference/training_domain/fid_unseen/value of 24 images"
    assert difference("gap", few, other_few).how == f"not compared: kinds {here} and {there}"
    assert difference("gap", few, few).bounds[0] == 0


def test_a_place_is_one_draw_only_where_that_is_recorded_and_alike(tmp_path: Path) -> None:
    def of(name: str, digest: str = "h", config: Any = None, **knobs: Any) -> str:
        knobs = {"selection": "none", **knobs}
        write_run(tmp_path / name, found=found(held_out=digest, **knobs), **(config or {}))
        return drawn(RunFolder(tmp_path / name))

    plain, kept = of("none"), of("kept", selection="geometric")
    assert plain and plain == of("eta", eta=1.0, prior="kde") and plain != kept
    assert len({plain, of("seed", seed=8), of("digest", digest="else")}) == 3
    assert kept == of("kept eta", selection="geometric", eta=1.0)
    assert kept != of("kept prior", selection="geometric", prior="kde")
    assert kept != of("kept less", config={"selection": {"tolerance": 1.0}}, selection="geometric")
    assert of("no seed", seed=None) == ""
    write_run(tmp_path / "no digest", found=results())
    assert drawn(RunFolder(tmp_path / "no digest")) == ""


def test_influences_survive_the_file_and_damage_of_it(tmp_path: Path) -> None:
    digests = ["c", "a", "b"]
    keep(tmp_path, {FID: {"held_out": np.array([3.0, 1.0, 2.0])[in_order(digests)]}})
    keep(tmp_path, {PSNR: {"references": torch.ones(2, dtype=torch.float64)}})
    there = read(tmp_path)
    assert there[FID]["held_out"].tolist() == [1, 2, 3] and there[PSNR]["references"].tolist() == [1, 1]
    (tmp_path / FILE).write_bytes((tmp_path / FILE).read_bytes()[:-30])
    assert read(tmp_path) == {} == read(tmp_path / "nowhere")


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    for i in range(4):
        folder = tmp_path / "sweep" / str(i)
        made = found(100.0 - 20 * i, eta=0.5 * i)
        made["versions"]["torch"] = f"2.{i // 3}"
        write_run(folder, f"eta={0.5 * i:g}", found=made, eta=0.5 * i, error="no" if i == 3 else "")
        leave(folder, [1, 2, 4 + i], [1, 2, 3])
        drawn = images(64, 12, seed=i)
        (folder / "samples.png").write_bytes(png_bytes(grid(drawn, 8)))
    folders = [f"sweep/{i}" for i in range(4)]
    assert compare(folders[:3])
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    assert "A  sweep/0" in said and "eta" in said and "paired: the same held-out images" in said
    assert "+0" not in said and "−20" in said and "a column is one draw" in said
    assert not compare(folders)
    said = capsys.readouterr().out
    assert "D  sweep/3  failed: no" in said and "version of torch" in said
    assert said.count("minus A") == 2  # as many runs side by side as 80 characters hold
    with (tmp_path / "sweep" / "comparison.csv").open() as file:
        table = {(row["figure"], row["run"]): row for row in csv.DictReader(file)}
    fid = table["fid", "sweep/3"]
    assert (fid["eta"], fid["value"], fid["minus_first_value"]) == ("1.5", "40.0", "-60.0")
    assert float(fid["minus_first_low"]) < -60 and fid["why"].startswith("paired")
    assert compare([*folders[:2], "--output", "eta.csv"])
    assert {path.name for path in tmp_path.iterdir()} == {"sweep", "eta.csv", "eta_draws.png"}
    assert compare([*folders[:2], "--output", "eta.csv"]), "its own sheet is replaced"
    for other in (b"notes", png_bytes(images(1, 12, seed=0)[0])):
        (tmp_path / "plot_draws.png").write_bytes(other)
        with pytest.raises(UserError, match=r"plot_draws.png must be free, or a sheet of compare's"):
            compare([*folders[:2], "--output", "plot.csv"])
        assert (tmp_path / "plot_draws.png").read_bytes() == other and not (tmp_path / "plot.csv").exists()
    sheet = np.asarray(Image.open(tmp_path / "sweep" / "comparison_draws.png"))
    assert sheet.shape == (4 * (12 + SEPARATOR), MARGIN + DRAWS * (12 + SEPARATOR), 3)
    for i in range(4):
        tile = sheet[i * 14 :, MARGIN + 14 :][:12, :12]
        np.testing.assert_array_equal(tile, images(64, 12, seed=i)[1].permute(1, 2, 0).numpy())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["0"], "two to 26 different runs"),
        (["0", "sub/../0"], "two to 26 different runs"),
        (["0", "nowhere"], "folders that exist, but got 'nowhere'"),
        (["0", "."], r"left a results.json, but got '\.'. Name runs in it, such as 0"),
        (["0", "new"], "got 'new'. This run has not finished a stage"),
        (["0", "failed"], "got 'failed'. It ended with: eta must lie between 0 and 1."),
        (["0", "old"], "schema 0"),
        (["0", "1", "--output", "a.pdf"], "must be a file that ends in .csv or .parquet"),
    ],
)
def test_errors(arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in "01":
        write_run(tmp_path / name, found=found())
    write_run(tmp_path / "new")
    write_run(tmp_path / "failed", error="eta must lie between 0 and 1.")
    write_run(tmp_path / "old", found={**found(), "schema": 0})
    (tmp_path / "sub").mkdir()
    with pytest.raises(UserError, match=message):
        compare(arguments)
