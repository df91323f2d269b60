# Two commands do all set-up themselves: `make quickstart` and `make test`.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
OUT ?= quickstart_out
PYTEST := python -m pytest -n 2 --dist loadfile --no-loadscope-reorder
# The environment of the stack that .venv is not: Python 3.12 or 3.13 if that is 3.10 or 3.11.
OTHER_VENV := .venv-other
OTHER_STAMP := $(OTHER_VENV)/.installed

.PHONY: quickstart test test-other-stack test-all lint docs mutants clean

# With another interpreter than before, the environment is made anew.
ifdef PYTHON
ifneq ($(shell { "$(PYTHON)" -V; } 2>/dev/null),$(shell { $(BIN)/python -V; } 2>/dev/null))
$(STAMP): FORCE
endif
endif
FORCE:

quickstart: $(STAMP)
	$(BIN)/python -m hmr_tf2.quickstart --out=$(OUT)

test: lint
	$(BIN)/$(PYTEST)

# What must hold on both stacks: the original's numbers, a run and an export of each that the other
# goes on with, and the quickstart.
test-other-stack: $(STAMP) $(OTHER_STAMP)
	HMR_TF2_OTHER_PYTHON=$(abspath $(BIN))/python \
		$(OTHER_VENV)/bin/$(PYTEST) -m '(golden or both_stacks) and not slow'

test-all: lint $(OTHER_STAMP)
	$(BIN)/$(PYTEST) -m ''
	HMR_TF2_OTHER_PYTHON=$(abspath $(BIN))/python $(OTHER_VENV)/bin/$(PYTEST) -m ''

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
	EXTRAS=test,mutants bash tools/make_venv.sh $(VENV)
	nice -n 15 $(BIN)/python tools/mutants.py $(MUTANTS) $(MODULE)

# Installs again only when a file that decides what is installed has changed.
$(STAMP): setup.py $(wildcard constraints/*.txt) tools/make_venv.sh
	bash tools/make_venv.sh $(VENV)
	touch $@

$(OTHER_STAMP): $(STAMP)
	PYTHON= bash tools/make_venv.sh $(OTHER_VENV) $(VENV)
	touch $@

clean:
	rm -rf $(VENV) $(OTHER_VENV) $(OUT)
