#include "src/codegen/elf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ELF_MAX_SECTIONS 100000
#define SHT_NOBITS_ 8
#define SHF_WRITE_ 1
#define SHF_ALLOC_ 2

struct reader {
	FILE *file;
	const char *path;
	uint64_t size;
	int wide; /* 64 bit */
	struct err_ctx *ctx;
};

static enum err corrupt(struct reader *r, const char *what)
{
	return err_set(r->ctx, ERR_CORRUPT,
		"'%s' is not an ELF file that can be read: %s", r->path, what);
}

static uint64_t get(const uint8_t *p, int n)
{
	uint64_t v = 0;

	for (int i = n - 1; i >= 0; i--)
		v = v << 8 | p[i];
	return v;
}

static enum err read_at(struct reader *r, uint64_t at, void *out, uint64_t n)
{
	if (at > r->size || n > r->size - at)
		return corrupt(r, "truncated");
	if (fseeko(r->file, (off_t)at, SEEK_SET) ||
		fread(out, 1, (size_t)n, r->file) != n)
		return err_set(r->ctx, ERR_IO, "cannot read '%s'", r->path);
	return ERR_OK;
}

struct section {
	uint64_t name, type, flags, offset, size;
};

static struct section section_at(const struct reader *r, const uint8_t *table, uint64_t i)
{
	const uint8_t *p = table + i * (r->wide ? 64u : 40u);
	struct section s;

	s.name = get(p, 4);
	s.type = get(p + 4, 4);
	s.flags = get(p + 8, r->wide ? 8 : 4);
	s.offset = r->wide ? get(p + 24, 8) : get(p + 16, 4);
	s.size = r->wide ? get(p + 32, 8) : get(p + 20, 4);
	return s;
}

static int starts_with(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

static void count(const struct section *s, const char *name, struct elf_sizes *out)
{
	if (!(s->flags & SHF_ALLOC_))
		return;
	if (starts_with(name, ".rodata.model_weights"))
		out->weights += s->size;
	else if (starts_with(name, ".rodata.model_vocab"))
		out->vocab += s->size;
	else if (s->type == SHT_NOBITS_)
		out->bss += s->size;
	else if (s->flags & SHF_WRITE_)
		out->data += s->size;
	else
		out->text += s->size;
}

static enum err count_all(struct reader *r, const uint8_t *table, uint64_t n,
	uint64_t name_index, struct elf_sizes *out)
{
	struct section names = section_at(r, table, name_index);
	char *text;
	enum err e;

	if (names.size < 1 || names.size > 1u << 26 || names.type == SHT_NOBITS_)
		return corrupt(r, "no section names");
	text = malloc((size_t)names.size);
	if (!text)
		return err_set(r->ctx, ERR_NOMEM, "out of memory");
	e = read_at(r, names.offset, text, names.size);
	if (!e && text[names.size - 1])
		e = corrupt(r, "section names without an end");
	for (uint64_t i = 0; i < n && !e; i++) {
		struct section s = section_at(r, table, i);

		if (s.name >= names.size)
			e = corrupt(r, "a section's name lies outside");
		else if (s.type != SHT_NOBITS_ && s.type != 0 &&
			 (s.offset > r->size || s.size > r->size - s.offset))
			e = corrupt(r, "a section lies outside");
		else
			count(&s, text + s.name, out);
	}
	free(text);
	return e;
}

static enum err read_sizes(struct reader *r, struct elf_sizes *out)
{
	uint8_t head[64] = {0}, *table;
	uint64_t at, entry, n, names;
	enum err e = read_at(r, 0, head, 52);

	if (e)
		return e;
	if (memcmp(head, "\177ELF", 4) || head[4] < 1 || head[4] > 2 || head[5] != 1)
		return corrupt(r, "wrong magic, class or byte order");
	r->wide = head[4] == 2;
	if (r->wide && (e = read_at(r, 0, head, 64)))
		return e;
	at = r->wide ? get(head + 40, 8) : get(head + 32, 4);
	entry = get(head + (r->wide ? 58 : 46), 2);
	n = get(head + (r->wide ? 60 : 48), 2);
	names = get(head + (r->wide ? 62 : 50), 2);
	if (entry != (r->wide ? 64u : 40u) || n < 1 || n > ELF_MAX_SECTIONS || names >= n)
		return corrupt(r, "section table");
	table = malloc((size_t)(n * entry));
	if (!table)
		return err_set(r->ctx, ERR_NOMEM, "out of memory");
	e = read_at(r, at, table, n * entry);
	if (!e)
		e = count_all(r, table, n, names, out);
	free(table);
	return e;
}

enum err elf_read_sizes(const char *path, struct elf_sizes *out, struct err_ctx *ctx)
{
	struct reader r = {.file = fopen(path, "rbe"), .path = path, .ctx = ctx};
	struct elf_sizes sizes = {0};
	off_t end;
	enum err e;

	if (!r.file)
		return err_set(
			ctx, ERR_IO, "cannot open '%s': %s", path, strerror(errno));
	if (fseeko(r.file, 0, SEEK_END) || (end = ftello(r.file)) < 0) {
		fclose(r.file);
		return err_set(ctx, ERR_IO, "cannot read '%s'", path);
	}
	r.size = (uint64_t)end;
	e = read_sizes(&r, &sizes);
	fclose(r.file);
	if (!e)
		*out = sizes;
	return e;
}
