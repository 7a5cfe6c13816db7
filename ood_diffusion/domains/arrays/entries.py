"""Which array of a file that holds several."""

from collections.abc import Sequence

from ood_diffusion.checks import require


def chosen_entry(entries: Sequence[str], entry: str | int | None, where: str) -> str:
    """The entry that the user named, or the only one.

    Args:
        entries: names of the arrays in the file.
        entry: `domain.entry`.
        where: the file, for the message.

    Raises:
        UserError: if `entry` names none of them, or is None and there is not exactly one.
    """
    listed = ", ".join(entries) or "none"
    if entry is None:
        require(
            len(entries) == 1,
            f"domain.entry must name one array of {where}",
            None,
            f"Set it to one of: {listed}.",
        )
        return entries[0]
    require(
        str(entry) in entries, f"domain.entry must be an array of {where}", entry, f"There are: {listed}."
    )
    return str(entry)
