# Everything a developer types. PYTHON picks the interpreter that makes .venv: `make test PYTHON=python3.12`.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
SETUP := $(VENV)/.ready

# What pip cannot give, as PROGRAM:PACKAGE or FILE:PACKAGE.
PACKAGES := swtpm:swtpm swtpm_setup:swtpm-tools tpm2:tpm2-tools qemu-system-x86_64:qemu-system-x86
PACKAGES += chromium:chromium chromedriver:chromium-driver
PACKAGES += openssl:openssl /usr/lib/*/ossl-modules/tpm2.so:tpm2-openssl
# A proxy that is not ours, and clocks that are years wrong for OpenSSL too (tests/aws/test_faults_*.py).
PACKAGES += tinyproxy:tinyproxy-bin faketime:faketime
# Shells that read what `--format` prints.
PACKAGES += fish:fish
# The AWS SDK for JavaScript (tests/js) runs on node.
PACKAGES += node:nodejs npm:npm
# What starts and tells a service, and reads units; no service of it need run.
PACKAGES += systemd-analyze:systemd curl:curl
# For Debian's own Python, which tests/differential asks beside the one of .venv.
PACKAGES += /usr/lib/python3/dist-packages/tpm2_pytss:python3-tpm2-pytss

.DEFAULT_GOAL := help
.PHONY: help setup lint test test-device fuzz bench demo tour zipapp clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

setup: $(SETUP) ## .venv with all that development needs, and the Debian packages of the tests

$(SETUP): pyproject.toml Makefile tests/js/package-lock.json
	@.ci/packages $(PACKAGES)
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@# The programs of older pips import re before our first line, where Ctrl-C is a traceback.
	$(PY) -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	npm ci --prefix tests/js --loglevel=error --no-audit --no-fund --ignore-scripts
	@touch $@

lint: $(SETUP) ## ruff and mypy
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy

test: $(SETUP) ## every test but the one that boots a kernel
	$(PY) -m pytest -n auto -m "not device"

test-device: $(SETUP) zipapp ## the single file on Debian's kernel, in QEMU, with /dev/tpm0 and /dev/tpmrm0
	$(PY) -m pytest -m device -s tests/device

fuzz: $(SETUP) ## property tests with many more examples, a bit-flipping attacker, mutations, atheris (FUZZ_SECONDS)
	$(PY) -m tests.fuzz.mutate
	@$(PY) -m pip install --quiet --disable-pip-version-check atheris || echo "fuzz: no atheris for this Python"
	$(PY) -m tests.fuzz.guided
	HYPOTHESIS_PROFILE=fuzz $(PY) -m pytest -n auto tests/property tests/swtpm/test_interposer.py

bench: $(SETUP) ## what things cost: time, CPU, memory
	@set -e; for file in tests/bench/[a-z]*.py; do $(PY) -m tests.bench.$$(basename $$file .py); done

demo: $(SETUP) ## the aws command line with a key that lives in a TPM, step by step
	@$(PY) tools/demo.py

tour: $(SETUP) ## docs/tour/ again, from its run and the code (tools/tour.py --record makes a new run)
	$(PY) tools/tour.py

zipapp: $(SETUP) ## dist/tpmwire.pyz, the single file
	$(PY) tools/zipapp.py

clean: ## remove what the other targets made
	rm -rf $(VENV) build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
