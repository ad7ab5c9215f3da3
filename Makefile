# Needs Python >= 3.11 with venv and headers, a C++20 compiler and make; everything else goes into ./.venv.
# Stamps inside .venv make a second run cheap: groups are installed when pyproject.toml changes, the package is
# rebuilt (incrementally, in ./build) when a source of it changes.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
  "$$p" -c 'import ensurepip, os, sys, sysconfig, venv; \
  sys.exit(sys.version_info < (3, 11) or not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' \
  2>/dev/null && command -v "$$p" && break; done)

bin := .venv/bin
pip := $(bin)/python -m pip --disable-pip-version-check
sources := pyproject.toml CMakeLists.txt README.md LICENSE CHANGELOG.md \
  $(shell find cpp src tests/contract -name '*.[ch]pp' -o -name 'CMakeLists.txt' -o -path '*/templates/*' -o -name '*.py*' -not -name '*.pyc')
cpp_sources := $(shell find cpp tests/contract trust -name '*.[ch]pp')
sanitized := asan-ubsan tsan
# What fails on purpose, for leaks; what runs at once, for races.
failing := tests/test_bad_input.py tests/test_arrow_malformed.py tests/test_stage_hostile.py
# What reads hostile bytes and tables, in the minute that every run of the suite has for it under sanitizers.
hostile := tests/test_arrow_malformed.py tests/test_bad_input.py tests/test_stage_hostile.py tests/test_golden.py \
  tests/test_forged_bytes.py tests/test_forged_container.py tests/test_forged_sketches.py \
  tests/test_forged_joint.py tests/test_forged_outcomes.py tests/test_quoted.py tests/test_sketch_laws.py \
  -k "(hostile or not sketch_laws) and not much"  # without most laws, and large states
concurrent := tests/test_threads_and_fork.py tests/test_segmented_threads.py tests/test_threads_stage.py \
  tests/test_monitor_threads.py tests/test_stage.py tests/test_stage_hostile.py

.PHONY: setup demo test test-slow test-asan test-tsan trust trust-deep coverage lint bench statistics clean
.DELETE_ON_ERROR:

setup: .venv/.package .venv/.group-test .venv/.group-lint

# Three weeks of card payments with planted incidents, found day by day; then labels that come late, and those of
# hotel bookings where the real data sets lie beside the project.
demo: .venv/.package
	$(bin)/python -m tidegauge.demo demo $(wildcard ../shared/data)

# The suite, and its hostile part under address and undefined-behaviour sanitizers. PYTEST narrows it to tests of
# the suite alone: make test PYTEST="-k kll"
test: .venv/.package .venv/.group-test $(if $(PYTEST),,build/asan-ubsan-site/.built)
	$(bin)/python -m pytest $(PYTEST)
	$(if $(PYTEST),,$(bin)/python -m trust.sanitized asan-ubsan $(hostile))

# The whole grid of what `test` samples: some minutes more.
test-slow: .venv/.package .venv/.group-test
	$(bin)/python -m pytest -m slow $(PYTEST)

# The suites over builds with sanitizers; trust/suppressions lists what cannot run so. PYTEST narrows these too.
test-asan: .venv/.group-test build/asan-ubsan-site/.built
	$(bin)/python -m trust.sanitized asan-ubsan $(PYTEST)
	$(bin)/python -m trust.sanitized asan-ubsan --leaks $(failing)

test-tsan: .venv/.group-test build/tsan-site/.built
	$(bin)/python -m trust.sanitized tsan $(or $(PYTEST),$(concurrent))

lint: .venv/.package .venv/.group-test .venv/.group-lint
	$(bin)/ruff check .
	$(bin)/mypy
	$(bin)/clang-format --dry-run -Werror $(cpp_sources)

# Every case checks its answer before it is timed; docs/benchmarks.md is written from the run.
bench: .venv/.package .venv/.group-test .venv/.group-bench
	mkdir -p .benchmarks
	$(bin)/python -m pytest benchmarks --benchmark-json=.benchmarks/run.json $(PYTEST)
	$(bin)/python benchmarks/report.py .benchmarks/run.json

# What our alarms are worth, simulated; docs/statistics.md is written from the results. PARTS=--quick for a look.
statistics: .venv/.package
	OPENBLAS_NUM_THREADS=1 $(bin)/python -m benchmarks.statistics $(PARTS)

# What tries to break the engine: the cases that every change must pass, and new ones for BUDGET (90s, 30m, 8h).
trust: .venv/.package .venv/.group-test $(sanitized:%=build/%-site/.built)
	$(bin)/python -m trust change $(PARTS)

trust-deep: .venv/.package .venv/.group-test $(sanitized:%=build/%-site/.built)
	$(bin)/python -m trust deep --budget $(or $(BUDGET),8h) $(PARTS)

# Which branches of the import, the decoders and the archives the tests take. COVERAGE="--bound 0.95 --missed".
coverage: .venv/.package .venv/.group-test .venv/.group-coverage build/coverage-site/.built
	$(bin)/python -m trust.coverage $(COVERAGE)

# The package and the test-only programs under sanitizers, beside the real one (CMakePresets.json).
sanitized-%: build/%-site/.built ;

build/%-site/.built: $(sources) $(cpp_sources) CMakePresets.json .venv/.group-build
	PATH=$(CURDIR)/$(bin):$$PATH cmake --preset $* -Dpybind11_DIR=$$($(bin)/python -m pybind11 --cmakedir) \
	  -DPython_EXECUTABLE=$(CURDIR)/$(bin)/python
	PATH=$(CURDIR)/$(bin):$$PATH cmake --build --preset $*
	rm -rf build/$*-site
	PATH=$(CURDIR)/$(bin):$$PATH cmake --install build/$* --prefix build/$*-site/tidegauge
	cp -r src/tidegauge build/$*-site/
	touch $@

clean:
	rm -rf .venv build dist demo .benchmarks .trust

.venv/.created:
	@test -n "$(PYTHON)" || { echo "tidegauge needs Python >= 3.11 with venv and headers \
	(Debian: python3-dev python3-venv); name one with make PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(pip) install --quiet --upgrade 'pip>=25.1'
	touch $@

.venv/.group-%: pyproject.toml .venv/.created
	$(pip) install --quiet --group $*
	touch $@

.venv/.package: $(sources) .venv/.group-build
	$(pip) install --quiet --no-build-isolation '.[report]' \
	  -C cmake.define.TIDEGAUGE_TESTS=ON -C cmake.define.TIDEGAUGE_WERROR=ON
	touch $@
