# Two commands do all set-up themselves: `make quickstart` and `make test`.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
OUT ?= quickstart_out

.PHONY: quickstart test lint docs clean

quickstart: $(STAMP)
	$(BIN)/python -m hmr_tf2.quickstart --out=$(OUT)

test: lint
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

docs: $(STAMP)
	$(BIN)/python tools/make_docs.py build/docs

# Installs again only when a file that decides what is installed has changed.
$(STAMP): setup.py constraints.txt tools/make_venv.sh
	bash tools/make_venv.sh $(VENV)
	touch $@

clean:
	rm -rf $(VENV) $(OUT)
