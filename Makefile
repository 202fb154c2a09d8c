# Each target installs what it needs. `make run ARGS="ss -tip"` builds and runs sockeye.

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c

CARGO ?= cargo
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
# What `make run` runs; options of `make bench` and `make bench-functions`; how long `make fuzz` runs,
# all targets together.
ARGS ?= ss -tin
BENCH ?=
BENCH_FUNCTIONS ?=
FUZZ_SECONDS ?= 60
FUZZ_TARGETS := $(basename $(notdir $(wildcard fuzz/fuzz_targets/*.rs)))
# cargo-fuzz takes no ranges; this is the version that CI uses.
CARGO_FUZZ_VERSION := 0.13.2
# Where cargo puts the programs that it installs.
CARGO_ROOT := $(or $(CARGO_HOME),$(HOME)/.cargo)
# gungraun's runner refuses to work with a library of another version.
GUNGRAUN_VERSION := $(shell sed -n '/^name = "gungraun"$$/{n;s/^version = "\(.*\)"/\1/p}' Cargo.lock)

.PHONY: help build run test lint bench bench-functions instructions instructions-accept fuzz schema \
    docs clean rust

help:
	@echo "make run [ARGS='ss -tin']   build in release mode and run"
	@echo "make build                  build $(TARGET_DIR)/release/sockeye"
	@echo "make test                   all tests (root: they make network namespaces)"
	@echo "make lint                   formatting, clippy, documentation"
	@echo "make bench                  time and memory beside the installed ss and the floor"
	@echo "make bench-functions        time of each function on the hot path"
	@echo "make instructions           their instruction counts against the committed figures"
	@echo "make instructions-accept    commit to the figures of today"
	@echo "make fuzz [FUZZ_SECONDS=60] all fuzz targets, for that long altogether"
	@echo "make schema                 docs/schema/ anew, from the tables of fields"
	@echo "make docs                   API documentation in target/doc"

rust:
	@scripts/need cc=gcc,libc6-dev clang=clang /usr/include/libelf.h=libelf-dev \
	    /usr/include/zlib.h=zlib1g-dev
	@command -v $(CARGO) >/dev/null || { \
	    echo "make: no cargo: install Rust 1.88 or newer, for example with rustup" >&2; exit 1; }
	@program=$$(mktemp) && trap "rm -f $$program" EXIT && \
	    echo 'int main(void) { return 0; }' | cc -x c -o "$$program" - || { \
	    echo "make: the C compiler cannot link: install libc6-dev" >&2; exit 1; }

build: rust
	$(CARGO) build --release --locked -p sockeye

# Quiet but for errors, so that the output can be piped. Status 3 (done, something is known to be
# missing, and stderr said what) is no failure of make's.
run: rust
	@$(CARGO) build --quiet --release --locked -p sockeye
	@$(TARGET_DIR)/release/sockeye $(ARGS) || [ $$? -eq 3 ]

test: rust
	@scripts/need ip=iproute2 ss=iproute2 strace=strace unshare=util-linux /etc/services=netbase
	$(CARGO) test --locked --workspace

lint: rust
	@for tool in fmt clippy; do $(CARGO) $$tool --version >/dev/null 2>&1 || { \
	    echo "make: no cargo $$tool: rustup component add rustfmt clippy" >&2; exit 1; }; done
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) clippy --locked -p sockeye-lab --all-targets --features functions,instructions -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --quiet

bench: rust
	@scripts/need ip=iproute2 ss=iproute2
	$(CARGO) build --release --locked -p sockeye -p sockeye-lab
	$(TARGET_DIR)/release/bench $(BENCH)

bench-functions: rust
	$(CARGO) bench --locked -p sockeye-lab --features functions --bench functions -- $(BENCH_FUNCTIONS)

# The runner is built without optimisation: it takes half the time, and valgrind does the work.
instructions: DO := check
instructions-accept: DO := accept
instructions instructions-accept: rust
	@scripts/need valgrind=valgrind
	@$(CARGO_ROOT)/bin/gungraun-runner --version 2>/dev/null | \
	    grep -qx 'gungraun-runner $(GUNGRAUN_VERSION)' || \
	    $(CARGO) install --debug --locked --root $(CARGO_ROOT) gungraun-runner \
	        --version $(GUNGRAUN_VERSION)
	@GUNGRAUN_RUNNER=$(CARGO_ROOT)/bin/gungraun-runner \
	$(CARGO) bench --quiet --locked -p sockeye-lab --features instructions --bench instructions -- \
	    --output-format=json --callgrind-args=--cache-sim=no > $(TARGET_DIR)/instructions.json
	@$(TARGET_DIR)/release/instructions $(DO) crates/lab/benches/instructions.toml \
	    $(TARGET_DIR)/instructions.json

fuzz: rust
	@scripts/need c++=g++
	@$(CARGO) fuzz --version 2>/dev/null | grep -q ' $(CARGO_FUZZ_VERSION)$$' || \
	    $(CARGO) install --locked cargo-fuzz --version $(CARGO_FUZZ_VERSION)
	@seconds=$$(( $(FUZZ_SECONDS) / $(words $(FUZZ_TARGETS)) )); \
	[ $$seconds -ge 1 ] || seconds=1; \
	for target in $(FUZZ_TARGETS); do \
	    echo "fuzz: $$target for $$seconds s"; \
	    found=fuzz/target/corpus/$$target; mkdir -p "$$found"; \
	    $(CARGO) fuzz run --sanitizer none "$$target" "$$found" "fuzz/corpus/$$target" -- \
	        -max_total_time="$$seconds" -print_final_stats=1 2>&1 | \
	        grep -v -e '# Uses: ' -e 'ecommended dictionary' -e '^#' -e '^WARNING: Failed to find' || \
	        exit 1; \
	done

# By way of other files: what fails leaves the committed ones as they are.
schema: rust
	$(CARGO) build --locked -p sockeye
	@for record in socket kill; do for kind in markdown:md json-schema:schema.json; do \
	    file="docs/schema/$$record.$${kind#*:}"; \
	    $(TARGET_DIR)/debug/sockeye schema "$$record" --format "$${kind%:*}" > "$$file.new" && \
	        mv "$$file.new" "$$file" || { rm -f "$$file.new"; exit 1; }; \
	done; done

docs: rust
	$(CARGO) doc --locked --workspace --no-deps
	@echo "open $(TARGET_DIR)/doc/sockeye_netlink/index.html"

clean:
	$(CARGO) clean
	rm -rf fuzz/target
