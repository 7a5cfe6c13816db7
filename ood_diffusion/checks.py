"""Validation with one wording: what was expected, what came, what to do."""

from collections.abc import Collection
from typing import Any

Json = dict[str, Any]
"""An object of a JSON or YAML file, whose keys others may choose."""


class UserError(ValueError):
    """A user error: a wrong setting or wrong data, which the user can fix.

    The command line prints its text without a traceback and exits with status 2. Raise it before
    compute is spent, and say what was expected, what came and what to change.

    Examples:
        >>> from ood_diffusion import UserError, load_model
        >>> try:
        ...     load_model("cats_64", image_sise=32)
        ... except UserError as error:
        ...     print(type(error).__name__)
        UserError
    """


class Void(UserError):
    """What was computed is worth nothing, because a network changed: no store may keep it."""


def require(condition: bool, expected: str, got: object, remedy: str) -> None:
    """Raise `UserError` unless `condition` holds.

    Args:
        condition: what must be true.
        expected: the rule, as a full clause ("steps must be a positive integer").
        got: the offending value, shown with `repr`.
        remedy: what the user should change.

    Examples:
        >>> require(steps := 3, "steps must be a positive integer", steps, "16 is a good start.")
        >>> require(False, "steps must be a positive integer", 0, "16 is a good start.")
        Traceback (most recent call last):
        ood_diffusion.checks.UserError: steps must be a positive integer, but got 0. 16 is a good start.
    """
    if not condition:
        raise UserError(f"{expected}, but got {got!r}. {remedy}")


def require_integer(name: str, got: object, least: int, remedy: str) -> None:
    """Raise `UserError` unless `got` is an integer (no bool) of at least `least`."""
    fits = isinstance(got, int) and not isinstance(got, bool) and got >= least
    require(fits, f"{name} must be an integer of at least {least}", got, remedy)


def require_positive(name: str, got: object, remedy: str) -> None:
    """Raise `UserError` unless `got` is a number (no bool, not NaN) above 0."""
    number = isinstance(got, int | float) and not isinstance(got, bool)
    require(number and got > 0, f"{name} must be positive", got, remedy)  # type: ignore[operator]


def require_choice(name: str, got: str, choices: Collection[str], remedy: str | None = None) -> None:
    """Raise `UserError` unless `got` is one of `choices`, listing them; see `require` for `remedy`."""
    listed = ", ".join(sorted(choices))
    require(got in choices, f"{name} must be one of: {listed}", got, remedy or f"Set {name} to one of them.")
