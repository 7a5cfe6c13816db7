"""What cannot be had through a public interface: all of it, each with its reason.

`tests/test_compat.py` has a test for each, which fails when an upgrade takes it away.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from traceback import walk_tb

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.singleton import Singleton
from hydra.core.utils import JobRuntime
from hydra.version import VersionBase

STARTED = (GlobalHydra, HydraConfig, JobRuntime, VersionBase)
"""What Hydra knows of the program that it runs; its other objects know what there is to be composed."""


@contextmanager
def hydra_apart() -> Iterator[None]:
    """Hydra as if nobody had started it; then the caller's again, which may be a program of Hydra's.

    Reason: `hydra.compose` works on one configuration per process, and `initialize_config_dir` refuses to
    begin a second one. What a launcher uses, `Singleton.get_state`, gives copies, but somebody may hold the
    objects themselves; so the layout of the state is relied on: its "instances" are a dictionary by class.
    """
    plugins = Plugins.instance()  # before all else: finding them fills the other objects
    caller = Singleton.get_state()
    caller["instances"] = {Plugins: plugins} | {kind: kind.instance() for kind in caller["instances"]}
    known = {kind: it for kind, it in caller["instances"].items() if kind not in STARTED}
    Singleton.set_state({**caller, "instances": known})
    try:
        yield
    finally:
        Singleton.set_state(caller)  # and the resolvers, which Hydra replaces


def is_lost_connection(error: BaseException) -> bool:
    """Whether PyTorch raised `error` because another rank has gone.

    Reason: gloo raises a plain RuntimeError, whose text changes. So what counts is where it was raised: in a
    function of torch.distributed's, where no error of a network or of a disk is.
    """
    names = [str(frame.f_globals.get("__name__")) for frame, _ in walk_tb(error.__traceback__)]
    return isinstance(error, RuntimeError) and names[-1].startswith("torch.distributed.")
