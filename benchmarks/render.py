"""Times the renderer and whole stand-in pictures, in pictures per second on one core.

python benchmarks/render.py [--seconds=3]

Seconds are those of the processor, so that other programs on the machine matter little. The
program standin.py times the writers of raw data sets.
"""

import pathlib
import sys
import time

import numpy as np
from absl import app, flags

from hmr_tf2.standin import backgrounds, body, people, posing
from hmr_tf2.visualization.renderer import hmr_perspective, render

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tests" / "visualization"))

import raster_reference  # noqa: E402

_SECONDS = flags.DEFINE_float("seconds", 3.0, "Seconds that each measurement runs.", 0.1)
SIZE = (224, 224)
TARGET = 50


def rate(function) -> float:
    """Calls of `function` per second on one core, after one call that compiles."""
    function(0)
    start, count = time.process_time(), 0
    while time.process_time() - start < _SECONDS.value:
        count += 1
        function(count)
    return count / (time.process_time() - start)


def main(argv):
    del argv
    poser, mean = posing.standin_poser(), body.mean_parameters()
    camera = hmr_perspective((0.9, 0, 0), SIZE[0])
    scenery = backgrounds.background(np.random.default_rng(0), *SIZE)

    def draw(number, samples):
        pose = mean["pose"].copy()
        pose[0] = np.pi
        pose[4:] += 0.1 * np.sin(number + np.arange(68))
        posed = poser.pose(mean["shape"], pose)
        return render(
            posed.vertices,
            poser.faces,
            camera,
            SIZE,
            background=scenery,
            samples=samples,
        ).image

    def draw_in_numpy(number, samples):
        with raster_reference.in_place_of_the_compiled():
            return draw(number, samples)

    def whole(number):
        rng = np.random.default_rng(number)
        return backgrounds.jpeg(rng, people.random_photo(rng, SIZE).image)

    rows = [
        ("pose, render, one sample per pixel", lambda n: draw(n, 1)),
        ("pose, render, 2 x 2 samples", lambda n: draw(n, 2)),
        ("pose, render, 3 x 3 samples", lambda n: draw(n, 3)),
        ("pose, render, 2 x 2, NumPy", lambda n: draw_in_numpy(n, 2)),
        ("whole stand-in picture with scenery and JPEG", whole),
    ]
    print(f"Pictures of {SIZE[1]}x{SIZE[0]} per second, one core, {len(poser.faces)} triangles:")
    rates = {}
    for label, function in rows:
        rates[label] = rate(function)
        print(f"{label:46s} {rates[label]:7.1f}")
    compiled, plain = rates["pose, render, 2 x 2 samples"], rates["pose, render, 2 x 2, NumPy"]
    print(
        f"numba is {compiled / plain:.1f} times as fast as NumPy; target: {TARGET} pictures per "
        "second."
    )


if __name__ == "__main__":
    app.run(main)
