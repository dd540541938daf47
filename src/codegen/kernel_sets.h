/* Which kernels an ISA has of its own, and how they want their weights. The one table: a
 * kernel that a set does not name is its base's, and what that has not either is taken from
 * src/infer/ref; all are compiled with the set's own flags. Adding a kernel is a file in
 * src/infer/opt/<isa>/ and its name here; tests/unit/test_codegen_build.c holds the table
 * against the folders.
 */
#ifndef HAWSER_CODEGEN_KERNEL_SETS_H
#define HAWSER_CODEGEN_KERNEL_SETS_H

#include <stddef.h>
#include <stdint.h>

#include "src/base/err.h"

/* The matrix of a product as panels of output columns: [panel][in / k][width][k], where
 * every panel is `width` columns wide and the last one what is left, rounded up to
 * `round`. `in` is rounded up to k; padding is zero. */
struct panel_format {
	uint16_t width, round;
	uint8_t k; /* input columns that lie together */
	/* What is added to each integer, so that it is unsigned (int8 128, int4 8), or 0 for
	 * two's complement. Of k int4 columns the first half are low nibbles, the others
	 * high. */
	uint8_t zero;
};

struct kernel_panels {
	struct panel_format f32, i8, i4; /* scales of i4: [panel][group][width] */
};

/* How many of enum kernel_schedule the products know; 0 and 1: none compete. */
struct kernel_schedules {
	uint8_t f32, i8, i4;
};

/* What a set's kernels do beyond the portable ones. */
enum kernel_fusion {
	FUSES_ACT =
		1, /* products apply linear.act; with FUSES_QUANT those in fp32 only */
	/* attention reads q, k, v from one buffer, attention_data.stride */
	FUSES_QKV = 2,
	FUSES_QUANT = 4, /* act_quant_rows, norm_ln_quant, norm_rms_quant */
	/* linear_i8_quant, linear_i4_quant, norm_ln_quant_static, norm_rms_quant_static */
	FUSES_STATIC = 8,
};

struct kernel_set {
	const char *isa;    /* folder below src/infer/opt; "" for the portable set */
	const char *base;   /* isa of the set whose files it inherits, or NULL */
	const char *cflags; /* that its files need, besides the target's own */
	const char *const *kernels;	    /* NULL-terminated */
	const struct kernel_panels *panels; /* NULL: row-major as in kernels.h */
	uint8_t fuses;			    /* enum kernel_fusion, or-ed */
	/* Blank-separated, that a compiler for the ISA defines; NAME=VALUE: as just that. */
	const char *macros;
	/* Rows of m floats in attention's scratch, m tokens seen rounded up to 16: of scores,
	 * and d_head more for the transposed keys of a head, unless they are read where
	 * they are. 0: one row of m floats. */
	uint8_t attention_rows, attention_in_place;
	struct kernel_schedules schedules;
	/* Where memory is scarce: tokens that steps which do not mix them take at a time,
	 * from product to product, so that what lies between needs that many rows only.
	 * 0: all. */
	uint8_t block_rows;
};

/* ERR_INVALID lists the known sets. "" is the portable set. */
enum err kernel_set_find(
	const char *isa, const struct kernel_set **out, struct err_ctx *ctx);
const struct kernel_set *kernel_set_at(size_t i); /* NULL past the end */
/* The kernels of src/infer/integer: the same on every machine, and in no list. */
const struct kernel_set *kernel_set_integer(void);
/* The set that `isa` names, or for "auto" the best one that the compiler's flags allow. */
enum err kernel_set_choose(const char *isa, const char *cc, const char *cflags,
	const struct kernel_set **out, struct err_ctx *ctx);
/* The set that its row names as base; NULL: none. */
const struct kernel_set *kernel_set_base(const struct kernel_set *set);
/* Of its own or its base's. */
int kernel_set_has(const struct kernel_set *set, const char *kernel);
int kernel_set_schedules(const struct kernel_set *set, int bits); /* of a product */
extern const char *const kernel_schedule_names[];		  /* "even", ... */
/* "src/infer/opt/x86-avx2/linear_i8.c" or "src/infer/ref/norm_ln.c". */
enum err kernel_source(const struct kernel_set *set, const char *kernel, char *out,
	size_t cap, struct err_ctx *ctx);

#endif
