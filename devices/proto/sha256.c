#include "devices/proto/sha256.h"

#include <string.h>
#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>
#endif

static const uint32_t k[64] = {
	0x428a2f98,
	0x71374491,
	0xb5c0fbcf,
	0xe9b5dba5,
	0x3956c25b,
	0x59f111f1,
	0x923f82a4,
	0xab1c5ed5,
	0xd807aa98,
	0x12835b01,
	0x243185be,
	0x550c7dc3,
	0x72be5d74,
	0x80deb1fe,
	0x9bdc06a7,
	0xc19bf174,
	0xe49b69c1,
	0xefbe4786,
	0x0fc19dc6,
	0x240ca1cc,
	0x2de92c6f,
	0x4a7484aa,
	0x5cb0a9dc,
	0x76f988da,
	0x983e5152,
	0xa831c66d,
	0xb00327c8,
	0xbf597fc7,
	0xc6e00bf3,
	0xd5a79147,
	0x06ca6351,
	0x14292967,
	0x27b70a85,
	0x2e1b2138,
	0x4d2c6dfc,
	0x53380d13,
	0x650a7354,
	0x766a0abb,
	0x81c2c92e,
	0x92722c85,
	0xa2bfe8a1,
	0xa81a664b,
	0xc24b8b70,
	0xc76c51a3,
	0xd192e819,
	0xd6990624,
	0xf40e3585,
	0x106aa070,
	0x19a4c116,
	0x1e376c08,
	0x2748774c,
	0x34b0bcb5,
	0x391c0cb3,
	0x4ed8aa4a,
	0x5b9cca4f,
	0x682e6ff3,
	0x748f82ee,
	0x78a5636f,
	0x84c87814,
	0x8cc70208,
	0x90befffa,
	0xa4506ceb,
	0xbef9a3f7,
	0xc67178f2,
};

static uint32_t ror(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}

static void schedule(uint32_t w[64], const uint8_t *block)
{
	for (int i = 0; i < 16; i++, block += 4)
		w[i] = (uint32_t)block[0] << 24 | (uint32_t)block[1] << 16 |
		       (uint32_t)block[2] << 8 | block[3];
	for (int i = 16; i < 64; i++) {
		uint32_t a = w[i - 15], b = w[i - 2];

		w[i] = w[i - 16] + w[i - 7] + (ror(a, 7) ^ ror(a, 18) ^ a >> 3) +
		       (ror(b, 17) ^ ror(b, 19) ^ b >> 10);
	}
}

/* a..h of the standard are v[0..7]; the eight rounds of a turn rename them instead of
 * moving them. */
static void step(uint32_t v[8], unsigned turn, uint32_t kw)
{
	uint32_t a = v[(0 - turn) & 7], b = v[(1 - turn) & 7], c = v[(2 - turn) & 7];
	uint32_t e = v[(4 - turn) & 7], f = v[(5 - turn) & 7], g = v[(6 - turn) & 7];
	uint32_t t1 = v[(7 - turn) & 7] + (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25)) +
		      ((e & f) ^ (~e & g)) + kw;

	v[(3 - turn) & 7] += t1;
	v[(7 - turn) & 7] = t1 + (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22)) +
			    ((a & b) ^ (a & c) ^ (b & c));
}

static void compress(uint32_t h[8], const uint8_t *block)
{
	uint32_t w[64], v[8];

	schedule(w, block);
	memcpy(v, h, sizeof(v));
	for (unsigned i = 0; i < 64; i += 8) {
		step(v, 0, k[i] + w[i]);
		step(v, 1, k[i + 1] + w[i + 1]);
		step(v, 2, k[i + 2] + w[i + 2]);
		step(v, 3, k[i + 3] + w[i + 3]);
		step(v, 4, k[i + 4] + w[i + 4]);
		step(v, 5, k[i + 5] + w[i + 5]);
		step(v, 6, k[i + 6] + w[i + 6]);
		step(v, 7, k[i + 7] + w[i + 7]);
	}
	for (int i = 0; i < 8; i++)
		h[i] += v[i];
}

/* The processor's own instructions: two rounds each on the state as two vectors, a b e f
 * and c d g h; four words of the schedule at a time. */
#ifdef __x86_64__
static int has_own(void)
{
	unsigned a, b = 0, c = 0, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSE4_1) || !(c & bit_SSSE3))
		return 0;
	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && b & bit_SHA;
}

__attribute__((target("sha,sse4.1,ssse3"))) static void compress_own(
	uint32_t h[8], const uint8_t *block)
{
	const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
	__m128i dcba = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)h), 0xb1);
	__m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)h + 1), 0x1b);
	__m128i abef = _mm_alignr_epi8(dcba, hgfe, 8);
	__m128i cdgh = _mm_blend_epi16(hgfe, dcba, 0xf0);
	const __m128i abef_before = abef, cdgh_before = cdgh;
	__m128i w[4];

	for (int i = 0; i < 16; i++) {
		__m128i now, kw;

		if (i < 4) {
			now = _mm_loadu_si128((const __m128i *)block + i);
			now = _mm_shuffle_epi8(now, swap);
		} else {
			__m128i before = w[(i + 3) & 3];

			now = _mm_sha256msg1_epu32(w[i & 3], w[(i + 1) & 3]);
			now = _mm_add_epi32(
				now, _mm_alignr_epi8(before, w[(i + 2) & 3], 4));
			now = _mm_sha256msg2_epu32(now, before);
		}
		w[i & 3] = now;
		kw = _mm_add_epi32(now, _mm_loadu_si128((const __m128i *)k + i));
		cdgh = _mm_sha256rnds2_epu32(cdgh, abef, kw);
		abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(kw, 0x0e));
	}
	abef = _mm_add_epi32(abef, abef_before);
	cdgh = _mm_add_epi32(cdgh, cdgh_before);
	dcba = _mm_shuffle_epi32(abef, 0x1b); /* feba, as is */
	hgfe = _mm_shuffle_epi32(cdgh, 0xb1);
	_mm_storeu_si128((__m128i *)h, _mm_blend_epi16(dcba, hgfe, 0xf0));
	_mm_storeu_si128((__m128i *)h + 1, _mm_alignr_epi8(hgfe, dcba, 8));
}
#else
static int has_own(void)
{
	return 0;
}

static void compress_own(uint32_t h[8], const uint8_t *block)
{
	compress(h, block);
}
#endif

static void take_block(struct sha256 *s, const uint8_t *block)
{
	if (s->portable)
		compress(s->h, block);
	else
		compress_own(s->h, block);
}

void sha256_init(struct sha256 *s)
{
	static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372,
		0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

	memcpy(s->h, initial, sizeof(s->h));
	s->n_bytes = 0;
	s->portable = !has_own();
}

void sha256_update(struct sha256 *s, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len) {
		size_t at = (size_t)(s->n_bytes % 64), n = 64 - at;

		if (n > len)
			n = len;
		if (n == 64) {
			take_block(s, p);
		} else {
			memcpy(s->block + at, p, n);
			if (at + n == 64)
				take_block(s, s->block);
		}
		s->n_bytes += n;
		p += n;
		len -= n;
	}
}

void sha256_final(struct sha256 *s, uint8_t out[SHA256_BYTES])
{
	static const uint8_t pad[64] = {0x80};
	uint64_t bits = s->n_bytes * 8;
	size_t at = (size_t)(s->n_bytes % 64);
	uint8_t tail[8];

	for (int i = 0; i < 8; i++)
		tail[i] = (uint8_t)(bits >> (56 - 8 * i));
	sha256_update(s, pad, at < 56 ? 56 - at : 120 - at);
	sha256_update(s, tail, sizeof(tail));
	for (int i = 0; i < 8; i++)
		for (int j = 0; j < 4; j++)
			out[4 * i + j] = (uint8_t)(s->h[i] >> (24 - 8 * j));
}
