"""What a terminal is sent, and that no terminal and no plot costs a result."""

import io
import logging
import sys
from pathlib import Path

import pytest
from rich.text import Text

from ood_diffusion.optional import optional
from ood_diffusion.report.table import print_summary
from ood_diffusion.report.wide import WIDTH, Screen, screen
from ood_diffusion.runs.outcome import end
from ood_diffusion.terminal import LineFormatter, brief, printable, printing, replace_unprintable
from tests.report.fake import results

HOSTILE = "a\x1b]0;owned\x07b\x1b[2Jc\x9b31md\re\u202ef"
"""Sets the window's title, clears the screen, colours (in one byte), overwrites the line, turns it around."""


def test_control_sequences_become_visible() -> None:
    assert printable(HOSTILE) == r"a\x1b]0;owned\x07b\x1b[2Jc\x9b31md\re\u202ef"
    assert printable("FID ↓\tÜbung\n") == "FID ↓\tÜbung\n"


def test_messages_tables_and_errors_hold_none(capsys: pytest.CaptureFixture[str]) -> None:
    record = logging.LogRecord("x", logging.INFO, "x.py", 1, "wrote %s", (HOSTILE,), None)
    shown = io.StringIO()
    Screen(file=shown, force_terminal=True).print(Text(HOSTILE, style="red"))
    with pytest.raises(SystemExit):
        end(2, f"no such file: {HOSTILE}")
    texts = LineFormatter("%(message)s").format(record), shown.getvalue(), capsys.readouterr().err
    for text in texts:
        assert r"\x1b]0;owned" in text and not set("\x07\x9b\r\u202e") & set(text)
    assert not any("\x1b" in text for text in (texts[0], texts[2]))
    assert "\x1b[31m" in texts[1], "Rich's own colours stay"


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1", "utf-8"])
def test_what_an_encoding_lacks_is_replaced(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
    replace_unprintable()
    found = results()
    print_summary(found, Path("/runs/Übung\udcff/report.html"))
    sys.stdout.flush()
    text = written.getvalue().decode(encoding)
    assert f"FID {'↓' if encoding == 'utf-8' else '?'}" in text and "bung?/report.html" in text


@pytest.mark.parametrize("columns", ["0", "-3", "many", ""])
def test_a_width_that_is_none_is_not_used(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys, "__stdout__", io.StringIO())
    assert screen().width == WIDTH


@pytest.mark.parametrize("error", [OSError(28, "No space left"), BrokenPipeError(), ValueError("x")])
def test_a_terminal_that_fails_costs_nothing(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with (tmp_path / "out").open("w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with printing():
            print("not sent")
            raise error
        print("nor this")
    assert ("could not print" in caplog.text) is not isinstance(error, BrokenPipeError)
    assert (tmp_path / "out").read_text() == ("not sent\nnor this\n" if isinstance(error, ValueError) else "")


def test_no_standard_output_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    replace_unprintable()
    with printing():
        print_summary(results(), None)


def test_what_is_optional_fails_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    with optional("draw x.svg"):
        raise ValueError(f"no backend\n{HOSTILE}")
    (line,) = caplog.messages
    assert line.startswith("could not draw x.svg (ValueError: no backend a\\x1b]0;") and "\n" not in line
    with pytest.raises(KeyboardInterrupt), optional("draw x.svg"):
        raise KeyboardInterrupt
    assert brief(OSError()) == "OSError" and len(brief(ValueError("x" * 1000))) == 300
