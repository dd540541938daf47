/* A plugin for QEMU's user mode: counts the instructions that a program executes and prints
 * "instructions N" at its end. Debian ships no qemu-plugin.h, so what is used of the
 * interface, version 1, is declared here. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct qemu_plugin_tb;
struct qemu_info;
enum { ADD_U64 = 0 };

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
void qemu_plugin_register_vcpu_tb_exec_inline(
	struct qemu_plugin_tb *tb, int op, void *at, uint64_t add);
void qemu_plugin_register_vcpu_tb_trans_cb(
	uint64_t id, void (*translated)(uint64_t id, struct qemu_plugin_tb *tb));
void qemu_plugin_register_atexit_cb(
	uint64_t id, void (*at_exit)(uint64_t id, void *data), void *data);
void qemu_plugin_outs(const char *text);

extern int qemu_plugin_version;
int qemu_plugin_version = 1;
int qemu_plugin_install(uint64_t id, const struct qemu_info *info, int argc, char **argv);

static uint64_t total;

static void count_block(uint64_t id, struct qemu_plugin_tb *tb)
{
	(void)id;
	qemu_plugin_register_vcpu_tb_exec_inline(
		tb, ADD_U64, &total, qemu_plugin_tb_n_insns(tb));
}

static void print_total(uint64_t id, void *data)
{
	char line[64];

	(void)id;
	(void)data;
	snprintf(line, sizeof(line), "instructions %llu\n", (unsigned long long)total);
	qemu_plugin_outs(line);
}

int qemu_plugin_install(uint64_t id, const struct qemu_info *info, int argc, char **argv)
{
	(void)info;
	(void)argc;
	(void)argv;
	qemu_plugin_register_vcpu_tb_trans_cb(id, count_block);
	qemu_plugin_register_atexit_cb(id, print_total, NULL);
	return 0;
}
