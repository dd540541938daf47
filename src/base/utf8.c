#include "src/base/utf8.h"

/* Length of the UTF-8 sequence at `s` (shortest form, no surrogates); 0 when it is none.
 */
static size_t sequence_len(const unsigned char *s, size_t left)
{
	static const struct {
		unsigned char mask, lead;
		unsigned long least;
	} forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800},
		{0xf8, 0xf0, 0x10000}};

	for (size_t f = 0; f < sizeof(forms) / sizeof(forms[0]); f++) {
		unsigned long c = s[0] & ~(unsigned)forms[f].mask;

		if ((s[0] & forms[f].mask) != forms[f].lead)
			continue;
		if (f >= left)
			return 0;
		for (size_t i = 1; i <= f; i++) {
			if ((s[i] & 0xc0) != 0x80)
				return 0;
			c = c << 6 | (s[i] & 0x3f);
		}
		if (c < forms[f].least || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
			return 0;
		return f + 1;
	}
	return 0;
}

size_t utf8_valid_prefix(const char *text, size_t len)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t i = 0;

	while (i < len && s[i]) {
		size_t n = sequence_len(s + i, len - i);

		if (n == 0)
			break;
		i += n;
	}
	return i;
}
