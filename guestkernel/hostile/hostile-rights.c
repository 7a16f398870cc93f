/* hostile-rights.c - every combination of rights, mode, SUM and MXR.
 *
 * styles: bare, emulate, assist, nested, pv
 * expect: refused
 *
 * Both modes of a deprivileged guest run in real user mode, so what keeps the
 * guest's user programs out of its kernel's pages is that the hypervisor shows
 * them other tables. What broke in others: W kept where it was not given
 * (CVE-2021-38198, XSA-234), kernel pages left in the user's table
 * (CVE-2010-0298), SUM and MXR ignored (the class of XSA-183). What must
 * happen: exactly what the architecture's table says, for all 128 meanings of
 * an entry's low bits. A paravirtual kernel has SUM set, MXR clear, and no way
 * to change that. */
#include "hostile/lib/hostile.h"

#define WINDOW 0x40000000u

enum kind { LOAD, STORE, JUMP };

static bool permitted(uint32_t entry, bool user, bool sum, bool mxr,
                      enum kind kind)
{
    if (!(entry & PTE_V) || (entry & (PTE_R | PTE_W)) == PTE_W ||
        !(entry & PTE_RWX))
        return false;
    if (user != !!(entry & PTE_U) && (user || !sum || kind == JUMP))
        return false;
    if (kind == JUMP)
        return entry & PTE_X;
    if (kind == STORE)
        return entry & PTE_W;
    return entry & (mxr ? PTE_R | PTE_X : PTE_R);
}

static bool works(bool user, enum kind kind)
{
    uint32_t val;

    switch (kind) {
    case LOAD:
        return user ? user_can_load(WINDOW, &val) : can_load(WINDOW, 4, &val);
    case STORE:
        return user ? user_can_store(WINDOW, INSN_ECALL)
                    : can_store(WINDOW, 4, INSN_RET);
    default:
        return user ? user_can_jump(WINDOW) : can_jump(WINDOW);
    }
}

static void all_entries(bool sum, bool mxr)
{
    static const uint32_t causes[] = { CAUSE_LOAD_PAGE, CAUSE_STORE_PAGE,
                                       CAUSE_FETCH_PAGE };

    /* V R W X U G A, D set with A: whether the machine sets them or faults is
     * an option of the machine, so they are always set here. */
    for (uint32_t bits = 0; bits < 64; bits++)
        for (uint32_t user = 0; user <= 1; user++)
            for (enum kind kind = LOAD; kind <= JUMP; kind++) {
                bool good = permitted(bits, user, sum, mxr, kind);

                page[0][0] = user ? INSN_ECALL : INSN_RET;
                fence_i();
                map(WINDOW, pte(address(page[0]), bits | PTE_A | PTE_D));
                check(works(user, kind) == good, "rights of an entry");
                if (!good)
                    check_fault(causes[kind], WINDOW, "rights of an entry");
            }
}

void attack(void)
{
    paging_prepare();
    paging_on(root);
    if (paravirtual) {
        all_entries(true, false);
        return;
    }
    for (uint32_t sum = 0; sum <= 1; sum++)
        for (uint32_t mxr = 0; mxr <= 1; mxr++) {
            csr_clear("sstatus", MSTATUS_SUM | MSTATUS_MXR);
            csr_set("sstatus",
                    (sum ? MSTATUS_SUM : 0u) | (mxr ? MSTATUS_MXR : 0u));
            all_entries(sum, mxr);
        }
}
