# The front door. Meson builds, tools/run-tests runs; `make` alone does both.
# BUILD=dir puts the build elsewhere; sanitizer and fuzz builds stand beside it.
BUILD ?= build/main
MESON_ARGS ?=
JOBS ?= 2
FUZZ_SECONDS ?= 60
BENCH_ARGS ?=
export JOBS FUZZ_SECONDS

RUN := tools/run-tests --build $(BUILD)
FILES = $(shell find src tests bench -name '*.[ch]' 2>/dev/null)

all: check

build:
	@tools/build $(BUILD) $(MESON_ARGS)

build-tests:
	@tools/build $(BUILD) -Dtests=enabled $(MESON_ARGS)

check: build-tests
	@$(RUN) check $(T)

test: build-tests
	@$(RUN) test $(T)

test-full: build-tests
	@$(RUN) full $(T)

asan tsan fuzz:
	@$(RUN) $@ $(T)

cipher: build-tests
	@$(RUN) $@ $(T)

ct valgrind: build-tests
	@$(RUN) ct $(T)

demo: build
	@tools/demo $(BUILD)/warren

bench: build
	@bench/run $(BUILD) $(BENCH_ARGS)

# One file a call: clang-tidy 14 confuses va_lists of several.
tidy:
	@for file in $$(find src -name '*.c'); do \
		case $$file in *_avx2_*) cpu='-mavx2 -mbmi2' ;; *) cpu= ;; esac; \
		clang-tidy --quiet $$file -- $$cpu -std=gnu2x -D_GNU_SOURCE \
		-Isrc -DWARREN_VERSION='"0"' 2>/dev/null || status=1; done; \
	exit $${status:-0}

fmt:
	@clang-format --dry-run -Werror $(FILES)

fmt-fix:
	@clang-format -i $(FILES)

# Into build/: warren_VERSION_ARCH.deb, and the one that answers to wg and wg-quick.
deb:
	@tools/deb build

install: build
	@meson install -C $(BUILD) --no-rebuild

clean:
	rm -rf build

.PHONY: all build build-tests check test test-full asan tsan fuzz cipher ct valgrind demo bench tidy \
	deb fmt fmt-fix install clean
