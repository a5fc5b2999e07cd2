# The commands of development. PYTHON selects the interpreter for .venv: `make test PYTHON=python3.12`.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
DEMO := $(VENV)/.demo
BASIC := $(VENV)/.basic
SETUP := $(VENV)/.ready
BUILD := .venv-build
SITE := .venv-site

# Debian packages, as PROGRAM:PACKAGE or FILE:PACKAGE, in groups with a title for the user. For the quick tests:
BASIC_PACKAGES := 'a software TPM:' swtpm:swtpm
BASIC_PACKAGES += 'tests with a TPM:' swtpm_setup:swtpm-tools tpm2:tpm2-tools openssl:openssl
BASIC_PACKAGES += 'a shell that reads the output of --format:' fish:fish
BASIC_PACKAGES += 'output of strace, which decode reads:' strace:strace
BASIC_PACKAGES += 'dumps, which decode reads:' xxd:xxd hexdump:bsdextrautils
BASIC_PACKAGES += 'checks of the manual pages:' mandoc:mandoc
BASIC_PACKAGES += 'signatures of releases:' ssh-keygen:openssh-client
# For the other tests:
TEST_PACKAGES := 'a kernel with a TPM driver (make test-device):' qemu-system-x86_64:qemu-system-x86
TEST_PACKAGES += 'tests of HTML pages in a browser:' chromium:chromium chromedriver:chromium-driver
TEST_PACKAGES += 'key files of another project, used by openssl:' /usr/lib/*/ossl-modules/tpm2.so:tpm2-openssl
# The clocks are years wrong for OpenSSL too (tests/aws/test_faults_*.py).
TEST_PACKAGES += 'faults of proxies and clocks:' tinyproxy:tinyproxy-bin faketime:faketime
TEST_PACKAGES += 'completion in a third shell:' zsh:zsh
TEST_PACKAGES += 'addresses of containers:' ip:iproute2
TEST_PACKAGES += 'the AWS SDK for JavaScript:' node:nodejs npm:npm
# No service has to run.
TEST_PACKAGES += 'checks and starts of units:' systemd-analyze:systemd curl:curl
TEST_PACKAGES += 'captures that Wireshark reads:' tshark:tshark
# For Debian's own Python, which tests/differential also uses.
TEST_PACKAGES += 'comparison of parsers:' /usr/lib/python3/dist-packages/tpm2_pytss:python3-tpm2-pytss

DEB_PACKAGES := 'the Debian package:' dh:debhelper dh_python3:dh-python \
	/usr/lib/python3/dist-packages/construct:python3-construct
DEB_TESTERS := 'a new Debian, and checks of its package:' debootstrap:debootstrap lintian:lintian
DEB_TESTERS += 'recipes of other distributions:' rpmbuild:rpm rpmlint:rpmlint cpio:cpio makepkg:makepkg \
	bsdtar:libarchive-tools shellcheck:shellcheck nix-instantiate:nix-bin
DEB_TESTERS += 'an image for containers:' buildah:buildah
SITE_PACKAGES := 'the site with Python for the browser:' npm:npm
RELEASE_PACKAGES := 'signatures:' ssh-keygen:openssh-client

# Packages of all goals of this run, so that a user other than root installs them with one command.
TESTED_BY := setup lint test test-soft test-oldest test-site test-device fuzz bench tour
GOAL_PACKAGES = $(if $(filter $(TESTED_BY) test-quick test-deb,$(MAKECMDGOALS)),$(BASIC_PACKAGES)) \
	$(if $(filter $(TESTED_BY),$(MAKECMDGOALS)),$(SITE_PACKAGES) $(TEST_PACKAGES)) \
	$(if $(filter site,$(MAKECMDGOALS)),$(SITE_PACKAGES)) \
	$(if $(filter deb release test-deb,$(MAKECMDGOALS)),$(DEB_PACKAGES)) \
	$(if $(filter release test-deb,$(MAKECMDGOALS)),$(RELEASE_PACKAGES)) \
	$(if $(filter test-deb,$(MAKECMDGOALS)),$(DEB_TESTERS))

PIP = $(PY) -m pip install --quiet --disable-pip-version-check

# .ci/run looks for this line.
TESTED = $(PY) -c 'import platform; print("== tested on Python", platform.python_version())'

.DEFAULT_GOAL := help
.PHONY: help setup lint test test-quick test-soft test-oldest test-site test-device test-deb fuzz bench demo demo-roles-anywhere tour site zipapp deb release clean

help: ## print this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

setup: $(SETUP) ## create .venv, and install the Debian packages of the tests

$(DEMO): pyproject.toml Makefile
	@.ci/packages $(PYTHON) $(GOAL_PACKAGES)
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@echo "setup: Python packages for the aws command and an STS that verifies signatures: awscli, moto"
	@$(PIP) --no-compile --editable '.[demo]'
	@touch $@

$(BASIC): $(DEMO)
	@.ci/packages $(PYTHON) $(BASIC_PACKAGES)
	@echo "setup: Python packages for tests and checks: extra [dev] of pyproject.toml"
	@# Programs of older pips import re before the first line of ours, where Ctrl-C prints a traceback.
	@$(PIP) --upgrade 'pip>=25.1'
	@$(PIP) --editable '.[dev]'
	@touch $@

$(SETUP): $(BASIC) $(SITE)/.ready tests/js/package-lock.json
	@.ci/packages $(PYTHON) $(TEST_PACKAGES)
	@echo "setup: npm packages for the tests with JavaScript: tests/js/package.json"
	@npm ci --prefix tests/js --loglevel=error --no-audit --no-fund --ignore-scripts
	@touch $@

lint: $(SETUP) ## run ruff and mypy --strict
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy

test: $(SETUP) ## run all tests except those of test-device and test-deb; test-quick on each other Python of this machine
	$(PY) -m pytest -n auto -m "not device and not deb"
	@$(MAKE) --no-print-directory test-soft
	@$(TESTED)
	@.ci/pythons $(PY)

test-quick: $(BASIC) ## run unit and property tests, and those of the credential process as installed
	$(PY) -m pytest -n auto -m "not once" tests/unit tests/property \
		$(addprefix tests/aws/test_,credential_process.py installers.py single_file.py)
	@$(TESTED)

# Tests of commands, objects, sessions and policies, which the soft TPM passes as swtpm does. It also passes the other
# tests of tests/swtpm, except those in tests/swtpm/conftest.py (NOT_FOR_SOFT).
SOFT_TESTS := $(addprefix tests/swtpm/test_,calls.py calls_data.py calls_objects.py command_tags.py hmac_key.py lockout.py \
	name_hashes.py nv.py policy_conditions.py policy_digests.py policy_use.py salted_sessions.py sessions.py)

test-soft: $(SETUP) ## run tests with the soft TPM in place of swtpm
	TESTS_WITH_SOFT_TPM=1 $(PY) -m pytest -n auto $(SOFT_TESTS)

OLDEST := .venv-oldest
# Tests of the packages in pyproject.toml's dependencies.
OLDEST_TESTS := $(addprefix tests/unit/test_,certificates*.py trust.py public_keys.py salt.py sigv4_sigv4a.py spki.py \
	record.py wire.py wire_recorded.py wires_construct.py constructs.py explain.py keyfile*.py der.py fleet*.py) $(addprefix tests/swtpm/test_,ek_verb.py endorsement.py \
	policy_verb.py wrap_verb*.py wrapping.py import_verb_sigv4a.py duplication.py \
	private_keys.py)

test-oldest: $(SETUP) ## run the tests of keys and certificates, with the oldest packages that pyproject.toml allows
	@test -x $(OLDEST)/bin/python || $(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/pip install --quiet --disable-pip-version-check pytest pytest-timeout pytest-xdist hypothesis \
		$$($(PY) -c 'import tomllib; \
			print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"])' | sed 's/>=/==/g')
	$(OLDEST)/bin/python -m pytest -n auto $(OLDEST_TESTS)

test-site: $(SETUP) ## test the site and its playground in Chromium (a part of make test)
	$(PY) -m pytest tests/site

test-device: $(SETUP) zipapp ## test the single file on Debian's kernel, in QEMU, with /dev/tpm0 and /dev/tpmrm0
	$(PY) -m pytest -m device -s -o faulthandler_timeout=0 tests/device

test-deb: $(BASIC) release ## use and purge the Debian package in a new Debian; build the recipes of other distributions
	@.ci/packages : $(DEB_TESTERS)
	@echo "setup: Python package that checks recipes of Yocto: oelint-adv"
	@$(PIP) 'oelint-adv>=9'
	$(PY) -m pytest -m deb tests/packages

fuzz: $(SETUP) ## run mutations, atheris (FUZZ_SECONDS), and property tests with many more examples
	$(PY) -m tests.fuzz.mutate
	$(PY) -m tests.fuzz.misread
	@$(PY) -m pip install --quiet --disable-pip-version-check atheris || echo "fuzz: no atheris for this Python"
	$(PY) -m tests.fuzz.guided
	HYPOTHESIS_PROFILE=fuzz $(PY) -m pytest -n auto tests/property tests/swtpm/test_interposer.py

bench: $(SETUP) zipapp ## measure time, CPU and memory; GO_ORIGINAL=FILE also measures a binary of the Go program
	@set -e; for file in tests/bench/[a-z]*.py; do $(PY) -m tests.bench.$$(basename $$file .py); done

demo: $(DEMO) ## use the aws command with a key in a software TPM, step by step
	@$(PY) tools/demo.py

demo-roles-anywhere: $(DEMO) ## get credentials for a certificate whose key is in a software TPM
	@$(PY) tools/demo.py --roles-anywhere

tour: $(SETUP) ## generate docs/tour/ from its recorded run (tools/tour.py --record records a new one)
	$(PY) tools/tour.py

$(SITE)/.ready: Makefile tools/playground/package-lock.json
	@.ci/packages $(PYTHON) $(or $(GOAL_PACKAGES),$(SITE_PACKAGES))
	@test -x $(SITE)/bin/python || $(PYTHON) -m venv $(SITE)
	@echo "setup: Python packages that build the site: mkdocs-material, mkdocstrings"
	@$(SITE)/bin/python -m pip install --quiet --disable-pip-version-check 'mkdocs>=1.6,<2' 'mkdocs-material>=9.5' \
		'mkdocstrings[python]>=0.26' 'ruff>=0.6' 'construct>=2.10.68' 'dilithium-py>=1.1' 'dpkt>=1.9.8' 'kyber-py>=1.0.1'
	@echo "setup: npm package for the site's playground: pyodide"
	@npm ci --prefix tools/playground --loglevel=error --no-audit --no-fund --ignore-scripts
	@touch $@

site: $(SITE)/.ready ## build the documentation, the reference and the playground in build/site
	@NO_MKDOCS_2_WARNING=1 $(SITE)/bin/python -m mkdocs build --quiet
	@echo "site: run python3 -m http.server -d build/site, then open http://localhost:8000"

$(BUILD)/.ready: pyproject.toml
	@.ci/packages $(PYTHON) $(GOAL_PACKAGES)
	@test -x $(BUILD)/bin/python || $(PYTHON) -m venv $(BUILD)
	@echo "setup: Python package that becomes a part of the single file: construct"
	@$(BUILD)/bin/python -m pip install --quiet --disable-pip-version-check 'construct>=2.10.68'
	@touch $@

# ZIPAPP has options of tools/zipapp.py, such as --all.
zipapp: $(BUILD)/.ready ## build dist/tpmwire.pyz, the single file
	$(BUILD)/bin/python tools/zipapp.py $(ZIPAPP)

deb: ## build dist/tpmwire_VERSION_all.deb, the Debian package
	@.ci/packages : $(DEB_PACKAGES)
	packaging/debian/build

RELEASE := .venv-release

# The same commit results in the same bytes.
release: export SOURCE_DATE_EPOCH := $(shell git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)
release: zipapp deb ## build all artefacts of a release in dist/, with SBOM and checksums; RELEASE_KEY=FILE signs them
	@.ci/packages $(PYTHON) $(RELEASE_PACKAGES)
	@test -x $(RELEASE)/bin/python || $(PYTHON) -m venv $(RELEASE)
	@echo "setup: Python packages that build the wheel and the SBOM: hatchling, cyclonedx-bom"
	@$(RELEASE)/bin/pip install --quiet --disable-pip-version-check 'cyclonedx-bom>=7' 'hatchling>=1.26.3' 'construct>=2.10.68'
	$(RELEASE)/bin/python tools/release.py

# Virtual environments of other names have a marker of ours. Files of root stay if another user cleans.
clean: ## remove the files that the other targets created
	@rm -rf .venv* $(patsubst %/,%,$(dir $(wildcard */.demo .[!.]*/.demo))) build dist *.egg-info \
		tests/js/node_modules tools/playground/node_modules .hypothesis .mypy_cache .pytest_cache .ruff_cache && \
	find . -name __pycache__ -type d -prune -exec rm -rf {} + || \
	{ echo "clean: files of another user are left; run: sudo make clean" >&2; exit 1; }
