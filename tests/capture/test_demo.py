"""The demo: any picture or video in, files out that agree with each other and with the docs."""

import errno
import json
import os
import pathlib

import cv2
import exif_blocks
import numpy as np
import pytest
from PIL import Image

from hmr_tf2 import client, demo, loading
from hmr_tf2.capture import command, picture_run
from hmr_tf2.pictures import read_picture
from hmr_tf2.predictor import CropPredictor
from hmr_tf2.serving import remote_predictor
from hmr_tf2.visualization.video_file import video_writer
from tfrecords_tools import files, system_errors

DOCS = pathlib.Path(__file__).parents[2] / "docs" / "outputs.md"
SIZE = (320, 240)


@pytest.fixture
def run(spotter, monkeypatch, tmp_path):
    """run(**flags) -> what the demo wrote: its folder, results.json and results.npz."""
    monkeypatch.setattr(loading, "load_predictor", lambda *args: spotter)

    def run(fails=False, **flags):
        out = tmp_path / "out"
        settings = demo.DemoSettings(load_path="any", out_dir=str(out), **flags)
        if fails:
            with pytest.raises(ValueError) as caught:
                demo.main(settings)
        else:
            demo.main(settings)
        with np.load(out / "results.npz") as file:
            arrays = dict(file)
        document = json.loads((out / "results.json").read_text())
        return out, document, arrays, str(caught.value) if fails else None

    return run


def save(path, picture):
    Image.fromarray(picture).save(path)
    return str(path)


def write_film(path, places, make_spot, fps=20.0):
    with video_writer(path, SIZE, fps) as append:
        for place in places:
            append(make_spot(SIZE, place))


def inside(path, *names):
    assert sorted(p.name for p in path.iterdir()) == sorted(names)


def test_a_picture_gives_drawings_meshes_and_a_viewer(run, make_spot, tmp_path):
    name = save(tmp_path / "a.png", make_spot(SIZE, (200, 130)))
    out, document, arrays, _ = run(img_path=name)
    inside(out, "a", "results.json", "results.npz")
    inside(out / "a", "overlay.png", "viewer.html", "person0.png", "person0.obj", "person0.glb")
    assert read_picture(out / "a" / "overlay.png").shape == (SIZE[1], SIZE[0], 3)
    assert read_picture(out / "a" / "person0.png").shape == (2 * 448, 3 * 448, 3)
    (image,) = document["images"]
    assert (image["file"], image["frame"], image["width"], image["height"]) == (name, None, *SIZE)
    joints = np.array(image["people"][0]["joints"])
    np.testing.assert_allclose((joints.min(0) + joints.max(0)) / 2, [200, 130], atol=2)


def test_json_and_npz_hold_the_same_and_the_docs_name_all_of_it(run, make_spot, tmp_path):
    name = save(tmp_path / "a.png", make_spot(SIZE, (200, 130)))
    _, document, arrays, _ = run(img_path=name, bbox="180,90,40,80;150,80,90,90")
    people = document["images"][0]["people"]
    flat = {
        "cam": ("crop", "cam"),
        "crop_size": ("crop", "size"),
        "crop_scale": ("crop", "scale"),
        "crop_start": ("crop", "start"),
        "weak_scale": ("weak_perspective", "scale"),
        "weak_translation": ("weak_perspective", "translation"),
        "focal_length": ("perspective", "focal_length"),
        "principal_point": ("perspective", "principal_point"),
        "translation": ("perspective", "translation"),
    }
    for row, person in enumerate(people):
        assert person["row"] == row
        for key in ("person", "box", "score", "theta", "rotations", "joints", "joints3d"):
            np.testing.assert_allclose(arrays[key][row], person[key], atol=2e-6)
        for key, (camera, entry) in flat.items():
            np.testing.assert_allclose(
                arrays[key][row], person["camera"][camera][entry], atol=2e-6
            )
    told = DOCS.read_text(encoding="utf-8")
    names = {
        *arrays,
        *document,
        *document["images"][0],
        *people[0],
        *people[0]["camera"],
        *(entry for camera in people[0]["camera"].values() for entry in camera),
    }
    assert [name for name in sorted(names) if f"`{name}`" not in told] == []


@pytest.mark.parametrize("box", ["180,90,40,80", "-20,-30,300,500", "205.5,100,7,11"])
def test_joints_mesh_and_cameras_agree_in_the_picture(run, make_spot, tmp_path, box, spotter):
    """Within a pixel: joints to weak perspective, mesh as drawn, and perspective at its depth."""
    picture = make_spot((317, 233), (200, 130))
    _, _, arrays, _ = run(img_path=save(tmp_path / "a.png", picture), bbox=box)
    scale, shift = arrays["weak_scale"][0], arrays["weak_translation"][0]
    projected = scale * (arrays["joints3d"][0, :, :2] + shift)
    np.testing.assert_allclose(arrays["joints"][0], projected, atol=0.01)
    cam, half = arrays["cam"][0], arrays["crop_size"][0] / 2
    on_crop = half * (cam[0] * (arrays["joints3d"][0, :, :2] + cam[1:]) + 1)
    back = (on_crop + arrays["crop_start"][0]) / arrays["crop_scale"][0]
    np.testing.assert_allclose(arrays["joints"][0], back, atol=0.01)
    flat = arrays["joints3d"][0] * [1, 1, 0]
    moved = flat + arrays["translation"][0]
    pinhole = arrays["focal_length"][0] * moved[:, :2] / moved[:, 2:] + arrays["principal_point"]
    np.testing.assert_allclose(pinhole, projected, atol=0.01)
    decoded = spotter.bodies_of(arrays["theta"])
    np.testing.assert_allclose(arrays["verts"], decoded["verts"], atol=1e-5)
    np.testing.assert_allclose(arrays["rotations"], decoded["rotations"], atol=1e-5)


def odd_pictures(folder, spot):
    """Name to the picture's size as it must be read; the spot is in all of them."""
    grey = spot[..., 0]
    exif = Image.Exif()
    exif[0x0112] = 6
    save(folder / "grey.png", grey)
    save(folder / "deep.png", grey.astype(np.uint16) * 257)
    save(folder / "clear.png", np.dstack([spot, np.full(grey.shape, 9, np.uint8)]))
    Image.fromarray(spot).convert("CMYK").save(folder / "cmyk.jpg")
    Image.fromarray(np.ascontiguousarray(np.rot90(spot))).save(folder / "turned.jpg", exif=exif)
    dark = Image.fromarray(np.zeros_like(spot))
    Image.fromarray(spot).save(folder / "moving.gif", save_all=True, append_images=[dark])
    return ["grey", "deep", "clear", "cmyk", "turned", "moving"]


def test_pictures_of_every_kind_show_the_same_person(run, make_spot, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    names = odd_pictures(folder, make_spot(SIZE, (200, 130)))
    _, document, _, _ = run(img_path=str(folder))
    assert len(document["images"]) == len(names) and document["failed"] == []
    for image in document["images"]:
        assert (image["width"], image["height"]) == SIZE
        joints = np.array(image["people"][0]["joints"])
        np.testing.assert_allclose((joints.min(0) + joints.max(0)) / 2, [200, 130], atol=2.5)


def test_a_folder_runs_on_past_pictures_that_fail(run, make_spot, tmp_path, capsys):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.jpg", "c.jpg", "d.jpg"):
        save(folder / name, make_spot(SIZE, (200, 130)))
    save(folder / "dark.png", np.full((9, 9, 3), 20, np.uint8))
    save(folder / "one.png", np.full((1, 1, 3), 250, np.uint8))
    whole = (folder / "c.jpg").read_bytes()
    (folder / "b.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "e.jpg").write_bytes(b"")
    (folder / "f.mp4").write_bytes(b"no video")
    out, document, _, message = run(fails=True, img_path=str(folder))
    assert [pathlib.Path(i["file"]).name for i in document["images"]] == [
        "a.jpg",
        "c.jpg",
        "d.jpg",
        "one.png",
    ]
    assert message.startswith("4 of 8 files failed:")
    for name in (
        "b.jpg is not a whole picture",
        "e.jpg is not a picture",
        "f.mp4",
        "dark.png: the network sees no body",
    ):
        assert name in message
    assert len(document["failed"]) == 4
    assert "Recovered 4 bodies in 4 of 8 files" in capsys.readouterr().out
    inside(out, "a", "c", "d", "one", "results.json", "results.npz")


def test_a_folder_with_a_damaged_exif_block_is_processed_whole(run, make_spot, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.jpg", "c.jpg"):
        save(folder / name, make_spot(SIZE, (200, 130)))
    # Turned, and beside the orientation a fraction of which only half is there.
    lying = np.ascontiguousarray(np.rot90(make_spot(SIZE, (200, 130))))
    block = exif_blocks.block(6, extra=[(0x011A, 5, 1, b"\xff\xff\xff\x7f")])
    (folder / "b.jpg").write_bytes(exif_blocks.encoded(lying, "JPEG", block))
    _, document, _, _ = run(img_path=str(folder))
    assert document["failed"] == []
    assert [(i["width"], i["height"]) for i in document["images"]] == [SIZE] * 3


@pytest.mark.parametrize("end", [KeyboardInterrupt, MemoryError])
def test_an_interrupted_folder_leaves_the_numbers_so_far(
    end, run, make_spot, tmp_path, monkeypatch
):
    for name in "abcdefgh":  # two batches of the predictor
        save(tmp_path / f"{name}.png", make_spot(SIZE, (200, 130)))
    finished = []
    write = picture_run.write_drawings

    def interrupt_the_sixth(*args):
        finished.append(args)
        if len(finished) == 6:
            raise end
        write(*args)

    monkeypatch.setattr(picture_run, "write_drawings", interrupt_the_sixth)
    with pytest.raises(end):
        run(img_path=str(tmp_path))
    document = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [pathlib.Path(image["file"]).stem for image in document["images"]] == list("abcde")
    assert [pathlib.Path(entry["file"]).stem for entry in document["failed"]] == list("fgh")
    assert all("was not finished" in entry["error"] for entry in document["failed"])


def full_disk(*args):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_ends_the_folder_at_once_and_keeps_the_numbers(
    run, make_spot, tmp_path, monkeypatch, caplog
):
    for name in "abcdefgh":
        save(tmp_path / f"{name}.png", make_spot(SIZE, (200, 130)))
    write, calls = picture_run.write_picture, []

    def room_for_three(path, picture):
        calls.append(path)
        if len(calls) > 3:
            monkeypatch.setattr(files, "_sync_file", full_disk)
        write(path, picture)

    monkeypatch.setattr(picture_run, "write_picture", room_for_three)
    with pytest.raises(files.NotWrittenError) as caught:
        run(img_path=str(tmp_path))
    assert "person0.png cannot be written: No space left on device. Make room" in (
        system_errors.sentence(caught.value)
    )
    assert len(calls) == 4
    assert caplog.text.count("No space left") <= 1
    # Nothing more could be written, not even that; but what was there is there.
    inside(tmp_path / "out", "a", "b")


def test_after_a_full_disk_has_room_again_results_list_what_was_done(
    run, make_spot, tmp_path, monkeypatch
):
    for name in "abcdefgh":
        save(tmp_path / f"{name}.png", make_spot(SIZE, (200, 130)))
    write, calls = picture_run.write_drawings, []

    def no_room_for_large_files(*args):
        calls.append(args)
        if len(calls) == 3:
            raise files.NotWrittenError("large", errno.ENOSPC)
        write(*args)

    monkeypatch.setattr(picture_run, "write_drawings", no_room_for_large_files)
    with pytest.raises(OSError, match="No space"):
        run(img_path=str(tmp_path))
    document = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [pathlib.Path(image["file"]).stem for image in document["images"]] == list("ab")
    assert [pathlib.Path(entry["file"]).stem for entry in document["failed"]] == list("cdefgh")
    assert "No space left on device" in document["failed"][0]["error"]


def test_a_network_that_breaks_off_leaves_a_list_of_all_files(
    spotter, make_spot, tmp_path, monkeypatch, caplog
):
    answers = iter([spotter.predict_crops, spotter.predict_crops])

    def dies(images):
        answer = next(answers, None)
        if answer is None:
            raise ConnectionError("No answer from --server=localhost:1")
        return answer(images)

    server = CropPredictor(dies, spotter.faces, spotter.img_size, batch_size=4)
    monkeypatch.setattr(remote_predictor, "remote_predictor", lambda *args, **kwargs: server)
    for number in range(10):
        save(tmp_path / f"{number}.png", make_spot(SIZE, (200, 130)))
    out = tmp_path / "out"
    settings = client.ClientSettings(
        server="localhost:1", img_path=str(tmp_path), out_dir=str(out), batch_size=4
    )
    with pytest.raises(ConnectionError, match="No answer"):
        client.main(settings)
    document = json.loads((out / "results.json").read_text())
    assert [pathlib.Path(image["file"]).stem for image in document["images"]] == list("01234567")
    assert [pathlib.Path(entry["file"]).stem for entry in document["failed"]] == list("89")
    assert all("No answer from --server" in entry["error"] for entry in document["failed"])
    assert "2 of 10 files were not finished" in caplog.text


@pytest.mark.parametrize("kind", ["a file", "in a file"])
def test_an_output_folder_that_cannot_be_is_told_before_the_network_is_loaded(
    kind, make_spot, tmp_path
):
    picture = save(tmp_path / "a.png", make_spot(SIZE, (200, 130)))
    out = tmp_path / "a.png" if kind == "a file" else tmp_path / "a.png" / "out"
    settings = demo.DemoSettings(load_path="nowhere", img_path=picture, out_dir=str(out))
    with pytest.raises(NotADirectoryError) as caught:
        demo.main(settings)
    message = system_errors.sentence(caught.value, {"out_dir": str(out)})
    assert "a.png" in message and message.endswith("--out_dir names it.")


def test_an_empty_file_of_openpose_fails_its_picture_alone(run, make_spot, tmp_path):
    folder, told = tmp_path / "in", tmp_path / "told"
    folder.mkdir()
    told.mkdir()
    points = np.full((25, 3), 0.9)
    points[:, :2] = np.random.default_rng(0).uniform([190, 100], [210, 160], (25, 2))
    for name, content in (
        ("a", json.dumps({"people": [{"pose_keypoints_2d": points.ravel().tolist()}]})),
        ("b", ""),
        ("c", '{"people": []}'),
    ):
        save(folder / f"{name}.jpg", make_spot(SIZE, (200, 130)))
        (told / f"{name}_keypoints.json").write_text(content)
    save(folder / "d.jpg", make_spot(SIZE, (200, 130)))
    _, document, arrays, message = run(fails=True, img_path=str(folder), json_path=str(told))
    assert arrays["person"].tolist() == [0]
    for text in (
        "b_keypoints.json is not a JSON file",
        "c_keypoints.json has no person",
        "d.jpg has no keypoints",
    ):
        assert text in message


def test_several_people_are_all_drawn_and_numbered_by_score(run, make_spot, tmp_path):
    picture = np.maximum(make_spot(SIZE, (80, 120)), make_spot(SIZE, (240, 110)))
    found = [
        {"file_name": "a.png", "bbox": [66, 88, 28, 64], "score": 0.5},
        {"file_name": "a.png", "bbox": [226, 78, 28, 64], "score": 0.9},
    ]
    (tmp_path / "found.json").write_text(json.dumps(found))
    name = save(tmp_path / "a.png", picture)
    out, document, arrays, _ = run(img_path=name, json_path=str(tmp_path / "found.json"))
    assert {p.name for p in (out / "a").glob("*.obj")} == {"person0.obj", "person1.obj"}
    np.testing.assert_array_equal(arrays["score"], [0.9, 0.5])
    joints = arrays["joints"]
    middle = (joints.min(axis=1) + joints.max(axis=1)) / 2
    np.testing.assert_allclose(middle, [[240, 110], [80, 120]], atol=2)
    overlay = read_picture(out / "a" / "overlay.png").astype(int)
    changed = np.abs(overlay - picture).sum(axis=2) > 60
    assert changed[:, :160].any() and changed[:, 160:].any()


def test_a_person_who_cannot_be_recovered_does_not_cost_the_others(
    run, make_spot, tmp_path, caplog
):
    name = save(tmp_path / "a.png", make_spot(SIZE, (200, 130)))
    outside, dark, whole = "900,900,10,10", "5,5,30,30", "180,90,40,80"
    _, document, arrays, _ = run(img_path=name, bbox=f"{outside};{dark};{whole}")
    (image,) = document["images"]
    assert [person["box"] for person in image["people"]] == [[180, 90, 40, 80]]
    np.testing.assert_allclose(arrays["joints"][0].mean(axis=0), (200, 130), atol=15)
    assert "900,900,10,10" in caplog.text and "sees no body here" in caplog.text
    assert not document["failed"]


def test_crops_of_several_pictures_share_a_batch(run, spotter, make_spot, tmp_path, monkeypatch):
    folder, sizes = tmp_path / "in", []
    folder.mkdir()
    for k in range(9):
        save(folder / f"{k}.png", make_spot(SIZE, (100 + 10 * k, 120)))
    predict = spotter.predict_crops
    monkeypatch.setattr(
        spotter, "predict_crops", lambda images: (sizes.append(len(images)), predict(images))[1]
    )
    _, _, arrays, _ = run(img_path=str(folder))
    assert sizes == [4, 4, 1]
    middle = (arrays["joints"].min(axis=1) + arrays["joints"].max(axis=1)) / 2
    np.testing.assert_allclose(middle, [[100 + 10 * k, 120] for k in range(9)], atol=2)


def test_nothing_is_opened_unless_asked_for(run, make_spot, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    name = save(tmp_path / "a.png", make_spot(SIZE, (200, 130)))
    run(img_path=name)
    assert opened == []
    out, _, _, _ = run(img_path=name, show=True)
    assert opened == [(out / "a" / "viewer.html").as_uri()]


def test_pictures_whose_names_differ_in_the_ending_get_folders_of_their_own(
    run, make_spot, tmp_path
):
    for name in ("a.jpg", "a.png"):
        save(tmp_path / name, make_spot(SIZE, (200, 130)))
    out, _, _, _ = run(img_path=str(tmp_path / "a.*"))
    inside(out, "a.jpg", "a.png", "results.json", "results.npz")


def test_a_video_gives_a_film_and_the_motion_of_who_is_in_it(run, make_spot, tmp_path):
    places = [(80 + 8 * k, 120) for k in range(14)]
    write_film(tmp_path / "film.mp4", places, make_spot)
    out, document, arrays, _ = run(img_path=str(tmp_path / "film.mp4"))
    inside(out / "film", "overlay.mp4", "person0.bvh", "person0.glb", "person0_poses.npz")
    film = cv2.VideoCapture(str(out / "film" / "overlay.mp4"))
    assert film.get(cv2.CAP_PROP_FRAME_COUNT) == 14 and film.get(cv2.CAP_PROP_FPS) == 20
    assert [image["frame"] for image in document["images"]] == list(range(14))
    assert arrays["frame"].tolist() == list(range(14)) and not arrays["person"].any()
    middle = (arrays["joints"].min(axis=1) + arrays["joints"].max(axis=1)) / 2
    np.testing.assert_allclose(middle, places, atol=3)
    lines = (out / "film" / "person0.bvh").read_text().splitlines()
    rows = np.array(
        [line.split() for line in lines[lines.index("Frame Time: 0.05000000") + 1 :]], float
    )
    assert len(rows) == 14
    # Root motion in centimetres: the pixels it moves by, at its depth.
    expected = 100 * (arrays["weak_translation"][-1] - arrays["weak_translation"][0])[0]
    assert rows[-1, 0] - rows[0, 0] == pytest.approx(expected, abs=12)
    assert expected > 100


def test_smoothing_calms_a_video_and_keeps_its_path(run, make_spot, tmp_path, rng):
    places = [(80 + 4 * k + rng.integers(-3, 4), 120 + rng.integers(-3, 4)) for k in range(24)]
    write_film(tmp_path / "film.mp4", places, make_spot)

    def jitter(arrays):
        return np.abs(np.diff(arrays["joints"].mean(axis=1), 2, axis=0)).mean()

    _, _, raw, _ = run(img_path=str(tmp_path / "film.mp4"))
    _, _, smooth, _ = run(img_path=str(tmp_path / "film.mp4"), smooth=True)
    assert jitter(smooth) < 0.5 * jitter(raw)
    np.testing.assert_allclose(smooth["joints"].mean((0, 1)), raw["joints"].mean((0, 1)), atol=5)


def test_boxes_of_every_frame_name_the_people_of_a_video(run, make_spot, tmp_path):
    places = [(80 + 5 * k, 120) for k in range(8)]
    write_film(tmp_path / "film.mp4", places, make_spot)
    found = [
        {"image_id": k, "bbox": [x - 14, y - 32, 28, 64], "score": 1.0}
        for k, (x, y) in enumerate(places)
        if k not in (3, 4)
    ]
    (tmp_path / "found.json").write_text(json.dumps(found))
    _, _, arrays, _ = run(
        img_path=str(tmp_path / "film.mp4"), json_path=str(tmp_path / "found.json")
    )
    assert arrays["person"].tolist() == [0] * 8
    assert np.isnan(arrays["score"]).tolist() == [k in (3, 4) for k in range(8)]
    middle = (arrays["joints"].min(axis=1) + arrays["joints"].max(axis=1)) / 2
    np.testing.assert_allclose(middle, places, atol=2)


def test_a_video_that_is_cut_off_gives_what_it_has(run, make_spot, tmp_path):
    path = tmp_path / "cut.mp4"
    write_film(path, [(80 + 8 * k, 120) for k in range(14)], make_spot)
    whole = path.read_bytes()
    path.write_bytes(whole[:-200])  # of frames of which most take less
    _, document, _, _ = run(img_path=str(path))
    assert 1 <= len(document["images"]) < 14
    assert all(len(image["people"]) == 1 for image in document["images"])


def test_a_video_without_anybody_fails_and_leaves_nothing(run, make_spot, tmp_path):
    path = tmp_path / "dark.mp4"
    with video_writer(path, SIZE, 20.0) as append:
        for _ in range(4):
            append(np.full((SIZE[1], SIZE[0], 3), 20, np.uint8))
    out, document, arrays, message = run(fails=True, img_path=str(path))
    assert "dark.mp4: nobody was found in any of its 4 frames" in message
    assert document["images"] == [] and len(arrays["verts"]) == 0
    inside(out, "results.json", "results.npz")


def test_without_a_network_it_says_how_to_get_one(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="python -m hmr_tf2.quickstart, then") as caught:
        demo.DemoSettings(img_path="a.jpg")
    assert "--load_path=models/model.ckpt-667589" in str(caught.value)
    (tmp_path / demo.QUICKSTART_RUN).mkdir(parents=True)
    with pytest.raises(ValueError, match="left one here: --load_path=quickstart_out/run"):
        demo.DemoSettings(img_path="a.jpg")


@pytest.mark.parametrize(
    "flags, reason",
    [
        ({}, "either --img_path or --webcam"),
        ({"img_path": "a", "webcam": 0}, "either --img_path or --webcam"),
        ({"img_path": "a", "detector": "yolo"}, "--detector accepts none, hog"),
        ({"img_path": "a", "focal_length": 0.0}, "--focal_length must be above 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(flags, reason):
    with pytest.raises(ValueError, match=reason):
        demo.DemoSettings(load_path="any", **flags)


def test_sources_of_boxes_exclude_each_other():
    settings = demo.DemoSettings(load_path="x", img_path="a", bbox="1,2,3,4", detector="hog")
    with pytest.raises(ValueError, match="--bbox and --detector exclude each other"):
        command.box_source(settings)


def test_a_box_is_for_one_picture(spotter, make_spot, tmp_path):
    for name in ("a.jpg", "b.jpg"):
        save(tmp_path / name, make_spot(SIZE, (200, 130)))
    settings = demo.DemoSettings(
        load_path="x", img_path=str(tmp_path), bbox="1,2,3,4", out_dir=str(tmp_path / "out")
    )
    with pytest.raises(ValueError, match="is for one picture; --img_path means 2"):
        demo.main(settings)


@pytest.mark.slow
@pytest.mark.parametrize("untrained", ["resnet_fc3_dropout"], indirect=True)
def test_the_originals_networks_run_the_demo(untrained, make_spot, tmp_path, monkeypatch):
    """With a body of 6890 vertices; `tests/test_loading.py` has where they may come from."""
    asked = []

    def load(*args):
        asked.append(args)
        return loading.predictor_of(untrained, args[2])

    monkeypatch.setattr(loading, "load_predictor", load)
    out = tmp_path / "out"
    demo.main(
        demo.DemoSettings(
            load_path="run",
            smpl_model_path="body.pkl",
            batch_size=3,
            out_dir=str(out),
            img_path=save(tmp_path / "a.jpg", make_spot(SIZE, (200, 130))),
        )
    )
    assert asked == [("run", "body.pkl", 3)]
    with np.load(out / "results.npz") as arrays:
        assert arrays["verts"].shape == (1, 6890, 3)
    inside(out / "a", "overlay.png", "viewer.html", "person0.png", "person0.obj", "person0.glb")
