"""Videos as people have them, through the demo: uneven rates, wrong headers, sound, boxes outside,
folders of frames, people of known height; in memory that does not grow.
"""

import json
import pathlib
import tracemalloc

import av
import cv2
import numpy as np
import pytest
from film_maker import ffmpeg, sound_of

from hmr_tf2 import demo, loading
from hmr_tf2.capture import box_files, height, motion_files, smoothing, sources, video_run
from hmr_tf2.capture.bodies import bodies_of, see
from hmr_tf2.capture.results_file import ResultsFile
from hmr_tf2.capture.sighting_log import SightingLog
from hmr_tf2.crops import crop_whole_picture
from hmr_tf2.smpl import SMPL
from hmr_tf2.visualization.video_file import video_writer

SIZE = (320, 240)


@pytest.fixture
def run(spotter, monkeypatch, tmp_path):
    """run(**flags) -> what the demo wrote: its folder, results.json and results.npz."""
    monkeypatch.setattr(loading, "load_predictor", lambda *args: spotter)

    def run(**flags):
        out = tmp_path / "out"
        demo.main(demo.DemoSettings(load_path="any", out_dir=str(out), **flags))
        with np.load(out / "results.npz") as file:
            return out, json.loads((out / "results.json").read_text()), dict(file)

    return run


@pytest.fixture
def film(make_spot, tmp_path):
    """film(places, times) -> the path of a film of a spot at these places and times."""

    def film(places, times=None, fps=20.0, name="film.mp4"):
        with video_writer(tmp_path / name, SIZE, fps) as append:
            for k, place in enumerate(places):
                append(make_spot(SIZE, place), None if times is None else times[k])
        return str(tmp_path / name)

    return film


def glb_times(path):
    """The times of a GLB's animation."""
    data = pathlib.Path(path).read_bytes()
    length = int.from_bytes(data[12:16], "little")
    document = json.loads(data[20 : 20 + length])
    accessor = document["accessors"][document["animations"][0]["samplers"][0]["input"]]
    view = document["bufferViews"][accessor["bufferView"]]
    start = 28 + length + view["byteOffset"]
    return np.frombuffer(data[start : start + view["byteLength"]], np.float32)


def bvh_of(path):
    """Frame time and rows of a BVH file."""
    head, motion = pathlib.Path(path).read_text().split("Frame Time: ")
    step, *rows = motion.strip().splitlines()
    return float(step), np.array([row.split() for row in rows], float)


def test_film_and_motions_keep_the_times_of_a_video_of_uneven_rate(run, film):
    """Half a second of every frame, and half a second of every fifth."""
    times = np.array([*np.arange(10), *np.arange(10, 21, 5)]) / 20
    places = [(80 + 100 * time, 120) for time in times]  # at an even speed
    out, document, arrays = run(img_path=film(places, times))
    np.testing.assert_allclose([image["time"] for image in document["images"]], times, atol=1e-5)
    np.testing.assert_allclose(arrays["time"], times, atol=1e-5)
    with av.open(str(out / "film" / "overlay.mp4")) as container:
        shown = [frame.time for frame in container.decode(video=0)]
    np.testing.assert_allclose(shown, times, atol=1e-4)
    np.testing.assert_allclose(glb_times(out / "film" / "person0.glb"), times, atol=1e-4)
    step, rows = bvh_of(out / "film" / "person0.bvh")
    assert step == pytest.approx(0.05) and len(rows) == 21
    # The BVH goes on at an even speed, as the person does.
    steps = np.diff(rows[:, 0])
    np.testing.assert_allclose(steps, np.median(steps), rtol=0.35)
    with np.load(out / "film" / "person0_poses.npz") as motion:
        assert len(motion["poses"]) == 21 and motion["mocap_framerate"] == 20


def test_a_turned_video_gives_upright_people_and_an_upright_film(run, film, tmp_path):
    lying = film([(60 + 8 * k, 120) for k in range(6)])
    turned = tmp_path / "turned.mp4"
    ffmpeg("-display_rotation", 90, "-i", lying, "-c", "copy", turned)
    out, document, arrays = run(img_path=str(turned))
    assert (document["images"][0]["width"], document["images"][0]["height"]) == SIZE[::-1]
    film_info = sources.video_info(out / "turned" / "overlay.mp4")
    assert film_info.size == SIZE[::-1]
    # What moved to the right moves up after a quarter turn against the clock.
    middle = (arrays["joints"].min(axis=1) + arrays["joints"].max(axis=1)) / 2
    np.testing.assert_allclose(middle[:, 0], 120, atol=12)
    assert (np.diff(middle[:, 1]) < 0).all()


def test_the_film_has_the_sound_of_the_video(run, film, tmp_path):
    silent = film([(80 + 8 * k, 120) for k in range(20)])
    ffmpeg(
        "-i", silent, "-f", "lavfi", "-i", "sine=duration=1", "-c:v", "copy", tmp_path / "s.mkv"
    )
    out, _, _ = run(img_path=str(tmp_path / "s.mkv"))
    assert len(sound_of(out / "s" / "overlay.mp4")) / 8000 == pytest.approx(1, abs=0.1)
    out, _, _ = run(img_path=str(tmp_path / "s.mkv"), max_frames=10)
    assert len(sound_of(out / "s" / "overlay.mp4")) / 8000 == pytest.approx(0.5, abs=0.1)


def test_the_sound_is_in_step_where_a_file_begins_between_keyframes(run, make_spot, tmp_path):
    """A recording that was joined in the middle: its first frames cannot be decoded."""
    with video_writer(tmp_path / "whole.mp4", SIZE, 10) as append:
        for _ in range(40):
            append(make_spot(SIZE, (160, 120)))
    tone = "aevalsrc='0.5*sin(2*PI*440*t)*gt(t,2)':s=44100:d=4"
    ffmpeg("-i", tmp_path / "whole.mp4", "-f", "lavfi", "-i", tone, "-c:v", "libx264", "-g", 10,
           "-x264-params", "scenecut=0", tmp_path / "whole.ts")  # fmt: skip
    data = (tmp_path / "whole.ts").read_bytes()
    (tmp_path / "cut.ts").write_bytes(data[len(data) // 6 // 188 * 188 :])
    out, document, _ = run(img_path=str(tmp_path / "cut.ts"))
    heard = sound_of(out / "cut" / "overlay.mp4")
    lost = 40 - len(document["images"])
    assert lost >= 10
    assert np.argmax(np.abs(heard) > 0.2) / 8000 == pytest.approx(2 - lost / 10, abs=0.06)


def test_one_box_outside_leaves_that_person_out_of_the_video(run, film, caplog):
    path = film([(80 + 4 * k, 120) for k in range(5)])
    _, document, _ = run(img_path=path, bbox="62,86,36,68;5000,10,50,50")
    assert [[p["person"] for p in image["people"]] for image in document["images"]] == [[0]] * 5
    assert "The box 5000,10,50,50 (x, y, width, height) lies outside" in caplog.text


def test_boxes_per_frame_reach_every_frame_of_joined_files(run, film, tmp_path):
    ffmpeg("-i", film([(100, 120)] * 10), "-r", 25, tmp_path / "part.ts")
    joined = tmp_path / "joined.ts"
    joined.write_bytes((tmp_path / "part.ts").read_bytes() * 2)
    count = len(list(sources.frames(joined)))
    found = [{"image_id": k, "bbox": [86, 88, 28, 64], "score": 1.0} for k in range(count)]
    (tmp_path / "found.json").write_text(json.dumps(found))
    _, document, arrays = run(img_path=str(joined), json_path=str(tmp_path / "found.json"))
    assert count >= 24 and len(document["images"]) == len(arrays["person"]) == count
    assert not arrays["person"].any() and (arrays["score"] == 1).all()


def test_frames_of_a_folder_are_one_video_in_the_order_of_their_numbers(run, make_spot, tmp_path):
    folder = tmp_path / "walk"
    folder.mkdir()
    for k in range(12):
        picture = make_spot(SIZE, (60 + 10 * k, 120))
        cv2.imwrite(str(folder / f"{k}.png"), picture)
    out, document, arrays = run(img_path=str(folder), frames=True, fps=5.0)
    assert [image["frame"] for image in document["images"]] == list(range(12))
    np.testing.assert_allclose([image["time"] for image in document["images"]], np.arange(12) / 5)
    middle = (arrays["joints"].min(axis=1) + arrays["joints"].max(axis=1)) / 2
    np.testing.assert_allclose(middle[:, 0], 60 + 10 * np.arange(12), atol=3)
    assert {image["file"] for image in document["images"]} == {str(folder)}
    assert sources.video_info(out / "walk" / "overlay.mp4") == (SIZE, 5.0, 12)


def test_a_damaged_frame_of_a_folder_is_replaced_and_named(run, make_spot, tmp_path, caplog):
    folder = tmp_path / "walk"
    folder.mkdir()
    for k in range(4):
        cv2.imwrite(str(folder / f"{k}.png"), make_spot(SIZE, (60 + 10 * k, 120)))
    (folder / "2.png").write_bytes(b"no picture")
    cv2.imwrite(str(folder / "3.png"), make_spot((160, 120), (45, 60)))  # of another size
    _, document, arrays = run(img_path=f"{folder}/*.png", frames=True)
    assert len(document["images"]) == 4 and "2.png" in caplog.text
    assert "The frame before it is used instead" in caplog.text
    middle = (arrays["joints"].min(axis=1) + arrays["joints"].max(axis=1)) / 2
    np.testing.assert_allclose(middle[:, 0], [60, 70, 70, 90], atol=4)


def test_boxes_of_frames_are_found_by_their_pictures_names(run, make_spot, tmp_path):
    folder, boxes = tmp_path / "walk", tmp_path / "boxes"
    folder.mkdir(), boxes.mkdir()
    for k in (1, 2, 10):
        place = (60 + 10 * k, 120)
        cv2.imwrite(str(folder / f"img{k}.png"), make_spot(SIZE, place))
        points = [place[0] - 14, 88, 0.9, place[0] + 14, 152, 0.9] + [0.0] * 69
        content = {"people": [{"pose_keypoints_2d": points}, {"pose_keypoints_2d": []}]}
        (boxes / f"img{k}_keypoints.json").write_text(json.dumps(content))
    _, _, arrays = run(img_path=str(folder), frames=True, json_path=str(boxes))
    middle = arrays["box"][:, 0] + arrays["box"][:, 2] / 2
    np.testing.assert_allclose(middle, [70, 80, 160])


def test_a_video_among_the_frames_is_refused(run, film, tmp_path):
    path = film([(80, 120)])
    with pytest.raises(ValueError, match="--frames takes pictures, but .*film.mp4 is a video"):
        run(img_path=str(pathlib.Path(path).parent), frames=True)


def test_the_people_of_another_video_are_not_taken(spotter, film, tmp_path):
    path = pathlib.Path(film([(80, 120)] * 3, name="b.mp4"))
    boxes = tmp_path / "boxes"
    boxes.mkdir()
    for k in range(3):
        (boxes / f"a_{k:012d}_keypoints.json").write_text('{"people": []}')
    source = box_files.read_boxes(boxes, 0.3)
    with ResultsFile(tmp_path / "out", spotter.faces, "any", [path]) as results:
        with pytest.raises(ValueError, match="b.mp4"):
            video_run.run(
                sources.VideoFile(path), tmp_path / "out" / "b", spotter, source, results,
                video_run.Writing(), None,
            )  # fmt: skip
        results.finish(path)


@pytest.mark.parametrize("metres", [1.9, 1.7])
def test_a_known_height_is_the_bodys_and_sets_the_distance(run, film, metres, small_smpl_path):
    path = film([(80 + 4 * k, 120) for k in range(4)])
    _, _, raw = run(img_path=path)
    out, _, fixed = run(img_path=path, height_m=str(metres))
    rig_heights = height.heights
    rig = loading.load_predictor().rig
    np.testing.assert_allclose(rig_heights(fixed["theta"][:, 75:], rig), metres, atol=2e-6)
    factor = metres / rig_heights(raw["theta"][:, 75:], rig)
    np.testing.assert_allclose(
        fixed["translation"][:, 2], raw["translation"][:, 2] * factor, rtol=1e-5
    )
    with np.load(out / "film" / "person0_poses.npz") as motion:
        assert rig_heights(motion["betas"][:10], rig) == pytest.approx(metres, abs=2e-6)
        verts = SMPL(str(small_smpl_path))(
            np.float32(motion["betas"][np.newaxis, :10]), np.zeros((1, 72), np.float32), True
        )[0]
    assert np.ptp(np.asarray(verts)[0, :, 1]) == pytest.approx(metres, abs=1e-5)


def test_heights_of_several_people_go_by_their_numbers_in_pictures_too(run, make_spot, tmp_path):
    picture = np.maximum(make_spot(SIZE, (80, 120)), make_spot(SIZE, (240, 120)))
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    boxes = "66,88,28,64;226,88,28,64"
    _, _, fixed = run(img_path=str(tmp_path / "a.png"), bbox=boxes, height_m="1.8;1.65")
    rig = loading.load_predictor().rig
    np.testing.assert_allclose(height.heights(fixed["theta"][:, 75:], rig), [1.8, 1.65], atol=2e-6)
    shaped = rig.shaped(fixed["theta"][0, 75:])[0]
    assert np.ptp(shaped[:, 1]) == pytest.approx(1.8, abs=1e-5)
    _, _, one = run(img_path=str(tmp_path / "a.png"), bbox=boxes, height_m="1.8")
    np.testing.assert_allclose(height.heights(one["theta"][:, 75:], rig), 1.8, atol=2e-6)


@pytest.mark.parametrize("text", ["180", "tall", "1.8;", "nan", "-1.8", "1.8,1.6"])
def test_heights_that_are_no_persons_are_refused_by_the_flag(text):
    with pytest.raises(ValueError, match=r"--height_m=.* must be a height in metres"):
        height.parse_heights(text)


def peak_of(function, *args) -> int:
    """Bytes that Python and NumPy held at most while `function` ran."""
    tracemalloc.start()
    try:
        function(*args)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def a_body(spotter, make_spot):
    crop = crop_whole_picture(make_spot(SIZE, (160, 120)), spotter.img_size)
    theta = spotter.predict_crops(crop.image[np.newaxis])["theta"][0]
    return see(0, [0, 0, *SIZE], 0.9, crop, theta, "any")


def test_memory_does_not_grow_with_the_results(spotter, make_spot, tmp_path):
    """It grew by 35 kB a person and frame, mostly for the lists of results.json."""
    (body,) = bodies_of([a_body(spotter, make_spot)], spotter, SIZE, 500.0)

    with ResultsFile(tmp_path / "out", spotter.faces, "any", ["a.mp4"]) as results:

        def collect(count):
            for k in range(count):
                results.add("a.mp4", k, SIZE, [body], k / 30)

        collect(2)
        few, many = peak_of(collect, 50), peak_of(collect, 250)
    assert (many - few) / 200 < 50


def test_memory_does_not_grow_with_motions(spotter, make_spot, tmp_path, monkeypatch):
    """A kilobyte or two a frame remains, of one person at a time: AMASS's 156 numbers."""
    for place in ("capture.sighting_log.CHUNK", "capture.motion_files.CHUNK"):
        monkeypatch.setattr(f"hmr_tf2.{place}", 16)
    for module in ("motion", "bvh", "amass"):
        monkeypatch.setattr(f"hmr_tf2.visualization.{module}._BLOCK", 16)
    sighting = a_body(spotter, make_spot)
    info = sources.VideoInfo(SIZE, 30.0, 0)

    def write(count):
        with SightingLog(tmp_path) as log:
            for k in range(count):
                log.append(k / 30, [sighting])
            smoothing.smooth_log(log)
            known = height.KnownHeights([1.8])
            height.apply_to_log(known, spotter.rig, log)
            motion_files.write_all(log, tmp_path, spotter.rig, info, 500.0, known)

    write(20)
    few, many = peak_of(write, 64), peak_of(write, 256)
    assert (many - few) / 192 < 3000


def test_frames_in_the_folder_that_is_worked_in_are_called_after_it(
    run, make_spot, tmp_path, monkeypatch
):
    folder = tmp_path / "walk"
    folder.mkdir()
    for k in range(2):
        cv2.imwrite(str(folder / f"{k}.png"), make_spot(SIZE, (60, 120)))
    monkeypatch.chdir(folder)
    out, _, _ = run(img_path="*.png", frames=True)
    assert (out / "walk" / "overlay.mp4").is_file()
