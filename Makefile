# Two commands from nothing but Python and make: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OUTPUT ?= output/demo
MAP ?=
JOBS ?= 2

.PHONY: demo test lint types pytest boundscheck docs format clean

demo: $(VENV)/.installed-plot
	$(BIN)/python -m experiments demo --output $(OUTPUT) $(if $(MAP),--map $(MAP))

test: lint types pytest boundscheck

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-test
	$(BIN)/mypy

pytest: $(VENV)/.installed-test
	$(BIN)/pytest -n $(JOBS)

# Compiled code reads past an array's end in silence: the kernels' tests run once more with bounds checks.
boundscheck: $(VENV)/.installed-test
	NUMBA_BOUNDSCHECK=1 $(BIN)/pytest -n $(JOBS) -m kernel tests

docs: $(VENV)/.installed-docs
	$(BIN)/sphinx-build -q docs output/docs
	@echo "Open output/docs/index.html"

format: $(VENV)/.installed-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-%: $(VENV)/bin/python setup.py pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[$*]"
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .numba_cache output
