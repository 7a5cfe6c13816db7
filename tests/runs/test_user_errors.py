"""A user's mistake: one clear message, exit status 2, no traceback, no compute spent."""

import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli import TINY, run_cli
from tests.composed import refused

MISSING = """error: model.path must be set. A folder saved by diffusers or an id on the Hugging Face hub: model.path=google/ddpm-church-256
domain.path must be set. A .npy, .npz, FITS or HDF5 file, a folder of them, or a .zarr store: domain.path=my_maps.npy
domain.axes must be set. What the axes of every array mean, slowest first, such as domain.axes=NHW: HW, HWC or CHW (one map per file), NHW, NHWC or NCHW (N per file)
domain.low must be set. The physical value that the network sees as -1, such as domain.low=0: a number, a list of one for each channel, or references (the least value of all references, recorded)
domain.high must be set. The physical value that the network sees as 1, such as domain.high=100; as low, but references is the largest
"""  # noqa: E501
CONFIG = [
    (["domain=galaxies"], "galaxies_sim"),
    (["prior=nothing"], "shrunk"),
    (["etaa=1"], "etaa"),
    (["eta"], "a setting must be written as name=value, but got 'eta' (missing EQUAL at '<EOF>')."),
    (["steps=0", "--cfg", "job", "steps=700.5.5", "--resolve", "n_samples"], "but got 'n_samples'"),
    (["domain=image_folder"], "domain.path must be set. The folder: domain.path=my_images\n"),
    (["domain=array", "model=diffusers"], MISSING),
    (["domain=null"], "domain must be one of: afhq_cat, "),
    (["domain@training_domain=null"], "domain@training_domain must be one of: afhq_cat, "),
    (["hydra.run.dir=/proc/x"], "of a run must be one that can be made, but got /proc/x. Change hydra.run"),
    (
        ["-m", "eta=0,1", "hydra.sweep.dir=/proc/y"],
        "'/proc/y'. Make it writable or change store, hydra.run.dir or",
    ),
    (["+etaa=1"], "must be one that something reads, but got '+etaa=1'. Did you mean eta?"),
    (["-m", "+swep=eta"], "must be one that something reads, but got '+swep=eta'. Did you mean sweep"),
    (
        ["++own.path=1", "+mine=1", "model.weights=${mine}"],
        "something reads, but got '++own.path=1'. Leave it out",
    ),
    (["domain.path=[a"], "the value of domain.path must be one that Hydra reads, but got [a ("),
    (["-m", "steps=range(0,0)"], "a sweep needs at least one run, but got []"),
    (["metric=[]"], "metric must name at least one metric, but got []"),
    (["trainer="], "trainer must be one of: ddp, default, but got nothing"),
]
SETTINGS = [
    (["eta=-1"], "eta must be a number, at least 0, but got -1"),
    (["eta=1.2"], "eta must lie between 0"),
    (["steps=0"], "steps must be an integer of at least 1, but got 0"),
    (["steps=700"], "steps must not exceed the level (500), but got 700"),
    (["level=1001"], "at most 1000"),
    (["n_samples=0"], "n_samples must be an integer of at least 1, but got 0"),
    (["n_references=1"], "n_references must be an integer of at least 2"),
    (["n_references=7", "prior=shrunk"], "prior=shrunk needs at least 8 references, but got 7"),
    (
        ["n_references=10", "selection=geometric"],
        "selection=geometric needs at least 11 references, but got 10",
    ),
    (["sampler.parents=13"], "sampler=linear_combination needs at least 13 references, but got 12"),
    (["n_samples=5"], "metric=prdc needs n_samples to be at least 6, but got 5"),
    (["n_held_out=3"], "metric=prdc needs n_held_out to be at least 6, but got 3"),
    (["store=/dev/null/store"], "must be a folder, or the place for one"),
    (["stages=[invrt]"], "stages must be chosen from"),
    (["stages=invert"], "stages must be a list"),
    (["stages=null"], "stages must be chosen from"),
    (["store=null"], "store must name a folder, but got None"),
    (["seed=a"], "seed must be an integer"),
    (["batch_size=some"], "batch_size must be an integer"),
    (["precision=fp8"], "precision must be one of: bf16, fp16, fp32, tf32, but got 'fp8'"),
    (["compile=maybe"], "compile must be true or false"),
    (["solver=heun", "eta=0.5"], "heun is deterministic: eta must be 0, but got 0.5"),
    (["solver=fixed_point", "solver.tolerance=0"], "solver.tolerance must be positive"),
    (["solver=edit_friendly"], "eta with solver=edit_friendly must be positive, but got 0.0. Without noise"),
    (["extractor=inception"], "weights-inception-2015-12-05"),
    (["domain=image_folder", "domain.path=nowhere"], "nowhere"),
    (["model.weights=nowhere"], "nowhere does not exist"),
    (["prior=gaussian", "prior.variance=big"], "prior.variance must be one of"),
]


def fails(folder: Path, overrides: list[str], message: str) -> None:
    done = run_cli(folder, *TINY, *overrides)
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert message in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and "Error executing" not in done.stderr
    assert done.stderr.count("error:") == 1
    assert not any(folder.rglob("*.safetensors")), "compute was spent"


@pytest.mark.parametrize(("overrides", "message"), CONFIG, ids=lambda v: v[0] if isinstance(v, list) else "")
def test_configuration(tmp_path: Path, overrides: list[str], message: str) -> None:
    fails(tmp_path, overrides, message)


@pytest.mark.parametrize(
    ("overrides", "message"), SETTINGS, ids=lambda v: v[0] if isinstance(v, list) else ""
)
def test_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overrides: list[str], message: str
) -> None:
    """That the command says so and ends with status 2: the others here."""
    monkeypatch.chdir(tmp_path)
    assert message in refused(tmp_path, *TINY, *overrides)
    assert not any(tmp_path.rglob("*.safetensors")), "compute was spent"


@pytest.mark.parametrize("broken", ["a: [1\nb: {", "a: *nowhere"])
def test_a_broken_settings_file_is_named(broken: str, tmp_path: Path) -> None:
    (tmp_path / "conf" / "domain").mkdir(parents=True)
    (tmp_path / "conf" / "domain" / "mine.yaml").write_text(broken)
    fails(tmp_path, ["domain=mine", f"--config-dir={tmp_path}/conf"], "conf/domain/mine.yaml")


@pytest.mark.parametrize("name", ["Bilder (ä) & it's #1!=x", "日本; ~`$(x)"])
def test_the_quoted_form_of_a_path_can_be_copied(name: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / name).mkdir()
    for i in range(40):
        Image.fromarray(rng.integers(0, 255, (9, 9, 3), dtype=np.uint8)).save(tmp_path / name / f"{i}.png")
    word = f"domain.path={name}"
    fails(tmp_path, ["domain=image_folder", word], "If it is text, such as a path, quote it: ")
    told = run_cli(tmp_path, "domain=image_folder", word).stderr
    (copied,) = shlex.split(told.strip().partition("quote it: ")[2])
    done = run_cli(tmp_path, *TINY, "domain=image_folder", copied, "dry_run=true")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("wrong", "message"),
    [("+lvl=300,500", "Did you mean level?"), ("sampler=draw,none", "Could not find 'sampler/none'")],
)
@pytest.mark.parametrize("dry", ["true", "false"])
def test_a_sweep_that_is_refused_leaves_nothing(dry: str, wrong: str, message: str, tmp_path: Path) -> None:
    fails(tmp_path, ["-m", wrong, f"dry_run={dry}"], message)
    assert not any(tmp_path.iterdir())


def test_a_working_folder_that_reads_as_a_setting(tmp_path: Path) -> None:
    (tmp_path / "a${x}b").mkdir()
    fails(tmp_path / "a${x}b", [], "the path of the working folder must not hold ${")


def test_more_references_than_the_folder_has(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    rng = np.random.default_rng(0)
    for i in range(20):
        Image.fromarray(rng.integers(0, 255, (9, 9, 3), dtype=np.uint8)).save(tmp_path / f"images/{i}.png")
    fails(
        tmp_path,
        ["domain=image_folder", "domain.path=images"],
        "n_references must be at most the 10 reference images of domain=image_folder, but got 12",
    )
