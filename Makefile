# Needs Python 3.11 or newer, with its venv module. Everything is installed into .venv.

SHELL = /bin/sh
.DEFAULT_GOAL = help
.NOTPARALLEL:
.SUFFIXES:
.DELETE_ON_ERROR:

VENV = .venv
BROWSER = $(VENV)/browser
BIND ?= 127.0.0.1:8080
UV = uv==0.13.8
DOCKER = docker
BASE_IMAGE = $(shell sed -n 's/^ARG BASE_IMAGE=\([^@]*\).*/\1/p' Dockerfile)

# The first Python that is new enough.
IS_NEW_ENOUGH = -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	if $$python $(IS_NEW_ENOUGH); then echo $$python; break; fi; done)

# The rewritten tests are kept, not made again by each process of each run.
unexport PYTHONDONTWRITEBYTECODE
export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PIP_NO_INPUT = 1
export PIP_ROOT_USER_ACTION = ignore

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

.PHONY: install
install: $(VENV)/.installed ## Make .venv, with the pinned requirements and the connector

.PHONY: run
run: $(VENV)/.installed ## Serve on 127.0.0.1:8080 with a demo merchant (BIND=address:port)
	@export CONNECTOR_PROVIDERS="$${CONNECTOR_PROVIDERS:-$$($(VENV)/bin/python -c '$(ALL)')}"; \
	export CONNECTOR_CONSOLE="$${CONNECTOR_CONSOLE:-on}"; \
	$(VENV)/bin/connector migrate && $(VENV)/bin/connector demo --bind $(BIND) && \
	exec $(VENV)/bin/connector serve --bind $(BIND)

# Every provider there is: the sandbox, which the demo merchant needs, is off unless it is named.
ALL = from connector.providers import discover; print(*discover(), sep=",")

define LINT
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/ruff check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-logo
endef

.PHONY: test
test: $(VENV)/.installed-dev $(BROWSER)/.installed ## Check everything that CI checks
	$(LINT)
	$(VENV)/bin/pytest -n 4 --dist worksteal -m 'not alone' --cov --cov-report= --cov-fail-under=0
	$(VENV)/bin/pytest -m alone --cov --cov-append

.PHONY: quick
quick: $(VENV)/.installed-dev ## Check in a minute: lint, types, and the tests that start no process
	$(LINT)
	$(VENV)/bin/pytest -n 3 --dist worksteal -m quick

.PHONY: pictures
pictures: $(VENV)/.installed-dev $(BROWSER)/.installed ## Draw a picture of every page into docs/pictures
	$(VENV)/bin/python -m tests.browser.pictures

.PHONY: homologation
homologation: $(VENV)/.installed ## Play VTEX's test suite against a server made for it
	@$(VENV)/bin/connector rehearse --serve

.PHONY: bench
bench: $(VENV)/.installed-dev ## Measure how fast it is
	$(VENV)/bin/python -m tests.bench

NPM = NODE_USE_SYSTEM_CA=1 $(CURDIR)/$(VENV)/bin/npm --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error

PIN = .venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-header $(UPGRADE)

.PHONY: lock
lock: ## Pin what pyproject.toml asks for (UPGRADE=--upgrade for newer versions)
	@$(CHECK_PYTHON)
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install --quiet $(UV)
	$(PIN) --output-file requirements.txt pyproject.toml
	$(PIN) --output-file requirements-dev.txt pyproject.toml --group dev --constraints requirements.txt
	$(PIN) --output-file requirements-build.txt --group build
	$(PIN) --output-file requirements-audit.txt --group audit
	rm -rf .venv-lock

.PHONY: lockbrowser
lockbrowser: $(VENV)/.installed-dev ## Pin what tests/browser/package.json asks for
	cd tests/browser && rm -f package-lock.json && \
		$(NPM) install --package-lock-only --omit-lockfile-registry-resolved

.PHONY: audit
audit: .venv-audit/.installed ## Ask whether what is locked has published faults
	@.venv-audit/bin/python .ci/audit.py requirements.txt requirements-build.txt

.PHONY: sbom
sbom: .venv-audit/.installed ## Write dist/sbom.json: what is locked, as CycloneDX, without network
	@mkdir -p dist
	@PYTHONWARNINGS=ignore .venv-audit/bin/cyclonedx-py requirements requirements.txt --pyproject pyproject.toml \
		--index-url . --output-reproducible --output-file dist/sbom.json
	@test $$(grep -c '^[a-z].*==' requirements.txt) -eq $$(grep -c '"purl":' dist/sbom.json)
	@echo "dist/sbom.json: $$(grep -c '"purl":' dist/sbom.json) packages"

.PHONY: base
base: ## Print the image's base with the digest that its tag has now (needs docker)
	@$(DOCKER) pull --quiet $(BASE_IMAGE) >/dev/null
	@echo "$(BASE_IMAGE)@$$($(DOCKER) inspect --format '{{index .RepoDigests 0}}' $(BASE_IMAGE) | cut -d@ -f2)"

.PHONY: clean
clean: ## Remove .venv and what the tools left behind
	rm -rf $(VENV) .venv-lock .venv-audit dist .coverage .coverage.* .hypothesis
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find connector tests -name __pycache__ -prune -exec rm -rf {} +

# Each stamp means: this requirements file, as it is now, has been installed. Both hold the same
# versions, so either may come first. Each is complete: --no-deps, because old versions of pip look for
# a newer release of what is pinned without an extra and wanted with it (coverage), and then stop.
$(VENV)/.installed: $(VENV)/.backend/.installed requirements.txt pyproject.toml
	$(call INSTALL,requirements.txt)

$(VENV)/.installed-dev: $(VENV)/.backend/.installed requirements-dev.txt pyproject.toml
	$(call INSTALL,requirements-dev.txt)

define INSTALL
	@echo 'Installing $(1) into $(VENV) ...'
	@$(VENV)/bin/python -m pip install --quiet --no-deps --require-hashes --requirement $(1)
	@PYTHONPATH=$(CURDIR)/$(VENV)/.backend \
		$(VENV)/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
endef

# The browser of the tests, with all that it needs: npm comes with .venv, and asks for no system package.
# Its cache lies beside it, because a home directory may be missing, or read-only.
$(BROWSER)/.installed: $(addprefix tests/browser/,package.json package-lock.json unpack.py fonts.conf) \
		| $(VENV)/.installed-dev
	@echo 'Installing a browser for the tests into $(BROWSER) ...'
	@rm -rf $(BROWSER) && mkdir $(BROWSER)
	@cp tests/browser/package.json tests/browser/package-lock.json $(BROWSER)
	@cd $(BROWSER) && $(NPM) ci --cache .npm >/dev/null
	@$(VENV)/bin/python tests/browser/unpack.py $(BROWSER)
	@touch $@

# What builds the connector stands beside what runs it, and is seen by that one build only.
$(VENV)/.backend/.installed: $(VENV)/.created requirements-build.txt
	@rm -rf $(@D)
	@$(VENV)/bin/python -m pip install --quiet --no-deps --require-hashes --target $(@D) \
		--requirement requirements-build.txt
	@touch $@

.venv-audit/.installed: requirements-audit.txt
	@$(CHECK_PYTHON)
	@$(PYTHON) -m venv --clear .venv-audit
	@.venv-audit/bin/python -m pip install --quiet --no-deps --require-hashes --requirement $<
	@touch $@

$(VENV)/.created:
	@$(CHECK_PYTHON)
	@$(PYTHON) -m venv $(VENV) || { echo '"make clean" removes a half-made $(VENV).' >&2; exit 1; }
	@touch $@

define CHECK_PYTHON
if ! $(or $(PYTHON),false) $(IS_NEW_ENOUGH); then \
	echo 'Python 3.11 or newer is needed: $(or $(PYTHON),none was found).' >&2; \
	echo 'Name one with: make PYTHON=/path/to/python3.11' >&2; \
	exit 1; \
fi
endef
