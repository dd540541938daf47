/* UTF-8 as RFC 3629 has it: shortest forms, no surrogates, nothing above U+10FFFF. */
#ifndef HAWSER_BASE_UTF8_H
#define HAWSER_BASE_UTF8_H

#include <stddef.h>

/* Length of the longest prefix that is valid text without NUL bytes; `len` when all of
 * it is. */
size_t utf8_valid_prefix(const char *text, size_t len);

#endif
