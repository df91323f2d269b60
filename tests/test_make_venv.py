"""Which interpreter `make` takes, and which stack follows from it; with interpreters made up."""

import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
SCRIPT = ROOT / "tools" / "make_venv.sh"


class Machine:
    """A PATH with interpreters of the versions that are wanted, and nothing that is really there.

    Each says that it is of its version and runs the script's question under it.
    """

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        (folder / "bin").mkdir()
        for name in ("bash", "dirname", "mkdir", "cp", "rm", "cat"):
            (folder / "bin" / name).symlink_to(f"/bin/{name}")

    def install(self, name: str, version: str, folder: str = "bin") -> pathlib.Path:
        path = self.folder / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        numbers = version.replace(".", ", ")
        path.write_text(
            "#!/bin/bash\n"
            'case "$1 $2" in\n'
            f'"-V ") echo "Python {version}.1" ;;\n'
            f'"-c "*) printf "import sys\\nsys.version_info = ({numbers}, 1)\\n%s" "$2" '
            f"| {sys.executable} - ;;\n"
            '"-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;\n'
            '"-m pip") echo "$@" > "${0%/bin/python}/pip.txt" ;;\n'
            "esac\n"
        )
        path.chmod(0o755)
        return path

    def stub(self, name: str) -> None:
        """What a version manager leaves for a version that it does not use."""
        path = self.folder / "bin" / name
        path.write_text("#!/bin/bash\necho 'command not found' >&2\nexit 127\n")
        path.chmod(0o755)

    def make(self, *arguments: str, **env: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            ["/bin/bash", SCRIPT, *(arguments or ("venv",))],
            cwd=self.folder,
            env={"PATH": str(self.folder / "bin"), "HOME": str(self.folder), **env},
            capture_output=True,
            text=True,
        )

    def installed(self, venv: str = "venv") -> str:
        """What pip was called with."""
        return (self.folder / venv / "pip.txt").read_text()


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


@pytest.mark.parametrize(
    "version, stack",
    [("3.10", "2.15"), ("3.11", "2.15"), ("3.12", "2.21"), ("3.13", "2.21")],
)
def test_the_python_that_is_there_decides_the_stack(machine, version, stack):
    machine.install("python3", version)
    done = machine.make()
    assert done.returncode == 0, done.stderr
    assert f"Making venv with Python {version}.1" in done.stdout
    assert f"constraints/tensorflow-{stack}.txt" in done.stdout
    assert f"constraints/tensorflow-{stack}.txt -e " in machine.installed()


def test_of_several_3_11_is_taken_and_else_the_newer_stack(machine):
    for version in ("3.10", "3.12", "3.13"):
        machine.install(f"python{version}", version)
    assert "with Python 3.12.1" in machine.make("a").stdout
    machine.install("python3.11", "3.11")
    assert "with Python 3.11.1" in machine.make("b").stdout


def test_a_stub_of_a_version_manager_is_passed_over_for_what_it_keeps(machine):
    machine.stub("python3.11")
    machine.install("python", "3.13", ".pyenv/versions/3.13.4/bin")
    assert "with Python 3.13.1" in machine.make().stdout


@pytest.mark.parametrize("version", ["3.9", "3.14", "4.0"])
def test_other_versions_are_refused_with_what_to_do(machine, version):
    machine.install("python3", version)
    done = machine.make()
    assert done.returncode == 1
    assert "hmr_tf2 needs Python 3.10, 3.11, 3.12 or 3.13" in done.stderr
    assert "make PYTHON=/path/to/python3.12" in done.stderr
    assert not (machine.folder / "venv").exists()


def test_an_interpreter_that_was_chosen_is_taken(machine):
    machine.install("python3.11", "3.11")
    chosen = machine.install("mine", "3.13", "elsewhere")
    assert "with Python 3.13.1" in machine.make(PYTHON=str(chosen)).stdout


def test_the_path_of_an_interpreter_may_have_spaces(machine):
    chosen = machine.install("python3.12", "3.12", "my pythons")
    assert "with Python 3.12.1" in machine.make(PYTHON=str(chosen)).stdout


def test_an_interpreter_that_was_chosen_and_cannot_be_used_is_not_replaced(machine):
    machine.install("python3.11", "3.11")
    done = machine.make(PYTHON="/nowhere/python")
    assert done.returncode == 1 and "none of these is one: /nowhere/python" in done.stderr
    assert not (machine.folder / "venv").exists()


def test_an_environment_is_kept_until_another_interpreter_is_chosen(machine):
    machine.install("python3.11", "3.11")
    assert "Making" in machine.make().stdout
    assert "Making" not in machine.make().stdout
    other = machine.install("python3.12", "3.12")
    assert "Making venv with Python 3.12.1" in machine.make(PYTHON=str(other)).stdout
    assert "Making" not in machine.make(PYTHON=str(other)).stdout


def test_the_other_stack_is_the_one_that_an_environment_is_not_of(machine):
    for version in ("3.10", "3.11", "3.13"):
        machine.install(f"python{version}", version)
    machine.make("venv")
    assert "with Python 3.13.1" in machine.make("other", "venv").stdout
    assert "tensorflow-2.21" in machine.installed("other")
    (machine.folder / "bin" / "python3.13").unlink()
    done = machine.make("another", "venv")
    assert done.returncode == 1 and not (machine.folder / "another").exists()
