/* rights.c - a shadow entry grants nothing that the guest's does not, for all
 * entries and roles. */
#include "hyp/shadow_fill.c"
#include "prove.h"

void prove_rights(void);

void prove_rights(void)
{
    uint32_t         gpte = any_u32(), number = any_u32() & 3;
    enum shadow_role role = (enum shadow_role)number;
    uint32_t         spte = shadow_rights(gpte, role);

    PROVE((spte & ~(uint32_t)(PTE_RWX | PTE_U)) == 0);
    PROVE((spte & PTE_RWX & ~gpte) == 0);
    PROVE(!(spte & PTE_W) || (gpte & PTE_D));
    if (role == ROLE_USER)
        PROVE(!(spte & PTE_RWX) || (gpte & PTE_U));
    if (role == ROLE_KERNEL)
        PROVE(!(spte & PTE_RWX) || !(gpte & PTE_U));
    if (role == ROLE_KERNEL_SUM)
        PROVE(!(spte & PTE_X) || !(gpte & PTE_U));
    if (role == ROLE_ASSIST)
        PROVE((spte & PTE_U) == (gpte & PTE_U));
}
