# Every task of the book. `make` lists them.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/ready

# What would change how Python runs: without compiled files, each notebook starts seconds later.
unexport PYTHONDONTWRITEBYTECODE PYTHONOPTIMIZE PYTHONPATH

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help book test html lab execute accept diff tidy data full rules lint bench lock clean

help: ## list the tasks
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

book: data ## execute what changed, render the website, print the page to open
	@$(PY) -m tools.execute
	@$(PY) -m tools.render

test: data ## everything: d2lib, the rules, every output, the site in a browser
	@failed=0; \
	$(PY) -m tools.execute || failed=1; \
	$(PY) -m tools.render || failed=1; \
	$(PY) -m tools.browser || failed=1; \
	$(PY) -m pytest -q -n auto -p tools.compare --executed \
	  --continue-on-collection-errors tests chapters || failed=1; \
	exit $$failed

html: $(READY) ## render the outputs as committed, without executing
	@$(PY) -m tools.render --committed

lab: $(READY) ## open the notebooks in JupyterLab
	@$(PY) -m jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) chapters

execute: data ## execute the notebooks that changed
	@$(PY) -m tools.execute

diff: execute ## show how executed outputs differ from the committed ones
	@$(PY) -m tools.accept --show

accept: execute ## make the executed outputs the committed ones
	@$(PY) -m tools.accept

tidy: $(READY) ## format code and notebooks, write the repository's address into the setup cells
	@$(PY) -m ruff check -q --fix .
	@$(PY) -m ruff format -q .
	@$(PY) -m tools.tidy

data: $(READY) ## have Fashion-MNIST in the cache: from a mirror, or from Debian's package
	@$(PY) -m tools.data

full: data ## run the full-size experiments of chapters/full.yml and record their results
	@$(PY) -m tools.execute --profile full --jobs 1

rules: $(READY) ## counts beside their bounds, of all sections or of one: NOTEBOOK=chapters/...
	@$(PY) -m tools.rules --counts $(NOTEBOOK)

lint: $(READY) ## check code, notebooks, spelling and workflow files
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m tools.rules
	@$(VENV)/bin/codespell
	@$(VENV)/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(VENV)/bin/zizmor --offline --quiet .github/workflows

bench: data ## measure: import, training loop, board, loader, seconds a notebook
	@$(PY) -m tools.bench

lock: $(READY) ## pin the newest versions of everything in requirements.txt
	@$(VENV)/bin/uv pip compile -q --universal --upgrade --python-version 3.11 --no-annotate \
	  --custom-compile-command "make lock" pyproject.toml --extra book --group dev \
	  -o requirements.txt

clean: ## remove all that was built, and the environment
	rm -rf _build $(VENV) .pytest_cache .ruff_cache

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "error: $(PYTHON) is not Python 3.11 or newer: install one and say 'make PYTHON=python3.12 ...'"; \
	  exit 1; }
	@echo "making the environment in $(VENV) (some 6 GB; once; a minute or more)"
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "error: $(PYTHON) cannot make an environment: install its venv module (Debian: python3-venv)"; \
	  exit 1; }
	@{ $(PY) -m pip install -q --disable-pip-version-check "$$(grep '^uv==' requirements.txt)" \
	  && $(VENV)/bin/uv pip sync -q --python $(PY) requirements.txt \
	  && $(VENV)/bin/uv pip install -q --python $(PY) --no-deps -e . ; } || { \
	  echo "error: the packages of requirements.txt could not be installed: is the network there?"; \
	  echo "       Nothing was built. Run the same command again to go on."; \
	  exit 1; }
	@touch $@
