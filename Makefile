# Everything a developer types. PYTHON picks the interpreter that makes .venv: `make test PYTHON=python3.12`.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
BASIC := $(VENV)/.basic
SETUP := $(VENV)/.ready

# What pip cannot give, as PROGRAM:PACKAGE or FILE:PACKAGE. First for the demo and the quick tests:
BASICS := swtpm:swtpm swtpm_setup:swtpm-tools tpm2:tpm2-tools openssl:openssl
# Shells that read what `--format` prints.
BASICS += fish:fish
# Then for the other tests:
PACKAGES := qemu-system-x86_64:qemu-system-x86
PACKAGES += chromium:chromium chromedriver:chromium-driver
PACKAGES += /usr/lib/*/ossl-modules/tpm2.so:tpm2-openssl
# A proxy that is not ours, and clocks that are years wrong for OpenSSL too (tests/aws/test_faults_*.py).
PACKAGES += tinyproxy:tinyproxy-bin faketime:faketime
# The AWS SDK for JavaScript (tests/js) runs on node.
PACKAGES += node:nodejs npm:npm
# What starts and tells a service, and reads units; no service of it need run.
PACKAGES += systemd-analyze:systemd curl:curl
# For Debian's own Python, which tests/differential asks beside the one of .venv.
PACKAGES += /usr/lib/python3/dist-packages/tpm2_pytss:python3-tpm2-pytss

# .ci/run looks for this line.
TESTED = $(PY) -c 'import platform; print("== tested on Python", platform.python_version())'

.DEFAULT_GOAL := help
.PHONY: help setup lint test test-quick test-oldest test-device fuzz bench demo tour zipapp clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

setup: $(SETUP) ## .venv with all that development needs, and the Debian packages of the tests

$(BASIC): pyproject.toml Makefile
	@.ci/packages $(PYTHON) $(BASICS)
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@# The programs of older pips import re before our first line, where Ctrl-C is a traceback.
	$(PY) -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

$(SETUP): $(BASIC) tests/js/package-lock.json
	@.ci/packages $(PYTHON) $(PACKAGES)
	npm ci --prefix tests/js --loglevel=error --no-audit --no-fund --ignore-scripts
	@touch $@

lint: $(SETUP) ## ruff and mypy
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy

test: $(SETUP) ## every test but the one that boots a kernel; the quick ones on each other Python that is here
	$(PY) -m pytest -n auto -m "not device"
	@$(TESTED)
	@.ci/pythons $(PY)

test-quick: $(BASIC) ## tests of single modules, of properties, and of the credential process as a whole
	$(PY) -m pytest -n auto tests/unit tests/property tests/aws/test_credential_process.py
	@$(TESTED)

OLDEST := .venv-oldest
# What uses the packages that pyproject.toml names.
OLDEST_TESTS := $(addprefix tests/unit/test_,certificates*.py trust.py public_keys.py salt.py sigv4_sigv4a.py spki.py \
	record.py wire.py keyfile*.py der.py fleet*.py) $(addprefix tests/swtpm/test_,ek_verb.py endorsement.py \
	policy_verb.py wrap_verb*.py wrapping.py import_verb_sigv4a.py duplication.py)

test-oldest: $(SETUP) ## tests of keys and certificates, with the oldest packages that pyproject.toml takes
	@test -x $(OLDEST)/bin/python || $(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/pip install --quiet --disable-pip-version-check pytest pytest-timeout pytest-xdist hypothesis \
		$$($(PY) -c 'import tomllib; \
			print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"])' | sed 's/>=/==/g')
	$(OLDEST)/bin/python -m pytest -n auto $(OLDEST_TESTS)

test-device: $(SETUP) zipapp ## the single file on Debian's kernel, in QEMU, with /dev/tpm0 and /dev/tpmrm0
	$(PY) -m pytest -m device -s tests/device

fuzz: $(SETUP) ## property tests with many more examples, a bit-flipping attacker, mutations, atheris (FUZZ_SECONDS)
	$(PY) -m tests.fuzz.mutate
	@$(PY) -m pip install --quiet --disable-pip-version-check atheris || echo "fuzz: no atheris for this Python"
	$(PY) -m tests.fuzz.guided
	HYPOTHESIS_PROFILE=fuzz $(PY) -m pytest -n auto tests/property tests/swtpm/test_interposer.py

bench: $(SETUP) ## what things cost: time, CPU, memory
	@set -e; for file in tests/bench/[a-z]*.py; do $(PY) -m tests.bench.$$(basename $$file .py); done

demo: $(BASIC) ## the aws command line with a key that lives in a TPM, step by step
	@$(PY) tools/demo.py

tour: $(SETUP) ## docs/tour/ again, from its run and the code (tools/tour.py --record makes a new run)
	$(PY) tools/tour.py

zipapp: $(BASIC) ## dist/tpmwire.pyz, the single file
	$(PY) tools/zipapp.py

clean: ## remove what the other targets made
	rm -rf .venv* build dist tests/js/node_modules .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
