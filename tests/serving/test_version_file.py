"""An export tells which version of hmr_tf2 wrote it."""

import pytest

import hmr_tf2
from hmr_tf2.serving import version_file


def test_an_export_tells_the_version_that_wrote_it(exported):
    assert version_file.read_version(exported) == hmr_tf2.__version__


def test_equal_exports_have_equal_version_files(tmp_path):
    texts = []
    for name in ("1", "2"):
        (tmp_path / name).mkdir()
        version_file.write_version(tmp_path / name)
        texts.append((tmp_path / name / version_file.VERSION_FILE).read_bytes())
    assert texts[0] == texts[1]


def test_an_export_from_before_has_no_version(tmp_path):
    assert version_file.read_version(tmp_path) is None


@pytest.mark.parametrize("text", ["{", "[]", '{"version": "0.2.0"}'])
def test_a_damaged_version_file_is_named(tmp_path, text):
    path = tmp_path / version_file.VERSION_FILE
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(ValueError, match=r"hmr_tf2\.json is damaged.*export the model again"):
        version_file.read_version(tmp_path)
