# Needs Python 3.11 or newer, make, and the Python package index.

PYTHON ?= python3
SLOW ?= slow

.PHONY: demo test test-slow docs lint-web clean

demo: .venv/installed  ## upscale the bundled photos with the shipped models
	.venv/bin/srgan demo --output demo --overwrite

test: .venv-dev/installed lint-web  ## lint, types, layers and the fast tests
	.venv-dev/bin/ruff check
	.venv-dev/bin/ruff format --check
	.venv-dev/bin/pyright --pythonpath .venv-dev/bin/python
	.venv-dev/bin/lint-imports
	.venv-dev/bin/pytest -n 2 --dist loadfile --max-worker-restart 0 --durations 25

test-slow: .venv-dev/installed  ## the tests that take minutes; SLOW="slow and not long" leaves some out
	.venv-dev/bin/pytest -n 2 -m "$(SLOW)" --max-worker-restart 0 --durations 25 --ignore tests/cluster
	.venv-dev/bin/pytest -m "$(SLOW)" --durations 25 tests/cluster  # which kill processes by their names

lint-web:  ## lint and types of the JavaScript; needs npm, else it is skipped
	@if command -v npm >/dev/null; then \
	    $(MAKE) --no-print-directory node_modules/installed && npm run --silent lint; \
	else \
	    echo "Skipped lint and types of the JavaScript: they need npm."; \
	fi

docs: .venv-docs/installed  ## the documentation site, in site/; a warning is an error
	@if command -v npm >/dev/null; then \
	    $(MAKE) --no-print-directory examples/browser/node_modules/installed; \
	fi  # else the site has no try/, the page that enlarges pictures in the browser
	.venv-docs/bin/python tools/tables.py --check
	.venv-docs/bin/python tools/build_site.py
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict --quiet  # zensical can build it, too

clean:  ## remove all environments
	rm -rf .venv .venv-dev .venv-docs node_modules examples/browser/node_modules

examples/browser/node_modules/installed: examples/browser/package.json
	npm install --prefix examples/browser --no-audit --no-fund --no-package-lock
	touch $@

node_modules/installed: package.json package-lock.json
	npm ci --no-audit --no-fund
	touch $@

# The file `installed` is touched last, so that an installation that failed is made again.
.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --editable .
	touch $@

.venv-dev/installed: pyproject.toml
	$(PYTHON) -m venv .venv-dev
	.venv-dev/bin/python -m pip install --quiet --editable '.[train,dev]'
	touch $@

.venv-docs/installed: pyproject.toml
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/python -m pip install --quiet --editable '.[docs]'
	touch $@
