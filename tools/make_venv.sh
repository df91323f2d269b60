#!/usr/bin/env bash
# Makes the virtual environment DIR and installs the pinned packages of one of the two stacks.
# Usage: make_venv.sh DIR [OTHER]
# OTHER is an environment whose stack is not to be taken. Set PYTHON=/path/to/python3.12 to choose
# the interpreter.
set -euo pipefail
venv=$1
other=${2:-}
root=$(dirname "$0")/..

# Prints the stack of an interpreter. A name on PATH is not yet one (version managers leave stubs),
# so each is asked.
stack_of() {
    "$1" 2>/dev/null -c '
import sys, venv, ensurepip
if (3, 10) <= sys.version_info[:2] < (3, 14):
    print("tensorflow-2.15" if sys.version_info < (3, 12) else "tensorflow-2.21")' || true
}

is_usable() {
    local stack
    stack=$(stack_of "$1")
    [ -n "$stack" ] && { [ -z "$other" ] || [ "$stack" != "$(stack_of "$other/bin/python")" ]; }
}

# Whether the environment is there, and made with the interpreter that was chosen, if one was.
is_made() {
    is_usable "$venv/bin/python" || return 1
    [ -z "${PYTHON:-}" ] || [ "$("$PYTHON" -V 2>&1)" = "$("$venv/bin/python" -V)" ]
}

# The interpreters that pyenv has, whether it has put them on PATH or not.
of_pyenv() {
    local folder=${PYENV_ROOT:-$HOME/.pyenv}/versions
    compgen -G "$folder/$1.*/bin/python" || true
}

if ! is_made; then
    # 3.11 is what all published numbers were measured with; then the newer stack, the newest last,
    # since packages follow a new Python with delay.
    candidates=(python3.11 python3.12 python3.13 python3.10 python3 python)
    for version in 3.11 3.12 3.13 3.10; do
        mapfile -t -O "${#candidates[@]}" candidates < <(of_pyenv "$version")
    done
    if [ -n "${PYTHON:-}" ]; then candidates=("$PYTHON"); fi
    found=
    for candidate in "${candidates[@]}"; do
        if is_usable "$candidate"; then found=$candidate; break; fi
    done
    if [ -z "$found" ]; then
        echo "hmr_tf2 needs Python 3.10, 3.11, 3.12 or 3.13 with its venv module; none of these is" \
            "one: ${candidates[*]}." >&2
        echo "Install one (Debian, Ubuntu: apt-get install python3 python3-venv) or name it:" \
            "make PYTHON=/path/to/python3.12 ..." >&2
        exit 1
    fi
    echo "Making $venv with $("$found" -V) ($(command -v "$found"))"
    rm -rf "$venv"
    "$found" -m venv "$venv"
fi

stack=$(stack_of "$venv/bin/python")
echo "Installing the pinned packages of constraints/$stack.txt into $venv" \
    "(a few minutes and 3.5 GB the first time)"
quiet=--quiet
if [ -t 1 ]; then quiet=; fi # who sits before a terminal sees how far it is
# Most modules are never imported; those that are, Python compiles then.
"$venv/bin/python" -m pip install $quiet --disable-pip-version-check --no-compile \
    -c "$root/constraints/$stack.txt" -e "$root[${EXTRAS:-test}]"
