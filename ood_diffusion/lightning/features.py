"""The one feature pass that all metrics share."""

from typing import Any

from torch import Tensor

from ood_diffusion.checks import Void
from ood_diffusion.fields.view import View
from ood_diffusion.fingerprint import weights_digest
from ood_diffusion.lightning.loop import Predictor
from ood_diffusion.metrics.base import FeatureExtractor


class FeaturePass(Predictor):
    """Images to features by `Trainer.predict`.

    Args:
        extractor: the frozen feature extractor.
        view: what it sees of a field.
    """

    def __init__(self, extractor: FeatureExtractor, view: View) -> None:
        super().__init__()
        self.extractor, self.view = extractor, view

    def on_predict_end(self) -> None:
        """Raise `Void` if the extractor's weights are others than at the beginning."""
        after = weights_digest(self.extractor.network.state_dict())
        if after != self.extractor.digest:
            raise Void(
                f"the weights of the extractor {self.extractor.name} changed in a predict loop: "
                f"{self.extractor.digest} -> {after}. The results are invalid and were "
                "discarded. It must not change anything in `features`."
            )

    def predict_step(self, batch: dict[str, Any], batch_idx: int = 0) -> Tensor:
        """``batch["data"]``: fields ``[B, C, H, W]`` -> features float32 ``[B, num_features]``."""
        features: Tensor = self.extractor(self.view(batch["data"]))
        self.on_progress(len(batch["ids"]))
        return features.float()
