/* crc.c - CRC-32 of 64 KiB of memory, and of the initial RAM disk if the
 * machine was given one. */
#include "user/lib/user.h"

#define SIZE 65536

static uint32_t table[256];
static uint8_t  memory[SIZE];

/* The usual polynomial, bit-reversed (IEEE 802.3). */
static void make_table(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t value = i;

        for (int bit = 0; bit < 8; bit++)
            value = value >> 1 ^ (value & 1 ? 0xedb88320 : 0);
        table[i] = value;
    }
}

static uint32_t crc(uint32_t sum, const uint8_t *bytes, size_t len)
{
    sum = ~sum;
    for (size_t i = 0; i < len; i++)
        sum = sum >> 8 ^ table[(sum ^ bytes[i]) & 0xff];
    return ~sum;
}

static uint32_t crc_initrd(void)
{
    uint32_t sum = 0, size = 0;
    int      len;

    while ((len = initrd(memory, size, SIZE)) > 0) {
        sum = crc(sum, memory, (size_t)len);
        size += (uint32_t)len;
    }
    if (len < 0)
        fail("cannot read the initrd");
    if (size > 0)
        say("initrd: %u bytes, CRC-32 %08x", size, sum);
    return sum;
}

int main(const char *args)
{
    uint32_t rounds = words_number(args, "scale", 1), sum = 0, seed = 1;

    make_table();
    if (crc(0, (const uint8_t *)"123456789", 9) != 0xcbf43926)
        fail("the CRC of 123456789 is wrong");
    for (uint32_t round = 0; round < rounds; round++) {
        for (uint32_t i = 0; i < SIZE; i++) {
            seed = seed * 1664525 + 1013904223;
            memory[i] = (uint8_t)(seed >> 24);
        }
        sum = crc(sum, memory, SIZE);
    }
    say("memory: %u KiB, CRC-32 %08x", rounds * (SIZE / 1024), sum);
    say_checksum(mix(sum, crc_initrd()));
    return 0;
}
