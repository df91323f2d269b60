"""Packaging of hmr_tf2: `pip install -c constraints/tensorflow-2.15.txt -e '.[test]'`."""

import pathlib
import re

import setuptools

ROOT = pathlib.Path(__file__).parent
# Read, not imported: what the package imports may not be installed yet.
VERSION = re.search(
    r'^__version__ = "(.+)"$', (ROOT / "hmr_tf2/__init__.py").read_text(encoding="utf-8"), re.M
)[1]

# Two stacks, told apart by Python. TensorFlow 2.15 is the last release that TensorFlow Addons 0.23
# and TensorFlow Graphics 2021.12 work with, and has no wheels for Python 3.12. The exact versions
# that were tested together are in constraints/, a file for each stack.
OLD = "python_version < '3.12'"
NEW = "python_version >= '3.12'"
# Addons has no wheels for Windows, nor for ARM under Linux; where it is missing, our own bar shows
# the progress.
X86_64 = "platform_machine == 'x86_64'"
ADDONS = f"{OLD} and (sys_platform == 'darwin' or (sys_platform == 'linux' and {X86_64}))"

REQUIRED = [
    f"tensorflow==2.15.1; {OLD}",
    f"tensorflow==2.21.0; {NEW}",
    f"tf_keras==2.15.1; {OLD}",
    f"tf_keras==2.21.0; {NEW}",
    f"tensorboard==2.15.2; {OLD}",
    f"tensorboard==2.21.0; {NEW}",
    f"tensorflow-serving-api==2.15.1; {OLD}",
    f"tensorflow-serving-api==2.21.0; {NEW}",
    f"tensorflow-addons==0.23.0; {ADDONS}",
    f"numpy>=1.24,<2; {OLD}",
    f"numpy>=2,<3; {NEW}",
    # 4.12 is the first release for NumPy 2; 5 has lost the detector of --detector=hog.
    f"opencv-python-headless>=4.8,<4.12; {OLD}",
    f"opencv-python-headless>=4.12,<5; {NEW}",
    f"scipy>=1.11,<1.18; {OLD}",
    f"scipy>=1.14; {NEW}",
    "grpcio>=1.48",
    "protobuf>=3.20.3",
    "h5py>=3.10",
    "pillow>=10",
    # 17 is the last for Python 3.10; 19 does not let damaged metadata be replaced.
    "av>=17,<19",
    "absl-py>=2",
    "numba>=0.59",
    "tqdm>=4.66",
    "cdflib>=1.2",
    "google-crc32c>=1.5",
    "pycocotools>=2.0.7",
    # Newer ones have no pkg_resources, which TensorBoard 2.15 needs.
    "setuptools>=77,<81",
]

# NVIDIA's libraries, which pip installs beside TensorFlow; the driver is the machine's own.
GPU = [f"tensorflow[and-cuda]==2.15.1; {OLD}", f"tensorflow[and-cuda]==2.21.0; {NEW}"]

# Pictures of iPhones.
HEIF = ["pillow-heif>=1.0"]

# The API reference, which a test builds.
DOCS = ["pdoc==16.0.0"]

# An independent oracle of the tests. It brings TensorFlow Datasets, which the last two lines keep
# working: tensorflow-metadata 1.18 wants protobuf 5, pyarrow 26 refuses NumPy 1.
GRAPHICS = [
    f"tensorflow-graphics==2021.12.3; {ADDONS}",
    f"tensorflow-metadata<1.18; {OLD}",
    f"pyarrow<26; {OLD}",
]

setuptools.setup(
    name="hmr_tf2",
    version=VERSION,
    description="Human mesh recovery (HMR) for TensorFlow 2 and Keras, equal to the original",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    license_files=["LICENSE"],
    author="The authors of hmr_tf2",
    project_urls={
        "Paper": "https://arxiv.org/abs/1712.06584",
        "The original, for TensorFlow 1": "https://github.com/akanazawa/hmr",
    },
    keywords="human mesh recovery, SMPL, 3-D pose, computer vision, TensorFlow, Keras",
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Science/Research",
        "Intended Audience :: Developers",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3 :: Only",
        *(f"Programming Language :: Python :: 3.{minor}" for minor in (10, 11, 12, 13)),
        "Topic :: Scientific/Engineering :: Image Recognition",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
    # The flag files lie beside the code in a checkout, and in the package once it is installed.
    packages=[
        *setuptools.find_packages(include=["hmr_tf2*", "tfrecords_tools*"]),
        "hmr_tf2.flags",
    ],
    package_dir={"hmr_tf2.flags": "flags"},
    package_data={
        "hmr_tf2": ["standin/assets/*", "visualization/viewer.html"],
        "hmr_tf2.flags": ["*.cfg"],
    },
    entry_points={
        "console_scripts": [
            "hmr-quickstart = hmr_tf2.quickstart:program",
            "hmr-convert = hmr_tf2.convert_datasets:program",
            "hmr-train = hmr_tf2.train:program",
            "hmr-evaluate = hmr_tf2.evaluate:program",
            "hmr-demo = hmr_tf2.demo:program",
            "hmr-export = hmr_tf2.export:program",
        ]
    },
    python_requires=">=3.10,<3.14",
    install_requires=REQUIRED,
    extras_require={
        "beam": ["apache-beam==2.77.0"],
        "docs": DOCS,
        "gpu": GPU,
        "heif": HEIF,
        "mutants": ["cosmic-ray==8.7.0"],
        "test": [
            "pytest>=8",
            "pytest-xdist>=3.5",
            "ruff==0.17.5",
            "mypy==2.4.1",
            "imageio-ffmpeg>=0.5",
            "trimesh>=4",
            "matplotlib>=3.8",
            "psutil>=5.9",
            "build>=1.2",
            "packaging>=23",
            "nbclient>=0.10",
            "nbformat>=5.10",
            "ipykernel>=6.29",
            *DOCS,
            *HEIF,
            *GRAPHICS,
        ],
    },
)
