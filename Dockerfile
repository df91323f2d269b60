# hmr_tf2 in a container.
#
#   docker build -t hmr_tf2 .                                  for CPUs
#   docker build -t hmr_tf2:gpu --build-arg EXTRA=gpu .        for NVIDIA GPUs
#   mkdir work && docker run --rm --init -v "$PWD/work:/work" hmr_tf2
#   docker run --rm --init --gpus all -v "$PWD/work:/work" hmr_tf2:gpu python -m hmr_tf2.train ...
#
# Without a command the quickstart runs, into work/quickstart_out; /work is the working folder of
# every command. Add --user "$(id -u):$(id -g)" where your number is not 1000. --build-arg
# PYTHON=3.13 takes the newer TensorFlow (constraints/).
ARG PYTHON=3.11

# For .devcontainer/: what `make` needs, and a user. The packages go into .venv.
FROM python:${PYTHON}-bookworm AS dev
RUN useradd --create-home --uid 1000 --shell /bin/bash hmr
USER 1000

FROM python:${PYTHON}-slim-bookworm
ARG PYTHON
ARG EXTRA=

# The CUDA libraries are packages of EXTRA=gpu; the driver is the host's, of which TensorFlow needs
# these two parts. A user without a home (--user) has nowhere else to keep what numba compiles.
ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    NUMBA_CACHE_DIR=/tmp/numba \
    PYTHONUNBUFFERED=1
RUN useradd --create-home --uid 1000 hmr && install --directory --owner=hmr --group=hmr /work

# All dependencies, by way of an empty package, so that only a change of setup.py or of the pins
# installs TensorFlow again.
WORKDIR /opt/hmr_tf2
COPY setup.py pyproject.toml ./
COPY constraints constraints
RUN case "$PYTHON" in \
        3.10 | 3.11) tensorflow=2.15 ;; \
        3.12 | 3.13) tensorflow=2.21 ;; \
        *) echo "PYTHON must be 3.10, 3.11, 3.12 or 3.13; got $PYTHON." >&2; exit 1 ;; \
    esac \
    && mkdir hmr_tf2 flags \
    && echo '__version__ = "0"' > hmr_tf2/__init__.py \
    && touch LICENSE README.md \
    && pip install --no-cache-dir --root-user-action=ignore \
        -c "constraints/tensorflow-$tensorflow.txt" ".${EXTRA:+[$EXTRA]}" \
    && pip uninstall --yes --root-user-action=ignore hmr_tf2 \
    && rm -rf build ./*.egg-info

COPY . .
RUN pip install --no-cache-dir --root-user-action=ignore --no-deps . \
    && rm -rf build ./*.egg-info

# A number, because some platforms ask for it to see that this is not root.
USER 1000
WORKDIR /work
CMD ["python", "-m", "hmr_tf2.quickstart", "--out=quickstart_out"]
