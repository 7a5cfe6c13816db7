"""A stand-in for W&B's server, for ``wandb sync``: it says yes to everything and keeps what is uploaded."""

import gzip
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from tests.cli import LIMIT


class Server(ThreadingHTTPServer):
    """What is uploaded: `uploads`, "run/…" (files of the run) or "artifact/…" -> content; `stream`, name of a
    log -> its lines; `runs`, what was said of each run; `committed`, how many artifacts were completed."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.uploads: dict[str, bytes] = {}
        self.stream: dict[str, Any] = {}
        self.runs: list[dict[str, Any]] = []
        self.committed = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def answer(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        """The data of a GraphQL answer, as far as ``wandb sync`` reads it."""
        file: dict[str, Any] = {"id": "file", "uploadHeaders": []}
        if operation == "UpsertBucket":
            self.runs.append(given)
            project = {"id": "project", "name": given["project"], "entity": {"id": "me", "name": "me"}}
            run = {"id": "run", "name": given["name"], "displayName": "run", "config": given["config"]}
            run |= {"project": project, "historyLineCount": 0}
            return {"upsertBucket": {"bucket": run, "inserted": True}}
        if operation == "CreateRunFiles":
            files = [{"name": name, "uploadUrl": f"{self.url}/run/{name}"} for name in given["files"]]
            return {"createRunFiles": {"runID": "run", "uploadHeaders": [], "files": files}}
        if operation == "CreateArtifact":
            artifact = {"id": "artifact", "state": "PENDING", "artifactSequence": {"id": "sequence"}}
            return {"createArtifact": {"artifact": artifact}}
        if operation == "CreateArtifactManifest":
            manifest = {**file, "name": "manifest", "displayName": "", "uploadUrl": f"{self.url}/manifest"}
            return {"createArtifactManifest": {"artifactManifest": {"id": "manifest", "file": manifest}}}
        if operation == "CreateArtifactFiles":
            names = [entry["name"] for entry in given["input"]["artifactFiles"]]
            nodes = [{**file, "name": x, "uploadUrl": f"{self.url}/artifact/{x}"} for x in names]
            edges = [{"node": {**node, "artifact": {"id": "artifact"}}} for node in nodes]
            return {"createArtifactFiles": {"files": {"edges": edges}}}
        if operation == "CommitArtifact":
            self.committed += 1
            return {"commitArtifact": {"artifact": {"id": "artifact", "digest": ""}}}
        return {"serverInfo": {"features": []}}


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self._body()
        if self.path == "/graphql":
            asked = json.loads(body)
            (operation,) = re.match(r"\s*(?:query|mutation)\s+(\w+)", asked["query"]).groups()  # type: ignore[union-attr]
            self._reply({"data": self.server.answer(operation, asked.get("variables") or {})})
            return
        if self.path.endswith("/file_stream"):
            self.server.stream |= json.loads(body).get("files", {})
        self._reply({})

    def do_PUT(self) -> None:
        self.server.uploads[self.path.removeprefix("/")] = self._body()
        self._reply({})

    def _body(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _reply(self, answer: Any) -> None:
        text = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def sync(folder: Path, home: Path) -> Server:
    """What ``wandb sync`` of the one run below `folder` uploads, from a machine with this home."""
    (run,) = folder.glob("wandb/offline-run-*")
    own = {"WANDB_API_KEY": "0123456789" * 4, "WANDB_ERROR_REPORTING": "false", "HOME": str(home)}
    others = {key: x for key, x in os.environ.items() if key != "WANDB_SERVICE"}  # that of this process
    with serving() as server:
        done = subprocess.run(
            [sys.executable, "-m", "wandb", "sync", "--include-synced", str(run)],
            env={**others, **own, "WANDB_BASE_URL": server.url},
            cwd=home,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    return server
