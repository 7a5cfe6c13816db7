"""`ood-diffusion fetch`, from a server on this machine."""

import hashlib
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from ood_diffusion.checks import UserError
from ood_diffusion.runs.configuration import conf_folder
from ood_diffusion.runs.fetch import fetch
from tests.cli import LIMIT, run_cli

DATA = bytes(range(256)) * 2000
MD5, SHA256 = hashlib.md5(DATA).hexdigest(), hashlib.sha256(DATA).hexdigest()
CARDS: dict[str, dict[str, Any]] = yaml.safe_load(Path(conf_folder(), "checkpoints.yaml").read_text())


class Server(ThreadingHTTPServer):
    """Gives `DATA`; hangs up once, after `ends_after` bytes; with `ranges` it can go on from anywhere.

    Before the second half it waits for `go_on`. `/moved` leads to the file, `/loop` to itself.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str | None] = []
        self.ends_after: int | None = None
        self.ranges = True
        self.length: str | None = None
        self.half_given, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/model"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        if self.path != "/model":
            self.send_response(302)
            self.send_header("Location", "/model" if self.path == "/moved" else self.path)
            self.end_headers()
            return
        asked = self.headers["Range"]
        self.server.asked.append(asked)
        first = int(asked[len("bytes=") : -1]) if asked and self.server.ranges else 0
        if first >= len(DATA):
            self.send_error(416)
            return
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", self.server.length or str(len(DATA) - first))
        self.end_headers()
        middle = (first + len(DATA)) // 2
        self.wfile.write(DATA[first:middle][: self.server.ends_after])
        self.server.half_given.set()
        self.server.go_on.wait(LIMIT)
        self.wfile.write(DATA[middle : self.server.ends_after])
        self.server.ends_after = None

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def card(server: Server, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What is known of lsun_church_256 and, as it comes from the same server, of imagenet_256."""
    card = {**CARDS["lsun_church_256"], "url": server.url, "md5": MD5, "bytes": len(DATA)}
    cards = {"lsun_church_256": card, "imagenet_256": card}
    monkeypatch.setattr("ood_diffusion.runs.fetch.yaml.safe_load", lambda text: cards)
    return card


def command(folder: Path, name: str = "lsun_church_256") -> tuple[list[str], Path]:
    return [name, f"--checkpoints={folder}/new"], folder / "new" / "church_outdoor.ckpt"


def test_what_comes_is_shown_checked_and_put_in_its_place(
    card: dict[str, Any], server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, target = command(tmp_path)
    assert fetch(arguments) and target.read_bytes() == DATA
    assert [path.name for path in target.parent.iterdir()] == [target.name]
    shown = capsys.readouterr().out
    for words in (
        server.url,
        card["page"],
        card["licence"],
        f"{len(DATA):,} bytes",
        f"md5 {MD5}",
        str(target),
    ):
        assert words in shown.partition("done")[0]
    assert f"sha256 {SHA256}" in shown and "to have it checked" not in shown
    assert fetch(arguments) and len(server.asked) == 1  # nothing is asked for that is here


@pytest.mark.parametrize("ranges", [True, False])
def test_a_connection_that_ended_is_taken_up(
    card: dict[str, Any], server: Server, ranges: bool, tmp_path: Path
) -> None:
    server.ends_after, server.ranges = 200_000, ranges
    arguments, target = command(tmp_path)
    with pytest.raises(UserError, match=r"ended after 200,000 of 512,000 bytes.*200,000 bytes are kept"):
        fetch(arguments)
    assert not target.exists()
    assert fetch(arguments) and target.read_bytes() == DATA
    assert server.asked == [None, "bytes=200000-"]


def test_a_whole_part_is_enough(card: dict[str, Any], server: Server, tmp_path: Path) -> None:
    """Of a process that was killed before it could look at what had come."""
    arguments, target = command(tmp_path)
    target.parent.mkdir()
    target.with_name(f"{target.name}.part").write_bytes(DATA)
    assert fetch(arguments) and target.read_bytes() == DATA


@pytest.mark.parametrize("published", ["md5", "sha256", "size"])
def test_something_else_is_not_kept(published: str, card: dict[str, Any], tmp_path: Path) -> None:
    card.update({"md5": {"md5": "0" * 32}, "size": {"bytes": 7}, "sha256": {}}[published])
    arguments, target = command(tmp_path, "imagenet_256" if published == "sha256" else "lsun_church_256")
    with pytest.raises(UserError, match=f"must have the published {published}"):
        fetch(arguments)
    assert [path.suffix for path in target.parent.iterdir()] == [".lock"]


def test_an_unpublished_checksum_is_told(
    card: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card.update(md5=None, bytes=None)
    fetch(command(tmp_path)[0])
    shown = capsys.readouterr().out
    assert shown.count("not published") == 2 and f"to have it checked: model.sha256={SHA256}" in shown


def test_a_file_that_is_there_is_checked(card: dict[str, Any], server: Server, tmp_path: Path) -> None:
    arguments, target = command(tmp_path)
    target.parent.mkdir()
    target.write_bytes(b"x" * len(DATA))
    with pytest.raises(UserError, match="must have the published md5"):
        fetch(arguments)
    assert target.exists() and not server.asked  # it may be the user's own
    card["url"] = None  # got by hand
    target.write_bytes(DATA)
    assert fetch(arguments)


def test_without_a_network(card: dict[str, Any], tmp_path: Path) -> None:
    with Server() as gone:
        card["url"] = gone.url
    arguments, target = command(tmp_path)
    with pytest.raises(
        UserError, match=rf"Without a network.* get the file from {card['page']} and put it at {target}"
    ):
        fetch(arguments)


def test_the_command(tmp_path: Path) -> None:
    done = run_cli(tmp_path, "fetch", "afhq_dog_256")
    assert done.returncode == 2 and "put it at checkpoints/afhqdog_p2.pt" in done.stderr
    assert "licence          not stated" in done.stdout


def test_two_at_once_fetch_it_once(
    card: dict[str, Any], server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, target = command(tmp_path)
    server.go_on.clear()
    said: list[str] = []

    def say(what: str, text: str) -> None:
        said.append(f"{what}: {text}")
        if what == "waiting":
            server.go_on.set()

    monkeypatch.setattr("ood_diffusion.runs.fetch.say", say)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(fetch, arguments)
        assert server.half_given.wait(LIMIT)
        second = pool.submit(fetch, arguments)
        assert first.result(LIMIT) and second.result(LIMIT)
    assert target.read_bytes() == DATA and len(server.asked) == 1
    assert "waiting: another process is fetching it" in said
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_redirects_are_followed_and_loops_are_not(
    card: dict[str, Any], server: Server, tmp_path: Path
) -> None:
    arguments, target = command(tmp_path)
    card["url"] = server.url.replace("model", "loop")
    with pytest.raises(UserError, match=r"must come to .*\.part, but got: HTTPError: .*redirect"):
        fetch(arguments)
    card["url"] = server.url.replace("model", "moved")
    assert fetch(arguments) and target.read_bytes() == DATA


def test_a_length_that_is_no_number(card: dict[str, Any], server: Server, tmp_path: Path) -> None:
    server.length = "many"
    arguments, target = command(tmp_path)
    assert fetch(arguments) and target.read_bytes() == DATA


def test_places_where_nothing_can_be_put(card: dict[str, Any], server: Server, tmp_path: Path) -> None:
    arguments, target = command(tmp_path)
    target.mkdir(parents=True)
    with pytest.raises(UserError, match=r"church_outdoor\.ckpt must be a file or not be there"):
        fetch(arguments)
    target.rmdir()
    target.parent.rmdir()
    target.parent.write_text("a file")
    with pytest.raises(UserError, match="--checkpoints must be a folder that can be written, but got: "):
        fetch(arguments)
    assert not server.asked


def test_names(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match=r"the checkpoint to fetch must be one of: afhq_dog_256.*got 'edm'"):
        fetch(["edm"])
    fetch([])
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(CARDS)
    fetch(["cats_64"])
    assert "model=cats_64 comes with the package: there is nothing to fetch" in capsys.readouterr().out


@pytest.mark.parametrize("name", CARDS)
def test_a_card(name: str) -> None:
    card = CARDS[name]
    assert Path(conf_folder(), "model", f"{name}.yaml").is_file()
    assert card["page"].startswith("https://") and card["licence"]
    assert card["url"] is None or card["url"].startswith("https://")
    assert "md5" not in card or re.fullmatch("[0-9a-f]{32}", card["md5"])
