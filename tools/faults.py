"""The faults that mutants.py plants: cosmic-ray's that change a number, and two of our own."""

import re

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator

BINARY = "Add_Sub Add_Mul Sub_Add Sub_Mul Mul_Div Mul_Add Div_Mul FloorDiv_Mul Mod_Mul Pow_Mul"
COMPARISONS = (
    "Eq_NotEq NotEq_Eq Lt_LtE Lt_GtE LtE_Lt LtE_Gt Gt_GtE Gt_LtE GtE_Gt GtE_Lt Is_IsNot IsNot_Is"
)
OTHERS = (
    "NumberReplacer ReplaceUnaryOperator_Delete_USub ReplaceUnaryOperator_Delete_Not AddNot "
    "ReplaceTrueWithFalse ReplaceFalseWithTrue ReplaceAndWithOr ReplaceOrWithAnd "
    "ReplaceBreakWithContinue ReplaceContinueWithBreak ZeroIterationForLoop"
)
# Faults in what is told to a person, or in a type, change no number.
NOT_IN = ("raise_stmt", "fstring", "annassign", "decorator", "import_from", "tfpdef", "param")


class StringReplacer(Operator):
    """Swaps neighbours in a string of several words, else the side, else adds a letter."""

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


def faults_of(source: str) -> list[dict]:
    """Every fault once: its line, the line before and after, the whole source with it."""
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
    """What `mutate_code` gives, without parsing again, where the fault is in one word."""
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
