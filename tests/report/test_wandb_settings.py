"""What the user says about W&B: converted, or refused before anything is computed."""

from typing import Any

import pytest
import wandb

from ood_diffusion.checks import UserError
from ood_diffusion.report.tracking.settings import WORDS, read_tracking


def test_numbers_become_words_and_what_is_empty_is_not_given() -> None:
    found = read_tracking({"group": 7, "name": 2024, "notes": True, "entity": None, "project": ""})
    assert found.words == {"group": "7", "name": "2024", "notes": "True"}
    assert found.mode == "auto" and found.timeouts == {"init_timeout": 30, "finish_timeout": 300}
    assert read_tracking({"init_timeout": "5"}).timeouts["init_timeout"] == 5


@pytest.mark.parametrize(
    ("tags", "found"),
    [("paper", ["paper"]), (7, ["7"]), (["a", 1.5], ["a", "1.5"]), (None, []), ("", [])],
)
def test_tags(tags: object, found: list[str]) -> None:
    assert list(read_tracking({"tags": tags}).tags) == found


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"project": "team/project"}, "For a team, set logger.entity=TEAM"),
        ({"project": "x" * 129}, "128 characters"),
        ({"project": ["a"]}, "logger.project must be one word"),
        ({"group": {"a": 1}}, "logger.group must be one word"),
        ({"tags": ["x" * 65]}, "a tag must have 1 to 64 characters"),
        ({"tags": [""]}, "a tag must have 1 to 64 characters"),
        ({"tags": [["a"]]}, "logger.tags must be a list of words"),
        ({"tags": {"a": 1}}, "logger.tags must be a list of words"),
        ({"init_timeout": "abc"}, "logger.init_timeout must be a positive number"),
        ({"init_timeout": 0}, "logger.init_timeout must be a positive number"),
        ({"finish_timeout": float("inf")}, "logger.finish_timeout must be a positive number"),
        ({"finish_timeout": [1]}, "logger.finish_timeout must be a positive number"),
        ({"init_timeout": True}, "logger.init_timeout must be a positive number"),
        ({"mode": "on"}, "logger mode must be one of"),
        ({"mode": ["offline"]}, "logger mode must be one of"),
        ({"projct": "x"}, "a wandb setting must be one of"),
    ],
)
def test_what_wandb_would_refuse_is_a_user_error(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_tracking(settings)


def test_wandb_draws_the_same_lines() -> None:
    """What passes here passes there; `wandb.Settings` needs no service."""
    names = {"name": "run_name", "group": "run_group", "job_type": "run_job_type", "notes": "run_notes"}
    given = read_tracking({**dict.fromkeys(WORDS, 7), "project": "x" * 128, "tags": ["x" * 64]})
    wandb.Settings(**{names.get(key, key): word for key, word in given.words.items()}, run_tags=given.tags)
    for character in "/\\#?%:":
        with pytest.raises(wandb.errors.UsageError):
            wandb.Settings(project=f"a{character}b")
        with pytest.raises(UserError):
            read_tracking({"project": f"a{character}b"})
