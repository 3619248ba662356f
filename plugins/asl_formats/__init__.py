"""Formats of landmarks on disk: what the programs and data sets of the field write, read as points with names."""

from __future__ import annotations

from asl_core import Component, hookimpl
from asl_formats.options import ArrayOptions


@hookimpl
def asl_formats() -> list[Component]:
    """One component for each format."""
    return [
        Component(
            name="npy-frames",
            factory="asl_formats.npy_frames:NpyFrames",
            options=ArrayOptions,
            summary="a folder with a .npy file for each frame, as the MP_Data tutorials write it",
        ),
        Component(
            name="npy",
            factory="asl_formats.npy_clip:NpyClip",
            options=ArrayOptions,
            summary="one .npy array per clip: (frames, numbers), (frames, points, coordinates), other orders of axes",
        ),
        Component(
            name="npz",
            factory="asl_formats.npz:Npz",
            options=ArrayOptions,
            summary=".npz archives: one clip, the parts of one, or several clips; and what asl writes",
        ),
        Component(
            name="pose",
            factory="asl_formats.pose_files:PoseFiles",
            summary=".pose files of version 0.0, 0.1 and 0.2 (needs asl-core[formats])",
        ),
        Component(
            name="kaggle-signs",
            factory="asl_formats.parquet:KaggleSigns",
            summary="parquet of Kaggle's asl-signs: a row per landmark (needs asl-core[formats])",
        ),
        Component(
            name="kaggle-fingerspelling",
            factory="asl_formats.parquet:KaggleFingerspelling",
            summary="parquet of Kaggle's ASLFR: a row per frame, many sequences a file (needs asl-core[formats])",
        ),
        Component(
            name="openpose",
            factory="asl_formats.openpose:OpenPoseFolder",
            summary="a folder of OpenPose's JSON, a file for each frame",
        ),
        Component(
            name="pickle",
            factory="asl_formats.pickles:PickledClips",
            options=ArrayOptions,
            summary="pickles of clips, plain or gzip: keypoints with scores (133 or 75 points), or arrays by id",
        ),
        Component(
            name="sl-gcn",
            factory="asl_formats.sl_gcn:SlGcn",
            summary="all clips of a split in one .npy (clips, 3, frames, 27, 1) and a label pickle, as SL-GCN writes",
        ),
        Component(
            name="spoter",
            factory="asl_formats.spoter:SpoterCsv",
            summary="CSV of SPOTER: a row per clip, lists of x and y of 54 joints",
        ),
        Component(
            name="openhands",
            factory="asl_formats.openhands:OpenHandsH5",
            summary="HDF5 of OpenHands: keypoints of 75 points and their visibility (needs asl-core[formats])",
        ),
    ]
