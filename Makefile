# make lab    JupyterLab on the first notebook        make test   every test, the ones in a real browser included
# make bench  what the workbench costs, as a table    make setup  what all of them do first
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD := 1

.PHONY: setup lab test bench check extensions system clean

setup: $(READY)

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
	    || { echo "error: $(PYTHON) is older than Python 3.10: name a newer one, such as make setup PYTHON=python3.11"; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || { sh tests/system.sh python3-venv && $(PYTHON) -m venv --clear $(VENV); }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[cpu,dev]"
	@touch $@

lab: setup
	$(BIN)/workbench lab

# Browser, graphviz, C++ and R: installed where that is possible, else the command to type is printed.
system:
	@sh tests/system.sh chromium graphviz g++ r-cran-reticulate

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The bundles in workbench/ui/static are what the sources give, and the sources pass their own checks.
extensions: setup system
	cd extensions && PATH="$(CURDIR)/$(BIN):$$PATH" sh -e -c 'npm ci --no-audit --no-fund --loglevel=error; npm run build; npm run check'
	@git diff --exit-code --stat -- workbench/ui/static \
	    || { echo "error: the bundles differ from extensions/src: commit what npm run build wrote"; exit 1; }

test: check extensions
	$(BIN)/python -m pytest -n 4 --dist loadfile

bench: setup
	$(BIN)/python -m tests.performance

clean:
	rm -rf $(VENV) extensions/node_modules build dist
