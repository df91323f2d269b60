"""Plants one fault at a time in a module and asks the tests beside it whether they notice.

python tools/mutants.py [--list] [--again] [MODULE ...]

The faults are those of cosmic-ray that change a number (constants by one, another sign, operator
or comparison, a condition reversed, a loop left out), and two of our own: words of a string
swapped, a bound of a slice left out. The file mutants.toml beside this one says which tests belong
to a module, and which faults no test can notice, with the reason.

A fault never touches the file on disk. TensorFlow is imported once; each fault gets a fork of that
process, in which the module is imported with the fault in it and pytest runs. numba does not
compile there: the same functions run as plain Python.
"""

import argparse
import gc
import json
import os
import pathlib
import random
import re
import signal
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
RESULTS = ROOT / ".mutants"

# One thread per operation, no GPU, no compiler: what is left starts within a second.
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

import toml  # noqa: E402
from cosmic_ray.ast import ast_nodes, get_ast  # noqa: E402
from cosmic_ray.mutating import mutate_code  # noqa: E402
from cosmic_ray.operators.operator import Operator  # noqa: E402
from cosmic_ray.plugins import get_operator  # noqa: E402

BINARY = "Add_Sub Add_Mul Sub_Add Sub_Mul Mul_Div Mul_Add Div_Mul FloorDiv_Mul Mod_Mul Pow_Mul"
COMPARISONS = (
    "Eq_NotEq NotEq_Eq Lt_LtE Lt_GtE LtE_Lt LtE_Gt Gt_GtE Gt_LtE GtE_Gt GtE_Lt Is_IsNot IsNot_Is"
)
OTHERS = (
    "NumberReplacer ReplaceUnaryOperator_Delete_USub ReplaceUnaryOperator_Delete_Not AddNot "
    "ReplaceTrueWithFalse ReplaceFalseWithTrue ReplaceAndWithOr ReplaceOrWithAnd "
    "ReplaceBreakWithContinue ReplaceContinueWithBreak ZeroIterationForLoop"
)
# Faults in a text for people, or in a type, change no number.
NOT_IN = ("raise_stmt", "fstring", "annassign", "decorator", "import_from", "tfpdef", "param")
MIN_TIMEOUT_S = 60.0


class StringReplacer(Operator):
    """Swaps neighbouring words in a string, or else left and right, or else adds a letter."""

    def mutation_positions(self, node):
        if node.type == "string" and not _is_docstring(node):
            for _ in range(max(1, len(_words(node.value)) - 1)):
                yield node.start_pos, node.end_pos

    def mutate(self, node, index):
        words = _words(node.value)
        if len(words) > 1:
            first, second = words[index], words[index + 1]
            start = first.start()
            between = node.value[first.end() : second.start()]
            swapped = second.group() + between + first.group()
            node.value = node.value[:start] + swapped + node.value[second.end() :]
        elif re.search("left|right", node.value):
            sides = {"left": "right", "right": "left"}
            node.value = re.sub("left|right", lambda side: sides[side.group()], node.value)
        else:
            node.value = node.value[:-1] + "x" + node.value[-1]
        return node

    @classmethod
    def examples(cls):
        return ()


class SliceReplacer(Operator):
    """Leaves out a bound of a slice that is a name or an expression; numbers change by one."""

    def mutation_positions(self, node):
        if node.type == "subscript":
            for bound in node.children:
                if bound.type not in ("operator", "number", "sliceop"):
                    yield bound.start_pos, bound.end_pos

    def mutate(self, node, index):
        bounds = [c for c in node.children if c.type not in ("operator", "number", "sliceop")]
        node.children.remove(bounds[index])
        return node

    @classmethod
    def examples(cls):
        return ()


def _words(text):
    return list(re.finditer(r"[\w.,*/-]+", text)) if " " in text.strip("\"' ") else []


def _is_docstring(node):
    return node.parent.type == "simple_stmt"


def operators():
    names = [f"ReplaceBinaryOperator_{name}" for name in BINARY.split()]
    names += [f"ReplaceComparisonOperator_{name}" for name in COMPARISONS.split()]
    names += OTHERS.split()
    return [get_operator(f"core/{name}")() for name in names] + [StringReplacer(), SliceReplacer()]


def mutants_of(source: str) -> list[dict]:
    """Every fault once: its line, that line before and after, and the whole source with it."""
    found, seen = [], {source}
    lines = source.splitlines()
    nodes = list(ast_nodes(get_ast(source)))
    for operator in operators():
        occurrence = -1
        for node in nodes:
            for index, _ in enumerate(operator.mutation_positions(node)):
                occurrence += 1
                if _is_told_to_people(node):
                    continue
                mutated = _with_leaf(source, operator, node, index) or mutate_code(
                    source, operator, occurrence
                )
                if mutated in seen or not _compiles(mutated):
                    continue
                seen.add(mutated)
                changed = mutated.splitlines()
                at = next(
                    i for i, (a, b) in enumerate(zip(lines, changed, strict=False)) if a != b
                )
                before, after = (" ".join(text[at].split()) for text in (lines, changed))
                found.append({"line": at + 1, "before": before, "after": after, "source": mutated})
    return sorted(found, key=lambda mutant: mutant["line"])


def _with_leaf(source, operator, node, index):
    """The result of `mutate_code` without parsing again, if the fault is in a single word."""
    if not hasattr(node, "value"):
        return None
    value = node.value
    changed = operator.mutate(node, index)
    text, node.value = getattr(changed, "value", None), value
    if text is None:
        return None
    lines = source.splitlines(keepends=True)
    (first, start), (last, end) = node.start_pos, node.end_pos
    head = "".join(lines[: first - 1]) + lines[first - 1][:start]
    return head + text + lines[last - 1][end:] + "".join(lines[last:])


def _is_told_to_people(node):
    while node.parent is not None:
        if node.type == "expr_stmt" and node.children[0].get_code().strip() == "__all__":
            return True
        is_annotation = node.parent.type == "funcdef" and node is node.parent.annotation
        in_default = node.parent.type == "param" and node is node.parent.default
        if is_annotation or (node.type in NOT_IN and not in_default):
            # The value of an annotated assignment counts, its type does not.
            if node.type != "annassign":
                return True
        if node.parent.type == "annassign" and node is node.parent.children[1]:
            return True
        if in_default:
            return False
        node = node.parent
    return False


def _compiles(source):
    try:
        compile(source, "mutant", "exec")
    except (SyntaxError, ValueError):
        return False
    return True


def run_tests(module: str, source: str | None, tests: list[str], timeout: float) -> str:
    """Returns `survived`, `killed` or `timeout`; without a `source` the module is unchanged."""
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        _become_pytest(module, source, tests)
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return "survived" if os.waitstatus_to_exitcode(status) == 0 else "killed"
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "timeout"


def _first_failure() -> str:
    """The test that noticed; empty if the module could not be imported."""
    log = (RESULTS / "last_run.log").read_text(errors="replace")
    failures = re.findall(r"^(?:FAILED|ERROR) (\S+)", log, re.MULTILINE)
    return failures[0] if failures else ""


def _become_pytest(module, source, tests):
    import pytest

    status = 3
    options = ["-x", "-p", "no:cacheprovider", "-p", "no:unraisableexception"]
    try:
        log = os.open(RESULTS / "last_run.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        if source is not None:
            _import_as(module, source)
        status = pytest.main([*options, *tests])
        sys.stdout.flush()
    finally:
        os._exit(status)


def _import_as(module, source):
    """Makes `module` import as the text `source`, also for code that reads it (AutoGraph)."""
    import importlib.machinery
    import importlib.util
    import linecache

    path = str(ROOT / module)
    name = module.removesuffix(".py").replace("/", ".")

    class Loader(importlib.machinery.SourceFileLoader):
        def get_code(self, fullname):
            return compile(source, path, "exec")

    class Finder:
        @staticmethod
        def find_spec(fullname, *_):
            if fullname == name:
                return importlib.util.spec_from_file_location(
                    name, path, loader=Loader(name, path)
                )

    assert name not in sys.modules
    sys.meta_path.insert(0, Finder)
    linecache.cache[path] = (len(source), None, source.splitlines(keepends=True), path)


def import_what_tests_need():
    """Imports nothing of this project, and nothing that starts a thread: forks would lack it."""
    import cv2  # noqa: F401
    import h5py  # noqa: F401
    import numba  # noqa: F401
    import numpy.testing  # noqa: F401
    import pytest  # noqa: F401
    import scipy.sparse  # noqa: F401
    import tensorflow  # noqa: F401
    import tf_keras  # noqa: F401

    threads = len(os.listdir("/proc/self/task"))
    if threads > 1:
        raise RuntimeError(f"Expected one thread before the first fork, got {threads}.")
    gc.freeze()  # otherwise each fork would search and copy all of TensorFlow's objects


def examine(
    module: str, tests: list[str], known: dict, again: bool, at_most: int | None
) -> list[dict]:
    """Runs the tests on every fault (`again`: on those that survived) and stores the outcomes."""
    store = RESULTS / (module.replace("/", ".") + ".json")
    earlier = json.loads(store.read_text()) if again else []
    survivors = {(m["before"], m["after"]) for m in earlier if m["outcome"] == "survived"}
    start = time.monotonic()
    if run_tests(module, None, tests, 600.0) != "survived":
        raise RuntimeError(f"{module}: its tests fail without a fault; see {RESULTS}/last_run.log")
    timeout = max(MIN_TIMEOUT_S, 4 * (time.monotonic() - start))
    print(f"{module}: the tests take {time.monotonic() - start:.1f} s", flush=True)
    outcomes = [m for m in earlier if m["outcome"] != "survived"]
    mutants = mutants_of((ROOT / module).read_text())
    if at_most and at_most < len(mutants):
        chosen = sorted(random.Random(0).sample(range(len(mutants)), at_most))
        mutants = [mutants[i] for i in chosen]
    for mutant in mutants:
        if again and (mutant["before"], mutant["after"]) not in survivors:
            continue
        mutant["outcome"] = run_tests(module, mutant.pop("source"), tests, timeout)
        if mutant["outcome"] == "killed":
            mutant["by"] = _first_failure()
        outcomes.append(mutant)
        if mutant["outcome"] == "survived":
            why = known.get((mutant["before"], mutant["after"]), "")
            print(
                f"  {mutant['line']}: {mutant['before']}  ->  {mutant['after']}  {why}", flush=True
            )
        store.write_text(json.dumps(outcomes, indent=1))
    return outcomes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "modules", nargs="*", help="Modules to examine; the default is all in mutants.toml."
    )
    parser.add_argument(
        "--list", action="store_true", help="Only count the faults, and run nothing."
    )
    parser.add_argument(
        "--again", action="store_true", help="Only plant the faults that survived the last run."
    )
    parser.add_argument(
        "--at_most", type=int, help="Plant at most this many faults per module, drawn at random."
    )
    arguments = parser.parse_args()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    settings = toml.loads((ROOT / "tools" / "mutants.toml").read_text())
    modules = arguments.modules or list(settings["tests"])
    if arguments.list:
        for module in modules:
            print(f"{module}: {len(mutants_of((ROOT / module).read_text()))}")
        return 0
    RESULTS.mkdir(exist_ok=True)
    import_what_tests_need()
    num_new = 0
    for module in modules:
        known = {
            tuple(mutant.split(" -> ")): group["why"]
            for group in settings.get("unnoticed", [])
            if group["module"] == module
            for mutant in group["faults"]
        }
        start = time.monotonic()
        outcomes = examine(
            module, settings["tests"][module], known, arguments.again, arguments.at_most
        )
        survived = [(m["before"], m["after"]) for m in outcomes if m["outcome"] == "survived"]
        new = [pair for pair in survived if pair not in known]
        num_new += len(new)
        print(
            f"{module}: {len(outcomes)} faults, {len(survived)} not noticed, {len(new)} of them "
            f"without a reason in mutants.toml; {time.monotonic() - start:.0f} s",
            flush=True,
        )
    return 1 if num_new else 0


if __name__ == "__main__":
    sys.exit(main())
