"""`ood-diffusion export RUN`: what a run has made, as files in physical units."""

import argparse
import io
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from omegaconf import OmegaConf
from rich.text import Text
from torch import Tensor

from ood_diffusion.checks import Json, require
from ood_diffusion.extras import import_extra
from ood_diffusion.lightning.ranks import Ranks
from ood_diffusion.report.collect.run_folder import RunFolder
from ood_diffusion.report.pictures import png_bytes
from ood_diffusion.report.results import Results
from ood_diffusion.report.wide import screen
from ood_diffusion.runs.assemble import assemble
from ood_diffusion.runs.execute import quieten
from ood_diffusion.runs.joining import trainer_maker
from ood_diffusion.runs.run import Run
from ood_diffusion.stages.evaluate import samples_of
from ood_diffusion.stages.reconstruct import reconstruction_ids
from ood_diffusion.stages.sample import draw
from ood_diffusion.storage.atomic import atomic_write

WHAT = ("samples", "reconstructions", "latents")
FORMATS = ("npz", "fits", "hdf5", "zarr", "png")
SUFFIXES = {"hdf5": "h5"}
"""Of formats that are not their own."""


def export(arguments: Sequence[str]) -> bool:
    """Write what the command line names; everything is read from the store, nothing is computed.

    Returns:
        True.

    Raises:
        UserError: if the folder holds no run that has finished, the store no longer what it made, or latents
            are to be pictures.
    """
    asked = parser().parse_args(arguments)
    quieten()
    require(
        asked.output is None or not os.path.lexists(asked.output),
        "--output must be new",
        str(asked.output),
        "Name another one, or remove what is there.",
    )
    folder: Path = asked.run.absolute()
    left = RunFolder(folder)
    require(
        "store" in left.results and bool(left.config),
        "export needs the folder of a run that has finished",
        str(folder),
        "For example outputs/runs/<time>.",
    )
    require(
        (asked.what, asked.format) != ("latents", "png"),
        "latents cannot be written as pictures",
        asked.format,
        "Choose --format npz, fits, hdf5 or zarr.",
    )
    with reopened(folder, left.results) as run:
        fields = stored(run, asked.what)
        if asked.format == "png":
            target = asked.output or folder / asked.what
            for i, picture in enumerate(run.view(fields)):
                atomic_write(target / f"{i:06d}.png", png_bytes(picture))
        else:
            ending = SUFFIXES.get(asked.format, asked.format)
            target = asked.output or folder / f"{asked.what}.{ending}"
            values = physical(run, fields) if asked.what != "latents" else fields.numpy()
            header = header_of(run, asked.what)
            if asked.format == "zarr":
                write_zarr(target, asked.what, values, header)
            else:
                atomic_write(target, BYTES[asked.format](asked.what, values, header))
    screen().print(Text(f"{len(fields)} {asked.what}: {target}"), soft_wrap=True)
    return True


def parser() -> argparse.ArgumentParser:
    """Of the arguments after `export`."""
    made = argparse.ArgumentParser(
        prog="ood-diffusion export",
        description="Write what a run has made as one file, in the physical units of its domain, or as "
        "single pictures. Nothing is computed, but the run's settings name the code that reads it: "
        "export runs that you trust.",
    )
    made.add_argument("run", metavar="RUN", type=Path, help="the folder of a run, outputs/runs/<time>")
    made.add_argument("--what", choices=WHAT, default="samples")
    made.add_argument(
        "--format", choices=FORMATS, default="npz", help="zarr: a store; png: a folder of pictures"
    )
    where = "a new file, or folder of pictures (default: RUN/WHAT.FORMAT, RUN/WHAT)"
    made.add_argument("--output", metavar="PATH", type=lambda path: Path(path).absolute(), help=where)
    return made


@contextmanager
def reopened(folder: Path, results: Results) -> Iterator[Run]:
    """The run that left its settings in `folder`, on its store, which is only read.

    Data and weights are looked for where the run found them, so this works in its working folder.
    """
    cfg = OmegaConf.load(folder / ".hydra" / "config.yaml")
    started: Any = OmegaConf.load(folder / ".hydra" / "hydra.yaml")
    OmegaConf.update(cfg, "store", results["store"]["folder"])
    OmegaConf.update(cfg, "store_mode", "readonly")
    OmegaConf.update(cfg, "level", results["coordinates"]["level"])  # as found, where it was to be
    before = Path.cwd()
    os.chdir(started.hydra.runtime.cwd)
    try:
        names = {str(group): str(name) for group, name in started.hydra.runtime.choices.items()}
        yield assemble(cfg, names, folder, Ranks(trainer_maker(cfg.trainer)))  # type: ignore[arg-type]
    finally:
        os.chdir(before)


def stored(run: Run, what: str) -> Tensor:
    """One of `WHAT` from the run's store, ``[n, C, H, W]``, in the order of sampling or of the references."""
    if what == "latents":
        store, ids = draw(run)
    elif what == "samples":
        store, ids = samples_of(run)
    else:
        store, ids = run.decoded(eta=0.0), list(reconstruction_ids(run).values())
    return store.read(ids)


def physical(run: Run, fields: Tensor) -> Any:
    """Float32 in the unit of the domain, or the bytes of photographs."""
    scale = run.domain.physical_scale
    return fields.numpy() if scale is None else scale.to_physical(fields).float().numpy()


def header_of(run: Run, what: str) -> Json:
    """What a file must say of what is in it."""
    settings, scale = run.settings, run.domain.physical_scale
    if what == "latents":
        unit = {"scale": "states of the network"}
    else:
        unit = {"scale": "bytes"} if scale is None else scale.recipe()
    return {
        "what": what,
        "model": run.names["model"],
        "domain": run.names["domain"],
        "sampler": run.names["sampler"],
        "prior": run.names["prior"],
        "level": float(settings.level),
        "steps": settings.steps,
        "eta": settings.eta,
        "seed": settings.seed,
        **unit,
        "version": version("ood-diffusion"),
    }


def npz_bytes(what: str, values: Any, header: Json) -> bytes:
    """An .npz with the array under its name and the header as JSON."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{what: values, "header": np.array(json.dumps(header))})
    return buffer.getvalue()


def fits_bytes(what: str, values: Any, header: Json) -> bytes:
    """A FITS file whose primary array is ``[n, C, H, W]``; entries of lists in the header are numbered."""
    fits = import_extra("astropy.io.fits", "fits")
    hdu = fits.PrimaryHDU(values)
    names = {"softening": "soft"}
    for name, value in header.items():
        for i, each in enumerate(value if isinstance(value, list) else [value]):
            number = str(i) if isinstance(value, list) and len(value) > 1 else ""
            hdu.header[f"{names.get(name, name)}{number}".upper()[:8]] = each
    buffer = io.BytesIO()
    hdu.writeto(buffer)
    return buffer.getvalue()


def hdf5_bytes(what: str, values: Any, header: Json) -> bytes:
    """An HDF5 file with the array under its name and the header as its attributes."""
    library = import_extra("h5py", "hdf5")
    buffer = io.BytesIO()
    with library.File(buffer, "w") as file:
        file.create_dataset(what, data=values, compression="gzip").attrs.update(header)
    return buffer.getvalue()


def write_zarr(target: Path, what: str, values: Any, header: Json) -> None:
    """A zarr store with the array and the header as its attributes, whole or not at all.

    Raises:
        UserError: if there is something at `target`, which for zarr may be any folder.
    """
    library = import_extra("zarr", "zarr")
    require(not target.exists(), "a zarr store must be new", str(target), "Name another --output.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as part:
        group = library.open_group(f"{part}/whole", mode="w")
        group.create_array(what, data=values, chunks=(1, *values.shape[1:])).attrs.update(header)
        os.rename(f"{part}/whole", target)


BYTES = {"npz": npz_bytes, "fits": fits_bytes, "hdf5": hdf5_bytes}
