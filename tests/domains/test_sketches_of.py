"""Lines lie on edges, one sketch per picture, and the group composes with any other domain."""

import pickle
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from ood_diffusion.checks import UserError
from ood_diffusion.domains.galaxies_sim import GalaxiesSim
from ood_diffusion.domains.image_folder import ImageFolder
from ood_diffusion.domains.radiation_sim import RadiationSim
from ood_diffusion.domains.sketches_of import SketchesOf
from ood_diffusion.geometry.edges import ink
from ood_diffusion.runs.assemble import build
from tests.composed import composed
from tests.domains.data_sets import images


def domain_settings(*overrides: str) -> DictConfig:
    domain: DictConfig = composed("domain=sketches_of", *overrides).domain
    return domain


def test_a_straight_edge_is_one_line_of_full_black_at_its_place() -> None:
    step = np.zeros((16, 16))
    step[:, 7:] = 1.0  # between columns 6 and 7
    drawn = ink(step, 1.0, 0.35)
    assert np.array_equal(drawn[:, [6, 7]], np.ones((16, 2)))
    assert drawn.sum() == pytest.approx(32)
    assert np.array_equal(ink(step.T, 1.0, 0.35), drawn.T)


def test_lines_do_not_depend_on_light_from_dark_or_dark_from_light() -> None:
    picture = GalaxiesSim(32).render("references", 2)[1].numpy() / 255
    assert np.allclose(ink(picture, 1.0, 0.35), ink(1 - picture, 1.0, 0.35))


def test_a_disc_is_drawn_as_its_rim() -> None:
    rows, columns = np.indices((48, 48)) - 23.5
    radius = np.hypot(rows, columns)
    drawn = ink((radius < 15).astype(float), 1.0, 0.35)
    assert radius[drawn > 0].min() > 13 and radius[drawn > 0].max() < 17
    angles = np.arctan2(rows, columns)[drawn > 0]
    assert np.diff(np.sort(angles)).max() < 0.25  # no gap


def test_a_flat_picture_and_faint_noise_stay_white() -> None:
    assert not ink(np.full((16, 16), 0.4), 1.0, 0.35).any()
    noise = np.random.default_rng(0).normal(0.4, 0.002, (16, 16))
    assert not ink(noise, 1.0, 0.35).any()


def test_a_higher_threshold_draws_less_of_the_same() -> None:
    picture = RadiationSim(32).render("references", 1)[0].numpy() / 255
    few, many = ink(picture, 1.0, 0.6), ink(picture, 1.0, 0.2)
    assert (few <= many).all() and few.sum() < 0.9 * many.sum()


def test_sketches_are_grey_and_mostly_paper() -> None:
    sketches = SketchesOf(64, partial(GalaxiesSim))
    for i in range(4):
        drawing = sketches.render("references", i)
        assert drawing.dtype == torch.uint8 and drawing.shape == (3, 64, 64)
        assert torch.equal(drawing[0], drawing[1]) and torch.equal(drawing[0], drawing[2])
        assert drawing.float().mean() > 200 and drawing.min() < 30


def test_sketch_i_is_of_picture_i(tmp_path: Path) -> None:
    of = partial(ImageFolder, path=images(tmp_path, *[f"{i}.png" for i in range(6)]))
    photos, sketches = of(image_size=16), SketchesOf(16, of)
    for split in ("references", "held_out"):
        assert sketches.size(split) == photos.size(split) == 3
        for i in range(3):
            luminance = np.tensordot((0.2126, 0.7152, 0.0722), photos.render(split, i).numpy() / 255, 1)
            expected = np.round(255 * (1 - ink(luminance, 1.0, 0.35)))
            assert np.array_equal(sketches.render(split, i)[0].numpy(), expected)
    with pytest.raises(UserError, match="numbered from 0 to 2"):
        sketches.key("references", 3)
    with pytest.raises(UserError, match="numbered from 0 to 2"):
        sketches.render("held_out", 3)


def test_everything_that_moves_a_pixel_moves_the_key() -> None:
    of = partial(GalaxiesSim)
    domains = [
        SketchesOf(32, of),
        SketchesOf(33, of),
        SketchesOf(32, partial(GalaxiesSim, seed=1)),
        SketchesOf(32, partial(RadiationSim)),
        SketchesOf(32, of, scale=1.5),
        SketchesOf(32, of, threshold=0.3),
    ]
    keys = [d.key(split, i) for d in domains for split in ("references", "held_out") for i in (0, 1)]
    assert len({*keys, GalaxiesSim(32).key("references", 0)}) == len(keys) + 1
    assert keys[0] == SketchesOf(32, of, scale=1, threshold=0.35).key("references", 0)


def test_it_can_be_pickled() -> None:
    sketches = SketchesOf(16, partial(GalaxiesSim))
    again = pickle.loads(pickle.dumps(sketches))
    assert torch.equal(again.render("held_out", 3), sketches.render("held_out", 3))


@pytest.mark.parametrize("settings", [{"scale": 0}, {"scale": 11}, {"threshold": 1}, {"threshold": -0.1}])
def test_settings_out_of_range_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(UserError, match=rf"domain\.{next(iter(settings))} must lie in"):
        SketchesOf(16, partial(GalaxiesSim), **settings)


def test_the_group_builds_with_the_default_and_with_another_domain() -> None:
    assert isinstance(build(domain_settings(), image_size=16).drawn, GalaxiesSim)
    other = build(domain_settings("domain@domain.of=radiation_sim", "domain.of.mach=5"), image_size=16)
    assert isinstance(other.drawn, RadiationSim) and other.drawn.mach == 5
    assert other.image_size == other.drawn.image_size == 16


def test_a_setting_that_the_other_domain_needs_is_missing_there() -> None:
    assert OmegaConf.missing_keys(domain_settings("domain@domain.of=image_zip")) == {"domain.of.path"}
    with pytest.raises(UserError, match=r"domain\.path must exist"):
        build(domain_settings("domain@domain.of=image_zip", "domain.of.path=/nowhere.zip"), image_size=16)
