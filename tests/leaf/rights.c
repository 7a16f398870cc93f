/* rights.c - what a shadow entry lets through, against what the guest's own
 * entry lets through in the mode that the guest believes to be in. */
#include "hyp/shadow_fill.c"
#include "leaf_check.h"

/* The Privileged Specification, 10.3.2, steps 3 and 5 to 7 (Sv32), of a leaf in
 * a hart of this mode with these bits of sstatus. */
static bool lets(uint32_t pte, uint32_t mode, bool sum, bool mxr,
                 enum access access)
{
    bool r = pte >> 1 & 1, w = pte >> 2 & 1, x = pte >> 3 & 1, u = pte >> 4 & 1;

    if (mode == 0 ? !u : u && (!sum || access == ACCESS_FETCH))
        return false;
    if (access == ACCESS_FETCH)
        return x;
    return access == ACCESS_STORE ? w : r || (mxr && x);
}

struct eyes {
    uint32_t mode;
    bool     sum, mxr, assist;
};

/* Real U-mode unless assisted, and then the guest's own. */
static bool machine_lets(uint32_t spte, struct eyes e, enum access access)
{
    return lets(spte, e.assist ? e.mode : 0, e.sum && e.assist, e.mxr, access);
}

/* Code of a user page that the kernel may read by SUM and MXR together: an
 * entry that said so would let it be executed, too. */
static bool unspeakable(uint32_t pte, struct eyes e, enum access access)
{
    return access == ACCESS_LOAD && !e.assist && e.mode == 1 && e.sum &&
           e.mxr && (pte & (PTE_U | PTE_R | PTE_X)) == (PTE_U | PTE_X);
}

static bool check_leaf(struct leaf *out, uint32_t pte, struct eyes e)
{
    struct style style = { .in_hart = e.assist };
    struct vm    vm = { .style = &style };
    struct vcpu  vcpu = { .vm = &vm, .mode = e.mode };

    vcpu.csr.sstatus = (e.sum ? 1u << 18 : 0) | (e.mxr ? 1u << 19 : 0);
    uint32_t spte = shadow_rights(pte, role_of(&vcpu));
    uint32_t shape = (uint32_t)(e.mode | e.sum << 1 | e.mxr << 2 |
                                e.assist << 3);

    SAME("rights alone", 0, spte & ~(uint32_t)(PTE_RWX | PTE_U), pte, spte,
         shape, 0);
    for (int i = 0; i < NR_ACCESS; i++) {
        enum access access = (enum access)i;
        bool        guest = lets(pte, e.mode, e.sum, e.mxr, access);
        bool        through = machine_lets(spte, e, access);

        if (access == ACCESS_STORE) /* the first must be seen, to set D */
            guest = guest && pte >> 7 & 1;
        if (!unspeakable(pte, e, access))
            SAME("shadow_rights", guest, through, pte, spte, shape, access);
        SAME("no amplification", 0, through && !guest, pte, spte, shape,
             access);
        if (guest)
            SAME("can_express", through, can_express(&vcpu, spte, access), pte,
                 spte, shape, access);
    }
    return true;
}

bool leaf_rights(struct leaf *out)
{
    for (uint32_t pte = 1; pte < 1024; pte += 2)
        for (uint32_t shape = 0; shape < 16; shape++) {
            struct eyes e = { shape & 1, shape >> 1 & 1, shape >> 2 & 1,
                              shape >> 3 & 1 };
            bool        leaf = (pte & (PTE_R | PTE_X)) && (pte & 6) != PTE_W;

            if (leaf && !check_leaf(out, pte, e))
                return false;
        }
    return true;
}
