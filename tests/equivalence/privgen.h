/* privgen.h - random privileged programs.
 *
 * A program is the first 32 pages of guest RAM plus the registers to start
 * with, a pure function of its seed. It has a trap handler that always goes
 * on, page tables of its own, and instructions drawn from everything a kernel
 * and its user programs can execute, so that it knows nothing of our kernel.
 *
 * page  0     trap handler (read and execute, kernel)
 *       1-2   code, as the kernel sees it at its physical address
 *             and as user programs see it from USER_CODE
 *       4-11  data: all kinds of rights
 *       16,17 two root tables
 *       18    level-0 table of the addresses of RAM (both roots)
 *       19    level-0 table of the user addresses (both roots)
 *
 * The architecture lets a TLB go on using what a table said before, until
 * sfence.vma. What two correct machines do with an entry that was changed and
 * not fenced may differ, so a program changes an entry in one of two ways, both
 * exact: followed by a fence before any access through it (other instructions
 * may stand between), or from invalid to something else, since this machine's
 * TLB keeps only valid entries. */
#ifndef PRIVGEN_H
#define PRIVGEN_H

#include <stdbool.h>
#include <stdint.h>

#define PROGRAM_PAGES 32
#define PROGRAM_BASE  0x80000000u
#define PROGRAM_MEM   0x00100000u /* bytes of RAM: the rest is empty */
#define CODE_PAGE     1
#define CODE_WORDS    2048
#define USER_CODE     0x00401000u
#define MEGA_BASE     0xc0000000u

struct program {
    uint32_t word[PROGRAM_PAGES * 1024];
    uint32_t x[32];
    uint32_t pc, priv;
    uint32_t sstatus, sie, stvec, satp, scounteren;
};

void privgen(uint64_t seed, struct program *p);

#endif
