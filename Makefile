# Everything a person or a machine does with this tree. `make` lists it.
#
# One virtual environment, .venv/, is filled as far as a target needs; a stamp
# file in it says what is done. uv is used if present, else venv and pip.

PYTHON ?= python3
CC     ?= cc
JOBS   ?= $(shell nproc 2>/dev/null || echo 2)

VENV := .venv
PY   := $(VENV)/bin/python
UV   := $(shell command -v uv 2>/dev/null)

# bare.c and *_code.c are compiled for riscv32 only.
C_FILES     := $(filter-out %/bare.c %_code.c,$(wildcard csrc/*/*.c))
C_HEADERS   := $(wildcard csrc/*/*.h csrc/*/*.def)
GUEST_FILES := $(shell find guestkernel csrc/abi csrc/port -type f) \
               hv/guestcc.py
C_STYLED    := $(wildcard csrc/*/*.[ch] tests/*/*.[ch] tests/*/*/*.[ch]) \
               $(shell find guestkernel -name '*.[ch]')
PY_FILES    := conftest.py setup.py hv tests tools docs
LAB_TESTS   := $(wildcard labs/*/test_lab.py) # all of one name: one by one

# `env` and not `export`: what a target sets, a person can set too.
PYTEST  := $(VENV)/bin/pytest -n $(JOBS) --durations 15
WARN    := -std=c11 -Wall -Wextra -Werror -Wconversion -Wshadow \
           -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla -Wcast-qual
SAN     := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
           -fno-sanitize-recover=all

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' \
	    $(MAKEFILE_LIST)

# ---- the environment --------------------------------------------------------

ifdef UV
INSTALL = uv pip install -q --python $(PY)
MKVENV  = uv venv -q --clear --python '>=3.11' $(VENV)
else
INSTALL = $(PY) -m pip install -q --disable-pip-version-check
MKVENV  = $(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit( \
    "hv needs Python 3.11 or later: make PYTHON=/path/to/python3.11")' \
    && $(PYTHON) -m venv --clear $(VENV)
endif

# $(call extra,a b): install these lists of pyproject.toml.
extra = $(PY) tools/requirements.py $(1) > $@.txt && $(INSTALL) -r $@.txt

$(VENV)/python.stamp: pyproject.toml setup.py tools/requirements.py
	@echo "setting up $(VENV)/ with $(if $(UV),uv,venv and pip)"
	test -x $(PY) || { $(MKVENV); }
	$(call extra,build run)
	HV_BUILD=python $(INSTALL) --no-deps --no-build-isolation -e .
	touch $@

# The C core, in place: hv/_native.*.so. Only what changed is compiled.
$(VENV)/core.stamp: $(VENV)/python.stamp hv/_build.py $(C_FILES) $(C_HEADERS)
	$(PY) setup.py -q build_ext --inplace
	touch $@

# A cross-compiler that is there is used; else the one on PyPI, of 101 MB.
$(VENV)/images.stamp: $(GUEST_FILES) | $(VENV)/core.stamp
	$(PY) -c 'from hv.guestcc import find_compiler; find_compiler()' \
	    2>/dev/null || { $(call extra,guests); }
	$(PY) hv/guestcc.py build --out hv/images
	touch $@

$(VENV)/%.stamp: pyproject.toml | $(VENV)/python.stamp
	$(call extra,$*)
	touch $@

RUN  := $(VENV)/core.stamp $(VENV)/images.stamp
TEST := $(RUN) $(VENV)/test.stamp

guests: $(VENV)/images.stamp ## build the guest images into hv/images/

# ---- see it, test it --------------------------------------------------------

demo: $(RUN) ## two kernels and a hostile one, side by side
	$(VENV)/bin/hv demo

test: $(TEST) ## the quick tests: some minutes at most
	$(PYTEST)

test-all: $(TEST) ## quick and slow tests; a missing tool is a failure
	HV_NO_SKIP=1 $(PYTEST) -m 'not nightly'

nightly: $(TEST) ## everything, with many more examples, then sanitized
	HV_NO_SKIP=1 HV_TEST_PROFILE=nightly $(PYTEST) --timeout 0 -m ''
	$(MAKE) sanitize TIER='not nightly'
	$(MAKE) check-proofs
	$(MAKE) coverage
	$(MAKE) mutation
	$(MAKE) docs-instructors docs-pdf check-links

BENCH ?=
bench: $(TEST) ## how fast, and what each style costs; notes it
	$(VENV)/bin/hv bench --history $(BENCH)

book: $(TEST) $(VENV)/docs.stamp
	$(VENV)/bin/sphinx-build -q -n -W --keep-going -d build/doctrees \
	    docs build/docs
	$(PY) tools/check_book.py build/docs

docs: book ## build the book (-n -W) and run what is in it
	$(VENV)/bin/pytest docs
	@echo "open build/docs/index.html"

docs-instructors: $(TEST) $(VENV)/docs.stamp ## the book with the solutions
	$(VENV)/bin/sphinx-build -q -n -W --keep-going -t instructors \
	    -d build/doctrees-instructors docs build/docs-instructors
	$(PY) tools/check_book.py --instructors build/docs-instructors
	@echo "open build/docs-instructors/index.html"

# Sphinx makes LaTeX; latexmk makes a PDF of it, with XeLaTeX. Figures are SVG,
# which ImageMagick's convert turns into what LaTeX can include.
docs-pdf: $(TEST) $(VENV)/docs.stamp ## the book as a PDF, where there is LaTeX
	@command -v latexmk >/dev/null && command -v xelatex >/dev/null || echo \
	    'docs-pdf: no PDF is made, there is no latexmk or no xelatex here'
	@! command -v latexmk >/dev/null || ! command -v xelatex >/dev/null || { \
	    $(VENV)/bin/sphinx-build -q -b latex -t pdf -d build/doctrees-pdf \
	        docs build/pdf && $(MAKE) -C build/pdf all-pdf && \
	    echo 'open build/pdf/hv.pdf'; }

# Links inside of the book are looked at whenever it is built. Those that lead
# out of it belong to others: what is broken is printed, and breaks nothing here.
OUTSIDE ?= https://docs.python.org/
check-links: docs ## links, those that lead elsewhere too if there is a network
	@$(PY) -c 'import sys, urllib.request as u; u.urlopen(sys.argv[1], \
	    timeout=20)' $(OUTSIDE) 2>/dev/null && { $(VENV)/bin/sphinx-build -q \
	    -b linkcheck -d build/doctrees docs build/links || \
	    echo 'check-links: see build/links/output.txt'; } || echo \
	    'check-links: nothing outside was looked at, $(OUTSIDE) is not reached'

# A second build of the core, checked at run time, imported instead of the
# first. The leak checker would report the Python interpreter's own memory. That
# memory is looked at, too, where calls are given all kinds of buffers: Python
# then runs at half the speed.
# Left out are tests of cores with a planted mistake, those that are about text,
# compilers, labs or speed, and those that execute the same as others for the
# sake of what is drawn, decided or counted.
TIER ?= not slow and not nightly
BUFFERS := $(addprefix tests/control/test_,any_calls.py misuse.py native.py)
ASIDE   := --ignore-glob='*/test_planted*.py' \
    $(addprefix --ignore=tests/,bench book explore gdb install isolation labs \
    leaf repo sched views zoo) \
    --deselect tests/equivalence/test_determinism.py::test_gcc_and_clang_agree
SANITIZED = LD_PRELOAD="$$($(CC) -print-file-name=libasan.so)" \
	ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 \
	PYTHONPATH=$(CURDIR)/build/sanitize/lib:$(CURDIR)/tools/sanitize \
	PYTHONSAFEPATH=1 HV_SANITIZED=1
sanitize: $(TEST) ## the quick tests under ASan and UBSan
	HV_BUILD=core CFLAGS='$(SAN)' LDFLAGS='$(SAN)' $(PY) setup.py -q build \
	    --build-base build/sanitize --build-lib build/sanitize/lib
	$(SANITIZED) PYTHONMALLOC=malloc $(PYTEST) -m '$(TIER)' $(BUFFERS)
	$(SANITIZED) $(PYTEST) -m '$(TIER)' tests $(ASIDE) \
	    $(addprefix --ignore=,$(BUFFERS))

# The same, noting which lines run. What is planted is not of interest here.
COVERED ?= tests
coverage: $(TEST) ## which lines of the core the quick tests run
	rm -rf build/coverage
	CC=$(CURDIR)/tools/coverage_cc HV_BUILD=core HV_LTO=0 $(PY) setup.py -q \
	    build --build-base build/coverage/core --build-lib build/coverage/lib
	CC=$(CURDIR)/tools/coverage_cc PYTHONPATH=$(CURDIR)/build/coverage/lib \
	XDG_CACHE_HOME=$(CURDIR)/build/coverage/cache \
	PYTHONSAFEPATH=1 HV_COVERAGE=1 $(PYTEST) $(COVERED)
	$(PY) tools/coverage.py build/coverage/core build/coverage/machine \
	    build/coverage/cache --list --check

# Small mistakes at random, in the hypervisor: are they found? Each night the same
# ones, so that a verdict can be had again; another SEED has others.
MUTANTS ?= 500
SEED ?= 1
mutation: $(TEST) $(VENV)/images.stamp ## mutants of the hypervisor, and which tests find them
	$(PY) tools/mutate.py --count $(MUTANTS) --seed $(SEED) --check

fuzzers: $(VENV)/core.stamp ## drivers for libFuzzer and AFL++, in build/fuzz/
	$(PY) tools/fuzz/build.py

# ---- check it ---------------------------------------------------------------

check: check-python check-format check-warnings check-tidy check-floors \
    check-analyze
check: ## linters, formatters, the floors, strict warnings
	@echo "check: all good"

check-python: $(TEST) $(VENV)/dev.stamp $(VENV)/docs.stamp
	$(VENV)/bin/ruff check $(PY_FILES) labs
	$(VENV)/bin/ruff format --check $(PY_FILES) labs
	$(VENV)/bin/mypy $(PY_FILES)
	set -e; for test in $(LAB_TESTS); do $(VENV)/bin/mypy $$test; done

check-format: $(VENV)/dev.stamp
	$(VENV)/bin/clang-format --dry-run -Werror $(C_STYLED)

check-tidy: $(VENV)/dev.stamp
	printf '%s\n' $(C_FILES) | xargs -P $(JOBS) -n 1 $(VENV)/bin/clang-tidy \
	    --quiet --warnings-as-errors='*'

# What clang's analyzer does is part of check-tidy. gcc's, and cppcheck, which
# comes with the environment; tools/cppcheck.txt says what of it is no mistake.
# gcc's takes lists that are kept in the free blocks themselves for leaks.
ANALYZED := $(filter-out csrc/machine/arena% csrc/machine/marks.c,$(C_FILES))
check-analyze: check-cppcheck $(ANALYZED:csrc/%.c=build/analyze/%.o)
	@echo "check-analyze: nothing found"

check-cppcheck: $(VENV)/dev.stamp
	$(PY) -m cppcheck -q -j $(JOBS) --std=c11 --error-exitcode=1 \
	    --enable=warning,performance,portability --inline-suppr \
	    --suppressions-list=tools/cppcheck.txt --suppress=missingInclude \
	    -DFW_NATIVE=1 -D__GNUC__ -Icsrc $(C_FILES)

build/analyze/%.o: csrc/%.c $(C_HEADERS)
	@mkdir -p $(@D)
	@if $(CC) --version | grep -q 'Free Software'; then $(CC) -fanalyzer \
	    -Werror -std=c11 -O1 -DFW_NATIVE=1 -Icsrc -c $< -o $@; else \
	    echo "not analyzed: $<, since $(CC) is not gcc" && touch $@; fi

# CBMC, a bounded model checker, is in few distributions: where it is not, the
# claims of tests/leaf/cbmc are only drawn for (tests/leaf/test_proofs.py).
CBMC := cbmc --32 -DFW_NATIVE=1 -Icsrc -Itests/leaf/cbmc --bounds-check \
        --pointer-check --div-by-zero-check --signed-overflow-check \
        --undefined-shift-check --unwind 34 --unwinding-assertions \
        --drop-unused-functions
check-proofs:
	@command -v cbmc >/dev/null || \
	    echo 'check-proofs: nothing is proved, there is no cbmc here'
	@! command -v cbmc >/dev/null || for name in \
	    $(filter-out prove,$(basename $(notdir $(wildcard tests/leaf/cbmc/*.c)))); \
	    do $(CBMC) --function prove_$$name tests/leaf/cbmc/$$name.c || exit; done

check-floors: $(TEST)
	$(PY) tools/check_floors.py

# The host's compiler and clang; where there is no clang, ziglang has one.
CLANG := $(shell command -v clang || echo $(PY) -m ziglang cc)
check-warnings: $(C_FILES:csrc/%.c=build/cc/%.o) $(C_FILES:csrc/%.c=build/clang/%.o)

build/cc/%.o: csrc/%.c $(C_HEADERS)
	@mkdir -p $(@D)
	@$(CC) $(WARN) -O2 -DFW_NATIVE=1 -Icsrc -c $< -o $@

build/clang/%.o: csrc/%.c $(C_HEADERS) | $(VENV)/clang.stamp
	@mkdir -p $(@D)
	@$(CLANG) $(WARN) -O2 -DFW_NATIVE=1 -Icsrc -c $< -o $@

$(VENV)/clang.stamp: | $(VENV)/python.stamp
	command -v clang >/dev/null || { $(call extra,guests); }
	touch $@

format: $(VENV)/dev.stamp ## rewrite C and Python files in the house style
	$(VENV)/bin/clang-format -i $(C_STYLED)
	$(VENV)/bin/ruff format $(PY_FILES) labs

clean: ## remove everything that make has made
	rm -rf $(VENV) build dist hv/images hv/_native*.so *.egg-info

.PHONY: help guests demo test test-all nightly bench book docs docs-instructors \
    docs-pdf check-links sanitize coverage \
    mutation fuzzers check \
    check-python check-format check-tidy check-floors check-warnings \
    check-proofs check-analyze check-cppcheck format clean
