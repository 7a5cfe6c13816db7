"""`stages=[train]` makes weights that the model loads; the frozen model stays as it was."""

from pathlib import Path

import torch
from safetensors.torch import load_file

from ood_diffusion.runs.configuration import embedded
from tests.cli import results, run_cli

FEW = ["stages=[train]", "n_references=8", "n_held_out=4", "logger=none"]
STEPS = ["training.batch_size=4", "training.warmup_steps=1", "training.checkpoint_every=1"]


def test_training_resumes_and_its_weights_load(tmp_path: Path) -> None:
    done = run_cli(tmp_path, *FEW, *STEPS, "training.max_steps=3", "training.ema_decay=0")
    assert done.returncode == 0, done.stderr
    (first,) = results(tmp_path)
    assert first["train"]["steps"] == 3
    assert first["weights"]["before"] == first["weights"]["after"]
    (weights,) = tmp_path.rglob("weights.safetensors")
    trained, frozen = load_file(weights), load_file(embedded("cats-64.safetensors"))
    assert trained.keys() == frozen.keys()
    assert any(not torch.equal(trained[name], frozen[name]) for name in trained)

    again = run_cli(tmp_path, *FEW, *STEPS, "training.max_steps=3", "training.ema_decay=0")
    assert again.returncode == 0, again.stderr
    twin = next(path for path in tmp_path.rglob("weights.safetensors") if path != weights)
    assert all(torch.equal(a, trained[name]) for name, a in load_file(twin).items())

    used = run_cli(
        tmp_path,
        "stages=[invert]",
        "n_references=8",
        "n_held_out=4",
        "steps=1",
        "logger=none",
        f"model.weights={weights}",
        "batch_size=4",
    )
    assert used.returncode == 0, used.stderr
    assert results(tmp_path)[-1]["weights"]["before"] != first["weights"]["before"]
