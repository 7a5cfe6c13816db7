"""The pictures of all runs, each different one once."""

import base64
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from PIL import Image

from ood_diffusion.report.sheets import Pixels

RunPictures = Mapping[str, Sequence[Pixels]]
Filled = tuple[list[str], list[dict[str, list[int]]]]


@dataclass(frozen=True)
class Plan:
    """How many pictures of a kind a run shows, their longest side in pixels, and whether without loss."""

    count: int
    side: int
    lossless: bool = False


PLANS = (
    Plan(24, 96, lossless=True),
    *(Plan(count, 96) for count in (24, 16, 12, 8)),
    *(Plan(count, 64) for count in (8, 6, 4, 2)),
    Plan(1, 48),
    Plan(0, 48),
)
"""From generous to frugal."""


@dataclass(frozen=True)
class Album:
    """Encodes pictures; remembers what it has encoded, for the next plan.

    Args:
        encoded: digest of a picture and how it was encoded -> base64 of a WebP file.
    """

    encoded: dict[tuple[bytes, int, bool], str] = field(default_factory=dict)

    def fill(self, runs: Sequence[RunPictures], plan: Plan, room: int) -> Filled | None:
        """Encode the first pictures of each kind of each run.

        Args:
            runs: kind -> pictures, of each run.
            plan: how.
            room: characters that all pictures together may take.

        Returns:
            The different pictures, and for each run: kind -> places of its pictures among them; None as soon
            as there is no room.
        """
        places: dict[str, int] = {}
        refers: list[dict[str, list[int]]] = []
        for run in runs:
            refers.append({})
            for kind, found in run.items():
                for picture in found[: plan.count]:
                    text = self.encode(picture, plan)
                    if text not in places:
                        places[text] = len(places)
                        room -= len(text)
                    refers[-1].setdefault(kind, []).append(places[text])
            if room < 0:
                return None
        return list(places), refers

    def encode(self, picture: Pixels, plan: Plan) -> str:
        """One picture as base64 of a WebP file, shrunk where it is larger than planned."""
        height, width = picture.shape[:2]
        digest = hashlib.sha256(repr(picture.shape).encode() + picture.tobytes()).digest()
        key = (digest, plan.side, plan.lossless)
        if key not in self.encoded:
            image = Image.fromarray(picture)
            scale = plan.side / max(height, width)
            if scale < 1:
                size = (max(round(width * scale), 1), max(round(height * scale), 1))
                image = image.resize(size, Image.Resampling.LANCZOS)
            buffer = io.BytesIO()
            how = (
                {"lossless": True, "quality": 0, "method": 0}
                if plan.lossless
                else {"quality": 85, "method": 4}
            )
            image.save(buffer, "webp", **how)
            self.encoded[key] = base64.b64encode(buffer.getvalue()).decode()
        return self.encoded[key]
