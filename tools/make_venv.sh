#!/usr/bin/env bash
# Makes the virtual environment DIR and installs the pinned packages into it.
# Usage: make_venv.sh DIR        (set PYTHON=/path/to/python3.11 to choose the interpreter)
set -euo pipefail
venv=$1

# A name on PATH is not yet an interpreter (version managers leave stubs), so each is asked.
is_usable() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 12))' \
        >/dev/null 2>&1
}

if ! is_usable "$venv/bin/python"; then
    found=
    candidates=${PYTHON:-python3.11 python3.10 python3 python}
    for candidate in $candidates; do
        if is_usable "$candidate"; then found=$candidate; break; fi
    done
    if [ -z "$found" ]; then
        echo "hmr_tf2 needs Python 3.11 (or 3.10) with its venv module; none of these is one:" \
            "$candidates." >&2
        echo "Install it (Debian, Ubuntu: apt-get install python3.11 python3.11-venv) or name it:" \
            "make PYTHON=/path/to/python3.11 ..." >&2
        exit 1
    fi
    echo "Making $venv with $("$found" --version) ($(command -v "$found"))"
    rm -rf "$venv"
    "$found" -m venv "$venv"
fi

echo "Installing the pinned packages into $venv (a few minutes and 3.5 GB the first time)"
quiet=--quiet
if [ -t 1 ]; then quiet=; fi # who sits before a terminal sees how far it is
"$venv/bin/python" -m pip install $quiet --disable-pip-version-check \
    -c constraints.txt -e '.[test]'
