# Everything a newcomer needs: `make` alone lists it. Only make and Python 3.11 or newer must be there before.

VENV := .venv
# Hundreds of processes import the same packages: compiled once, they start four times as fast. Empty means: write it.
export PYTHONDONTWRITEBYTECODE :=
# Threads of the C library each keep an arena of memory that was free long ago, unless there are few.
export MALLOC_ARENA_MAX := 2
PY := $(VENV)/bin/python
STAMP := $(VENV)/.set-up
JOBS := 3# tests wait more than they work: for limits, kernels, browsers; each takes up to 0.8 GB
CANDIDATES := $(PYTHON) python3.13 python3.12 python3.11 python3

.DEFAULT_GOAL := help
.PHONY: help demo lab dashboard test test-all fmt docs pictures benchmarks clean

help: ## list what there is to type
	@echo "bgresearch: read-only research toolkit for the Bitget exchange"
	@echo
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do \
		printf '%-18s %s\n' "$$name" "$$text"; done
	@echo
	@echo "Whichever comes first sets up $(VENV), once: a minute or two, from the network. PYTHON=/path/to/python picks an interpreter."

demo: $(STAMP) ## run the main job on the embedded exchange, offline
	@$(PY) -m bgresearch demo

lab: $(STAMP) ## open JupyterLab on the embedded exchange
	@$(PY) -m bgresearch lab

dashboard: $(STAMP) ## open the data explorer as a page without code, on the embedded exchange
	@$(PY) -m voila notebooks/dashboard.ipynb --Voila.ip=127.0.0.1

test: $(STAMP) ## run what a change can break: ruff, mypy, import contracts, tests, notebooks
	@echo "== ruff check" && $(VENV)/bin/ruff check .
	@echo "== ruff format" && $(VENV)/bin/ruff format --check .
	@echo "== mypy --strict" && $(VENV)/bin/mypy
	@echo "== import contracts" && $(VENV)/bin/lint-imports
	@echo "== pytest" && $(PY) -m pytest -n $(JOBS) --dist loadfile -m "not slow"

test-all: $(STAMP) ## run the long proofs, then the tests on other days and in other time zones (needs faketime)
	@status=0; \
	echo "== pytest, the long ones" && $(PY) -m pytest -n $(JOBS) --dist loadfile -m slow || status=1; \
	echo "== pytest, on other days" && $(PY) tests/other_days.py --jobs $(JOBS) || status=1; exit $$status

fmt: $(STAMP) ## format the code, mend what ruff can mend, strip the outputs of notebooks
	@$(VENV)/bin/ruff check --fix . ; $(VENV)/bin/ruff format .
	@$(PY) -m nbconvert --clear-output --inplace --log-level WARN notebooks/*.ipynb

docs: $(STAMP) ## build the documentation into site/, with warnings as errors
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs --quiet build --strict && echo "Open site/index.html"

pictures: $(STAMP) ## take the README's screenshots again (needs Chromium)
	@$(PY) tests/browser/pictures.py

benchmarks: $(STAMP) ## measure what is promised about speed
	@for script in benchmarks/*.py; do echo "== $$script" && $(PY) "$$script" || exit 1; done

clean: ## remove the virtual environment and every cache
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .demo site

$(STAMP): pyproject.toml
	@python=; lame=; for candidate in $(CANDIDATES); do \
		"$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || continue; \
		if "$$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1; then python=$$candidate; break; fi; \
		lame=$${lame:-$$candidate}; done; \
	if [ -z "$$python$$lame" ]; then \
		echo "Python 3.11 or newer was not found (looked for: $(CANDIDATES))." >&2; \
		echo "Install it, or name it: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; fi; \
	if [ -z "$$python" ]; then \
		echo "$$lame cannot make virtual environments: its venv module is not complete." >&2; \
		echo "On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; fi; \
	echo "Setting up $(VENV) with $$("$$python" --version), once ..."; \
	"$$python" -m venv $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
