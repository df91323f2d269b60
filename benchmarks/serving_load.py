"""Runs many clients against a loopback gRPC server, with whole and with broken pictures.

python benchmarks/serving_load.py [--seconds=120] [--clients=32] [--export_dir=serving/hmr]

Every answer is compared with what the SavedModel gives offline; any failure or difference ends
the program with exit code 1. Memory is that of the server and the clients together, in one
process. It is measured from the end of the first tenth, when every thread has had its first
request.
"""

import argparse
import io
import os
import pathlib
import random
import sys
import tempfile
import threading
import time

import numpy as np
import psutil
import tensorflow as tf
from PIL import Image

from hmr_tf2 import HMR, HMRConfig, loading, serving
from hmr_tf2.serving import remote
from hmr_tf2.serving.fast_encoder import fast_encoder
from hmr_tf2.standin import body, people

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tests"))

import loopback  # noqa: E402

# More growth of the resident memory over the run than this is not the allocator's breathing.
GROWTH_MB = 64
# Batches of other sizes are summed in another order: float32 rounding, in metres and pixels.
TOLERANCE = 1e-4


def requests_of(count: int = 8) -> list[list[bytes]]:
    """Requests of one to three pictures; in those of three one is broken, each in its own way."""
    rng = np.random.default_rng(0)
    whole = []
    for _ in range(count):
        buffer = io.BytesIO()
        Image.fromarray(people.random_photo(rng, (320, 240)).image).save(buffer, "JPEG")
        whole.append(buffer.getvalue())
    broken = [b"", b"no picture", whole[0][: len(whole[0]) // 3], whole[1][200:]]
    return [
        *([picture] for picture in whole),
        *([picture] for picture in broken),
        *([whole[i], broken[i % len(broken)], whole[-i]] for i in range(count)),
    ]


class Load:
    """What the clients share: requests, the expected answers, and what came."""

    def __init__(self, requests, expected, seconds):
        self._requests, self._expected = requests, expected
        self._end = time.monotonic() + seconds
        self.latencies: list[float] = []
        self.failures: list[str] = []

    def ask(self, call, seed: int) -> None:
        """Sends requests in random order until the time is over."""
        pick = random.Random(seed)
        while time.monotonic() < self._end:
            number = pick.randrange(len(self._requests))
            start = time.monotonic()
            try:
                got = call(
                    "serving_default",
                    {"image_bytes": np.array(self._requests[number], object)},
                )
            except (OSError, ValueError) as error:
                self.failures.append(str(error))
                continue
            self.latencies.append(time.monotonic() - start)
            self.failures.extend(differences(got, self._expected[number]))


def differences(got, expected) -> list[str]:
    """A line for each output that differs."""
    if set(got) != set(expected):
        return [f"outputs {', '.join(sorted(got))} instead of {', '.join(sorted(expected))}"]
    lines = []
    for name, value in expected.items():
        limit = TOLERANCE * max(1.0, float(np.abs(np.float32(value)).max()))
        error = float(np.abs(np.float32(got[name]) - np.float32(value)).max())
        if not error <= limit:
            lines.append(f"{name} differs by {error:g}")
    return lines


def a_model(folder: str) -> pathlib.Path:
    """A fast export of the small network with random weights."""
    model = HMR(HMRConfig(
        smpl_model_path=body.write_model_files(folder), encoder_only=True,
        model_type="small_resnet_fc3_dropout",
    ))  # fmt: skip
    return serving.export(model, pathlib.Path(folder) / "hmr", encoder=fast_encoder(model.encoder))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=120.0, help="How long to run.")
    parser.add_argument("--clients", type=int, default=32, help="Number of clients.")
    parser.add_argument(
        "--export_dir", help="Folder of an export; the default makes one of the small network."
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        version = loading.export_folder(args.export_dir) if args.export_dir else a_model(folder)
        if version is None:
            parser.error(f"--export_dir={args.export_dir} holds no SavedModel.")
        loaded = tf.saved_model.load(str(version))
    offline = loaded.signatures["serving_default"]
    requests = requests_of()
    expected = [
        {name: value.numpy() for name, value in offline(image_bytes=tf.constant(request)).items()}
        for request in requests
    ]
    with loopback.grpc_server(loaded.signatures, threads=args.clients) as address:
        load = Load(requests, expected, args.seconds)
        calls = [remote.grpc_caller(address, "hmr", 60.0) for _ in range(args.clients)]
        threads = [
            threading.Thread(target=load.ask, args=(call, seed)) for seed, call in enumerate(calls)
        ]
        for thread in threads:
            thread.start()
        start = time.monotonic()
        time.sleep(args.seconds / 10)
        before = resident_mb()
        for thread in threads:
            thread.join()
        took, growth = time.monotonic() - start, resident_mb() - before
    if not load.latencies:
        sys.exit(f"No request was answered: {load.failures[:1]}")
    median, p95, p99 = np.percentile(load.latencies, [50, 95, 99]) * 1000
    print(f"{args.clients} clients, {took:.0f} s, {os.cpu_count()} cores: {len(load.latencies)} "
          f"requests, {len(load.latencies) / took:.1f} per second")  # fmt: skip
    print(f"latency: median {median:.0f} ms, 95 % {p95:.0f} ms, 99 % {p99:.0f} ms")
    print(f"failures and differences: {len(load.failures)} {sorted(set(load.failures))[:5]}")
    print(f"resident memory: {before:.0f} MB, growth {growth:+.0f} MB")
    if load.failures or growth > GROWTH_MB:
        sys.exit(1)


def resident_mb() -> float:
    return psutil.Process().memory_info().rss / 2**20


if __name__ == "__main__":
    main()
