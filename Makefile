# One command for each habit: `make demo`, `make test`, `make lint`, `make format`, `make pictures`,
# `make bench`, `make clean`.
# Each sets up .venv by itself, again only when pyproject.toml or constraints.txt has changed, and touches nothing
# outside of this folder. Another Python: `make demo PYTHON=python3.13`.

PYTHON ?= python3
VENV := .venv
# What programs keep for the next time (compiled kernels, lists of fonts) stays in this folder too.
export XDG_CACHE_HOME := $(CURDIR)/$(VENV)/cache
RUN := $(VENV)/bin/python -m
# Exact versions, no cache outside of this folder.
INSTALL := $(RUN) pip install --quiet --disable-pip-version-check --no-cache-dir --constraint constraints.txt

.PHONY: help demo test lint format pictures bench clean

help:
	@sed -n '1,4s/^# //p' Makefile

demo: $(VENV)/.to-run
	$(VENV)/bin/glassgrad demo --out demo

test: $(VENV)/.to-test
	$(RUN) pytest -n 2 --dist worksteal

lint: $(VENV)/.to-test
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) mypy
	@echo 'Lines of Python in the core:'
	@for piece in src/glassgrad src/glassgrad/*; do \
	  printf '%6d %s\n' "$$(find $$piece -name '*.py' -exec cat {} + | wc -l)" $$piece; \
	done | sort -rn | grep -v '^ *0 '

format: $(VENV)/.to-test
	$(RUN) ruff check --fix
	$(RUN) ruff format

# The pictures of the README; needs Chromium.
pictures: $(VENV)/.to-test
	$(VENV)/bin/python docs/pictures.py

# Glassgrad's speed beside its peers', ten to twenty minutes; `make bench BENCH=--quick`: two minutes.
BENCH ?= --markdown docs/speed.md docs/speed.zh.md
bench: $(VENV)/.to-bench
	$(RUN) bench runs --json bench.json $(BENCH)

clean:
	rm -rf $(VENV) demo bench.json build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find src tests bench -name __pycache__ -type d -prune -exec rm -rf {} +

# The file .to-run (.to-test) says: what is needed to run (to test) has been installed.
$(VENV)/.to-run: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(INSTALL) --editable .
	@touch $@

$(VENV)/.to-test: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(INSTALL) --editable '.[test]'
	@touch $(VENV)/.to-run $@

$(VENV)/.to-bench: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(INSTALL) --editable '.[bench]'
	@touch $(VENV)/.to-run $@

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
