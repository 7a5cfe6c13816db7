"""A plausible run for the tests: made-up numbers and coloured ramps."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from ood_diffusion.report.pictures import Pictures
from ood_diffusion.report.results import SCHEMA

STAGES = ("invert", "sample", "evaluate")  # of `results`


def results() -> Any:
    def around(norm: float, angle: float) -> dict[str, float]:
        return {
            "norm_mean": norm,
            "norm_sd": 1.92,
            "origin_angle_mean": angle,
            "origin_angle_sd": 1.53,
            "pair_distance_mean": norm * 1.41,
            "pair_distance_sd": 2.17,
            "vertex_angle_mean": 59.98,
            "vertex_angle_sd": 1.24,
        }

    def judged(n: int, scale: float) -> dict[str, float]:
        scores = {"fid": 143.27, "kid": 0.0318, "precision": 0.6875, "recall": 0.4121, "density": 0.5912}
        return {"n": n} | {key: value * scale for key, value in scores.items()} | {"coverage": 0.3887 * scale}

    return {
        "coordinates": {
            "model": "cats-64",
            "domain": "galaxies",
            "prior": "shrunk",
            "sampler": "proposal",
            "selection": "geometric",
            "solver": "dpmpp_2m",
            "grid": "lambda",
            "extractor": "efficientnet_lite0",
            "eta": 0.25,
            "steps": 24,
            "level": 600.0,
            "seed": 7,
            "n_references": 96,
            "n_held_out": 512,
            "n_samples": 64,
        },
        "reconstruct": {
            "psnr_mean": 39.8123,
            "psnr_sd": 2.134,
            "psnr_min": 31.27,
            "level": 600.0,
            "steps": 24,
            "n": 96,
        },
        "latents": {
            "references": around(108.31, 86.3),
            "samples": around(108.05, 86.42),
            "isotropic": around(110.85, 90.0),
        },
        "sample": {
            "proposed": 4120,
            "accepted": 64,
            "acceptance": {"distance": 0.412, "origin_angle": 0.371, "pair_angle": 0.288, "all": 0.0155},
            "nearest_reference_latent": 0.9132,
        },
        "metrics": {
            "extractor": "efficientnet_lite0",
            "num_features": 1280,
            "n_real": 512,
            "sets": {
                "samples": judged(64, 1.0),
                "reconstructions": judged(95, 0.43),
                "references": judged(96, 0.41),
            },
            "novelty": {"generated": 9.03, "held_out": 9.71, "ratio": 0.9299, "copies": 0.0156},
        },
        "cost": {
            "network_calls": {"invert": 2304, "sample": 1536},
            "seconds": {"invert": 12.31, "sample": 8.437, "evaluate": 31.7},
            "images_per_second": {"invert": 7.83, "sample": 7.62},
            "peak_memory_mib": 1843.2,
        },
        "versions": {"torch": "2.15.0", "ood_diffusion": "0.1.0"},
        "weights": {"before": "3f9a2c" * 5 + "aa", "after": "3f9a2c" * 5 + "aa"},
    }


def images(count: int, size: int = 16, seed: int = 0) -> torch.Tensor:
    """uint8 ``[count, 3, size, size]``, every tile different, mid-bright."""
    generator = torch.Generator().manual_seed(seed)
    base = torch.randint(60, 200, (count, 3, 1, 1), generator=generator)
    ramp = torch.linspace(-40, 40, size).round().long()
    return (base + ramp[:, None]).clamp(0, 255).expand(count, 3, size, size).to(torch.uint8).contiguous()


def pictures(references: int = 6, samples: int = 5, size: int = 16) -> Pictures:
    given, drawn = images(references, size), images(samples, size, seed=1)
    distances = np.linspace(5.0, 9.0, samples)
    return Pictures(given, given.flip(3), drawn, given[:1].expand_as(drawn), distances)


def arrays(center: float, spread: float) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {"references": rng.normal(center, spread, 96), "samples": rng.normal(center, spread, 64)}


def write_run(
    folder: Path,
    *overrides: str,
    found: dict[str, Any] | None = None,
    stages: tuple[str, ...] = STAGES,
    error: str = "",
    **settings: Any,
) -> None:
    """What a run leaves behind; `found` is its results.json."""
    hydra = folder / ".hydra"
    hydra.mkdir(parents=True)
    same = results()["coordinates"]
    knobs = {name: value for name, value in same.items() if not isinstance(value, str)}
    config = {**knobs, "domain": {"seed": 0}, "sampler": {"points": 10}, "dry_run": False, **settings}
    config |= {"stages": list(stages), "store": "outputs/store"}
    (hydra / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    choices = {**{name: value for name, value in same.items() if isinstance(value, str)}, "sweep": "eta"}
    how = {"overrides": {"task": list(overrides)}, "runtime": {"choices": choices}, "verbose": False}
    (hydra / "hydra.yaml").write_text(yaml.safe_dump({"hydra": how}, sort_keys=False))
    if found:
        (folder / "results.json").write_text(json.dumps({"schema": SCHEMA, **found}))
    if error:
        (folder / "error.txt").write_text(error + "\n")
