/* hostile-testdev.c - everything but the word that switches the machine off.
 *
 * styles: bare, emulate, assist, nested, pv
 * expect: refused
 *
 * The test device obeys three words at one offset. What must happen: other
 * offsets, other words and reads do nothing; a byte store carries a byte, even
 * if the register that it comes from holds the magic word (partial widths are
 * the class of XSA-239 and CVE-2017-17741); code is not fetched there. */
#include "hostile/lib/hostile.h"

#define SB 0x00b50023u /* sb a1, 0(a0) */

void attack(void)
{
    static const uint32_t words[] = { 0,          1,          0x5554,
                                      0x3332,     0x7776,     0xffff5554,
                                      0x55550000, 0x33330000, 0xffffffff };
    uint32_t              val, a0;

    for (uint32_t i = 0; i < COUNT(words); i++)
        check(can_store(TEST_BASE, 4, words[i]), "a word that means nothing");
    for (uint32_t at = 4; at < TEST_SIZE; at += 4) {
        check(can_store(TEST_BASE + at, 4, TEST_PASS), "another offset");
        check(can_load(TEST_BASE + at, 4, &val) && val == 0, "it reads as 0");
    }
    a0 = TEST_BASE;
    check(can_execute(SB, &a0, TEST_PASS), "a byte of the magic word");
    a0 = TEST_BASE;
    check(can_execute(SB, &a0, TEST_RESET), "a byte of the magic word");
    check_jump(TEST_BASE, CAUSE_FETCH_ACCESS, "code in a device");
    check_load(TEST_BASE + TEST_SIZE, 4, CAUSE_LOAD_ACCESS, "behind it");
}
