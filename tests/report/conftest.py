import os

import pytest


@pytest.fixture(autouse=True)
def _no_wandb_of_the_host(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No key, no mode and no settings of the person who runs the tests reach the tests."""
    os.environ.pop("WANDB_SERVICE", None)  # of this process's own: put back, it may be of one that has ended
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NETRC", str(home / "netrc"))
    monkeypatch.setenv("WANDB_SILENT", "true")
