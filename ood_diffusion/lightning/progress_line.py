"""What is said about a loop that runs and about a stage that has ended, and what of it fits into a line."""

from collections.abc import Iterable
from dataclasses import dataclass

NAME = 14
"""Characters that a name is filled up to."""
BAR = (4, 40)
"""Characters that the bar has at least and at most."""
FILLED = {"rate": 14, "calls": 11, "elapsed": 5, "eta": 9, "memory": 7}
"""Characters that a field is filled up to, so that nothing moves while figures grow."""
SPARED = ("note", "elapsed", "memory", "calls", "rate", "bar")
"""What a line does without where the terminal is narrow, in this order."""


@dataclass(frozen=True)
class Progress:
    """How far a loop has come.

    Args:
        name: of the loop, as a rule the stage.
        done: how much of `total` is finished; fractions count.
        total: how much there is to do.
        unit: of both, in the plural.
        calls: network calls so far; None for a loop that makes none.
        seconds: since the loop began.
        moved: seconds from its beginning to when `done` last grew.
        memory: what the process takes, in words.
        before: how much of `done` had been finished when the loop began.
        note: anything else.
    """

    name: str
    done: float
    total: int
    unit: str
    calls: int | None
    seconds: float
    moved: float
    memory: str
    before: float = 0
    note: str = ""

    def fields(self) -> dict[str, str]:
        """The figures in words, in the order of the line; empty where there is nothing to say yet."""
        made, left = self.done - self.before, self.total - self.done
        speed = made / self.moved if self.moved > 0 else 0.0
        remaining = max(0.0, left / speed - (self.seconds - self.moved)) if speed else 0.0
        calls = {} if self.calls is None else {"calls": f"{self.calls:,} calls"}
        return {
            "count": f"{int(self.done + 1e-6)}/{self.total}",  # fractions do not add up exactly
            "rate": f"{rate(speed)} {self.unit}/s" if speed else "",
            **calls,
            "elapsed": clock(self.seconds),
            "eta": f"ETA {clock(remaining)}" if speed and left > 0 else "",
            "memory": self.memory,
            "note": self.note,
        }


def plain_line(progress: Progress) -> str:
    """Everything, for a log."""
    fields = progress.fields()
    fields["count"] += f" {progress.unit}"
    fields["elapsed"] += " elapsed"
    return f"{progress.name:<{NAME}} {joined(fields.values())}"


def fitted(progress: Progress, width: int) -> tuple[str, int, str]:
    """The line for a terminal of `width` characters: the name, the length of the bar, the figures."""
    fields = {field: text.rjust(FILLED.get(field, 0)) for field, text in progress.fields().items()}
    fields["count"] = fields["count"].rjust(2 * len(str(progress.total)) + 1)
    name = f"{progress.name:<{NAME}}"
    for spared in (None, *SPARED):
        fields.pop(spared or "", None)
        figures = " ".join(text for text in fields.values() if text)
        room = width - len(name) - len(figures) - 2
        if room >= BAR[0] and spared != "bar":
            return name, min(room, BAR[1]), figures
    name = progress.name[: width - 1]
    return name, 0, figures[: width - len(name) - 1]


def stage_line(name: str, made: int, found: int, calls: int, seconds: float) -> str:
    """A stage that has ended.

    Args:
        name: of the stage.
        made: items that it computed.
        found: items that it found in the store.
        calls: its network calls.
        seconds: it took.
    """
    words = {
        f"{made:,} images": made > 0,
        f"{found:,} found in the store": found > 0,
        f"{calls:,} calls": calls > 0,
        f"{seconds:.1f} s": True,
        f"{rate(made / seconds)} images/s": made > 0,
    }
    return f"✓ {name:<{NAME - 2}} {joined(text for text, said in words.items() if said)}"


def joined(words: Iterable[str]) -> str:
    """What is not empty, with dots between."""
    return " · ".join(word for word in words if word)


def rate(per_second: float) -> str:
    """At least two digits."""
    return f"{per_second:.1f}" if per_second >= 1 else f"{per_second:.2g}"


def clock(seconds: float) -> str:
    """1:02 for minutes and seconds, 1:02:03 with hours."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
