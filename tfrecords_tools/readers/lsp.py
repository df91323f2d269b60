"""Leeds Sports Pose and its extension (Johnson and Everingham, 2010 and 2011)."""

import dataclasses
import functools
import os
import pathlib

import numpy as np
import scipy.io

from tfrecords_tools import images, joints, records
from tfrecords_tools.files import fingerprint
from tfrecords_tools.plan import (
    ConversionError,
    Converted,
    Items,
    Plan,
    at_once,
    existing_file,
    existing_folder,
    in_any_case,
)

NUM_TRAIN = 1000


@dataclasses.dataclass(frozen=True)
class Item:
    """One picture and its person; `keypoints` is [14, 3]: x, y in pixels, visibility 0 or 1."""

    file: str
    keypoints: np.ndarray


def plans(folder: str | None, examples_per_shard: int = 500) -> list[Plan]:
    """The plans for LSP: the first 1000 pictures are for training, the others for testing."""
    root = existing_folder(folder, "lsp_dir", "LSP (lsp_dataset.zip, unpacked)")
    # Row 2 says 1 where a joint is hidden.
    items = _items(root, "im%04d.jpg", hidden_is_one=True)
    splits = {"train": items[:NUM_TRAIN], "test": items[NUM_TRAIN:]}
    return [
        _plan(root, f"lsp/{split}", f"lsp/{split}_%03d.tfrecord", part, examples_per_shard)
        for split, part in splits.items()
        if part
    ]


def extended_plans(folder: str | None, examples_per_shard: int = 500) -> list[Plan]:
    """The plan for LSP-extended, all of which is for training."""
    root = existing_folder(folder, "lsp_ext_dir", "LSP-extended (lspet_dataset.zip, unpacked)")
    items = _items(root, "im%05d.jpg", hidden_is_one=False)
    return [_plan(root, "lsp_ext/train", "lsp_ext/train_%03d.tfrecord", items, examples_per_shard)]


def _plan(root: pathlib.Path, name: str, shards: str, items: list, per_shard: int) -> Plan:
    return Plan(
        name=name,
        schema="image",
        shards=shards,
        open_items=at_once(lambda: Items(items)),
        read=functools.partial(read, root),
        settings={
            "annotations": fingerprint(root, [in_any_case(root, "joints.mat")]),
            "items": len(items),
            "examples_per_shard": per_shard,
        },
        examples_per_shard=per_shard,
        items_at_once=32,
    )


def _items(root: pathlib.Path, pattern: str, hidden_is_one: bool) -> list[Item]:
    path = existing_file(in_any_case(root, "joints.mat"), "the joints of LSP")
    folder = in_any_case(root, "images")
    if not folder.is_dir():
        raise ConversionError(f"{folder} is missing: expected the pictures of LSP.")
    try:
        values = np.asarray(scipy.io.loadmat(path)["joints"], np.float64)
    except Exception as error:
        raise ConversionError(f"{path} cannot be read as a MATLAB file: {error}") from error
    people = _people(values, path)
    if hidden_is_one:
        people[..., 2] = people[..., 2] == 0
    there = {name.lower(): name for name in sorted(os.listdir(folder))}
    names = [pattern % number for number in range(1, len(people) + 1)]
    return [
        Item(there.get(name, name), person) for name, person in zip(names, people, strict=True)
    ]


def _people(values: np.ndarray, path: pathlib.Path) -> np.ndarray:
    """[n, 14, 3], from [3, 14, n] as in LSP or from [14, 3, n] as in LSP-extended."""
    if values.ndim == 3 and values.shape[:2] == (3, len(joints.LSP)):
        return values.transpose(2, 1, 0).copy()
    if values.ndim == 3 and values.shape[:2] == (len(joints.LSP), 3):
        return values.transpose(2, 0, 1).copy()
    raise ConversionError(
        f"{path}: `joints` must be [3, 14, n] or [14, 3, n], got {list(values.shape)}."
    )


def read(root: pathlib.Path, item: Item) -> Converted:
    """The Example of one item; it keeps the picture's bytes as they are."""
    try:
        return Converted([_example(root, item)])
    except images.BadSampleError as error:
        return Converted(skipped=[error.skip])


def _example(root: pathlib.Path, item: Item) -> bytes:
    visible = item.keypoints[:, 2].astype(bool)
    if not visible.any():
        raise images.BadSampleError("no visible joint", item.file, is_fault=False)
    # Joints without annotation may hold anything, but must be numbers that a float can hold.
    images.check_keypoints(item.keypoints, item.file)
    encoded = images.read_file(in_any_case(root, "images") / item.file)
    height, width = images.decode(encoded, item.file).shape[:2]
    center, _ = images.box(item.keypoints[visible, :2])
    return records.image_example(
        encoded=encoded,
        filename=item.file,
        height=height,
        width=width,
        keypoints=item.keypoints,
        center=center,
    )
