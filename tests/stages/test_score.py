"""Each metric is given what it takes, and left out where that is missing."""

from functools import partial

import pytest
import torch
from scipy.linalg import lapack
from torch import Tensor

from ood_diffusion.metrics.fid import FID
from ood_diffusion.metrics.kid import KID
from ood_diffusion.metrics.memorisation import Memorisation
from ood_diffusion.metrics.mixture import FeatureMixture, PixelMixture
from ood_diffusion.metrics.prdc import PRDC
from ood_diffusion.metrics.texture import Texture
from ood_diffusion.stages.evaluate import differences, influences, intervals, judged, score
from ood_diffusion.statistics.feature_intervals import Influence

MAKE = {
    "fid": FID,
    "kid": KID,
    "texture": partial(Texture, 4, 4),
    "mixture": PixelMixture,
    "mixture_features": FeatureMixture,
    "memorisation": Memorisation,
}


def test_a_metric_is_given_what_it_takes() -> None:
    generator = torch.Generator().manual_seed(0)
    real, new, origins = (
        torch.randint(0, 256, (n, 3, 28, 28), dtype=torch.uint8, generator=generator) for n in (30, 9, 5)
    )
    rows = [each.flatten(1)[:, :50].float() for each in (real, new, origins)]
    features, images = (rows[0], rows[1]), (real, new)
    alone = score(MAKE, {"features": features})
    assert set(alone) == {"n", "fid", "kid"} and alone["n"] == 9
    both = {"features": features, "images": images}
    seen = score(MAKE, both)
    assert set(seen) == {*alone, *Texture.names}
    references = {"features": rows[2], "images": origins}
    whole = score(MAKE, both, references)
    assert set(whole) == {*seen, *PixelMixture.names, *FeatureMixture.names, *Memorisation.names}
    assert {name: whole[name] for name in alone} == alone
    both = {"features": (rows[0], rows[2]), "images": (real, origins)}
    copies = score(MAKE, both, references)
    assert copies["mixture"] == copies["mixture_features"] == copies["authentic"] == 0


def test_intervals_of_what_was_found() -> None:
    generator = torch.Generator().manual_seed(0)
    real, new = (
        torch.randint(0, 256, (n, 3, 28, 28), dtype=torch.uint8, generator=generator) for n in (30, 9)
    )
    rows = [each.flatten(1)[:, :50].float() for each in (real, new)]
    sides = {"features": (rows[0], rows[1]), "images": (real, new)}
    made = intervals(MAKE, score(MAKE, sides), influences(MAKE, sides), sides)
    assert set(made) == {"fid", "kid", *Texture.names}
    origins = {"features": rows[0][:5], "images": real[:5]}
    whole = score(MAKE, sides, origins)
    made = intervals(MAKE, whole, influences(MAKE, sides, origins), sides, origins)
    assert set(made) == {
        "fid",
        "kid",
        *Texture.names,
        *PixelMixture.names,
        *FeatureMixture.names,
        "authentic",
    }
    assert all(each["low"] <= whole[name] <= each["high"] for name, each in made.items())


def test_the_real_side_is_computed_once_for_all_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, roots = [], lapack.dpstrf

    def root(*args: object, **kwargs: object) -> object:
        asked.append(args)
        return roots(*args, **kwargs)

    monkeypatch.setattr(lapack, "dpstrf", root)
    make = {"fid": FID, "kid": KID, "prdc": PRDC}
    real, *sets = torch.randn(5, 40, 6)
    found = [score(make, {"features": (real.clone(), each)}) for each in sets]
    assert len(asked) == 1 + len(sets)
    score(make, {"features": (torch.randn(40, 6), sets[0])})  # other images in between
    assert [score(make, {"features": (real, each)}) for each in sets] == found
    real += 1  # the same tensor, but other numbers
    moved = score(make, {"features": (real, sets[0])})
    score(make, {"features": (sets[1], sets[0])})
    assert score(make, {"features": (real, sets[0])}) == moved != found[0]


def test_metrics_of_one_name_in_two_modules_are_not_taken_for_each_other() -> None:
    generator = torch.Generator().manual_seed(0)
    sides = {"features": tuple(torch.randn(9, 4, generator=generator) for _ in range(2))}
    other = type("FID", (FID,), {"compute": lambda self: {"fid": torch.zeros(())}, "__module__": "another"})
    for _ in range(2):
        found = [judged({"fid": partial(kind)}, sides, None)[0]["fid"] for kind in (FID, other)]  # type: ignore[arg-type]
        assert found[0] > found[1] == 0


class Fitted(FID):
    """Its influences come from a computation with gradients, and are known of up to ten images only."""

    def influences(self, real: Tensor, generated: Tensor) -> dict[str, Influence]:
        weight = torch.ones((), requires_grad=True)
        known = Influence(0, weight * generated[:, 0], weight * real[:, 0])
        return {"fid": known} if len(generated) <= 10 else {}


def test_influences_may_carry_gradients_and_be_unknown_of_a_set() -> None:
    rows = torch.randn(30, 4)
    few, many = (judged({"fid": Fitted}, {"features": (rows, rows[:n])}, None)[2] for n in (10, 20))
    assert not few["fid"].of_real.requires_grad
    assert set(differences(few, few)) == {"fid"} and differences(few, many) == {}
