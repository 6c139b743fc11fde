# Everything runs in virtual environments of its own; only python >= 3.11 and make are needed.
PYTHON ?= python3
PIP_FLAGS = --quiet --disable-pip-version-check

# PyTorch's threads sleep while they wait: spinning, they keep cores from other programs.
export OMP_WAIT_POLICY ?= passive

# The newest Python that is at hand, by its name or from pyenv, if it is newer than 3.11.
NEWER_PYTHON ?= $(shell for version in 3.14 3.13 3.12; do \
	for python in python$$version "$$(pyenv prefix $$version 2>/dev/null)/bin/python"; do \
	"$$python" -c "import sys; sys.exit(sys.version_info < (3, 12))" 2>/dev/null && echo "$$python" && exit; done; done)

.PHONY: audit coverage demo docs mutation test test-slow test-oldest test-newest lint package clean

demo: .venv/demo
	.venv/bin/python docs/examples/demo_digits.py --output demo

# The site, with every example of the gallery run, in docs/_build/html. The page on tables must also
# print what it says; other pages have figures that differ between machines.
docs: .venv/docs .venv/test
	.venv/bin/python docs/examples/demo_pages.py docs/tables.md
	.venv/bin/python -m sphinx -W --keep-going -b html docs docs/_build/html

test: .venv/test
	.venv/bin/python -m pytest -n 2 --dist loadscope

test-slow: .venv/test
	.venv/bin/python -m pytest -n 2 --dist loadscope --slow

# Fails if less than 95 % of the lines and branches of the package are tested.
coverage: .venv/test .venv/dev
	.venv/bin/python -m pytest -n 2 --cov=skaae --cov-branch --cov-fail-under=95 \
		--cov-report=term-missing:skip-covered

# The oldest versions that pyproject.toml allows; they have wheels for python 3.11 and 3.12.
test-oldest: .venv-oldest/test
	.venv-oldest/bin/python -m pytest -n 2 --dist loadscope

# For a newer Python there are newer versions of NumPy than for 3.11.
test-newest:
	@test -n "$(NEWER_PYTHON)" || echo "There is no Python here that is newer than 3.11."
	@test -z "$(NEWER_PYTHON)" || $(MAKE) .venv-newest/test
	@test -z "$(NEWER_PYTHON)" || .venv-newest/bin/python -m pytest -n 2 --dist loadscope

lint: .venv/dev
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/codespell

# Wheel and sdist, and the wheel at work in an empty environment outside the source tree. A second
# build, from files with other dates, must give the same bytes.
package: .venv/dev
	rm -rf dist .venv-wheel
	.venv/bin/python -m build --outdir dist
	find skaae -name '*.py' -exec touch {} +
	.venv/bin/python -m build --wheel --outdir dist/again
	cmp dist/*.whl dist/again/*.whl
	rm -r dist/again
	$(PYTHON) -m venv .venv-wheel
	.venv-wheel/bin/python -m pip install $(PIP_FLAGS) -c constraints.txt dist/*.whl
	cd / && $(CURDIR)/.venv-wheel/bin/python $(CURDIR)/.ci/smoke.py

# Whether the pinned versions have known vulnerabilities; it asks a service in the internet.
audit:
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/python -m pip install $(PIP_FLAGS) pip-audit
	.venv-audit/bin/pip-audit --strict --no-deps --disable-pip -r constraints.txt

# Makes small changes to some modules, one at a time, and runs their tests. Fails if no test fails
# for one of them, unless it changes only an error or a warning, or benchmarks/survivors.py explains
# it. Takes about an hour on one core. One module: make mutation MUTANTS='skaae.training.schedule*'
mutation: .venv-mutation/test
	OMP_NUM_THREADS=1 .venv-mutation/bin/mutmut run --max-children 1 $(MUTANTS)
	.venv-mutation/bin/python benchmarks/mutation.py

clean:
	rm -rf .venv .venv-oldest .venv-newest .venv-wheel .venv-audit .venv-mutation dist demo mutants
	rm -rf docs/_build docs/auto_examples docs/api/generated

.venv/demo: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install $(PIP_FLAGS) -c constraints.txt -e .
	touch $@

.venv/docs: .venv/demo
	.venv/bin/python -m pip install $(PIP_FLAGS) -c constraints.txt -e '.[docs]'
	touch $@

.venv/test: .venv/demo
	.venv/bin/python -m pip install $(PIP_FLAGS) -c constraints.txt -e '.[test]'
	touch $@

.venv/dev: .venv/demo
	.venv/bin/python -m pip install $(PIP_FLAGS) -c constraints.txt -e '.[dev]'
	touch $@

.venv-mutation/test: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-mutation
	.venv-mutation/bin/python -m pip install $(PIP_FLAGS) -c constraints.txt -e '.[test,mutation]'
	touch $@

.venv-oldest/test: pyproject.toml constraints-oldest.txt
	$(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/python -m pip install $(PIP_FLAGS) -c constraints-oldest.txt -e '.[test]'
	touch $@

.venv-newest/test: pyproject.toml constraints.txt
	$(NEWER_PYTHON) -m venv .venv-newest
	.venv-newest/bin/python -m pip install $(PIP_FLAGS) -c constraints.txt -e '.[test]'
	touch $@
