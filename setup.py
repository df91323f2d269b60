"""Packaging of hmr_tf2: `pip install -c constraints.txt -e '.[test]'`."""

import pathlib
import re

import setuptools

ROOT = pathlib.Path(__file__).parent
# Read, not imported: what the package imports may not be installed yet.
VERSION = re.search(
    r'^__version__ = "(.+)"$', (ROOT / "hmr_tf2/__init__.py").read_text(encoding="utf-8"), re.M
)[1]

# TensorFlow 2.15 is the last release that TensorFlow Addons 0.23 and TensorFlow Graphics 2021.12
# work with. setuptools 81 has no pkg_resources, which TensorBoard 2.15 needs.
REQUIRED = [
    "tensorflow==2.15.1",
    "tf_keras==2.15.1",
    "tensorflow-addons==0.23.0",
    "tensorflow-serving-api==2.15.1",
    "grpcio>=1.48",
    "protobuf>=3.20.3",
    "numpy>=1.24,<2",
    "h5py>=3.10",
    "opencv-python-headless>=4.8,<4.12",
    "pillow>=10",
    "imageio-ffmpeg>=0.5",
    "absl-py>=2",
    "scipy>=1.11,<1.18",
    "numba>=0.59",
    "tqdm>=4.66",
    "cdflib>=1.2",
    "google-crc32c>=1.5",
    "pycocotools>=2.0.7",
    "setuptools<81",
]

# The API reference, which a test builds.
DOCS = ["pdoc==16.0.0"]

# An independent oracle of the tests. It brings TensorFlow Datasets, which the last two lines keep
# working: tensorflow-metadata 1.18 wants protobuf 5, pyarrow 26 refuses NumPy 1.
GRAPHICS = [
    "tensorflow-graphics==2021.12.3",
    "tensorflow-metadata<1.18",
    "pyarrow<26",
]

setuptools.setup(
    name="hmr_tf2",
    version=VERSION,
    description="Human mesh recovery (HMR) for TensorFlow 2 and Keras, equal to the original",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    packages=setuptools.find_packages(include=["hmr_tf2*", "tfrecords_tools*"]),
    package_data={"hmr_tf2": ["standin/assets/*", "visualization/viewer.html"]},
    python_requires=">=3.10,<3.12",
    install_requires=REQUIRED,
    extras_require={
        "beam": ["apache-beam==2.77.0"],
        "docs": DOCS,
        "mutants": ["cosmic-ray==8.7.0"],
        "test": [
            "pytest>=8",
            "pytest-xdist>=3.5",
            "ruff==0.17.5",
            "mypy==2.4.1",
            "trimesh>=4",
            "matplotlib>=3.8",
            "psutil>=5.9",
            *DOCS,
            *(f"{requirement}; python_version < '3.12'" for requirement in GRAPHICS),
        ],
    },
)
