"""The viewer page: self-contained, and its WebGL draws what the renderer draws."""

import base64
import json
import re

import cv2
import numpy as np
import pytest

from hmr_tf2.crops import PictureCamera
from hmr_tf2.standin import posing
from hmr_tf2.visualization import overlay, viewer

SIZE = (320, 240)
CAMERAS = [
    PictureCamera(np.array([95.0, 96.0]), np.array([0.9, 1.4])),
    PictureCamera(np.array([88.0, 88.5]), np.array([2.3, 1.3])),
]

# As soon as the page has drawn, and before the browser clears what was drawn, writes what the
# canvas shows into the page. The canvas has the picture's size, so that pixels can be compared.
PROBE = """<style>main { flex: none; width: 320px; height: 240px; }</style><script>
new MutationObserver(() => {
  const told = document.createElement("pre");
  told.id = "told";
  told.textContent = canvas.toDataURL("image/png");
  document.body.append(told);
}).observe(document.body, { attributes: true });
</script>"""


@pytest.fixture(scope="module")
def bodies():
    """Two who overlap, upright in camera axes."""
    pose = np.zeros(72)
    pose[0] = np.pi
    pose[3 * 16 + 2] = -0.6
    posed = posing.standin_poser().pose(np.zeros(10), pose)
    return [
        (posed.vertices, camera, color)
        for camera, color in zip(CAMERAS, [(0.7, 0.75, 0.85), (0.95, 0.7, 0.5)], strict=True)
    ]


@pytest.fixture
def page(bodies, tmp_path):
    picture = np.full((SIZE[1], SIZE[0], 3), (20, 90, 20), np.uint8)
    path = tmp_path / "viewer.html"
    viewer.write_viewer(path, picture, bodies, posing.standin_poser().faces, "a <b> & c")
    return path


def test_nothing_is_fetched(page):
    source = page.read_text()
    assert "http:" not in source and "https:" not in source and "url(" not in source
    assert " src=" not in source and "<link" not in source and "fetch(" not in source
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', source)
    assert policy == (
        "default-src 'none'; img-src data:; script-src 'unsafe-inline'; style-src 'unsafe-inline'"
    )
    assert "<title>a &lt;b> &amp; c</title>" in source


def test_the_scene_holds_picture_meshes_and_cameras(page, bodies):
    text = re.search(r'id="scene">(.*?)</script>', page.read_text(), re.DOTALL)[1]
    scene = json.loads(text)
    assert (scene["width"], scene["height"]) == SIZE
    faces = np.frombuffer(base64.b64decode(scene["faces"]), "<u2")
    np.testing.assert_array_equal(faces, posing.standin_poser().faces.ravel())
    for got, (vertices, camera, _) in zip(scene["bodies"], bodies, strict=True):
        values = np.frombuffer(base64.b64decode(got["vertices"]), "<f4").reshape(-1, 3)
        np.testing.assert_array_equal(values, vertices)
        assert got["scale"] == camera.scale.tolist()
    jpeg = base64.b64decode(scene["picture"].split(",")[1])
    shown = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert np.abs(shown[..., ::-1].astype(int) - (20, 90, 20)).max() < 6


def test_large_pictures_are_shown_at_screen_size(bodies, tmp_path):
    picture = np.zeros((30, 5000, 3), np.uint8)
    viewer.write_viewer(tmp_path / "a.html", picture, bodies[:1], posing.standin_poser().faces)
    text = re.search(r'id="scene">(.*?)</script>', (tmp_path / "a.html").read_text(), re.DOTALL)[1]
    scene = json.loads(text)
    jpeg = np.frombuffer(base64.b64decode(scene["picture"].split(",")[1]), np.uint8)
    assert cv2.imdecode(jpeg, cv2.IMREAD_COLOR).shape[1] == viewer.MAX_SIDE
    assert scene["width"] == 5000  # the cameras are those of the picture as it was


@pytest.fixture
def canvas_of(in_chromium):
    """canvas_of(page, fragment) -> what the canvas shows: RGB uint8 [H, W, 3]."""
    return lambda page, fragment="": read_canvas(in_chromium, page, fragment)


def read_canvas(in_chromium, page, fragment):
    probed = page.with_name("probe.html")
    source = page.read_text()
    at = source.index('<script type="application/json"')
    probed.write_text(source[:at] + PROBE + source[at:])
    dumped = in_chromium(
        f"{probed.as_uri()}{fragment}",
        "--use-gl=angle",
        "--use-angle=swiftshader",
        "--enable-unsafe-swiftshader",
        "--force-device-scale-factor=1",
        "--window-size=800,600",
    )
    if "This page needs WebGL" in re.search(r'<p id="problem"[^>]*>(.*?)</p>', dumped)[1]:
        pytest.skip("This Chromium has no WebGL.")
    told = re.search(r'<pre id="told">data:image/png;base64,([^<]*)</pre>', dumped)
    content = np.frombuffer(base64.b64decode(told[1]), np.uint8)
    return cv2.imdecode(content, cv2.IMREAD_COLOR)[..., ::-1]


def is_body(picture):
    """The background of these tests is green."""
    return picture[..., 0].astype(int) + picture[..., 2] > picture[..., 1] + 15


def test_the_browser_draws_the_bodies_where_the_renderer_does(page, bodies, canvas_of):
    drawn = canvas_of(page)
    background = np.full((SIZE[1], SIZE[0], 3), (20, 90, 20), np.uint8)
    expected = overlay.draw_bodies(background, bodies, posing.standin_poser().faces)
    assert drawn.shape == expected.shape
    got, want = is_body(drawn), is_body(expected)
    assert want.sum() > 5000
    # Within a pixel: what differs lies on the outline.
    kernel = np.ones((3, 3), np.uint8)
    surely = cv2.erode(want.astype(np.uint8), kernel) > 0
    maybe = cv2.dilate(want.astype(np.uint8), kernel) > 0
    assert got[surely].all() and not got[~maybe].any()
    assert np.abs(drawn[surely].astype(int) - expected[surely]).mean() < 12


def test_a_turned_body_is_the_one_the_panel_shows(page, bodies, canvas_of):
    drawn = is_body(canvas_of(page, "#turn=90"))
    background = np.full((SIZE[1], SIZE[0], 3), (20, 90, 20), np.uint8)
    turned = []
    for vertices, camera, color in bodies:
        middle = (vertices.min(0) + vertices.max(0)) / 2
        x, y, z = (vertices - middle).T
        turned.append((np.column_stack([z, y, -x]) + middle, camera, color))
    want = is_body(overlay.draw_bodies(background, turned, posing.standin_poser().faces))
    assert (drawn != want).sum() < 0.05 * want.sum()
