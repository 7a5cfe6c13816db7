import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ood_diffusion.report.results import write_json
from tests.report.fake import results


def test_json_round_trip(tmp_path: Path) -> None:
    write_json(tmp_path / "deep" / "results.json", results())
    assert json.loads((tmp_path / "deep" / "results.json").read_text()) == results()


def test_scalars_of_numpy_and_torch_become_numbers_and_nan_becomes_null(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    write_json(path, {"a": np.float32(0.5), "b": torch.tensor(3), "c": float("nan"), "d": [np.inf, 1]})
    assert json.loads(path.read_text()) == {"a": 0.5, "b": 3, "c": None, "d": [None, 1]}


def test_a_failed_write_keeps_the_old_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["r.json"]
