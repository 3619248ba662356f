"""Common names of the fields and columns that hold a clip's id, gloss, signer, class number and features."""

from __future__ import annotations

__all__ = ["FEATURE_NAMES", "GLOSS_NAMES", "ID_NAMES", "NUMBER_NAMES", "SIGNER_NAMES", "field_name"]

#: likeliest first; of several in one file, the one with the most words is taken
GLOSS_NAMES = ("gloss", "label_name", "class_name", "sign_name", "sign", "word", "label", "class", "labels", "text")
ID_NAMES = (
    "id", "video_id", "clip_id", "sample_id", "videoid", "video", "clip", "sample", "key", "filename", "file_name",
    "file", "video_name", "video_path", "path", "name",
)  # fmt: skip
SIGNER_NAMES = ("signer_id", "signer", "participant_id", "participant", "subject", "person")
NUMBER_NAMES = ("gloss_id", "label_id", "class_id", "label", "class", "target")
#: other names of the field ``features``
FEATURE_NAMES = ("keypoints", "landmarks", "pose", "poses", "skeleton", "joints", "feature", "data", "x", "frames")


def field_name(name: str) -> str:
    """``Video ID`` and ``video-id`` as ``video_id``."""
    return "_".join(name.strip().casefold().replace("-", " ").replace("_", " ").split())
