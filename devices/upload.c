#include <stdlib.h>
#include <string.h>

#include "devices/cpu_arch.h"
#include "devices/handle.h"
#include "src/base/file.h"

#define MAX_IMAGE (1u << 30)

/* Images and inputs onto the device. */

static struct upload_note *find(struct device *d, const struct hash *image)
{
	for (size_t i = d->n_uploads; i > 0; i--)
		if (hash_equal(&d->uploads[i - 1].image, image))
			return &d->uploads[i - 1];
	return NULL;
}

const struct upload_note *upload_find(struct device *d, const struct hash *image)
{
	return find(d, image);
}

static enum err note_upload(struct device *d, const struct hash *image, const char *path,
	const struct placed *placed, struct err_ctx *ctx)
{
	struct upload_note *note = find(d, image);
	char *copy = strdup(path);

	if (copy && !note && d->n_uploads == d->cap_uploads) {
		size_t cap = d->cap_uploads ? 2 * d->cap_uploads : 32;
		struct upload_note *p = realloc(d->uploads, cap * sizeof(*p));

		if (p) {
			d->uploads = p;
			d->cap_uploads = cap;
		}
	}
	if (!copy || (!note && d->n_uploads == d->cap_uploads)) {
		free(copy);
		return err_set(ctx, ERR_NOMEM, "out of memory");
	}
	if (!note) {
		note = &d->uploads[d->n_uploads++];
		note->path = NULL;
	}
	free(note->path);
	note->image = *image;
	note->path = copy;
	note->placed = *placed;
	return ERR_OK;
}

enum err upload_image(
	struct device *d, const char *path, const struct hash *image, struct err_ctx *ctx)
{
	struct placed placed = {0, 0, 0};
	struct hash found;
	struct buf file;
	enum err e;

	buf_init(&file);
	e = file_read(path, MAX_IMAGE, &file, ctx);
	hash_bytes(&found, buf_str(&file), file.len);
	if (!e && (file.len == 0 || !hash_equal(&found, image)))
		e = err_set(
			ctx, ERR_INVALID, "'%s' is not the image its hash says", path);
	if (!e) {
		e = cpu_arch_check_image(
			d->info.description, buf_str(&file), file.len, ctx);
		if (e)
			err_prefix(ctx, e, "device '%s'", d->profile.name);
	}
	if (!e) {
		const struct link_content c = {
			image->b, (const uint8_t *)file.data, file.len, 1, 0, 0};

		e = link_upload(&d->link, &c, ctx);
	}
	if (!e) {
		probe_worked(d);
		placed_get((const uint8_t *)buf_str(&file), file.len, &placed);
		e = note_upload(d, image, path, &placed, ctx);
	}
	buf_release(&file);
	return e;
}

enum err device_upload(
	struct device *d, const char *path, const struct hash *image, struct err_ctx *ctx)
{
	enum err e = upload_image(d, path, image, ctx);

	/* An upload that was cut goes on where it stopped. */
	if (e == ERR_LINK || e == ERR_DEVICE) {
		e = device_recover(d, ctx);
		if (!e)
			e = upload_image(d, path, image, ctx);
	}
	return e;
}

enum err upload_input(struct device *d, const struct run_request *rq,
	const struct hash *input, struct err_ctx *ctx)
{
	const struct link_content c = {input->b, rq->input, rq->input_len, 0, 0, 0};

	enum err e = link_upload(&d->link, &c, ctx);

	if (!e)
		probe_worked(d);
	return e;
}
