"""Plants one fault at a time in a module and asks the tests beside it whether they notice.

python tools/mutants.py [--list] [--again] [--at_most=N] [MODULE ...]

The faults are those of faults.py: constants off by one, another sign, operator or comparison, a
condition turned round, a loop left out, words of a string swapped. mutants.toml says which tests
belong to a module, and names the faults that no test can notice, with the reason.

A fault never touches the file on disk. TensorFlow is imported once; a fork of that process
collects the tests of a module, and each fault gets a fork of that one, in which the module's text
with the fault runs in place of the module and what others have imported from it is replaced. A
fault that nobody notices is tried once more in a process that has imported nothing of the project
yet. numba does not compile here: the same functions run as plain Python.
"""

import argparse
import gc
import importlib.machinery
import importlib.util
import json
import linecache
import os
import pathlib
import random
import resource
import signal
import sys
import time

# One thread an operation, no GPU, no compiler: what is left starts at once.
os.environ.update(
    NUMBA_DISABLE_JIT="1",
    TF_NUM_INTRAOP_THREADS="1",
    TF_NUM_INTEROP_THREADS="1",
    OMP_NUM_THREADS="1",
    OPENBLAS_NUM_THREADS="1",
    CUDA_VISIBLE_DEVICES="-1",
    PYTEST_DISABLE_PLUGIN_AUTOLOAD="1",
    TF_CPP_MIN_LOG_LEVEL="3",
)

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import pytest  # noqa: E402
import toml  # noqa: E402

from tools.faults import faults_of  # noqa: E402

RESULTS = ROOT / ".mutants"
LOG, NOTICED_BY = RESULTS / "last_run.log", RESULTS / "noticed_by"
OPTIONS = [
    *("-x", "-s", "-p", "no:cacheprovider", "-p", "no:unraisableexception"),
    f"--basetemp={RESULTS / 'tmp'}",
]
MIN_LIMIT_S = 10


class Noticed:
    """A pytest plugin that ends the process with the first test that fails, and tells its name."""

    def pytest_runtest_logreport(self, report):
        if report.failed:
            NOTICED_BY.write_text(report.nodeid)
            os._exit(1)


class OneFaultAFork(Noticed):
    """A pytest plugin that runs the tests, once collected, for every fault in a fork."""

    def __init__(self, module: str, faults: list[dict]):
        self.module, self.faults = module, faults

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session):
        _require_one_thread()
        gc.freeze()
        outcome, cpu_s, by = in_fork(lambda: None, 600)
        if outcome is None:
            return None  # the fork: pytest runs the tests
        if outcome != "survived":
            raise RuntimeError(f"{self.module}: {by} fails without a fault; see {LOG}")
        limit_s = int(MIN_LIMIT_S + 5 * cpu_s)
        for fault in self.faults:
            outcome, _, by = in_fork(
                lambda f=fault: put_in_place(self.module, f["source"]), limit_s
            )
            if outcome is None:
                return None
            fault["outcome"], fault["by"] = outcome, by
            store(self.module, self.faults)
        return True


def in_fork(prepare, limit_s: int) -> tuple[str | None, float, str]:
    """(outcome, CPU seconds, the test that noticed); in the fork itself (None, 0, "").

    The limit is of CPU time, so that a busy machine makes no fault look noticed.
    """
    NOTICED_BY.write_text("")
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (limit_s, limit_s + 5))
        try:
            prepare()
        except BaseException as error:  # a module that cannot be imported is noticed
            NOTICED_BY.write_text(f"import: {error!r}")
            os._exit(1)
        return None, 0.0, ""
    _, status, usage = os.wait4(child, 0)
    code = os.waitstatus_to_exitcode(status)
    outcome = {0: "survived", -signal.SIGXCPU: "timeout"}.get(code, "killed")
    return outcome, usage.ru_utime + usage.ru_stime, NOTICED_BY.read_text()


def put_in_place(module: str, source: str):
    """Runs `source` as the text of the imported `module`; others get what they took from it."""
    target = sys.modules[_name(module)]
    before = dict(vars(target))
    _show_to_autograph(module, source)
    exec(compile(source, str(ROOT / module), "exec"), vars(target))
    after = vars(target)
    changed = {k: v for k, v in before.items() if not k.startswith("__") and after[k] is not v}
    by_identity = {id(v): k for k, v in changed.items() if not isinstance(v, (int, float, str))}
    for other in list(sys.modules.values()):
        if other is target or not str(getattr(other, "__file__", None)).startswith(str(ROOT)):
            continue
        for name, value in list(vars(other).items()):
            if id(value) in by_identity:
                setattr(other, name, after[by_identity[id(value)]])
            elif name in changed and value is changed[name]:
                setattr(other, name, after[name])


def import_instead(module: str, source: str):
    """Lets `module` be imported with the text `source`."""
    path, name = str(ROOT / module), _name(module)
    assert name not in sys.modules

    class Loader(importlib.machinery.SourceFileLoader):
        def get_code(self, fullname):
            return compile(source, path, "exec")

    class Finder:
        @staticmethod
        def find_spec(fullname, *_):
            loader = Loader(name, path)
            if fullname == name:
                return importlib.util.spec_from_file_location(name, path, loader=loader)

    sys.meta_path.insert(0, Finder)
    _show_to_autograph(module, source)


def _show_to_autograph(module, source):
    path = str(ROOT / module)
    linecache.cache[path] = (len(source), None, source.splitlines(keepends=True), path)


def _name(module):
    return module.removesuffix(".py").replace("/", ".")


def run_pytest(tests: list[str], plugin):
    """Ends this process with pytest's exit status."""
    status = 3
    try:
        log = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        status = pytest.main([*OPTIONS, *tests], plugins=[plugin])
        sys.stdout.flush()
    finally:
        os._exit(status)


def import_what_tests_need():
    """Nothing of this project, and nothing that starts a thread: forks would lack it."""
    import cv2  # noqa: F401
    import h5py  # noqa: F401
    import numba  # noqa: F401
    import numpy.testing  # noqa: F401
    import scipy.sparse  # noqa: F401
    import tensorflow  # noqa: F401
    import tf_keras  # noqa: F401

    _require_one_thread()
    gc.freeze()  # or each fork would search and copy all of TensorFlow's objects


def _require_one_thread():
    threads = len(os.listdir("/proc/self/task"))
    if threads > 1:
        raise RuntimeError(f"Expected one thread before a fork, got {threads}.")


def store(module: str, faults: list[dict]):
    done = [{k: v for k, v in f.items() if k != "source"} for f in faults if "outcome" in f]
    _results(module).write_text(json.dumps(done, indent=1))


def _results(module):
    return RESULTS / f"{_name(module)}.json"


def _pair(fault):
    return fault["before"], fault["after"]


def examine(module: str, tests: list[str], known: dict, again: bool, at_most: int | None) -> int:
    """Runs the tests on the faults; returns how many survive without a reason."""
    start = time.monotonic()
    faults = faults_of((ROOT / module).read_text())
    count = len(faults)
    if at_most and at_most < count:
        chosen = sorted(random.Random(0).sample(range(count), at_most))
        faults = [faults[i] for i in chosen]
    noticed = []
    if again:
        earlier = json.loads(_results(module).read_text())
        noticed = [fault for fault in earlier if fault["outcome"] != "survived"]
        survivors = {_pair(fault) for fault in earlier if fault["outcome"] == "survived"}
        faults = [fault for fault in faults if _pair(fault) in survivors]
    server = os.fork()
    if server == 0:
        run_pytest(tests, OneFaultAFork(module, faults))
    if os.waitstatus_to_exitcode(os.waitpid(server, 0)[1]) != 0:
        raise RuntimeError(f"{module}: its tests could not be run; see {LOG}")
    outcomes = {_pair(fault): fault for fault in json.loads(_results(module).read_text())}
    for fault in faults:
        fault |= outcomes[_pair(fault)]
        if fault["outcome"] == "survived" and _pair(fault) not in known:
            outcome, _, by = in_fork(lambda f=fault: import_instead(module, f["source"]), 600)
            if outcome is None:
                run_pytest(tests, Noticed())
            fault["outcome"], fault["by"] = outcome, by
        if fault["outcome"] == "survived":
            why = known.get(_pair(fault), "")
            print(f"  {fault['line']}: {fault['before']}  ->  {fault['after']}  {why}", flush=True)
    store(module, noticed + faults)
    survived = [fault for fault in faults if fault["outcome"] == "survived"]
    new = [fault for fault in survived if _pair(fault) not in known]
    print(
        f"{module}: {len(noticed) + len(faults)} of {count} faults, {len(survived)} not noticed, "
        f"{len(new)} of them without a reason; {time.monotonic() - start:.0f} s",
        flush=True,
    )
    return len(new)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", help="files of mutants.toml; all if none is named")
    parser.add_argument("--list", action="store_true", help="count the faults, run nothing")
    parser.add_argument("--again", action="store_true", help="only those that survived last time")
    parser.add_argument("--at_most", type=int, help="so many a module, drawn with a fixed seed")
    arguments = parser.parse_args()
    os.chdir(ROOT)
    settings = toml.loads((ROOT / "tools" / "mutants.toml").read_text())
    modules = arguments.modules or list(settings["tests"])
    if arguments.list:
        for module in modules:
            print(f"{module}: {len(faults_of((ROOT / module).read_text()))}")
        return 0
    RESULTS.mkdir(exist_ok=True)
    import_what_tests_need()
    num_new = 0
    for module in modules:
        known = {
            tuple(fault): group["why"]
            for group in settings.get("unnoticed", [])
            if group["module"] == module
            for fault in group["faults"]
        }
        num_new += examine(
            module, settings["tests"][module], known, arguments.again, arguments.at_most
        )
    return 1 if num_new else 0


if __name__ == "__main__":
    sys.exit(main())
