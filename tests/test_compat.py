"""What `ood_diffusion.compat` relies on is still so."""

import multiprocessing
import os
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from hydra import compose, initialize_config_dir, version
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.singleton import Singleton
from hydra.core.utils import JobRuntime
from omegaconf import OmegaConf

from ood_diffusion.compat import STARTED, hydra_apart, is_lost_connection


def test_hydra_keeps_what_it_knows_by_class() -> None:
    for kind in STARTED:
        kind.instance()
    state = Singleton.get_state()
    assert state.keys() == {"instances", "omegaconf_resolvers"}
    assert state["instances"].keys() >= set(STARTED)
    assert all(isinstance(it, kind) for kind, it in state["instances"].items())


def test_a_second_hydra_leaves_the_first_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text("a: 1\njob: ${hydra:job.name}\n")
    with initialize_config_dir(str(tmp_path), job_name="theirs", version_base="1.2"):
        kinds = (*STARTED, ConfigStore)
        before = [kind.instance() for kind in kinds]
        OmegaConf.register_new_resolver("now", lambda _: "theirs", replace=True)
        with pytest.raises(KeyError), hydra_apart():
            assert not GlobalHydra.instance().is_initialized()
            with initialize_config_dir(str(tmp_path), job_name="ours", version_base="1.3"):
                assert compose("settings", return_hydra_config=True).hydra.job.name == "ours"
                assert OmegaConf.create({"t": "${now:%Y}"}).t.isdecimal()
            raise KeyError  # whatever happens
        assert all(kind.instance() is it for kind, it in zip(kinds, before, strict=True))
        assert version.getbase() == version.Version("1.2") and JobRuntime.instance().get("name") == "theirs"
        assert OmegaConf.create({"t": "${now:%Y}"}).t == "theirs"
        assert compose("settings").a == 1


def meet(rank: int, folder: Path) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    dist.barrier()


def meet_and_die(folder: Path) -> None:
    meet(1, folder)
    os._exit(1)


def test_a_rank_that_is_gone_is_a_lost_connection(tmp_path: Path) -> None:
    other = multiprocessing.get_context("fork").Process(target=meet_and_die, args=(tmp_path,))
    other.start()
    try:
        meet(0, tmp_path)
        other.join()
        for call in (dist.barrier, lambda: dist.all_gather_object([None, None], 1)):
            with pytest.raises(RuntimeError) as raised:
                call()
            assert is_lost_connection(raised.value)
    finally:
        dist.destroy_process_group()


def test_other_errors_are_not() -> None:
    with pytest.raises(RuntimeError) as raised:
        torch.zeros(2) @ torch.zeros(3)
    assert not is_lost_connection(raised.value)
    with pytest.raises(RuntimeError, match="gloo") as raised:
        raise RuntimeError("gloo: connection closed by peer")
    assert not is_lost_connection(raised.value)
