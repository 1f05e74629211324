# The two commands: make run, make test. Everything else is for people who work on Sonatina.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# Packages are installed without bytecode; what is imported leaves its own. A shell that forbids that
# would have every process compile everything again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test lint bench science docs clean-cache

run: $(STAMP)
	@$(BIN)/sonatina run worm
	@$(BIN)/sonatina run worm alive
	@$(BIN)/sonatina run v1 tiny
	@$(BIN)/sonatina run column tiny

test: $(STAMP)
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 30 --durations-min 5 -m "not science" tests

lint: $(STAMP)
	@$(BIN)/ruff check pipeline tests bench
	@$(BIN)/ruff format --check pipeline tests bench
	@$(BIN)/snakefmt --check Snakefile pipeline/rules
	@$(BIN)/lint-imports
	@$(BIN)/snakemake --lint --config model=worm

# One part that fails does not keep the others from being told.
science: $(STAMP)
	@failed=0; \
	for job in worm "worm alive" "v1 small" "column tiny" "column spontaneous" rod premotor; do \
		$(BIN)/sonatina run $$job || failed=1; done; \
	$(BIN)/python -m pytest -m science tests/science || failed=1; \
	SONATINA_FUZZ=100 $(BIN)/python -m pytest tests/unit/test_bad_inputs.py -k damaged || failed=1; \
	$(BIN)/sonatina verdicts circuits --page docs/verdicts.md || failed=1; \
	exit $$failed

bench: $(STAMP)
	@$(BIN)/python bench/table.py --write docs/bench.md

docs: $(VENV)/.docs
	@$(BIN)/python -m pipeline.config.docs
	@$(BIN)/mkdocs build --quiet --strict --clean
	@echo "site/index.html"

$(VENV)/.docs: $(STAMP)
	@$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --editable '.[docs]'
	@touch $@

$(STAMP): pyproject.toml requirements-neurots.txt
	@$(PYTHON) pipeline/bootstrap.py
	@$(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --editable '.[test,optimise,netpyne,nest,morphologies]'
	@$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --no-deps -r requirements-neurots.txt
	@touch $@
