"""Data and checkpoints that cannot work: one clear message, nothing half-written.

That the command says so, in one line and with status 2: test_user_errors.py.
"""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from ood_diffusion.report.collect.run_files import parse_results
from tests.cli import LIMIT, MEANS, QUICK, TINY, environment_with, run_cli
from tests.composed import refused
from tests.models.originals import ddpm
from tests.models.originals.state import random_state
from tests.models.test_originals import SMALL
from tests.models.tiny_pipelines import save_ddpm

RNG = np.random.default_rng(0)
Prepare = Callable[[Path], list[str]]


def noise(width: int = 20, height: int = 20) -> Image.Image:
    return Image.fromarray(RNG.integers(0, 256, (height, width, 3), dtype=np.uint8))


def folder_with(name: str, content: bytes | Image.Image | None, n: int = 30) -> Prepare:
    """A folder of good images and, in their middle, the bad one."""

    def prepare(root: Path) -> list[str]:
        folder = root / "images"
        folder.mkdir()
        for i in range(n):
            noise().save(folder / f"{i}.png")
        if isinstance(content, bytes):
            (folder / name).write_bytes(content)
        elif content is not None:
            content.save(folder / name)
        return ["domain=image_folder", "domain.path=images"]

    return prepare


def truncated_jpeg() -> bytes:
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"cut-{os.getpid()}.jpg"
    noise(200, 200).save(path)
    data = path.read_bytes()
    path.unlink()
    return data[: len(data) // 2]


def shared_image(root: Path) -> list[str]:
    for split in ("references", "held_out"):
        (root / "images" / split).mkdir(parents=True)
        for i in range(20):
            noise().save(root / "images" / split / f"{i}.png")
    shutil.copy(root / "images/references/3.png", root / "images/held_out/other_name.png")
    return ["domain=image_folder", "domain.path=images"]


def zip_with(name: str) -> Prepare:
    def prepare(root: Path) -> list[str]:
        noise().save(root / "a.png")
        with zipfile.ZipFile(root / "images.zip", "w") as archive:
            archive.write(root / "a.png", "a.png")
            archive.writestr(zipfile.ZipInfo(name), (root / "a.png").read_bytes())
        return ["domain=image_zip", "domain.path=images.zip"]

    return prepare


def array_with(value: float) -> Prepare:
    def prepare(root: Path) -> list[str]:
        maps = RNG.random((40, 16, 16)).astype(np.float32)
        maps[7, 3, 3] = value
        np.save(root / "maps.npy", maps)
        return ["domain=array", "domain.path=maps.npy", "domain.axes=NHW", "domain.low=0", "domain.high=1"]

    return prepare


class Code:
    """Unpickling this would run a command."""

    def __reduce__(self) -> Any:
        return os.system, ("touch it_ran",)


def checkpoint(change: Callable[[dict[str, Any]], object]) -> Prepare:
    """A small checkpoint of Ho et al.'s kind with something wrong, for the settings below."""

    def prepare(root: Path) -> list[str]:
        torch.save(change(random_state(ddpm.layout(ch=64, **SMALL), seed=0)), root / "a.ckpt")
        settings = ["image_size=32", "num_channels=64", "channel_mult=[1,2,2]"]
        return ["model=celebahq_256", "model.weights=a.ckpt", *[f"model.{s}" for s in settings]]

    return prepare


def pipeline(**scheduler: Any) -> Prepare:
    def prepare(root: Path) -> list[str]:
        save_ddpm(root / "pipeline", **scheduler)
        path = root / "pipeline/scheduler/scheduler_config.json"
        path.write_text(path.read_text().replace('"epsilon"', '"score"'))
        return ["model=diffusers", "model.path=pipeline"]

    return prepare


def truncated_checkpoint(root: Path) -> list[str]:
    overrides = checkpoint(lambda state: state)(root)
    path = root / "a.ckpt"
    path.write_bytes(path.read_bytes()[:100_000])
    return overrides


BAD: dict[str, tuple[Prepare, str]] = {
    "empty folder": (folder_with("", None, n=0), "domain.path must hold"),
    "one image for two splits": (folder_with("", None, n=1), "at least 2 different"),
    "truncated JPEG": (folder_with("bad.jpg", truncated_jpeg()), "images/bad.jpg"),
    "zero-byte file": (folder_with("bad.png", b""), "images/bad.png"),
    "text renamed .png": (folder_with("bad.png", b"dear diary"), "images/bad.png"),
    "decompression bomb": (folder_with("bad.png", Image.new("1", (20_000, 20_000))), "images/bad.png"),
    "1x1 image": (folder_with("bad.png", noise(1, 1)), "images/bad.png"),
    "NaN in an array": (array_with(float("nan")), "maps.npy"),
    "infinity in an array": (array_with(float("inf")), "maps.npy"),
    "zip with ../": (zip_with("../b.png"), "../b.png"),
    "zip with an absolute path": (zip_with("/b.png"), "/b.png"),
    "nested zip": (zip_with("inner.zip"), "inner.zip"),
    "references = held_out": (shared_image, "references and held_out must not share a picture"),
    "missing data set": (lambda root: ["domain=afhq_dog"], "docs/data.md"),
    "missing checkpoint": (lambda root: ["model=afhq_dog_256"], "checkpoints/afhqdog_p2.pt does not exist"),
    "checkpoint of another architecture": (
        checkpoint(lambda state: {k: v for k, v in state.items() if "attn" not in k}),
        "entries that differ",
    ),
    "checkpoint with NaN": (
        checkpoint(lambda state: {**state, "conv_in.bias": state["conv_in.bias"] * float("nan")}),
        "NaN or infinity in 1 of",
    ),
    "pickle with code": (checkpoint(lambda state: {"state_dict": state, "config": Code()}), "could run code"),
    "truncated checkpoint": (truncated_checkpoint, "must be a whole safetensors or PyTorch file"),
    "unknown prediction type": (
        pipeline(),
        "scheduler_config.json must be one of: epsilon, flow_prediction, sample",
    ),
    "image size not the model's": (lambda root: ["model.image_size=60"], "must be a multiple of 8"),
    "no folder and no hub id": (
        lambda root: ["model=diffusers", "model.path=pipe/line/s"],
        "a folder saved by diffusers or an id",
    ),
}


def left_whole(store: Path) -> None:
    """No temporary file, no shard that cannot be read, no network call's result."""
    assert not list(store.rglob("*.part"))
    for shard in store.rglob("*.safetensors"):
        load_file(shard)
        assert "pictures" in shard.parts, "compute was spent"


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    prepare, message = BAD[name]
    assert message in refused(tmp_path, *TINY, *prepare(tmp_path))
    left_whole(tmp_path / "outputs" / "store")
    assert not (tmp_path / "it_ran").exists()


def test_unusual_images_that_do_work(tmp_path: Path) -> None:
    """CMYK, 16-bit grey, palette with transparency (what they become: tests/domains/test_preprocess.py)."""
    overrides = folder_with("", None)(tmp_path)
    noise().convert("CMYK").save(tmp_path / "images/cmyk.jpg")
    Image.fromarray(RNG.integers(0, 2**16, (20, 20), dtype=np.uint16)).save(tmp_path / "images/grey16.png")
    noise().convert("P").save(tmp_path / "images/palette.png", transparency=3)
    done = run_cli(tmp_path, *TINY, *QUICK, *overrides, "stages=[invert]", "n_references=17")
    assert done.returncode == 0, done.stderr


SMALL_DISKS = [
    ("store=disk/store", "700k", 2, "error: cannot write: [Errno 28] No space left on device"),
    ("hydra.run.dir=disk/run", "20k", 2, "error: cannot write: [Errno 28] No space left on device"),
    ("hydra.run.dir=disk/run", "700k", 0, "could not write report.html (OSError: [Errno 28]"),
]


@pytest.fixture(scope="module")
def on_small_disks(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[int, Path]]:
    """Runs on small disks, in a mount namespace of their own: each one's status, and its folder, in which
    `kept` is what lay on the disk afterwards."""
    root = tmp_path_factory.mktemp("disks")
    own_namespace = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    if subprocess.run([*own_namespace, f"mount -t tmpfs none {root}"], check=False).returncode:
        pytest.skip("this system lets users mount no tmpfs of their own (unshare --map-root-user --mount)")
    before, jobs, after = "", "", ""
    for number, (where, size, *_) in enumerate(SMALL_DISKS):
        folder = root / str(number)
        (folder / "disk").mkdir(parents=True)
        before += f"mount -t tmpfs -o size={size} none {number}/disk && "
        said = {name: f"{folder}/{name}" for name in ("stdout", "stderr")}
        jobs += (
            json.dumps({"folder": str(folder), "overrides": [*TINY, *QUICK, *MEANS, where], **said}) + "\n"
        )
        after += f"; cp -r {number}/disk {number}/kept"
    done = subprocess.run(
        [*own_namespace, f"{before}{sys.executable} -m tests.zygote{after}"],
        cwd=root,
        env=environment_with(),
        input=jobs,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    statuses = [int(line) for line in done.stdout.splitlines()]
    return [(status, root / str(number)) for number, status in enumerate(statuses)]


@pytest.mark.parametrize("number", range(len(SMALL_DISKS)))
def test_full_disk(number: int, on_small_disks: list[tuple[int, Path]]) -> None:
    """What lies on it afterwards is whole. Results that cannot be written end the run; a page that cannot
    does not."""
    where, _, wanted, says = SMALL_DISKS[number]
    status, folder = on_small_disks[number]
    said = (folder / "stderr").read_text()
    assert status == wanted, said
    assert says in said and "Traceback" not in said
    assert not list((folder / "kept").rglob("*.part"))
    shards = list((folder / "kept").rglob("*.safetensors"))
    assert all(load_file(shard) for shard in shards) and bool(shards) == where.startswith("store")
    assert [bool(parse_results(path.read_bytes())) for path in (folder / "kept").rglob("results.json")] == (
        [True] if where.startswith("hydra") and status == 0 else []
    )
