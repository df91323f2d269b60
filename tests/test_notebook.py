"""The notebook runs from top to bottom, here in small, and shows what it says it does."""

import base64
import io
import pathlib

import nbclient
import nbformat
import pytest
from ipykernel.kernelspec import write_kernel_spec
from PIL import Image

ROOT = pathlib.Path(__file__).parents[1]
NOTEBOOK = ROOT / "notebooks" / "hmr_tf2.ipynb"
SECONDS = 900  # for the slowest cell; more than a minute only where the machine has other work


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The outputs of each cell by its name, after a run in a folder of its own.

    The kernel is this interpreter. Nothing is read from or left in the home folder.
    """
    folder = tmp_path_factory.mktemp("notebook")
    write_kernel_spec(folder / "jupyter" / "kernels" / "this")
    work = folder / "work"
    work.mkdir()
    changed = {
        "CUDA_VISIBLE_DEVICES": "",
        "HMR_TF2_QUICK": "1",
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_PATH": str(folder / "jupyter"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONPATH": str(ROOT),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in changed.items():
            patch.setenv(name, value)
        notebook = nbformat.read(NOTEBOOK, as_version=4)
        nbclient.NotebookClient(
            notebook,
            kernel_name="this",
            timeout=SECONDS,
            resources={"metadata": {"path": str(work)}},
        ).execute()
    return {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}


def text(outputs) -> str:
    """What a cell prints, and what its last line is."""
    printed = [output.text for output in outputs if output.output_type == "stream"]
    return "".join([*printed, *shown(outputs, "text/plain")])


def shown(outputs, kind: str) -> list[str]:
    """What a cell displays of one kind."""
    displays = (output.data for output in outputs if output.output_type != "stream")
    return [data[kind] for data in displays if kind in data]


def picture(outputs) -> Image.Image:
    (png,) = shown(outputs, "image/png")
    return Image.open(io.BytesIO(base64.b64decode(png)))


def test_the_committed_notebook_holds_no_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(code) > 5
    assert [cell.id for cell in code if cell.outputs or cell.execution_count is not None] == []


@pytest.mark.slow
def test_no_cell_writes_to_stderr(executed):
    noise = [
        output.text
        for outputs in executed.values()
        for output in outputs
        if output.get("name") == "stderr"
    ]
    assert noise == []


@pytest.mark.slow
def test_nothing_is_installed_where_the_package_is_there(executed):
    assert executed["install"] == []


@pytest.mark.slow
def test_the_pictures_it_shows_have_something_to_show(executed):
    assert picture(executed["photos"]).size == (5 * 224, 2 * 224)
    assert picture(executed["predict"]).size == (2 * 4 * 224, 3 * 224)
    for cell in ("photos", "losses", "predict"):
        assert all(low < high for low, high in picture(executed[cell]).convert("RGB").getextrema())


@pytest.mark.slow
def test_converting_training_and_errors_are_told(executed):
    assert "mosh/CMU" in text(executed["convert"])
    assert "step 2 of 2: e_loss" in text(executed["train"])
    assert "callback duration" not in text(executed["train"])  # a remark of TensorFlow 2.21
    for words in ("MPJPE, mm", "mean body", "trained"):
        assert words in text(executed["errors"])


@pytest.mark.slow
def test_the_viewer_is_in_the_page_and_can_be_turned(executed):
    (page,) = shown(executed["viewer"], "text/html")
    assert "<iframe srcdoc=" in page and "&lt;canvas" in page
    assert "__SCENE__" not in page and page.count("<script") == 0


@pytest.mark.slow
def test_the_saved_model_answers_as_the_model_does(executed):
    answer = text(executed["ask"])
    (difference,) = [line for line in answer.splitlines() if line.startswith("The joints differ")]
    assert float(difference.split()[-2]) < 0.05
    assert "'joints3d': TensorShape([1, 19, 3])" in answer
