import logging
import os
import signal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import wandb
from PIL import Image

from ood_diffusion.checks import UserError
from ood_diffusion.optional import optional
from ood_diffusion.report.flatten import flatten
from ood_diffusion.report.pictures import grid, pair_grid
from ood_diffusion.report.tracking.log import close_run, known_id, log_results, open_run
from ood_diffusion.report.tracking.mode import resolve_mode
from tests.report import offline_log
from tests.report.fake import pictures, results

KEY = "0123456789" * 4


def test_flatten_names_numbers_by_their_path_and_drops_the_missing() -> None:
    scores = {"fid": np.float32(1.5), "kid": None, "recall": float("nan")}
    flat = flatten({"metrics": {"sets": {"samples": scores}}, "coordinates": {"seed": 3}})
    assert flat == {"metrics/sets/samples/fid": 1.5, "coordinates/seed": 3}


@pytest.mark.slow
def test_an_offline_run_holds_numbers_config_and_visible_images(tmp_path: Path) -> None:
    settings = {"mode": "auto", "project": "trial", "tags": ("a", "b"), "name": None}
    config = {"level": 600, "conf": {"stage": {"interference": {"etas": [0.0, 0.5]}}, "name": None}}
    run = open_run(settings, config, tmp_path)
    try:
        log_results(run, results(), pictures())
    finally:
        close_run(run)
    logged_config = offline_log.config(tmp_path)
    assert logged_config["conf"] == {"stage": {"interference": {"etas": "[0.0, 0.5]"}}, "name": None}
    assert logged_config["level"] == 600
    logged = offline_log.history(tmp_path)
    for key, value in flatten(results()).items():
        if not isinstance(value, str):
            assert logged[key] == value
    assert offline_log.summary(tmp_path)["weights/before"] == results()["weights"]["before"]
    shown = pictures()
    assert shown.reconstructions is not None and shown.samples is not None and shown.nearest is not None
    sheets = {
        "references": grid(shown.references, 8),
        "reference_and_reconstruction": pair_grid(shown.references, shown.reconstructions, 4),
        "samples": grid(shown.samples, 8),
        "sample_and_nearest_reference": pair_grid(shown.samples, shown.nearest, 4),
    }
    assert {key for key in logged if key.startswith("pictures/")} == {f"pictures/{name}" for name in sheets}
    (folder,) = tmp_path.glob("wandb/offline-run-*/files")
    for name, sheet in sheets.items():
        found = logged[f"pictures/{name}"]
        assert found["_type"] == "image-file"
        with Image.open(folder / found["path"]) as image:
            pixels = np.asarray(image.convert("RGB"))
        assert pixels.mean() > 40 and pixels.std() > 10
        np.testing.assert_array_equal(pixels, sheet.permute(1, 2, 0).numpy())
    assert {key.split("/")[1] for key in logged if key.startswith("tables/")} == {
        "run", "reconstructions", "samples",
    }  # fmt: skip


def test_which_way_is_better_is_in_the_run(tmp_path: Path) -> None:
    run = open_run({"mode": "offline"}, {}, tmp_path)
    found = results()
    found["metrics"] |= {"better": {"mauve": "higher", "fid": "lower"}}
    found["metrics"]["sets"]["samples"] |= {"mauve": 0.9, "unknown": 1.0}
    try:
        log_results(run, found, pictures())
    finally:
        close_run(run)
    defined = [record.metric for record in offline_log.records(tmp_path) if record.metric.name]
    least = {metric.name for metric in defined if metric.summary.min}
    most = {metric.name for metric in defined if metric.summary.max}
    assert len(defined) == len(least | most) and not least & most
    sets = ("samples", "reconstructions", "references")
    assert {name for name in least if name.startswith("metrics/")} == {
        "metrics/novelty/copies", *(f"metrics/sets/{x}/{y}" for x in sets for y in ("fid", "kid")),
    }  # fmt: skip
    words = ("precision", "recall", "density", "coverage")
    assert {name for name in most if name.startswith("metrics/")} == {
        "metrics/sets/samples/mauve", *(f"metrics/sets/{x}/{y}" for x in sets for y in words),
    }  # fmt: skip
    assert {"reconstruct/psnr_mean", "cost/images_per_second/invert"} <= most
    assert {"cost/seconds/invert", "cost/network_calls/sample", "cost/peak_memory_mib"} <= least


@pytest.mark.parametrize("failed", [False, True])
def test_a_run_that_failed_says_so(failed: bool, tmp_path: Path) -> None:
    close_run(open_run({"mode": "offline"}, {}, tmp_path), failed)
    (end,) = (r.exit for r in offline_log.records(tmp_path) if r.WhichOneof("record_type") == "exit")
    assert end.exit_code == failed


def test_the_id_of_attempts_that_began_in_one_second(tmp_path: Path) -> None:
    assert known_id(tmp_path) is None
    for name in ("offline-run-20260102_030405-abcd1234", "offline-run-20260102_030405-abcd1234-1"):
        (tmp_path / "wandb" / name).mkdir(parents=True)
        assert known_id(tmp_path) == "abcd1234"


def test_attempts_of_one_folder_are_one_run(tmp_path: Path) -> None:
    """However each ended; once one has ended well, only what it recorded is left to be synced."""
    ids = []
    for attempt in range(4):
        run = open_run({"mode": "offline", "group": "sweep"}, {"attempt": attempt}, tmp_path)
        ids.append(run.id)
        if attempt != 1:  # forgotten, as by a process that was killed
            close_run(run, failed=attempt < 3)
        assert len(list(tmp_path.glob("wandb/offline-run-*"))) == (1 if attempt == 3 else attempt + 1)
    assert len({*ids}) == 1
    assert offline_log.config(tmp_path)["attempt"] == 3
    (said,) = (record.run for record in offline_log.records(tmp_path) if record.run.run_id)
    assert said.run_id == ids[0] and said.run_group == "sweep"


def test_two_runs_in_one_process_do_not_mix(tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("two", 2)):
        run = open_run({"mode": "offline"}, {"seed": seed}, tmp_path / name)
        run.log({"seed": seed})
        if name == "two":  # the first run was forgotten: the second must not write into it
            close_run(run)
    assert offline_log.history(tmp_path / "one")["seed"] == 1
    assert offline_log.history(tmp_path / "two")["seed"] == 2


def test_modes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("prompted"))
    assert resolve_mode("auto") == "offline"
    assert resolve_mode("disabled") == "disabled"
    assert resolve_mode("online") == "offline"
    assert "no API key" in caplog.text
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert resolve_mode("auto") == "disabled"
    assert resolve_mode("offline") == "offline"
    monkeypatch.setenv("WANDB_MODE", "sideways")
    with pytest.raises(UserError, match="WANDB_MODE must be one of"):
        resolve_mode("auto")
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    assert resolve_mode("auto") == "online"
    monkeypatch.delenv("WANDB_API_KEY")
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine api.wandb.ai login user password {KEY}\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    assert resolve_mode("auto") == "online"
    for yes in ("true", "1", "YES", "on"):
        monkeypatch.setenv("WANDB_DISABLED", yes)
        assert resolve_mode("auto") == "disabled" and resolve_mode("offline") == "offline"
    monkeypatch.setenv("WANDB_DISABLED", "false")
    assert resolve_mode("auto") == "online"


def test_online_without_an_answer_falls_back_to_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")  # nobody listens on the discard port
    wandb.teardown()  # forget the settings that earlier tests loaded
    run = open_run({"mode": "online", "init_timeout": 2}, {"seed": 1}, tmp_path)
    run.log({"a": 1})
    close_run(run)
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1 and "continuing offline" in warnings[0].message
    assert offline_log.history(tmp_path)["a"] == 1


def test_a_service_that_is_killed_costs_its_run_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    wandb.teardown()
    before = set(children())
    run = open_run({"mode": "offline"}, {}, tmp_path / "one")
    for process in set(children()) - before:
        os.kill(process, signal.SIGKILL)
    assert run is not None
    with optional("log the results to W&B"):
        log_results(run, results(), pictures())
    close_run(run)
    assert said(caplog)[-1].startswith("could not finish the W&B run (")
    following = open_run({"mode": "offline"}, {}, tmp_path / "two")
    assert following is not None
    following.log({"a": 1})
    close_run(following)
    assert offline_log.history(tmp_path / "two")["a"] == 1


def children() -> list[int]:
    """The processes that this one has started."""
    found = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    return [int(word) for path in found for word in path.read_text().split()]


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.message for r in caplog.records if r.levelno == logging.WARNING and r.name.startswith("ood_")]


STALE = "3-1-tcp-localhost-9"
"""Of a W&B service that has ended: nobody listens there."""


@pytest.mark.parametrize(
    "environment",
    [
        {"WANDB_BASE_URL": "localhost:8080"},
        {"WANDB_SILENT": "maybe"},
        {"WANDB_CONSOLE": "bogus"},
        {"WANDB_RUN_ID": "a/b"},
        {"WANDB_SERVICE": STALE},
        {"WANDB_SERVICE": "garbage"},
    ],
    ids=lambda value: "".join(f"{name}={text}" for name, text in value.items()),
)
def test_a_fault_of_the_environment_costs_the_tracking_only(
    environment: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    wandb.teardown()  # forget the settings that earlier tests loaded
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert open_run({"mode": "auto"}, {}, tmp_path) is None
    (line,) = said(caplog)
    assert line.startswith("W&B could not start offline (") and line.endswith("continuing without it.")


class Refusing(BaseHTTPRequestHandler):
    """A server to which every key is wrong."""

    def do_POST(self) -> None:
        self.send_error(401)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.mark.parametrize("key", ["short", KEY])
def test_a_wrong_key_costs_the_tracking_only(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """W&B refuses one, its server the other."""
    wandb.teardown()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.setenv("WANDB_API_KEY", key)
    run = open_run({"mode": "online", "init_timeout": 20}, {}, tmp_path)
    if run is not None:
        close_run(run)
    server.shutdown()
    (line,) = said(caplog)
    assert line.startswith("W&B could not start online (") and ("continuing" in line)


def test_a_folder_that_cannot_be_written_costs_the_tracking_only(tmp_path: Path) -> None:
    (tmp_path / "wandb").touch()
    run = open_run({"mode": "offline"}, {}, tmp_path)
    if run is not None:
        close_run(run)
    assert (tmp_path / "wandb").is_file()


@pytest.mark.parametrize("error", [OSError("no space left"), ValueError("x"), TypeError(), AssertionError()])
def test_online_then_offline_then_none(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked = []

    def broken(**arguments: object) -> object:
        asked.append(arguments["mode"])
        raise error

    monkeypatch.setattr(wandb, "init", broken)
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    assert open_run({"mode": "online"}, {}, tmp_path) is None
    assert asked == ["online", "offline"]
    (line,) = said(caplog)
    assert line.count(type(error).__name__) == 2 and "continuing without it" in line


@pytest.mark.parametrize(
    ("netrc", "base_url"),
    [(b"machine \xff login x password y", ""), (b"machine\nmachine", ""), (b"", "http://[")],
)
def test_a_damaged_netrc_or_address_is_no_key(
    netrc: bytes, base_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_bytes(netrc)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_BASE_URL", base_url)
    assert resolve_mode("auto") == "offline"
    monkeypatch.setenv("NETRC", "~nobody-of-this-name/netrc")
    assert resolve_mode("auto") == "offline"
