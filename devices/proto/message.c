#include "devices/proto/message.h"

void put_header(struct put *p, const struct wire_header *h)
{
	put_u8(p, h->type);
	put_u32(p, h->session);
	put_u32(p, h->request);
}

int get_header(struct get *g, struct wire_header *h)
{
	h->type = get_u8(g);
	h->session = get_u32(g);
	h->request = get_u32(g);
	return !g->failed;
}

void put_hello(struct put *p, const struct wire_hello *m)
{
	put_u16(p, m->version_lo);
	put_u16(p, m->version_hi);
	put_u32(p, m->host_nonce);
}

int get_hello(struct get *g, struct wire_hello *m)
{
	m->version_lo = get_u16(g);
	m->version_hi = get_u16(g);
	m->host_nonce = get_u32(g);
	return get_end(g) && m->version_lo <= m->version_hi;
}

void put_welcome(struct put *p, const struct wire_welcome *m)
{
	put_u16(p, m->version);
	put_u32(p, m->host_nonce);
	put_u32(p, m->session);
	put_u32(p, m->max_payload);
	put_u16(p, m->window);
	put_u32(p, m->flags);
	put_u64(p, m->storage_bytes);
	put_u32(p, m->output_bytes);
	put_u64(p, m->clock_resolution_ns);
	put_u32(p, m->description_len);
	put_u32(p, m->description_crc);
	put_str(p, m->agent);
	put_str(p, m->sensor);
	put_str(p, m->sensor_note);
}

int get_welcome(struct get *g, struct wire_welcome *m)
{
	m->version = get_u16(g);
	m->host_nonce = get_u32(g);
	m->session = get_u32(g);
	m->max_payload = get_u32(g);
	m->window = get_u16(g);
	m->flags = get_u32(g);
	m->storage_bytes = get_u64(g);
	m->output_bytes = get_u32(g);
	m->clock_resolution_ns = get_u64(g);
	m->description_len = get_u32(g);
	m->description_crc = get_u32(g);
	get_str(g, m->agent, sizeof(m->agent));
	get_str(g, m->sensor, sizeof(m->sensor));
	get_str(g, m->sensor_note, sizeof(m->sensor_note));
	return get_end(g) && m->session != 0 && m->window > 0 &&
	       m->max_payload >= WIRE_MIN_PAYLOAD &&
	       m->description_len < WIRE_DESCRIPTION_BYTES;
}

void put_offer(struct put *p, const struct wire_offer *m)
{
	put_bytes(p, m->hash, sizeof(m->hash));
	put_u64(p, m->size);
}

static void get_hash(struct get *g, uint8_t hash[SHA256_BYTES])
{
	const uint8_t *b = get_bytes(g, SHA256_BYTES);

	if (b)
		memcpy(hash, b, SHA256_BYTES);
	else
		memset(hash, 0, SHA256_BYTES);
}

int get_offer(struct get *g, struct wire_offer *m)
{
	get_hash(g, m->hash);
	m->size = get_u64(g);
	return get_end(g);
}

void put_have(struct put *p, const struct wire_have *m)
{
	put_u64(p, m->have);
	put_u8(p, m->complete);
}

int get_have(struct get *g, struct wire_have *m)
{
	m->have = get_u64(g);
	m->complete = get_u8(g);
	return get_end(g) && m->complete <= 1;
}

void put_put(struct put *p, const struct wire_put *m)
{
	put_u64(p, m->offset);
	put_bytes(p, m->data, m->len);
}

int get_put(struct get *g, struct wire_put *m)
{
	m->offset = get_u64(g);
	m->len = (uint32_t)get_left(g);
	m->data = get_bytes(g, m->len);
	m->held = 0;
	m->from = 0;
	return get_end(g) && m->len > 0;
}

void put_copy(struct put *p, const struct wire_put *m)
{
	put_u64(p, m->offset);
	put_u32(p, m->held);
	put_u64(p, m->from);
	put_u32(p, m->len);
}

int get_copy(struct get *g, struct wire_put *m)
{
	m->offset = get_u64(g);
	m->held = get_u32(g);
	m->from = get_u64(g);
	m->len = get_u32(g);
	m->data = NULL;
	return get_end(g) && m->len > 0;
}

void put_run(struct put *p, const struct wire_run *m)
{
	put_bytes(p, m->image, sizeof(m->image));
	put_bytes(p, m->input, sizeof(m->input));
	put_u8(p, m->mode);
	put_u8(p, m->phase);
	put_u32(p, m->process_index);
	put_u32(p, m->attempt);
	put_u32(p, m->n_warmup);
	put_u32(p, m->n_samples);
	put_u32(p, m->min_sample_ns);
	put_u32(p, m->n_tokens);
	put_u32(p, m->timeout_ms);
	put_u64(p, m->memory_bytes);
}

int get_run(struct get *g, struct wire_run *m)
{
	get_hash(g, m->image);
	get_hash(g, m->input);
	m->mode = get_u8(g);
	m->phase = get_u8(g);
	m->process_index = get_u32(g);
	m->attempt = get_u32(g);
	m->n_warmup = get_u32(g);
	m->n_samples = get_u32(g);
	m->min_sample_ns = get_u32(g);
	m->n_tokens = get_u32(g);
	m->timeout_ms = get_u32(g);
	m->memory_bytes = get_u64(g);
	return get_end(g) && m->mode < N_MODES && m->phase <= 1 && m->timeout_ms > 0;
}

void put_done(struct put *p, const struct wire_done *m)
{
	put_u8(p, m->outcome);
	put_i32(p, m->code);
	put_str(p, m->detail);
	put_u32(p, m->output_len);
	put_u32(p, m->output_crc);
	put_u64(p, m->wall_ns);
	put_u64(p, m->cpu_ns);
	put_u64(p, m->peak_rss_bytes);
	put_u32(p, m->n_vcsw);
	put_u32(p, m->n_ivcsw);
	put_u32(p, m->freq_before_khz);
	put_u32(p, m->freq_after_khz);
	put_i32(p, m->temp_before_mc);
	put_i32(p, m->temp_after_mc);
	put_str(p, m->governor);
	put_f64(p, m->energy_uj);
	put_f64(p, m->idle_uw);
	put_str(p, m->energy_note);
}

int get_done(struct get *g, struct wire_done *m)
{
	m->outcome = get_u8(g);
	m->code = get_i32(g);
	get_str(g, m->detail, sizeof(m->detail));
	m->output_len = get_u32(g);
	m->output_crc = get_u32(g);
	m->wall_ns = get_u64(g);
	m->cpu_ns = get_u64(g);
	m->peak_rss_bytes = get_u64(g);
	m->n_vcsw = get_u32(g);
	m->n_ivcsw = get_u32(g);
	m->freq_before_khz = get_u32(g);
	m->freq_after_khz = get_u32(g);
	m->temp_before_mc = get_i32(g);
	m->temp_after_mc = get_i32(g);
	get_str(g, m->governor, sizeof(m->governor));
	m->energy_uj = get_f64(g);
	m->idle_uw = get_f64(g);
	get_str(g, m->energy_note, sizeof(m->energy_note));
	return get_end(g) && m->outcome < N_OUTCOMES;
}

void put_fetch(struct put *p, const struct wire_fetch *m)
{
	put_u8(p, m->blob);
	put_u32(p, m->run);
	put_u32(p, m->offset);
	put_u32(p, m->len);
}

int get_fetch(struct get *g, struct wire_fetch *m)
{
	m->blob = get_u8(g);
	m->run = get_u32(g);
	m->offset = get_u32(g);
	m->len = get_u32(g);
	return get_end(g) && m->blob < N_BLOBS && m->len > 0 &&
	       m->len <= UINT32_MAX - m->offset;
}

int get_data(struct get *g, struct wire_data *m)
{
	m->offset = get_u32(g);
	m->len = (uint32_t)get_left(g);
	m->data = get_bytes(g, m->len);
	return get_end(g) && m->len > 0;
}

void put_ping(struct put *p, const struct wire_ping *m)
{
	put_u64(p, m->clock_ns);
	put_u8(p, (uint8_t)m->len);
	put_bytes(p, m->data, m->len);
}

int get_ping(struct get *g, struct wire_ping *m)
{
	const uint8_t *b;

	m->clock_ns = get_u64(g);
	m->len = get_u8(g);
	b = get_bytes(g, m->len);
	if (!get_end(g) || m->len > WIRE_PING_BYTES)
		return 0;
	memcpy(m->data, b, m->len);
	return 1;
}

void put_error(struct put *p, const struct wire_error *m)
{
	put_u16(p, m->code);
	put_str(p, m->text);
}

int get_error(struct get *g, struct wire_error *m)
{
	m->code = get_u16(g);
	get_str(g, m->text, sizeof(m->text));
	return get_end(g) && m->code > 0;
}
