# Needs Python >= 3.11 with pip, and make. `make` alone tells what there is.

PYTHON ?= python3
VENV   ?= .venv
CONFIG ?= config.example.yaml
BENCH  ?= --seconds 5 --rounds 3 --connections 16 64 --batches 1 64 --minimum-repeat 0.8 --minimum-new 0.3
SEEDS  ?= 1 20

BIN   := $(VENV)/bin
PIP   := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCK  := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
PYTEST := $(BIN)/python -m pytest --cov --cov-report= --cov-fail-under=0
PARTS := $(CURDIR)/.cache/parts/bin

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo run test lint format bench fuzz parts fixtures lock clean

help: ## this list
	@echo "usage: make TARGET [PYTHON=python3.12]"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1#\2/p' $(MAKEFILE_LIST) | awk -F'#' '{ printf "%-12s%s\n", $$1, $$2 }'

demo: $(VENV)/.runtime ## the daemon with a realistic day of alerts, at http://127.0.0.1:9876
	@$(BIN)/triaged demo

run: $(VENV)/.runtime ## the daemon with your configuration: make run CONFIG=FILE
	@$(BIN)/triaged serve --config $(CONFIG)

# At once, on two cores: two that compute about as long, and one that mostly waits for real programs and the real clock.
# The output of one comes as it runs, that of the others after it.
WAITING   := tests/e2e tests/process tests/flow/test_demo.py
COMPUTING := $(filter-out $(WAITING),$(wildcard tests/flow/test_[a-o]*.py))
OTHERS    := tests/unit tests/contract $(wildcard tests/flow/test_[p-z]*.py)

# Bytecode is kept even where the environment says otherwise: each daemon that a test starts would compile everything.
test: export PYTHONDONTWRITEBYTECODE :=
test: $(VENV)/.dev parts ## every test, with coverage
	@rm -f .coverage .coverage.*; mkdir -p .cache
	@COVERAGE_FILE=.coverage.two $(PYTEST) $(OTHERS) > .cache/two.log 2>&1 & two=$$!; \
		COVERAGE_FILE=.coverage.three $(PYTEST) $(WAITING) > .cache/three.log 2>&1 & three=$$!; \
		COVERAGE_FILE=.coverage.one $(PYTEST) $(COMPUTING); failed=$$?; \
		wait $$two || failed=1; wait $$three || failed=1; \
		cat .cache/two.log .cache/three.log; rm -f .cache/two.log .cache/three.log; exit $$failed
	@$(BIN)/coverage combine --quiet
	@echo "coverage of triaged (branches, at least 90 %):"
	@$(BIN)/coverage report
	@echo "coverage of triaged/core (branches, 100 %):"
	@$(BIN)/coverage report --include='*/triaged/core/*' --fail-under=100

lint: $(VENV)/.dev ## every check that runs nothing of the daemon
	@failed=; for check in "ruff check" "ruff format --check" mypy lint-imports "deptry daemon" vulture; do \
		echo "== $$check"; $(BIN)/$$check || failed="$$failed [$$check]"; done; \
	test -z "$$failed" || { echo "lint failed:$$failed" >&2; exit 1; }

format: $(VENV)/.dev ## put the code in order
	@$(BIN)/ruff check --fix-only --quiet
	@$(BIN)/ruff format

bench: $(VENV)/.dev parts ## alerts per second beside Alertmanager itself, and what rules cost: make bench BENCH="--rounds 5"
	@$(BIN)/python tests/bench/rules.py
	@PATH="$(abspath $(BIN)):$(PARTS):$$PATH" $(BIN)/python tests/bench/ingest.py $(BENCH)

fuzz: $(VENV)/.dev ## every change of clocks for 40 years, months of virtual time with outages: make fuzz SEEDS="100 199"
	@PYTHONPATH=tests $(BIN)/python -m minutewise
	@PYTHONPATH=tests $(BIN)/python -m month $(SEEDS)

parts: $(VENV)/.python ## Prometheus, Alertmanager and wrk, for the tests
	@$(BIN)/python tests/parts.py

fixtures: $(VENV)/.dev ## renew what the tests keep of GitHub: its API described, real exchanges, webhooks (needs npm)
	@PYTHONPATH=tests $(BIN)/python -m fixtures.github.extract
	@PYTHONPATH=tests $(BIN)/python -m fixtures.github.recordings.extract
	@PYTHONPATH=tests $(BIN)/python -m fixtures.github.webhooks.extract

lock: $(VENV)/.python ## pin every dependency by hash; newest versions: make lock UPGRADE=--upgrade
	@test -x $(BIN)/uv || $(PIP) install uv
	@$(LOCK) $(UPGRADE) pyproject.toml --extra postgres -o requirements.lock
	@$(LOCK) $(UPGRADE) --group build -c requirements.lock -o requirements-build.lock
	@$(LOCK) $(UPGRADE) pyproject.toml --extra postgres --group dev -c requirements.lock -c requirements-build.lock -o requirements-dev.lock
	@git --no-pager diff --stat -- '*.lock' 2>/dev/null || true

clean: ## remove what make and the tests made
	@rm -rf $(VENV) .cache .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage .coverage.* build dist
	@find daemon tests -name __pycache__ -type d -prune -exec rm -rf {} +

# ---------------------------------------------------------------- the virtual environment, by stamps

# Some systems ship Python without ensurepip; their own pip can fill the environment all the same.
$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "triaged needs Python 3.11 or newer; '$(PYTHON)' is: $$($(PYTHON) --version 2>&1)" >&2; \
		echo "name another one: make PYTHON=python3.12 …" >&2; exit 1; }
	@echo "setting up $(VENV) …"
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null && $(PYTHON) -m venv --clear $(VENV) || { \
		$(PYTHON) -m venv --clear --without-pip $(VENV) && \
		$(PYTHON) -m pip --quiet --disable-pip-version-check --python $(BIN)/python install pip; }
	@touch $@

$(VENV)/.runtime: requirements.lock requirements-build.lock pyproject.toml | $(VENV)/.python
	@echo "installing what triaged runs on …"
	@$(PIP) install --require-hashes -r requirements.lock -r requirements-build.lock
	@$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml | $(VENV)/.python
	@echo "installing what triaged is built and tested with …"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@ $(VENV)/.runtime
