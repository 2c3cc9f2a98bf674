# Everything a person or CI runs. `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Where SwiftPM builds. CONFIG is debug or release.
SCRATCH ?= .build
CONFIG ?= debug
BIN := $(abspath $(SCRATCH))/$(CONFIG)
SWIFT := swift
SWIFTPM := --scratch-path $(SCRATCH)
VENV := .venv
BENCH_VENV := $(SCRATCH)/bench-venv

# Our own code; folders that are not there yet are left out.
FORMATTED := $(wildcard Sources Plugins Simulators Tests Examples Benchmarks Fuzz)
C_FLAGS := -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror
C_INCLUDES := -ISources/PluginABI/include -ISources/Worker/include -ISources/VaultMemory/include
C_CHECKED = $(shell find $(wildcard Sources Plugins Examples Tests/WorkersTests/Fixtures) -name '*.c')
WORKER_SOURCES := $(wildcard Sources/Worker/*.c)
WORKER_HEADERS := $(wildcard Sources/Worker/*.h Sources/Worker/include/*.h Sources/PluginABI/include/*.h)

# Tests find the worker and the programs by these. What `check` leaves out: real programs end to end, and the vendors'
# own clients.
export DATONG_WORKER := $(BIN)/datong-worker
export DATONG_BIN := $(BIN)
SLOW := EndToEnd|DingTalkClientTests|KingdeeClientTests|LongRun
# Eight tests at once: with all of them at once, one that waits for an answer may not run for longer than it waits.
TEST := $(SWIFT) test $(SWIFTPM) --skip-build --disable-xctest --experimental-maximum-parallelization-width 8

.PHONY: help setup venv build release tests worker check lint test sim fuzz full demo bench docs format clean

help: ## this list
	@grep -E '^[a-z]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/:.*## /\t/' | expand -t 10

setup: ## system packages, only those that are missing
	@Scripts/setup.sh

venv: $(VENV)/installed ## .venv with the vendors' own clients, for tests

$(VENV)/installed: Tests/SimulatorTests/Clients/requirements.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

build: setup ## datong, the connectors, the worker and the simulators, in $(SCRATCH)/$(CONFIG)
	@$(SWIFT) build $(SWIFTPM) -c $(CONFIG)
	@$(MAKE) worker

release: ## the same, optimised
	@$(MAKE) build CONFIG=release

# The same and the tests; debug, because tests look inside the modules.
tests: setup
	@$(SWIFT) build $(SWIFTPM) --build-tests
	@$(MAKE) worker CONFIG=debug

worker: $(BIN)/datong-worker

$(BIN)/datong-worker: $(WORKER_SOURCES) $(WORKER_HEADERS)
	@mkdir -p $(BIN)
	cc -O2 $(C_FLAGS) $(C_INCLUDES) $(WORKER_SOURCES) -ldl -lpthread -o $@

lint: ## format and C warnings
	@$(SWIFT) format lint --strict --parallel --recursive $(FORMATTED)
	@for file in $(C_CHECKED); do cc -fsyntax-only $(C_FLAGS) $(C_INCLUDES) "$$file"; done

check: lint tests ## the fast tests: unit, engine, tidy (at most 10 minutes)
	@$(TEST) --skip '$(SLOW)'

test: setup venv lint tests ## everything a fresh machine needs, then all tests (at most 40 minutes); what CI runs
	@$(TEST)

sim: tests ## YEARS virtual years of a customer (3), with seeds nobody has tried; SEED=n for one again
	@DATONG_SIM_YEARS=$${YEARS:-3} DATONG_SEED=$${SEED:-} $(TEST) --filter HostTestKitTests

FUZZ := $(abspath $(SCRATCH))/fuzz
fuzz: setup ## each fuzz target for SECONDS_EACH (20); TARGETS="json csv" for some; what it finds is kept in $(SCRATCH)/fuzz
	@DATONG_FUZZ=1 $(SWIFT) build --scratch-path $(FUZZ) --product datong-fuzz \
		-Xlinker "$$($(SWIFT)c -print-target-info | python3 -c 'import glob, json, sys; \
		print(glob.glob(json.load(sys.stdin)["paths"]["runtimeResourcePath"] + "/../clang/**/libclang_rt.fuzzer_no_main-x86_64.a", recursive=True)[0])')"
	@for target in $${TARGETS:-$$(sed -n 's/^    case \([a-zA-Z]*\)$$/\1/p' Fuzz/FuzzTarget.swift)}; do \
		mkdir -p $(FUZZ)/corpus/$$target; \
		echo "fuzz $$target"; \
		DATONG_FUZZ_TARGET=$$target $(FUZZ)/debug/datong-fuzz -max_total_time=$${SECONDS_EACH:-20} -timeout=10 -rss_limit_mb=2048 \
			-artifact_prefix=$(FUZZ)/found-$$target- -verbosity=0 -print_final_stats=1 \
			$(FUZZ)/corpus/$$target Fuzz/corpus/$$target; \
	done

full: ## all tests, with 200 random kills in place of 30
	@DATONG_FULL=1 $(MAKE) test

demo: build ## 200 approvals, a kill -9 in the middle, 175 vouchers, each once
	@python3 Scripts/demo.py --bin $(BIN)

bench: setup $(BENCH_VENV)/installed ## measurements
	@Benchmarks/run --scratch $(SCRATCH) --python $(abspath $(BENCH_VENV))/bin/python3

$(BENCH_VENV)/installed: Benchmarks/requirements.txt
	python3 -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

docs: ## the DocC pages of the rooms others build on, in $(SCRATCH)/docs
	@mkdir -p $(SCRATCH)/docs
	@for room in PluginKit Engine Mapping Documents Values; do \
		$(SWIFT) package $(SWIFTPM) --allow-writing-to-directory $(SCRATCH)/docs generate-documentation \
			--target $$room --output-path $(SCRATCH)/docs/$$room --warnings-as-errors; done

format: ## formats our own code
	@$(SWIFT) format --in-place --parallel --recursive $(FORMATTED)

clean: ## removes what was built
	rm -rf $(SCRATCH) $(VENV)
