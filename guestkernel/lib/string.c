/* string.c - memory and strings, for the kernel and for programs.
 *
 * Pages are copied, cleared and filled with junk all the time, so the word
 * loops are unrolled: about a third of all instructions of a fork are here. */
#include "lib/string.h"
#include <stdint.h>

#define WORDS(p) ((uintptr_t)(p) % sizeof(uint32_t) == 0)
#define BLOCK    (8 * sizeof(uint32_t)) /* what a round handles */

void *memcpy(void *to, const void *from, size_t len)
{
    uint8_t       *out = to;
    const uint8_t *in = from;

    if (WORDS(out) && WORDS(in))
        for (; len >= BLOCK; len -= BLOCK) {
            uint32_t       *to_words = (void *)out;
            const uint32_t *words = (const void *)in;
            uint32_t        a = words[0], b = words[1], c = words[2];
            uint32_t        d = words[3], e = words[4], f = words[5];
            uint32_t        g = words[6], h = words[7];

            to_words[0] = a, to_words[1] = b, to_words[2] = c;
            to_words[3] = d, to_words[4] = e, to_words[5] = f;
            to_words[6] = g, to_words[7] = h;
            out += BLOCK;
            in += BLOCK;
        }
    while (len-- > 0)
        *out++ = *in++;
    return to;
}

void *memmove(void *to, const void *from, size_t len)
{
    uint8_t       *out = to;
    const uint8_t *in = from;

    if (out <= in)
        return memcpy(to, from, len);
    while (len-- > 0)
        out[len] = in[len];
    return to;
}

void *memset(void *to, int byte, size_t len)
{
    uint8_t *out = to;
    uint32_t word = (uint8_t)byte * 0x01010101u;

    if (WORDS(out))
        for (; len >= BLOCK; len -= BLOCK) {
            uint32_t *words = (void *)out;

            words[0] = word, words[1] = word, words[2] = word;
            words[3] = word, words[4] = word, words[5] = word;
            words[6] = word, words[7] = word;
            out += BLOCK;
        }
    while (len-- > 0)
        *out++ = (uint8_t)byte;
    return to;
}

int memcmp(const void *a, const void *b, size_t len)
{
    const uint8_t *left = a, *right = b;

    for (size_t i = 0; i < len; i++)
        if (left[i] != right[i])
            return left[i] < right[i] ? -1 : 1;
    return 0;
}

size_t strlen(const char *text)
{
    size_t len = 0;

    while (text[len] != '\0')
        len++;
    return len;
}

bool string_equal(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

const char *words_find(const char *words, const char *key)
{
    size_t len = strlen(key);

    while (*words != '\0') {
        while (*words == ' ')
            words++;
        size_t word = 0;
        while (words[word] != '\0' && words[word] != ' ')
            word++;
        if (word >= len && memcmp(words, key, len) == 0) {
            if (word == len)
                return words + len;
            if (words[len] == '=')
                return words + len + 1;
        }
        words += word;
    }
    return NULL;
}

unsigned words_number(const char *words, const char *key, unsigned otherwise)
{
    const char *text = words_find(words, key);
    unsigned    number = 0;

    if (text == NULL || *text < '0' || *text > '9')
        return otherwise;
    for (; *text >= '0' && *text <= '9'; text++)
        number = number * 10 + (unsigned)(*text - '0');
    return number;
}
