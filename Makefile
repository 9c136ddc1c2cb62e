# `make` alone lists what there is. Everything runs in .venv, which the first target that needs it makes.

PYTHON ?= python3
STACK ?= local
PEOPLE ?= 10000
TESTS ?= tests
# Files of tests at once. Four on two cores were quicker, and lost a process now and then.
WORKERS ?= 2
ROUNDS ?= 300
VENV := .venv
BIN := $(VENV)/bin
LOCK := deploy/requirements/dev.txt
READY := $(VENV)/.ready

# Tests start many processes: without bytecode on disk each would compile the vault anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test torture lint format proto lock clean

help:  ## Say what each target does
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(READY)  ## Make .venv with everything, from the hashes in the lock

$(READY): $(LOCK) pyproject.toml clients/python/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; try make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCK)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . -e clients/python
	@touch $(READY)

demo: $(READY)  ## See the vault at work (STACK=full: with PostgreSQL and OpenBao)
	$(BIN)/python -m deploy.demo --people $(PEOPLE) --stack $(STACK)

test: $(READY)  ## Run the tests (TESTS=tests/store for some of them)
	$(BIN)/python -m pytest -n $(WORKERS) --max-worker-restart 0 --dist loadfile -q $(TESTS)

torture: $(READY)  ## Kill processes 300 times where `make test` does it 10 times (ROUNDS=300)
	PDVAULT_TORTURE_ROUNDS=$(ROUNDS) $(BIN)/python -m pytest -q tests/log/test_killed.py tests/erasure/test_killed.py tests/rotation/test_killed.py

lint: $(READY)  ## Check style, types, imports, the contract and its generated code
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	cd proto && ../$(BIN)/buf lint && ../$(BIN)/buf format -d --exit-code
	cd proto && ../$(BIN)/buf breaking --against ../deploy/contract/released.binpb
	$(BIN)/python proto/generate.py --check

format: $(READY)  ## Put everything into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	cd proto && ../$(BIN)/buf format -w

proto: $(READY)  ## Generate the code of the contract anew
	$(BIN)/python proto/generate.py

lock: $(READY)  ## Resolve the dependencies anew (needs uv)
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
	  pyproject.toml --group dev -o $(LOCK)
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
	  pyproject.toml -c $(LOCK) -o deploy/requirements/runtime.txt

clean:  ## Remove what the other targets made
	rm -rf $(VENV) .demo .dev .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache
