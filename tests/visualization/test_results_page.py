"""The results page: complete, self-contained, safe with any text and any numbers."""

import base64
import html.parser
import math

import cv2
import numpy as np
import pytest

from hmr_tf2.visualization import line_chart
from hmr_tf2.visualization.results_page import write_results_page

NAN, INF = float("nan"), float("inf")
HOSTILE = "</title><script src=//x>alert('1')</script>&amp; \"quoted\" {title}"
VOID = {"meta", "img", "br", "line", "circle", "polyline"}


class Page(html.parser.HTMLParser):
    """Collects tags and text, and fails where a tag is not closed by its own end."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.words, self._open = [], [], []
        self.feed(source)
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    def of(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def write(tmp_path, **content):
    path = write_results_page(tmp_path / "page.html", **{"title": "Run", **content})
    return path.read_text(encoding="utf-8")


def picture(seed=0, size=(20, 31)):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)


def whole(text="Losses"):
    return dict(
        title=text,
        curves={text: {text: [(1, 5.0), (2, 3.0), (3, 2.5)]}},
        tables=[(text, [text, "mm"], [[text, 88.25], ["trained", 3]])],
        pictures=[(text, picture())],
        notes=[text],
    )


def test_a_whole_page_is_well_formed_and_holds_every_part(tmp_path):
    page = Page(write(tmp_path, **whole()))
    assert [len(page.of(tag)) for tag in ("h1", "table", "svg", "img")] == [1, 1, 1, 1]
    assert {"Results", "Pictures", "Curves", "88.2", "3"} <= set(page.words)


def test_nothing_is_fetched(tmp_path):
    source = write(tmp_path, **whole())
    page = Page(source)
    assert "http:" not in source and "https:" not in source and "url(" not in source
    assert not page.of("script") and not page.of("link") and not page.of("iframe")
    assert all(attrs["src"].startswith("data:image/png;base64,") for attrs in page.of("img"))
    policy = [a["content"] for a in page.of("meta") if "http-equiv" in a]
    assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]


def test_hostile_text_stays_text(tmp_path):
    source = write(tmp_path, **whole(HOSTILE))
    page = Page(source)
    assert not page.of("script") and len(page.of("title")) == 1
    assert page.words.count(HOSTILE) >= 6
    assert page.of("img")[0]["alt"] == HOSTILE == page.of("svg")[0]["aria-label"]


def test_text_that_is_no_unicode_is_replaced(tmp_path):
    assert "a?b" in write(tmp_path, notes=["a\ud800b"])


def test_pictures_decode_to_the_same_pixels(tmp_path):
    sent = [picture(1), picture(2, (7, 90)), picture(3)[:, ::-1]]
    page = Page(write(tmp_path, pictures=[(str(k), p) for k, p in enumerate(sent)]))
    for attrs, pixels in zip(page.of("img"), sent, strict=True):
        data = base64.b64decode(attrs["src"].partition(",")[2], validate=True)
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        np.testing.assert_array_equal(bgr[..., ::-1], pixels)
        assert (attrs["height"], attrs["width"]) == tuple(map(str, pixels.shape[:2]))


@pytest.mark.parametrize(
    "bad", [np.zeros((4, 4, 3), np.float32), np.zeros((4, 4), np.uint8), np.zeros(3, np.uint8)]
)
def test_what_is_no_picture_is_named(tmp_path, bad):
    with pytest.raises(ValueError, match="'mesh' must be RGB uint8"):
        write(tmp_path, pictures=[("mesh", bad)])
    assert not (tmp_path / "page.html").exists()


def test_an_empty_run_gives_a_page_that_says_so(tmp_path):
    page = Page(write(tmp_path))
    assert "There is nothing to show yet." in page.words
    assert not page.of("section")


def test_empty_parts_are_named(tmp_path):
    curves = {"a": {}, "b": {"x": []}, "c": {"x": [(1, NAN), (2, INF)]}}
    page = Page(write(tmp_path, curves=curves, tables=[("Errors", ["", "mm"], [])]))
    assert page.words.count("No values") == 3 and "No rows" in page.words
    assert "2 not finite" in page.words


def test_a_number_that_is_not_finite_is_a_dash_in_a_table(tmp_path):
    rows = [["a", NAN, np.float32(INF)]]
    assert Page(write(tmp_path, tables=[("", ["", "x", "y"], rows)])).words.count("–") == 2


def numbers_in(svg):
    """float [N, 2]: the points of all lines and dots."""
    shapes = Page(svg)
    pairs = [pair for a in shapes.of("polyline") for pair in a["points"].split()]
    points = [tuple(map(float, pair.split(","))) for pair in pairs]
    return np.array(points + [(float(a["cx"]), float(a["cy"])) for a in shapes.of("circle")])


def draw(values, steps=None):
    steps = np.arange(len(values)) if steps is None else steps
    return line_chart.draw_lines("t", [np.column_stack([steps, values]).astype(float)])


def test_a_gap_parts_the_line():
    svg = draw([3, 2, NAN, 1, INF, 2, 2])
    page = Page(svg)
    assert len(page.of("polyline")) == 2 and len(page.of("circle")) == 1
    assert len(numbers_in(svg)) == 5


@pytest.mark.parametrize(
    "values",
    [
        [4.0],
        [4.0, 4.0],
        [0.0, 0.0, 0.0],
        [-3.0, 8.0, 1e9],
        [1e-7, 3e-7, 2e-7],
        [1e-9, 1.0, 1e9],
        [1.0, 1.0 + 2**-52],
        [0.0, 5e4, 1.0],
    ],
)
def test_all_finite_values_lie_inside_the_frame(values):
    points = numbers_in(draw(values))
    assert len(points) == len(values) and np.isfinite(points).all()
    assert (points >= [50, 10]).all() and (points <= [366, 188]).all()


def test_larger_values_lie_higher_and_later_steps_further_right():
    x, y = numbers_in(draw([1.0, 2.0, 4.0], [0, 10, 40])).T
    np.testing.assert_allclose(np.diff(x), np.array([10, 30]) / 40 * 316, atol=0.11)
    assert (np.diff(y) < 0).all()
    assert np.diff(y)[1] == pytest.approx(2 * np.diff(y)[0], abs=0.11)


def test_values_over_decades_get_a_logarithmic_axis():
    y = numbers_in(draw([1000.0, 100.0, 10.0, 1.0]))[:, 1]
    np.testing.assert_allclose(np.diff(y), np.diff(y)[0], atol=0.11)
    assert "logarithmic" not in draw([1000.0, 0.0])


@pytest.mark.parametrize("low, high", [(0, 1), (-7, 12), (0.31, 0.33), (5, 1e6), (1e-8, 3e-8)])
def test_ticks_are_round_and_enclose_the_values(low, high):
    ticks, first, last = line_chart.round_ticks(low, high)
    assert 3 <= len(ticks) <= 8
    assert first <= low + 1e-9 * (high - low) and high - 1e-9 * (high - low) <= last
    pace = ticks[1] - ticks[0]
    mantissa = pace / 10 ** math.floor(math.log10(pace) + 1e-9)
    assert any(mantissa == pytest.approx(factor) for factor in (1, 2, 5, 10))


def test_long_lines_are_thinned_and_smoothed():
    noise = np.random.default_rng(0).normal(0, 1, 20_000)
    svg = draw(100 + noise)
    page = Page(svg)
    assert [a["class"] for a in page.of("polyline")] == ["pale c0", "c0"]
    assert len(svg) < 30_000
    mean = line_chart._smoothed(np.column_stack([np.arange(20_000), noise]))
    assert mean[-1, 0] > 19_500 and np.std(mean[5:, 1]) < 0.1


def test_smoothing_keeps_a_straight_line_and_its_gap():
    line = np.column_stack([np.arange(200.0), 3 * np.arange(200.0)])
    line[100:120, 1] = NAN
    mean = line_chart._smoothed(line)
    gap = (mean[:, 0] >= 100) & (mean[:, 0] < 120)
    assert np.isnan(mean[gap, 1]).all()
    far = np.abs(mean[:, 0] - 110) > 20
    np.testing.assert_allclose(mean[far, 1], 3 * mean[far, 0])


def test_the_page_replaces_an_old_one_and_leaves_nothing_else(tmp_path):
    write(tmp_path, title="old")
    source = write(tmp_path / ".", title="new")
    assert "new" in source and "old" not in source
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]


def test_a_failed_write_keeps_the_old_page(tmp_path, monkeypatch):
    write(tmp_path, title="old")

    def full(*_, **__):
        raise OSError("No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        write(tmp_path, title="new")
    assert "old" in (tmp_path / "page.html").read_text()
