/* string.h - memory and strings; the compiler calls the first four itself. */
#ifndef LIB_STRING_H
#define LIB_STRING_H

#include <stdbool.h>
#include <stddef.h>

void *memcpy(void *to, const void *from, size_t len);
void *memmove(void *to, const void *from, size_t len);
void *memset(void *to, int byte, size_t len);
int memcmp(const void *a, const void *b, size_t len);

size_t strlen(const char *text);
bool string_equal(const char *a, const char *b);

/* The value of word "key=value" in a list of words, or NULL; it ends at the
 * next space. A word "key" alone has an empty value. */
const char *words_find(const char *words, const char *key);

/* The number after "key=" in a list of words, decimal, or `otherwise`. */
unsigned words_number(const char *words, const char *key, unsigned otherwise);

#endif
