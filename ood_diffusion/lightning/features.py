"""The one feature pass that all metrics share."""

from torch import Tensor

from ood_diffusion.checks import Void
from ood_diffusion.fields.view import View
from ood_diffusion.fingerprint import weights_digest
from ood_diffusion.lightning.data import Batch
from ood_diffusion.lightning.loop import Predictor
from ood_diffusion.metrics.base import FeatureExtractor


class FeaturePass(Predictor):
    """Images to features by `Trainer.predict`.

    Args:
        extractor: the frozen feature extractor.
        view: what it sees of a field.
    """

    networks: tuple[FeatureExtractor]

    def __init__(self, extractor: FeatureExtractor, view: View) -> None:
        super().__init__()
        self.networks, self.view = (extractor,), view

    def on_predict_end(self) -> None:
        """Raise `Void` if the extractor's weights are others than at the beginning."""
        extractor = self.networks[0]
        after = weights_digest(extractor.network.state_dict())
        if after != extractor.digest:
            raise Void(
                f"the weights of the extractor {extractor.name} changed in a predict loop: "
                f"{extractor.digest} -> {after}. The results are invalid and were "
                "discarded. It must not change anything in `features`."
            )

    def rows(self, batch: Batch) -> Tensor:
        """``batch["data"]``: fields ``[B, C, H, W]`` -> features float32 ``[B, num_features]``."""
        features: Tensor = self.networks[0](self.view(batch["data"]))
        self.advance(len(batch["ids"]))
        return features.float()
