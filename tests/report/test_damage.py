"""Every command that reads runs names what is damaged, and shows the rest."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ood_diffusion.checks import UserError
from ood_diffusion.claims.leaderboard_command import leaderboard
from ood_diffusion.dashboard import page
from ood_diffusion.dashboard.command import dashboard
from ood_diffusion.report.collect.command import collect
from ood_diffusion.report.collect.rows import find, status
from ood_diffusion.report.results import SCHEMA
from ood_diffusion.study.across_runs import claims
from tests.dashboard.conftest import bandwidth, estimate, found
from tests.report.fake import write_run

COMMANDS = {"collect": collect, "claims": claims, "leaderboard": leaderboard, "dashboard": dashboard}
RESULTS, CONFIG, HYDRA = "results.json", ".hydra/config.yaml", ".hydra/hydra.yaml"
ERROR, MULTIRUN = "error.txt", "multirun.yaml"
FILES = {"results": f"1/{RESULTS}", "config": f"1/{CONFIG}", "hydra": f"1/{HYDRA}", "multirun": MULTIRUN}


def replaced(data: bytes) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        path.write_bytes(data)

    return damage


def cut(share: float) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])

    return damage


def instead(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        path.unlink()
        make(path)

    return damage


ANY = {
    "half": cut(0.5),
    "without its end": cut(0.9),
    "empty": replaced(b""),
    "zeros": replaced(bytes(4096)),
    "no UTF-8": replaced(b"{\xff: 1}"),
    "a list": replaced(b"[1, 2]"),
    "a word": replaced(b'"word"'),
    "a number": replaced(b"7"),
    "NaN": replaced(b"{a: NaN, hydra: NaN}"),
    "nested": replaced(b"[" * 100_000),
    "nested and closed": replaced(b'{"a":' * 900 + b"1" + b"}" * 900),
    "a folder": instead(Path.mkdir),
    "a pipe": instead(os.mkfifo),
    "a link to itself": instead(lambda path: path.symlink_to(path.name)),
    "a device": instead(lambda path: path.symlink_to("/dev/zero")),
    "huge": lambda path: os.truncate(path, 10**10),
}
"""What can happen to any file."""
EXPLODING = "a0: &a0 [x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
)
YAML = {
    "recursive": replaced(b"&a {hydra: *a, stages: *a, store: *a}"),
    "exploding": replaced(EXPLODING.encode()),
    "a tag of Python's": replaced(b"!!python/object/apply:os.system [true]"),
    "a tag that does not fit": replaced(b"stages: !!timestamp x"),
    "no date": replaced(b"stages: 2024-13-45"),
    "a huge number": replaced(b"stages: 0x" + b"f" * 9000),
    "a list as key": replaced(b"? [a]\n: 1"),
    "two documents": replaced(b"stages: []\n---\nstore: x"),
    "no key": replaced(b"stages: []\nstore"),
}  # fmt: skip


def edited(*keys: str, to: object) -> Callable[[Path], None]:
    """Another value at a path of keys."""

    def damage(path: Path) -> None:
        is_json = path.suffix == ".json"
        whole = json.loads(path.read_text()) if is_json else yaml.safe_load(path.read_text())
        inside = whole
        for key in keys[:-1]:
            inside = inside[key]
        inside[keys[-1]] = to
        path.write_text(json.dumps(whole) if is_json else yaml.safe_dump(whole, sort_keys=False))

    return damage


FID = ("metrics", "intervals", "samples", "fid")
EDITS = {
    "results": {
        "another schema": edited("schema", to=SCHEMA + 1),
        "a schema in words": edited("schema", to="two"),
        "a figure in words": edited("metrics", "sets", "samples", "fid", to="low"),
        "a figure without end": edited("metrics", "sets", "samples", "fid", to=float("inf")),
        "a figure like 1e999": replaced(b'{"reconstruct": {"psnr_mean": 1e999}}'),
        "a figure of 400 digits": edited("metrics", "n_real", to=10**400),
        "a number of 5000 digits": replaced(b'{"run": ' + b"9" * 5000 + b"}"),
        "half a surrogate": edited("coordinates", "domain", to="\ud800"),
        "a section in words": edited("metrics", to="good"),
        "a section that is a list": edited("cost", to=[1]),
        "cost in words": edited("cost", "seconds", to={"invert": "long"}),
        "a knob that is a list": edited("coordinates", "n_references", to=[1]),
        "true for a number": edited("coordinates", "steps", to=True),
        "an interval without end": edited(*FID, to={"value": 1.0, "low": 0.0}),
        "an interval in words": edited(*FID, "low", to="low"),
        "checks that are none": edited("analyse", "checks", to=3),
        "a check without verdict": edited("analyse", "checks", to=[{"claim": "C1"}]),
        "a claim without a name": edited("analyse", "checks", 0, "claim", to=99),  # type: ignore[arg-type]
        "checks of no stage": edited("mine", to={"checks": "all"}),
        "levels that are none": edited("bandwidth", "levels", to=[7]),
        "a curve that is none": edited("few_shot", to={"curve": {"a": 1}}),
        "captured in words": edited("interference", to={"own": {"capture": 1}}),
        "versions that are none": edited("versions", to=["torch"]),
    },
    "config": {
        "no stages": edited("stages", to=None),
        "a stage that is a list": edited("stages", to=[["invert"]]),
        "stages in a word": edited("stages", to="invert"),
    },
    "hydra": {
        "no choices": edited("hydra", "runtime", to=None),
        "choices that are none": edited("hydra", "runtime", "choices", to=[1]),
        "choices by number": edited("hydra", "runtime", "choices", to={1: 2}),
        "overrides that are none": edited("hydra", "overrides", "task", to={"eta": 1}),
        "an override that is a number": edited("hydra", "overrides", "task", to=[1]),
    },
    "multirun": {
        "a sweeper in a word": edited("hydra", "sweeper", to="basic"),
        "params that are none": edited("hydra", "sweeper", "params", to=[1]),
        "overrides that are none": edited("hydra", "overrides", to=None),
    },
}
KINDS = [
    pytest.param(file, damage, id=f"{file}: {name}")
    for file in FILES
    for name, damage in {**ANY, **(YAML if file != "results" else {}), **EDITS[file]}.items()
]


def results() -> dict[str, Any]:
    check = {
        "claim": "C1",
        "figure": "PSNR",
        "found": estimate(40, 1),
        "against": "a limit",
        "against_found": estimate(30, 0),
        "verdict": "supported",
        "picture": "",
    }
    made = {"schema": SCHEMA, **found(), "analyse": {"checks": [check]}, "bandwidth": bandwidth()}
    return {**made, "mine": {"free": [1, {"any": None}]}}


@pytest.fixture(autouse=True)
def without_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "vega_bundle", lambda: "")
    monkeypatch.setattr(page, "specifications", dict)
    monkeypatch.setattr(page, "render", lambda data, bundle: json.dumps(data, default=str))
    monkeypatch.setattr("ood_diffusion.claims.leaderboard_command.forest", lambda standings: "")


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Two complete runs."""
    for i in range(2):
        write_run(tmp_path / str(i), f"seed={i}", found=results(), seed=i)
    hydra = {
        "sweeper": {"params": {}},
        "overrides": {"task": ["seed=0,1"]},
        "runtime": {"choices": {"domain": "galaxies", "hydra/sweeper": "basic", "hydra/launcher": "basic"}},
    }
    (tmp_path / MULTIRUN).write_text(
        yaml.safe_dump({"hydra": hydra, "store": "outputs/store"}, sort_keys=False)
    )
    return tmp_path


def said_by(command: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[bool, str]:
    """Whether it says that all is complete, and what it prints."""
    complete = COMMANDS[command]([str(folder)])
    return complete, capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
def test_sound_runs_are_complete(command: str, sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    complete, said = said_by(command, sweep, capsys)
    assert complete and "2 of 2 runs are complete." in said and "damaged" not in said


@pytest.mark.parametrize(("file", "damage"), KINDS)
def test_damage_is_named_and_the_rest_is_shown(
    file: str, damage: Callable[[Path], None], sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(sweep / FILES[file])
    for command in COMMANDS:
        complete, said = said_by(command, sweep, capsys)
        assert not complete
        if file == "multirun":
            assert "2 of 2 runs are complete." in said and f"unreadable: {sweep / MULTIRUN}: " in said
            continue
        assert "1 of 2 runs are complete." in said
        name = FILES[file].removeprefix("1/")
        assert f"damaged: run 1: {name}: " in said or f"other version: run 1: {name}: schema " in said


@pytest.mark.parametrize("name", ["config", "hydra"])
def test_what_hydra_wrote_must_be_there(name: str, sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (sweep / FILES[name]).unlink()
    for command in COMMANDS:
        complete, said = said_by(command, sweep, capsys)
        assert not complete and f"damaged: run 1: {FILES[name][2:]}: it is missing or empty" in said


def test_results_that_are_missing_are_unfinished(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (sweep / FILES["results"]).unlink()
    for command in COMMANDS:
        complete, said = said_by(command, sweep, capsys)
        assert not complete and "unfinished: run 1: 0 of 3 stages done" in said


def test_results_alone_are_a_run_that_is_damaged(sweep: Path) -> None:
    for name in (CONFIG, HYDRA):
        (sweep / "1" / name).unlink()
    (sweep / "1" / ".hydra").rmdir()
    assert status(find(sweep).runs["1"]).word == "damaged"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("empty", "failed: run 1: error.txt is empty"),
        ("no UTF-8", "failed: run 1: {\N{REPLACEMENT CHARACTER}: 1}"),
        ("a folder", "damaged: run 1: error.txt: it is not a file"),
        ("a device", "damaged: run 1: error.txt: it is not a file"),
        ("a link to itself", "damaged: run 1: error.txt: Too many levels of symbolic links"),
        ("huge", "damaged: run 1: error.txt: it has 10,000,000,000 bytes"),
    ],
)
def test_an_error_that_cannot_be_read_is_one(
    name: str, says: str, sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (sweep / "1" / ERROR).write_text("no")
    ANY[name](sweep / "1" / ERROR)
    for command in COMMANDS:
        complete, said = said_by(command, sweep, capsys)
        assert not complete and says in said


def test_control_characters_stay_in_the_file(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (sweep / "1" / ERROR).write_text("line\n\x1b[2Jcleared [bold]")
    for command in COMMANDS:
        _, said = said_by(command, sweep, capsys)
        assert "failed: run 1: line\n\\x1b[2Jcleared [bold]" in said and "\x1b" not in said


@pytest.mark.parametrize("file", [*FILES.values(), f"1/{ERROR}"])
def test_what_may_not_be_read_is_named(
    file: str, sweep: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    read = Path.read_bytes

    def refused(path: Path) -> bytes:
        if path == sweep / file:
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    (sweep / "1" / ERROR).write_text("no")
    monkeypatch.setattr(Path, "read_bytes", refused)
    for command in COMMANDS:
        complete, said = said_by(command, sweep, capsys)
        assert not complete and "Permission denied" in said and Path(file).name in said


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_that_may_not_be_read_is_named(
    command: str, sweep: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    closed, scandir = sweep / "others", os.scandir
    closed.mkdir()

    def refused(path: Any) -> Any:
        if Path(path) == closed:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    complete, said = said_by(command, sweep, capsys)
    assert not complete and "2 of 2 runs are complete." in said
    assert f"unreadable: {closed}: Permission denied" in said


@pytest.mark.parametrize("command", COMMANDS)
def test_where_all_is_damaged_it_is_named(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path / "0", found=results())
    ANY["half"](tmp_path / "0" / RESULTS)
    try:
        complete, said = said_by(command, tmp_path, capsys)
    except UserError as error:
        complete, said = False, str(error)
    assert not complete and "damaged: run 0: results.json: it is not JSON" in said


def test_names_that_are_no_text_or_look_like_markup(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for i, name in enumerate((os.fsdecode(b"\xff"), "[red]", "a\x1b[2Jb")):
        made = results()
        made["coordinates"] |= {"domain": f"[/bold]{i}", "seed": 2**70}
        write_run(tmp_path / name, f"+mine[/x]={i}", found=made)
    for command in COMMANDS:
        complete, said = said_by(command, tmp_path, capsys)
        assert complete and "\x1b" not in said
    assert "\\udcff" in (tmp_path / "runs.csv").read_text()
    pytest.importorskip("pyarrow")
    assert collect([str(tmp_path), "--output", str(tmp_path / "runs.parquet")])


@pytest.mark.parametrize("command", COMMANDS)
def test_an_output_that_cannot_be_written(command: str, sweep: Path) -> None:
    output = sweep / ("t.html" if command == "dashboard" else "t.csv")
    output.mkdir()
    with pytest.raises(
        UserError, match=r"cannot write .*t\.\w+: Is a directory. Name another file by --output"
    ):
        COMMANDS[command]([str(sweep), "--output", str(output)])


def test_damaged_pictures_are_left_out(sweep: Path) -> None:
    for name in ("samples.png", "references.png"):
        (sweep / "1" / name).write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    os.mkfifo(sweep / "0" / "samples.png")
    assert dashboard([str(sweep)])


def test_a_run_of_another_schema_is_ranked_nowhere(sweep: Path) -> None:
    edited("schema", to=SCHEMA + 1)(sweep / "1" / RESULTS)
    other = find(sweep).runs["1"]
    assert status(other).word == "other version" and other.results == {}
    assert f"this version of ood_diffusion reads 1 to {SCHEMA}" in status(other).why


def test_results_without_a_schema_are_of_the_first(sweep: Path) -> None:
    made = json.loads((sweep / "1" / RESULTS).read_text())
    del made["schema"]
    used = made["cell"] = made.pop("coordinates")
    (sweep / "1" / RESULTS).write_text(json.dumps(made))
    assert find(sweep).complete and find(sweep).runs["1"].results["coordinates"] == used
