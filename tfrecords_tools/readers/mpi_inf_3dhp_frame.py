"""A frame of MPI-INF-3DHP: the person scaled, cropped and encoded."""

import dataclasses

import numpy as np

from tfrecords_tools import images, records

# The original's choices (akanazawa/hmr src/datasets/mpi_inf_3dhp_to_tfrecords.py).
MIN_JOINTS_INSIDE = 8
PERSON_PX = 150.0
MARGIN_PX = 150


@dataclasses.dataclass(frozen=True)
class Frame:
    """One frame of one camera.

    Attributes:
        file: path of the picture below the data set's folder.
        keypoints_px: [14, 2] in the order `joints.LSP`.
        joints_mm: [14, 3] in the order `joints.LSP`, camera frame.
        camera: [3] focal length and principal point x, y in pixels.
        activity: number of the activity, in the test set only.
    """

    file: str
    keypoints_px: np.ndarray
    joints_mm: np.ndarray
    camera: np.ndarray
    activity: int | None = None


def example(image: np.ndarray, frame: Frame, min_inside: int = MIN_JOINTS_INSIDE) -> bytes:
    """The Example of a decoded frame: the person 150 px tall in a crop of 300 px."""
    images.check_keypoints(frame.keypoints_px, frame.file)
    images.check_keypoints(frame.joints_mm, frame.file)
    height, width = image.shape[:2]
    inside = np.all((frame.keypoints_px >= 0) & (frame.keypoints_px < [width, height]), axis=1)
    if inside.sum() < min_inside:
        raise images.BadSampleError("too few joints in the picture", frame.file, is_fault=False)

    center, extent = images.box(frame.keypoints_px)
    scale = PERSON_PX / extent if extent else np.inf
    size, factors = images.target_size(image, scale, frame.file)
    center = np.round(center * factors).astype(int)
    start, end = images.crop_bounds(size, center, MARGIN_PX, frame.file)
    recoded = images.recode(image, start, end, factors, frame.file)
    cropped = images.crop(images.resize(recoded, size), start, end)
    keypoints = images.scale_points(frame.keypoints_px, factors) - start
    focal, *principal = frame.camera
    return records.image_3d_example(
        encoded=images.encode(cropped),
        filename=frame.file,
        height=cropped.shape[0],
        width=cropped.shape[1],
        keypoints=np.column_stack([keypoints, np.ones(len(keypoints))]),
        center=center - start,
        joints_m=frame.joints_mm / 1000.0,
        # Scaling the picture scales the whole camera; cropping moves only its principal point.
        camera=[focal * scale, *(np.array(principal) * factors - start)],
        scale_factors=factors,
        crop_start=start,
        activity=frame.activity,
    )
