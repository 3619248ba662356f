"""Head ``projection``: an embedding of unit length for every frame, for the contrastive losses."""

from __future__ import annotations

from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor, nn

from asl_core import at_least_float32
from asl_stages.encoded import EncodingHead
from asl_stages.objective_options import ProjectionOptions

__all__ = ["ProjectionHead"]


class ProjectionHead(EncodingHead):
    """Two layers and a division by the length. Output values are embeddings (B, T', size).

    Chen et al. (SimCLR, ICML 2020) found that contrast spoils the layer it is computed on for later tasks, and that
    layers which are thrown away afterwards keep the encoder from that.
    """

    kind = "embedding"
    remedy = ", a higher --loss.temperature, or more augmentation"

    def __init__(self, options: ProjectionOptions, input_size: int, classes: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(input_size, options.hidden_size), nn.ReLU(), nn.Linear(options.hidden_size, options.size)
        )

    def values(self, frames: Tensor) -> Tensor:
        """Embeddings of length 1."""
        return F.normalize(at_least_float32(self.layers(frames)), dim=-1)

    def diagnose(self, figures: Mapping[str, float]) -> str | None:
        """Also name views that are no different, on which ``contrast-views`` has nothing to learn."""
        if figures.get("views-alike", 0.0) > 0.5:
            return (
                f"the two views of {figures['views-alike']:.0%} of the clips are the same frames, so telling clips "
                "apart teaches nothing; choose augmentations for all clips, such as --augment speed,crop,noise."
            )
        return super().diagnose(figures)
