# Everything a newcomer needs: `make` alone lists it. Only make and Python 3.11 or newer must be there before.

VENV := .venv
# Hundreds of processes import the same packages: compiled once, they start four times as fast. Empty means: write it.
export PYTHONDONTWRITEBYTECODE :=
# Threads of the C library each keep an arena of memory that was free long ago, unless there are few.
export MALLOC_ARENA_MAX := 2
PY := $(VENV)/bin/python
JOBS := 3# tests wait more than they work: for limits, kernels, browsers; each takes up to 0.8 GB
LONG :=# --within 20 skips, and counts, what was not begun after so many minutes
DAYS :=# --clock runs only the tests of what has the machine's clock
CANDIDATES := $(PYTHON) python3.14 python3.13 python3.12 python3.11 python3

# What each purpose installs: extras of the package, dependency groups, and the smaller purposes that come with it.
PURPOSES := demo lab dashboard docs test test-all
EXTRAS_demo := demo
EXTRAS_lab := lab,dask,duckdb,pictures,polars
EXTRAS_dashboard := dashboard
EXTRAS_docs := demo
EXTRAS_test := dashboard,dask,duckdb,excel,lab,pictures,polars,redis,s3
EXTRAS_test-all := $(EXTRAS_test)
GROUPS_docs := docs
GROUPS_test := test
GROUPS_test-all := test exports
WITH_lab := demo
WITH_dashboard := demo
WITH_test := demo lab dashboard docs
WITH_test-all := $(WITH_test) test

# Versions that are known to work together. `make CONSTRAINTS= test` takes the newest ones instead.
CONSTRAINTS := constraints/usual.txt
# uv installs where it is there, pip otherwise. `make UV= demo` takes pip in any case.
UV := $(shell uv --version >/dev/null 2>&1 && echo uv)
UV_INSTALL := uv pip install --quiet --python $(PY)
PIP_INSTALL := $(PY) -m pip install --quiet --disable-pip-version-check --no-compile
INSTALL = $(if $(UV),$(UV_INSTALL),$(PIP_INSTALL)) $(CONSTRAINTS:%=--constraint %)

.DEFAULT_GOAL := help
.PHONY: help demo lab dashboard check test test-all test-long test-days test-lowest test-newest fmt docs pictures benchmarks constraints clean

help: ## list what there is to type
	@echo "bgresearch: read-only research toolkit for the Bitget exchange"
	@echo
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do \
		printf '%-18s %s\n' "$$name" "$$text"; done
	@echo
	@echo "Each of them first installs what it needs and is not there yet into $(VENV), from the network: with uv where it is"
	@echo "installed, with pip otherwise. PYTHON=/path/to/python picks the interpreter."

demo: $(VENV)/.demo ## run the main job on the embedded exchange, offline
	@$(PY) -m bgresearch demo

lab: $(VENV)/.lab ## open JupyterLab on the embedded exchange
	@$(PY) -m bgresearch lab

dashboard: $(VENV)/.dashboard ## open the data explorer as a page without code, on the embedded exchange
	@$(PY) -m voila notebooks/dashboard.ipynb --Voila.ip=127.0.0.1

check: $(VENV)/.test ## run the static checks, in less than a minute: ruff, mypy, import contracts
	@echo "== ruff check" && $(VENV)/bin/ruff check .
	@echo "== ruff format" && $(VENV)/bin/ruff format --check .
	@echo "== mypy --strict" && $(VENV)/bin/mypy
	@echo "== import contracts" && $(VENV)/bin/lint-imports

test: check ## run what a change can break: the static checks, tests, notebooks
	@echo "== pytest" && $(PY) -m pytest -n $(JOBS) -m "not slow"

test-all: test-long test-days ## run the long proofs, then the tests on other days and in other time zones

test-long: $(VENV)/.test-all ## run the long proofs: kill matrices, fuzzing counts, the browser matrix, peers
	@echo "== pytest, the long ones" && $(PY) -m pytest -n $(JOBS) -m "slow or hypothesis" --hypothesis-profile thorough $(LONG)

test-days: $(VENV)/.test-all ## run the tests on other days and in other time zones (needs faketime)
	@echo "== pytest, on other days" && $(PY) tests/other_days.py --jobs $(JOBS) $(DAYS)

fmt: $(VENV)/.test ## format the code, apply ruff's fixes, strip the outputs of notebooks
	@$(VENV)/bin/ruff check --fix . ; $(VENV)/bin/ruff format .
	@$(PY) -m nbconvert --clear-output --inplace --log-level WARN notebooks/*.ipynb

docs: $(VENV)/.docs ## build the documentation into site/, with warnings as errors
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs --quiet build --strict && echo "Open site/index.html"

pictures: $(VENV)/.test ## take the README's screenshots again (needs Chromium)
	@$(PY) tests/browser/pictures.py

benchmarks: $(VENV)/.test-all ## measure what is promised about speed
	@for script in benchmarks/*.py; do echo "== $$script" && $(PY) "$$script" || exit 1; done

# The same tests, in environments of the oldest and of the newest versions. Types are not checked with the oldest: those
# stubs know less of the packages than the code needs.
test-lowest: ## run the tests with the oldest versions that pyproject.toml allows (needs Python 3.11)
	@$(MAKE) .venv-lowest/.test VENV=.venv-lowest CONSTRAINTS=constraints/lowest.txt PYTHON="$(or $(PYTHON),python3.11)"
	@echo "== pytest, oldest versions" && .venv-lowest/bin/python -m pytest -n $(JOBS) -m "not slow"

test-newest: ## run the tests with the newest versions that pyproject.toml allows
	@$(MAKE) test VENV=.venv-newest CONSTRAINTS=

constraints: ## write the lists of versions in constraints/ again (needs uv)
	@mkdir -p constraints
	@$(COMPILE) --group exports --upgrade --universal --output-file constraints/usual.txt
	@$(COMPILE) --upgrade --resolution lowest-direct --output-file constraints/lowest.txt

clean: ## remove the virtual environments and every cache
	@rm -rf $(VENV) .venv-lowest .venv-newest .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .demo site

COMPILE := uv pip compile pyproject.toml --quiet --all-extras --group test --python-version 3.11 \
	--no-emit-package bgresearch --no-annotate --custom-compile-command 'make constraints'

# One stamp per purpose, as old as what it was installed from.
$(PURPOSES:%=$(VENV)/.%): $(VENV)/.%: $(VENV)/.made pyproject.toml $(CONSTRAINTS)
	@echo "Installing what 'make $*' needs into $(VENV) ..."
	@$(if $(UV),,$(if $(GROUPS_$*),$(PIP_INSTALL) 'pip>=25.1'))
	@$(INSTALL) --editable '.[$(EXTRAS_$*)]' $(GROUPS_$*:%=--group %)
	@touch $@ $(patsubst %,$(VENV)/.%,$(WITH_$*))

$(VENV)/.made:
	@python=; lame=; for candidate in $(CANDIDATES); do \
		"$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || continue; \
		if $(if $(UV),true,"$$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1); then python=$$candidate; break; fi; \
		lame=$${lame:-$$candidate}; done; \
	if [ -z "$$python$$lame" ]; then \
		echo "Python 3.11 or newer was not found (looked for: $(CANDIDATES))." >&2; \
		echo "Install it, or name it: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; fi; \
	if [ -z "$$python" ]; then \
		echo "$$lame cannot make virtual environments: its venv module is not complete." >&2; \
		echo "On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; fi; \
	echo "Setting up $(VENV) with $$("$$python" --version), once ..."; \
	$(if $(UV),uv venv --quiet --clear --seed --python "$$("$$python" -c 'import sys; print(sys.executable)')","$$python" -m venv --clear) $(VENV)
	@touch $@
