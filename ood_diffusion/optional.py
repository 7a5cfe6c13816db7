"""Plots, pages, progress, tracking: where they fail, the run goes on."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from ood_diffusion.terminal import brief

log = logging.getLogger(__name__)


@contextmanager
def optional(action: str) -> Iterator[None]:
    """Turn a failure inside the block into one warning.

    Args:
        action: what the block does, in the infinitive.
    """
    try:
        yield
    except Exception as error:
        log.warning("could not %s (%s); the results do not depend on it.", action, brief(error))
