# Hawser: build, test, demo. `make help` lists the goals.
ifeq ($(origin CC),default)
CC := gcc
endif
CONFIG ?= release
PREFIX ?= /usr/local
BUILD ?= build/$(CONFIG)
JOBS ?= 2
# The demo's job; `make demo JOB=...` runs another.
JOB ?= search/jobs/demo.yaml

OPT_release := -O2 -g
OPT_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
OPT_double := -O2 -g -DTRAIN_DOUBLE
OPT := $(OPT_$(CONFIG))
ifeq ($(OPT),)
$(error unknown CONFIG '$(CONFIG)': use release, asan or double)
endif

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wvla -Wmissing-prototypes -Wstrict-prototypes -Werror
CPPFLAGS := -I. -D_GNU_SOURCE
CFLAGS := -std=c11 $(WARN) $(OPT)
LDLIBS := -lopenblas -lsqlite3 -lcurl -lfyaml -ljansson -lsodium -lpthread -lm

# A child's peak of resident memory counts from its fork: a small agent keeps that floor below
# what images use. It also runs on machines with another libc.
AGENT_LDFLAGS ?= $(if $(filter asan,$(CONFIG)),,-static -s)
# Agents for other machines, reached by SSH: for each whose compiler is here.
CROSS_aarch64 := aarch64-linux-gnu-gcc
CROSS_armhf := arm-linux-gnueabihf-gcc
CROSS_riscv64 := riscv64-linux-gnu-gcc
CROSS_x86_64 := x86_64-linux-gnu-gcc
NATIVE := $(patsubst armv%,armhf,$(shell uname -m))
ifeq ($(CONFIG),release)
CROSS ?= $(foreach t,$(filter-out $(NATIVE),aarch64 armhf riscv64 x86_64),$(if \
	$(shell command -v $(CROSS_$(t))),$(t)))
endif

# Firmware of boards without an operating system: a folder each, with board.h, agent.ld and
# cflags.
MCU_CC := arm-none-eabi-gcc
ifeq ($(CONFIG),release)
BOARDS ?= $(if $(shell command -v $(MCU_CC)),$(patsubst devices/boards/%/cflags,%,$(wildcard devices/boards/*/cflags)))
endif

# Debian and Ubuntu names of what is built and tested with.
PACKAGES := gcc libc6-dev make libopenblas-dev libsqlite3-dev libcurl4-openssl-dev libfyaml-dev \
	libjansson-dev libsodium-dev libcmocka-dev gnuplot-nox ca-certificates procps \
	openssh-client
# Builds for other machines are tested under an emulator.
ifeq ($(shell uname -m),x86_64)
PACKAGES += gcc-aarch64-linux-gnu gcc-arm-linux-gnueabihf gcc-riscv64-linux-gnu \
	libc6-dev-arm64-cross libc6-dev-armhf-cross libc6-dev-riscv64-cross qemu-user
endif

# So is what runs on boards without an operating system.
PACKAGES += gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm

# The host library. A double build is for checking gradients and holds only what those need.
HOST_SRC := $(wildcard src/base/*.c src/model/*.c src/train/*.c src/train/*/*.c) src/infer/tokenise.c src/infer/labels.c
ifneq ($(CONFIG),double)
HOST_SRC += $(wildcard src/codegen/*.c src/infer/integer/*.c src/measure/*.c src/store/*.c src/eval/*.c src/report/*.c \
	search/*.c search/*/*.c cost_models/*.c devices/*.c devices/instrument/*.c devices/proto/*.c devices/transport/*.c \
	devices/sensors/*.c)
endif
CLI_SRC := $(wildcard src/cli/*.c)
AGENT_SRC := $(wildcard devices/agent/*.c devices/agent/linux/*.c devices/proto/*.c devices/sensors/*.c \
	devices/sim/*.c)
AGENT_HEADERS := $(wildcard $(addsuffix *.h,$(sort $(dir $(AGENT_SRC)))))
# What generated programs are made of, built for the host so that tests can call it.
CORE_SRC := $(wildcard src/infer/ref/*.c)
# Kernels for ISAs of this machine's family; tests call them as x86_avx2_linear_i8.
OPT_SRC := $(wildcard src/infer/opt/$(subst x86_64,x86,$(shell uname -m))-*/*.c)
TEST_SRC := $(wildcard tests/unit/test_*.c tests/fuzz/test_*.c)
FUZZ_SRC := $(wildcard tests/fuzz/genome_*.c tests/fuzz/inputs*.c)
BENCH_SRC := $(wildcard tests/bench/*.c)

HOST_OBJ := $(HOST_SRC:%.c=$(BUILD)/%.o)
CLI_OBJ := $(CLI_SRC:%.c=$(BUILD)/%.o)
AGENT_OBJ := $(AGENT_SRC:%.c=$(BUILD)/agent/%.o)
CORE_OBJ := $(CORE_SRC:%.c=$(BUILD)/agent/%.o)
OPT_OBJ := $(OPT_SRC:%.c=$(BUILD)/agent/%.o) \
	$(patsubst src/infer/opt/x86-avxvnni/%.c,$(BUILD)/agent/evex/%.o,$(filter src/infer/opt/x86-avxvnni/%,$(OPT_SRC)))
TEST_OBJ := $(TEST_SRC:%.c=$(BUILD)/%.o)
BENCH_OBJ := $(BENCH_SRC:%.c=$(BUILD)/%.o)
BENCH_MAIN := $(BUILD)/tests/bench/core.o $(BUILD)/tests/bench/build.o $(BUILD)/tests/bench/line.o
FUZZ_OBJ := $(FUZZ_SRC:%.c=$(BUILD)/%.o)
SERIAL_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/serial/*.c))
TESTS := $(foreach t,$(TEST_SRC),$(BUILD)/tests/$(basename $(notdir $(t))))
# Those that take a minute and more begin first, so that none is left alone at the end.
SLOW := $(addprefix $(BUILD)/tests/,test_codegen_models test_infer_arm test_codegen_presets test_fuzz_genomes test_codegen_loops)
TESTS := $(filter $(SLOW),$(TESTS)) $(filter-out $(SLOW),$(TESTS))
E2E ?= $(sort $(wildcard tests/e2e/*.sh))
GRADIENT_TESTS := $(filter $(BUILD)/tests/test_train_grad%,$(TESTS))
LIB := $(BUILD)/libhawser.a
TEST_LIB := $(BUILD)/libtested.a
TALLY := build/tally

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all help deps tests unit fuzz-genomes fuzz-frames gradients e2e soak soak-mcu counts-mcu lint check test bench bench-core \
	bench-arm bench-mcu bench-mve bench-build bench-line demo install clean \
	format FORCE

CROSS_AGENTS := $(CROSS:%=$(BUILD)/hawser-agent-%)
FIRMWARE := $(BOARDS:%=$(BUILD)/hawser-agent-%.elf)
all: $(BUILD)/hawser $(BUILD)/hawser-agent $(CROSS_AGENTS) $(FIRMWARE) ## build hawser and its agents into build/release

help: ## list the goals
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile
	@echo "settings: CONFIG=release|asan|double  CC=$(CC)  JOBS=$(JOBS)  PREFIX=$(PREFIX)  JOB=$(JOB)"

deps: ## install the packages that are missing (Debian, Ubuntu)
	@sh tests/deps $(PACKAGES)

# The flags are part of what an object depends on.
$(BUILD)/flags: FORCE
	@mkdir -p $(BUILD)
	@echo '$(CC) $(CPPFLAGS) $(CFLAGS)' | cmp -s - $@ || echo '$(CC) $(CPPFLAGS) $(CFLAGS)' > $@

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

# What a build does for every weight, and the reference's products: half of a build's time.
ifeq ($(CONFIG),release)
HOT := src/model/quant src/model/reference src/model/weights src/codegen/pack
$(HOT:%=$(BUILD)/%.o): private CFLAGS += -O3
endif

$(BUILD)/agent/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

# As in src/codegen/kernel_sets.c, where the flags for real builds are.
ISA_x86-avx2 := -mavx2 -mfma
ISA_x86-avxvnni := -mavx2 -mfma -mavxvnni
ISA_x86-avx512vnni := -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mfma
$(BUILD)/agent/src/infer/opt/%.o: src/infer/opt/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(ISA_$(notdir $(patsubst %/,%,$(dir $<)))) -O3 \
		-D$(notdir $*)=$(subst -,_,$(notdir $(patsubst %/,%,$(dir $<))))_$(notdir $*) \
		-MMD -MP -c $< -o $@

# The AVX-VNNI kernels once more with the same instruction in AVX-512's encoding.
$(BUILD)/agent/evex/%.o: src/infer/opt/x86-avxvnni/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -mavx2 -mfma -mavx512vl -mavx512vnni -O3 \
		-D$*=x86_avxvnni_evex_$* -MMD -MP -c $< -o $@

$(LIB): $(HOST_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

# Parts of agent, core and bench that a test asks for; `main` is only taken when it is called.
$(TEST_LIB): $(CORE_OBJ) $(OPT_OBJ) $(AGENT_OBJ) $(BENCH_OBJ) $(FUZZ_OBJ) \
		$(BUILD)/tests/serial/uart.o $(BUILD)/tests/serial/meter.o
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/hawser: $(CLI_OBJ) $(LIB)
	$(CC) $(CFLAGS) $^ $(LDLIBS) -o $@

$(BUILD)/hawser-agent: $(AGENT_OBJ)
	$(CC) $(CFLAGS) $^ $(AGENT_LDFLAGS) -lm -o $@

$(CROSS_AGENTS): $(BUILD)/hawser-agent-%: $(AGENT_SRC) $(AGENT_HEADERS) $(BUILD)/flags
	$(CROSS_$*) $(CPPFLAGS) -std=c11 $(WARN) -O2 $(AGENT_SRC) -static -s -lm -o $@

MCU_SRC := $(wildcard devices/agent/mcu/*.c) devices/agent/agent.c \
	$(addprefix devices/proto/,frame.c message.c crc32.c)
$(FIRMWARE): $(BUILD)/hawser-agent-%.elf: $(MCU_SRC) $(AGENT_HEADERS) $(wildcard devices/agent/mcu/*) \
		$(wildcard devices/boards/*/*.h devices/boards/*/agent.ld devices/boards/*/cflags) $(BUILD)/flags
	$(MCU_CC) $(shell cat devices/boards/$*/cflags) -mthumb -I. -std=c11 $(WARN) -Os -DCRC32_SMALL -ffreestanding \
		-DAGENT_TABLE='"devices/agent/mcu/table.h"' \
		-nostdlib -fno-tree-loop-distribute-patterns -flto -flto-partition=one -ffunction-sections -fdata-sections \
		-include devices/boards/$*/board.h -Wl,--gc-sections -T devices/boards/$*/agent.ld \
		$(MCU_SRC) -lgcc -o $@
	@arm-none-eabi-size $@ | awk -v b=$* 'NR == FNR { if ($$1 == b) { c = $$2; r = $$3 } next } \
		FNR == 2 { printf "agent of %s: %d bytes of code (%+d), %d of RAM (%+d)\n", \
		b, $$1 + $$2, $$1 + $$2 - c, $$2 + $$3, $$2 + $$3 - r }' tests/mcu/sizes -

$(BUILD)/tests/%: $(BUILD)/tests/unit/%.o $(LIB) $(TEST_LIB)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $< -Wl,--start-group $(LIB) $(TEST_LIB) -Wl,--end-group $(LDLIBS) -lcmocka -o $@

$(BUILD)/tests/%: $(BUILD)/tests/fuzz/%.o $(LIB) $(TEST_LIB)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $< -Wl,--start-group $(LIB) $(TEST_LIB) -Wl,--end-group $(LDLIBS) -lcmocka -o $@

# Programs, each with a `main` in the file of its name.
$(BUILD)/bench-%: $(BENCH_OBJ) $(LIB)
	$(CC) $(CFLAGS) $(filter-out $(filter-out $(BUILD)/tests/bench/$*.o,$(BENCH_MAIN)),$^) \
		$(LDLIBS) -o $@

# A board at a pseudo-terminal, and a line that damages what it carries.
$(BUILD)/bench-serial: $(BUILD)/tests/serial/bench.o $(LIB) $(TEST_LIB)
	$(CC) $(CFLAGS) $(filter %.o,$^) -Wl,--start-group $(LIB) $(TEST_LIB) -Wl,--end-group $(LDLIBS) -o $@

$(BUILD)/line-noise: $(BUILD)/tests/serial/noise.o $(LIB)
	$(CC) $(CFLAGS) $^ -lm -o $@

# A meter at a pseudo-terminal.
$(BUILD)/meter-player: $(BUILD)/tests/serial/player.o $(BUILD)/tests/serial/meter.o $(LIB)
	$(CC) $(CFLAGS) $^ -lm -o $@

tests: $(TESTS) ## build the unit tests

# What starts compilers and emulators only is the same under the sanitisers: once is enough. So
# is the training of a network whose kernels have tests of their own.
COMPILED_ONLY := $(addprefix $(BUILD)/tests/,test_codegen_loops test_infer_arm test_cross_candidates \
	test_mcu test_mcu_upload test_mcu_noise test_mcu_port test_mcu_delta test_mcu_flash \
	test_mcu_counts test_integer_accuracy)
unit: all tests $(BUILD)/count.so $(BUILD)/line-noise ## run the unit tests (CONFIG=asan: under the sanitisers)
	@JOBS=$(JOBS) tests/run "unit, $(CONFIG)" $(TALLY) $(if $(filter asan,$(CONFIG)),$(filter-out $(COMPILED_ONLY),$(TESTS)),$(TESTS))

fuzz-genomes: N ?= 2000
fuzz-genomes: all $(BUILD)/tests/test_fuzz_genomes ## N=2000 random networks against the reference, sanitised
	@FUZZ_GENOMES=$(N) FUZZ_SANITISE=1 JOBS=$(JOBS) TEST_TIMEOUT=7200 tests/run "fuzz, $(N) genomes" $(TALLY) \
		$(BUILD)/tests/test_fuzz_genomes

# With clang its libFuzzer, else our own changes to the same seeds; then damaged frames alone.
CLANG ?= clang
FUZZED := $(wildcard devices/*.c devices/instrument/*.c devices/proto/*.c devices/transport/*.c src/base/*.c) \
	devices/agent/agent.c devices/agent/ram_store.c $(wildcard tests/fuzz/inputs*.c)
FUZZ_FLAGS := -std=c11 -O2 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
FUZZER := $(if $(shell command -v $(CLANG)),build/fuzz/inputs)

build/fuzz/inputs: $(FUZZED) $(wildcard devices/*.h devices/instrument/*.h devices/proto/*.h tests/fuzz/*.h)
	@mkdir -p $(@D)
	$(CLANG) $(CPPFLAGS) $(FUZZ_FLAGS) $(FUZZED) src/model/measurement.c $(LDLIBS) -o $@

fuzz-frames: N ?= 10000000
ifeq ($(CONFIG),asan)
fuzz-frames: $(BUILD)/tests/test_fuzz_inputs $(BUILD)/tests/test_fuzz_frames $(FUZZER) ## N=10000000 inputs to all that reads what devices send, sanitised
	@mkdir -p build/fuzz/found
	$(if $(FUZZER),$(FUZZER) -runs=$(N) -max_len=600 -timeout=10 -print_final_stats=1 \
		build/fuzz/found tests/fuzz/corpus,FUZZ_INPUTS=$(N) $(BUILD)/tests/test_fuzz_inputs)
	FUZZ_ROUNDS=$$(($(N) / 4 + 1)) $(BUILD)/tests/test_fuzz_frames
else
fuzz-frames:
	@$(MAKE) --no-print-directory CONFIG=asan BUILD=build/asan N=$(N) fuzz-frames
endif

# The gradient checks alone, in double precision.
gradients: ## check every gradient against finite differences in double precision
ifeq ($(CONFIG),double)
gradients: $(GRADIENT_TESTS)
	@JOBS=$(JOBS) tests/run "gradients, double" $(TALLY) $(GRADIENT_TESTS)
else
gradients:
	@$(MAKE) --no-print-directory CONFIG=double BUILD=build/double gradients
endif

e2e: all $(BUILD)/meter-player $(BUILD)/bench-core $(BUILD)/bench-build $(BUILD)/tests/test_device_verdicts ## run the end-to-end tests (E2E=FILE...: some of them)
	@JOBS=$(JOBS) HAWSER=$(BUILD)/hawser tests/run "end to end, $(CONFIG)" $(TALLY) $(E2E)

soak: N ?= 1000
soak: all ## N=1000 measurements on three machines over SSH, every twentieth with a fault
	@mkdir -p build/bench
	@SOAK_JOBS=$(N) SOAK_FILE=$(CURDIR)/build/bench/soak.json HAWSER=$(BUILD)/hawser bash tests/e2e/soak.sh

soak-mcu: N ?= 500
soak-mcu: all $(BUILD)/tests/test_mcu_noise $(BUILD)/line-noise ## N=500 jobs on an emulated board behind a line that damages bytes
	@SOAK_JOBS=$(N) $(BUILD)/tests/test_mcu_noise

lint: ## check include table, headers, names, sizes
	@JOBS=$(JOBS) tests/run "lint" $(TALLY) tests/lint/check.sh tests/lint/selftest.sh

check: lint ## lint, and compile everything with warnings as errors
	@$(MAKE) --no-print-directory -j$(JOBS) all tests $(BUILD)/count $(BUILD)/count.so

# Devices over SSH are tested against servers of the tests' own; only they need these programs.
test: PACKAGES += openssh-server iproute2 sqlite3
test: deps ## install what is missing, then run every test
	@JOBS=$(JOBS) tests/all $(TALLY) $(MAKE)

bench: bench-core bench-build bench-line bench-arm bench-mcu bench-mve ## every benchmark

# BENCH_QUICK=1: under a minute. BENCH_PEER=0: without ONNX Runtime (it needs the network once).
BENCH_PEER ?= 1
bench-core: $(BUILD)/bench-core ## the core beside ONNX Runtime and the machine's limits
	@BENCH_PYTHON=$$([ "$(BENCH_PEER)" = 0 ] || tests/bench/peer build/bench/venv) $(BUILD)/bench-core

# Counts, not times: BENCH_QUICK=1 for one shape.
$(BUILD)/count: $(BUILD)/tests/count/main.o $(BUILD)/tests/bench/shapes.o $(LIB)
	$(CC) $(CFLAGS) $^ $(LDLIBS) -o $@

$(BUILD)/count.so: tests/count/plugin.c $(BUILD)/flags
	$(CC) $(CPPFLAGS) -std=c11 $(WARN) -O2 -fPIC -shared $< -o $@

bench-arm: $(BUILD)/count $(BUILD)/count.so ## instructions a multiply-add on Arm, under QEMU
	@$(BUILD)/count $(BUILD)/count.so

counts-mcu: N ?= 1000
counts-mcu: all $(BUILD)/tests/test_mcu_counts ## one candidate N times on each emulated board: one count
	@MCU_COUNTS=$(N) $(BUILD)/tests/test_mcu_counts

bench-mcu: all $(BUILD)/count.so ## instructions of the Cortex-M kernels on an emulated board, and sizes
	@tests/bench/mcu $(BUILD)/hawser $(BUILD)/count.so $(BUILD)

# The kernels for Cortex-M55, and the portable ones under other names, on the emulated board.
MVE_SRC := $(wildcard src/infer/opt/armv81m-mve/*.c)
MVE_PORTABLE := linear_f32 linear_i8 linear_i4 norm_ln norm_rms act_gelu quant_rows attention attention_dot8
MVE_CC := $(MCU_CC) -mcpu=cortex-m55 -mthumb -mfloat-abi=hard -std=c11 $(WARN) -I. -O2 -fno-schedule-insns -ffunction-sections
build/mve/count.elf: tests/count/mve.c tests/cross/bare.c tests/cross/bare.ld $(MVE_SRC) \
		$(MVE_PORTABLE:%=src/infer/ref/%.c) $(wildcard src/infer/*.h src/infer/opt/armv81m-mve/*.h)
	@mkdir -p $(@D)
	for k in $(MVE_PORTABLE); do \
		$(MVE_CC) -D$$k=portable_$$k -c src/infer/ref/$$k.c -o $(@D)/$$k.o || exit 1; done
	$(MVE_CC) tests/count/mve.c tests/cross/bare.c $(MVE_SRC) $(MVE_PORTABLE:%=$(@D)/%.o) -nostartfiles \
		--specs=rdimon.specs -Ttests/cross/bare.ld -Wl,--gc-sections -o $@

bench-mve: all $(if $(BOARDS),build/mve/count.elf) ## the same of Cortex-M55 with MVE
	@tests/bench/mve $(BUILD)/hawser build/mve/count.elf

bench-build: $(BUILD)/bench-build ## from genome to image and to the first answer
	@$(BUILD)/bench-build

bench-line: all $(BUILD)/bench-line $(BUILD)/bench-serial ## what the line to a device costs: pipe, SSH, serial
	@tests/bench/line $(BUILD)/bench-line
	@HAWSER=$(BUILD)/hawser tests/bench/serial $(BUILD)/bench-serial

JOB_NAME = $(shell sed -n 's/^job: *//p' $(JOB))
demo: deps ## search the built-in task on this machine: ten minutes to a measured front
	@$(MAKE) --no-print-directory -j$(JOBS) all
	$(BUILD)/hawser search $(JOB)
	$(BUILD)/hawser front $(JOB_NAME)
	@echo
	@echo "The report of job $(JOB_NAME), for your browser:"
	@$(BUILD)/hawser report $(JOB_NAME)

SHARE := $(DESTDIR)$(PREFIX)/share/hawser
install: all ## install hawser, the agent and their files below PREFIX
	install -d $(DESTDIR)$(PREFIX)/bin $(SHARE)
	install -m 755 $(BUILD)/hawser $(BUILD)/hawser-agent $(CROSS_AGENTS) $(FIRMWARE) $(DESTDIR)$(PREFIX)/bin
	for f in $$(find search/spaces search/jobs devices/profiles src/infer devices/proto devices/agent \
		devices/boards -name '*.[ch]' -o -name '*.yaml' -o -name '*.ld'); do \
		install -D -m 644 $$f $(SHARE)/$$f || exit 1; done

format: ## run clang-format over every file of ours
	clang-format -i $$(git ls-files '*.c' '*.h')

clean: ## remove build/
	rm -rf build

-include $(patsubst %.o,%.d,$(HOST_OBJ) $(CLI_OBJ) $(AGENT_OBJ) $(CORE_OBJ) $(OPT_OBJ) $(TEST_OBJ) $(BENCH_OBJ) \
	$(FUZZ_OBJ) $(BUILD)/tests/count/main.o $(SERIAL_OBJ))
