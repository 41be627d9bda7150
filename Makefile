# make run             the site with demo data on http://127.0.0.1:8000; PORT=8080 takes another port
# make test            every test; about ten minutes on two quiet cores
# make test-engine     the tests of the engine alone
# make test-workflows  the tests of the procedures and of what they share
# make test-web        the tests of the pages and of the commands
# make test-plugins    the tests of the bundled plugins
# make test-stories    what a visitor, a customer and the staff do, in a browser
# make check           style, types, import arrows, the reference, coverage
# make bench           the figures that we promise, each beside its floor and beside the builds before, into
#                      benchmarks/RESULTS.md; what has become dearer since the last kept run of this machine
#                      (benchmarks/runs); an hour
# make bench-large     those that need millions of rows; an hour, and 20 GB for a while
# make soak            the long trials, and every story in both languages on both devices; under an hour
# make mutation        change the engine at 200 random places, one by one, and see which changes no test notices; an hour
# make screenshots     pictures of every page into screenshots/, and those of the README into docs/pictures/
# make mails           every mail in both languages, as one page to read: screenshots/mails.html
# make dist            wheel, sdist, locked requirements, SBOM and SHA-256 sums into dist/
# make reference       the public API as pages into build/reference/
# make architecture    draw the rooms of docs/architecture.md anew
# make lock            pin the dependencies anew
# make changelog       put what is new (changes/) into CHANGELOG.md; DRAFT=1 only shows it
# make hooks           let git check style, types and import arrows before each commit
# make clean           remove the environment, and everything that was built
# make help            this list; `make` alone is `make test`

PYTHON ?= python3
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
DOWNLOAD := $(BIN)/python -m pip --disable-pip-version-check download --quiet
BENCHMARKS := durable_flow concurrent_flow waiting_effects mass_expiry due_work broken_timers paused_timers \
	migrations machine_step instructions web_pages plugin_pages extended_steps population start_up serve_memory patience input_costs \
	slow_clients announced_notice customer_files debit_files customer_search many_incidents long_lists upgrade
LARGE_BENCHMARKS := announced_notice mass_expiry due_work customer_files customer_search debit_files upgrade serve_memory
BESIDE := $(BIN)/python -m benchmarks.side_by_side --write --turns 2
JOBS ?= 4
# Whoever asked Python to keep no compiled modules did not mean a run that starts some hundred processes of them.
export PYTHONDONTWRITEBYTECODE :=
LOCK := $(BIN)/pip-compile --quiet --no-header --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
	--no-emit-options --strip-extras --allow-unsafe --generate-hashes

.PHONY: run test test-engine test-workflows test-web test-plugins test-stories check bench \
	bench-large soak mutation screenshots mails dist reference architecture lock changelog \
	hooks clean help browser wrk valgrind
.DEFAULT_GOAL := test

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one: make PYTHON=/path/to/python3.11 …"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# What runs the site. The lock file is complete, so nothing is left to resolve (pip 23's resolver rejects the hashes of
# a package that another one wants with an extra as soon as a newer release is there).
$(VENV)/run: requirements/run.txt setup.cfg pyproject.toml | $(BIN)/python
	$(PIP) --require-hashes --no-deps -r requirements/run.txt
	@rm -rf tetsuzuki.egg-info  # of an earlier install: found first, it would hide new plugins
	$(PIP) --no-deps --no-build-isolation -e .
	@rm -rf tetsuzuki.egg-info
	@touch $@

# What tests and checks it, which includes the former; and the former as files, from which tests install the product
# into environments that hold nothing else.
$(VENV)/dev: requirements/dev.txt requirements/run.txt setup.cfg pyproject.toml | $(BIN)/python
	$(PIP) --require-hashes --no-deps -r requirements/dev.txt
	$(DOWNLOAD) --require-hashes --no-deps --dest $(VENV)/wheels -r requirements/run.txt
	@rm -rf tetsuzuki.egg-info  # of an earlier install: found first, it would hide new plugins
	$(PIP) --no-deps --no-build-isolation -e .
	@rm -rf tetsuzuki.egg-info
	@touch $@

run: $(VENV)/run
	@$(BIN)/tetsuzuki demo --port $(PORT)

# $(call apt,its name,its Debian packages,what it is for): install it where that is possible, else say what is skipped.
define apt
if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	echo "installing $(1) for the $(3)"; \
	{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(2); } \
		>/dev/null || echo "$(1) could not be installed"; \
else echo "Without $(1) the $(3) are skipped: install it (Debian: apt-get install $(2))"; fi
endef

# The shell without a window is the same browser for a page, and starts and draws for less; not every system has it.
browser:
	@command -v chromium-headless-shell >/dev/null || command -v chromium >/dev/null || \
	command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
	$(call apt,Chromium,$$(apt-cache show chromium-headless-shell >/dev/null 2>&1 && echo chromium-headless-shell || \
		echo chromium) fonts-noto-cjk,browser tests)

wrk:
	@command -v wrk >/dev/null || $(call apt,wrk,wrk,benchmarks of pages)

valgrind:
	@command -v valgrind >/dev/null || $(call apt,Valgrind,valgrind,benchmark of instructions)

test: $(VENV)/dev browser wrk
	$(BIN)/python -m pytest -n $(JOBS) -q

test-engine test-workflows test-web test-plugins: $(VENV)/dev
	$(BIN)/python -m pytest -n $(JOBS) -q tests/$(@:test-%=%)

test-stories: $(VENV)/dev browser
	$(BIN)/python -m pytest -n $(JOBS) -q tests/stories

check: $(VENV)/dev browser wrk valgrind
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m release.reference
	$(BIN)/coverage erase
	$(BIN)/python -m pytest -n $(JOBS) -q --cov --cov-report=term

bench: $(VENV)/dev wrk valgrind
	@for name in $(BENCHMARKS); do $(BIN)/python -m benchmarks.$$name --write || exit 1; done
	@$(BESIDE) durable_flow concurrent_flow --give="--flows 400 --rounds 3"
	@$(BESIDE) mass_expiry --give="--number 20000"
	@$(BESIDE) web_pages --give="--seconds 2 --rounds 3"
	@$(BESIDE) due_work machine_step
	@$(BIN)/python -m benchmarks.kept

bench-large: $(VENV)/dev
	@for name in $(LARGE_BENCHMARKS); do $(BIN)/python -m benchmarks.$$name --large --write || exit 1; done

soak: $(VENV)/dev browser
	TETSUZUKI_TRIALS=1 $(BIN)/python -m pytest -n $(JOBS) -q -s tests/trials tests/stories tests/shipping \
		tests/engine/runtime/test_stateful.py tests/engine/runtime/test_time_stateful.py tests/engine/runtime/test_moves_hold.py \
		tests/engine/runtime/test_deciding.py tests/plugins/test_new.py tests/web/http/test_fuzz.py tests/web/http/test_isolation.py \
		tests/workflows/business/access/test_guessable.py tests/workflows/contract_change/test_contract_change_promise.py \
		tests/workflows/contract_change/test_company_years.py tests/workflows/typesetting tests/house/test_benchmarks.py

mutation: $(VENV)/dev
	$(BIN)/python -m tests.mutation $(MUTATION)

screenshots: $(VENV)/dev browser
	$(BIN)/python -m tests.stories.pictures $(PAGE) $(addprefix --look=,$(LOOK)) $(addprefix --device=,$(DEVICE))

mails: $(VENV)/dev
	$(BIN)/python -m tests.kit.every_mail

dist: $(VENV)/dev
	@rm -rf dist
	$(BIN)/python -m release --into dist

reference: $(VENV)/dev
	$(BIN)/python -m release.reference

architecture: $(VENV)/dev
	$(BIN)/python -m release.architecture

lock: $(VENV)/dev
	$(LOCK) --extra pg --extra diagram --extra stripe --extra otel --extra house -o requirements/run.txt setup.cfg
	$(LOCK) --extra pg --extra diagram --extra stripe --extra otel --extra house --extra dev -o requirements/dev.txt setup.cfg

changelog: $(VENV)/dev
	$(BIN)/towncrier build $(if $(DRAFT),--draft,--yes)

hooks: $(VENV)/dev
	$(BIN)/pre-commit install

help:
	@sed -n 's/^# \(make [a-z-]* .*\)/\1/p' Makefile

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
