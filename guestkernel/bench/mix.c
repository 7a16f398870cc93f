/* mix.c - the mix that the speed of an engine is quoted on: a sieve, a CRC by
 * table, quicksort, a product of matrices. */
#include "bench.h"

#ifndef ROUNDS
#define ROUNDS 12
#endif

uint32_t rounds = ROUNDS;

#define LIMIT 500000
#define BYTES 300000
#define ITEMS 60000
#define SIDE  72

static uint8_t  composite[LIMIT];
static uint8_t  bytes[BYTES];
static uint32_t crc_table[256];
static uint32_t items[ITEMS];
static int32_t  a[SIDE][SIDE], b[SIDE][SIDE], c[SIDE][SIDE];
static uint32_t seed;

static uint32_t next(void)
{
    seed = seed * 1664525u + 1013904223u;
    return seed;
}

static uint32_t sieve(void)
{
    uint32_t primes = 0;

    for (uint32_t n = 0; n < LIMIT; n++)
        composite[n] = 0;
    for (uint32_t n = 2; n < LIMIT; n++) {
        if (composite[n])
            continue;
        primes++;
        for (uint32_t m = 2 * n; m < LIMIT; m += n)
            composite[m] = 1;
    }
    return primes;
}

static uint32_t crc32(void)
{
    uint32_t crc = 0xffffffff;

    for (uint32_t n = 0; n < 256; n++) {
        uint32_t val = n;

        for (int k = 0; k < 8; k++)
            val = val & 1 ? 0xedb88320u ^ val >> 1 : val >> 1;
        crc_table[n] = val;
    }
    for (uint32_t i = 0; i < BYTES; i++)
        bytes[i] = (uint8_t)(next() >> 24);
    for (uint32_t i = 0; i < BYTES; i++)
        crc = crc_table[(crc ^ bytes[i]) & 0xff] ^ crc >> 8;
    return ~crc;
}

static void quicksort(uint32_t *from, int32_t low, int32_t high)
{
    while (low < high) {
        uint32_t pivot = from[low + (high - low) / 2];
        int32_t  i = low, j = high;

        while (i <= j) {
            while (from[i] < pivot)
                i++;
            while (from[j] > pivot)
                j--;
            if (i <= j) {
                uint32_t swap = from[i];

                from[i++] = from[j];
                from[j--] = swap;
            }
        }
        if (j - low < high - i) {
            quicksort(from, low, j);
            low = i;
        } else {
            quicksort(from, i, high);
            high = j;
        }
    }
}

static uint32_t sort(void)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < ITEMS; i++)
        items[i] = next();
    quicksort(items, 0, ITEMS - 1);
    for (uint32_t i = 1; i < ITEMS; i++)
        sum = mix(sum, items[i - 1] <= items[i] ? items[i] : 0);
    return sum;
}

static uint32_t matrix(void)
{
    uint32_t sum = 0;

    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            a[i][j] = (int32_t)(next() >> 20);
            b[i][j] = (int32_t)(next() >> 20);
        }
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            int32_t cell = 0;

            for (int k = 0; k < SIDE; k++)
                cell += a[i][k] * b[k][j];
            c[i][j] = cell;
        }
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++)
            sum = mix(sum, (uint32_t)c[i][j]);
    return sum;
}

uint32_t main(uint32_t n)
{
    uint32_t sum = 0;

    for (uint32_t round = 0; round < n; round++) {
        seed = round;
        sum = mix(sum, sieve());
        sum = mix(sum, crc32());
        sum = mix(sum, sort());
        sum = mix(sum, matrix());
    }
    return sum;
}
