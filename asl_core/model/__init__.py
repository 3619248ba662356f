"""The model: recogniser, standardiser, objectives, mixup."""
