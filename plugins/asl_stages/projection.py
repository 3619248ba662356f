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
    """Two layers and normalisation to length 1. Output values are embeddings (B, T', size).

    A contrastive loss spoils the layer it is computed on for later tasks; discarding the projection afterwards protects
    the encoder (SimCLR, Chen et al., ICML 2020).
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
        """Also report equal views, from which ``contrast-views`` learns nothing."""
        if figures.get("views-alike", 0.0) > 0.5:
            return (
                f"the two views of {figures['views-alike']:.0%} of the clips have the same frames, so telling clips "
                "apart teaches nothing; use augmentations that change every clip, such as --augment speed,crop,noise."
            )
        return super().diagnose(figures)
