import pytest
import torch

from ood_diffusion.metrics.inception import Inception


@pytest.fixture(autouse=True)
def hub(tmp_path, monkeypatch):
    """An empty torch.hub folder, and a network that must not be reached for."""

    def refuse(*args, **kwargs):
        raise AssertionError("no download may be tried")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch_fidelity.feature_extractor_inceptionv3.load_state_dict_from_url", refuse)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A file with the true architecture and random numbers."""
    from torch_fidelity import feature_extractor_inceptionv3 as module

    with monkeypatch.context() as patch:
        patch.setattr(module, "load_state_dict_from_url", lambda *args, **kwargs: {})
        patch.setattr(module.FeatureExtractorInceptionV3, "load_state_dict", lambda *args: None)
        torch.manual_seed(0)
        network = module.FeatureExtractorInceptionV3("random", ["2048"])
    path = tmp_path / "random.pth"
    torch.save(network.state_dict(), path)
    return path


@pytest.mark.slow
def test_features_of_other_weights_say_so(weights):
    extractor = Inception(str(weights))
    images = torch.randint(
        0, 256, (2, 3, 20, 20), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    got = extractor(images)
    assert got.shape == (2, extractor.num_features) == (2, 2048)
    assert extractor.name == "inception_other_weights"
    assert not extractor.training and len(extractor.digest) == 32
    alone = extractor(images[1:])
    assert (got[1:] - alone).abs().max() <= 1e-5 * got.abs().max()


def test_published_weights_are_known_by_their_hash(weights, hub, monkeypatch):
    monkeypatch.setattr("ood_diffusion.metrics.weights_file._sha256", lambda path: "6726825d" + 56 * "0")
    weights.rename(hub / Inception.published.file)
    assert Inception().name == "inception"
