# Hawser: build, test, demo. `make help` lists the goals.
CC ?= gcc
CONFIG ?= release
PREFIX ?= /usr/local
BUILD := build/$(CONFIG)

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

HOST_SRC := $(wildcard src/base/*.c src/model/*.c src/codegen/*.c src/train/*.c src/train/*/*.c \
	src/measure/*.c src/store/*.c src/eval/*.c src/report/*.c \
	search/*.c search/*/*.c cost_models/*.c \
	devices/*.c devices/proto/*.c devices/transport/*.c devices/sensors/*.c devices/sim/*.c) \
	src/infer/tokenise.c
CLI_SRC := $(wildcard src/cli/*.c)
AGENT_SRC := $(wildcard devices/agent/*.c devices/proto/*.c)
TEST_SRC := $(wildcard tests/unit/test_*.c)

HOST_OBJ := $(HOST_SRC:%.c=$(BUILD)/%.o)
CLI_OBJ := $(CLI_SRC:%.c=$(BUILD)/%.o)
AGENT_OBJ := $(AGENT_SRC:%.c=$(BUILD)/agent/%.o)
TESTS := $(TEST_SRC:tests/unit/%.c=$(BUILD)/tests/%)
LIB := $(BUILD)/libhawser.a

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all help check test unit e2e lint demo bench clean deps format

all: $(BUILD)/hawser $(BUILD)/hawser-agent ## build hawser and the agent into build/release

help: ## list the goals
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The flags are part of what an object depends on.
$(BUILD)/flags: FORCE
	@mkdir -p $(BUILD)
	@echo '$(CC) $(CPPFLAGS) $(CFLAGS)' | cmp -s - $@ || echo '$(CC) $(CPPFLAGS) $(CFLAGS)' > $@
FORCE:

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/agent/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(LIB): $(HOST_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/hawser: $(CLI_OBJ) $(LIB)
	$(CC) $(CFLAGS) $^ $(LDLIBS) -o $@

$(BUILD)/hawser-agent: $(AGENT_OBJ)
	$(CC) $(CFLAGS) $^ -lm -o $@

$(BUILD)/tests/%: $(BUILD)/tests/unit/%.o $(LIB)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $< $(LIB) $(LDLIBS) -lcmocka -o $@

clean: ## remove build/
	rm -rf build

-include $(shell find build -name '*.d' 2>/dev/null)
