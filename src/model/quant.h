/* Weight quantisation, as the device stores it. Symmetric, per output row.
 *
 *   bits 8: q in [-127, 127], one bf16 scale a row.
 *   bits 4: q in [-7, 7], groups of QUANT_GROUP along the input axis, one bf16 scale a
 *           group (the last group of a row may be short).
 *
 * Scales are rounded up to bf16 first and the integers computed from the rounded scale,
 * so the host and every device agree on the exact dequantised value q * scale. A row of
 * zeros has scale 0. Activations are quantised on the device: int8 per token, dynamic,
 * s = max|x| / 127, q = round half away from zero (x / s).
 */
#ifndef HAWSER_MODEL_QUANT_H
#define HAWSER_MODEL_QUANT_H

#include <stddef.h>
#include <stdint.h>

#define QUANT_GROUP 32

static inline uint32_t quant_groups(uint32_t cols)
{
	return (cols + QUANT_GROUP - 1) / QUANT_GROUP;
}

/* bf16 bits of the smallest bf16 value >= x (x >= 0, finite), and back. */
uint16_t bf16_ceil(float x);
float bf16_to_float(uint16_t b);

/* One row. q: cols int8; scales: 1 (bits 8) or quant_groups(cols) (bits 4) bf16. */
void quant_row(const float *w, uint32_t cols, int bits, int8_t *q, uint16_t *scales);
/* w <- dequantise(quantise(w)) for a [rows, cols] matrix; bits 32 changes nothing. */
void quant_fake(float *w, uint32_t rows, uint32_t cols, int bits);
/* Device bytes of a tensor with these bits: integers and scales, no alignment. Int4
 * packs two values a byte, rows start on a byte. */
size_t quant_bytes(uint32_t rows, uint32_t cols, int bits);
/* One token's activations: q (n int8) and the scale (returned). */
float quant_activation(const float *x, uint32_t n, int8_t *q);
/* What a decoder keeps of one head's key or value, in place: bits 16 rounds to fp16 (to
 * the nearest, ties to even; +-65504 at most), bits 8 to the integers of
 * quant_activation times their scale, bits 32 changes nothing. */
void quant_kv(double *x, uint32_t d_head, int bits);

#endif
