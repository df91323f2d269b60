# Two commands do all set-up themselves: `make quickstart` and `make test`.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
OUT ?= quickstart_out
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: quickstart test test-all lint docs mutants clean

quickstart: $(STAMP)
	$(BIN)/python -m hmr_tf2.quickstart --out=$(OUT)

test: lint
	$(PYTEST)

test-all: lint
	$(PYTEST) -m ''

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(STAMP)
	$(BIN)/python tools/make_docs.py build/docs

# Plants one fault at a time in the modules that compute, and runs the tests beside each: a fault
# that none of them notices is printed and, unless tools/mutants.toml gives a reason, fails the
# target. For an hour without hurry, not for CI; `make mutants MODULE=hmr_tf2/losses.py` takes one
# module, `MUTANTS=--again` only the faults that survived the last run (in .mutants/).
mutants: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
		-e '.[test,mutants]'
	nice -n 15 $(BIN)/python tools/mutants.py $(MUTANTS) $(MODULE)

# Installs again only when a file that decides what is installed has changed.
$(STAMP): setup.py constraints.txt tools/make_venv.sh
	bash tools/make_venv.sh $(VENV)
	touch $@

clean:
	rm -rf $(VENV) $(OUT)
