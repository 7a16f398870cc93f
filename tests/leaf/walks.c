/* walks.c - the walk of a guest's tables, against the algorithm of the
 * Privileged Specification, 10.3.2, written once more: over all bits of a root
 * entry and of a leaf, with page numbers that are inside, misaligned, outside,
 * and of more than 32 bits. */
#include "api/host.h"
#include "hyp/walk.c"
#include "leaf_check.h"

#define GUEST_PAGES 2048 /* two megapages */
#define FIRST       (RAM_BASE >> PAGE_SHIFT)
#define ROOT        (FIRST + 1)
#define TABLE       (FIRST + 2)

enum verdict { FINE, PAGE_FAULT, ACCESS_FAULT };
struct view {
    uint32_t    mode;
    bool        sum, mxr, ad_fault;
    enum access access;
};
struct answer {
    enum verdict verdict;
    uint32_t     pa;
};

static bool there(uint64_t ppn, enum access access)
{
    if (ppn >= FIRST && ppn < FIRST + GUEST_PAGES)
        return true; /* below: PLIC and UART, as a guest sees the board */
    return access != ACCESS_FETCH &&
           ((ppn >= 0xc000 && ppn < 0xc600) || ppn == 0x10000 || ppn == 0x100);
}

static bool leaf_lets(uint32_t pte, struct view v)
{
    bool u = pte & PTE_U;

    if (v.mode == PRIV_U ? !u : u && (!v.sum || v.access == ACCESS_FETCH))
        return false;
    if (v.access == ACCESS_FETCH)
        return pte & PTE_X;
    if (v.access == ACCESS_STORE)
        return pte & PTE_W;
    return (pte & PTE_R) || (v.mxr && (pte & PTE_X));
}

/* `entry` has what each level says: [1] in the root, [0] in the table, if the
 * root's page number leads there. */
static struct answer model(const uint32_t entry[2], uint32_t va, struct view v)
{
    struct answer answer = { .verdict = PAGE_FAULT };

    for (int level = 1; level >= 0; level--) {
        uint32_t pte = entry[level];
        uint64_t ppn = pte >> 10;

        if (level == 0 && entry[1] >> 10 != TABLE) { /* zeros, or nothing */
            if (entry[1] >> 10 < FIRST || entry[1] >> 10 >= FIRST + GUEST_PAGES)
                answer.verdict = ACCESS_FAULT;
            return answer;
        }
        if (!(pte & PTE_V) || (!(pte & PTE_R) && (pte & PTE_W)))
            return answer;
        if (!(pte & (PTE_R | PTE_X))) {
            if (pte & (PTE_U | PTE_A | PTE_D))
                return answer;
            continue;
        }
        if (!leaf_lets(pte, v) || (level == 1 && ppn % 1024 != 0))
            return answer;
        if (v.ad_fault &&
            (!(pte & PTE_A) || (v.access == ACCESS_STORE && !(pte & PTE_D))))
            return answer;
        if (level == 1)
            ppn += va >> 12 & 0x3ff;
        answer.verdict = there(ppn, v.access) ? FINE : ACCESS_FAULT;
        answer.pa = (uint32_t)(ppn << 12 | (va & 0xfff));
        return answer;
    }
    return answer;
}

static bool check_walk(struct leaf *out, struct vcpu *vcpu,
                       const uint32_t entry[2], uint32_t va, struct view v)
{
    vcpu->mode = v.mode;
    vcpu->csr.sstatus = (v.sum ? MSTATUS_SUM : 0) | (v.mxr ? MSTATUS_MXR : 0);
    vcpu->vm->hyp->config.ad_fault = v.ad_fault;
    struct answer want = model(entry, va, v);
    struct walk   got = walk_peek(vcpu, (gva_t){ va }, v.access);

    SAME("walk: verdict", want.verdict,
         got.status == WALK_OK      ? FINE
         : got.status == WALK_FAULT ? PAGE_FAULT
                                    : ACCESS_FAULT,
         entry[1], entry[0], va, v.access | (uint32_t)v.ad_fault << 4);
    if (want.verdict == FINE)
        SAME("walk: address", want.pa, got.pa.raw, entry[1], entry[0], va,
             v.access);
    return true;
}

static bool check_views(struct leaf *out, struct vcpu *vcpu,
                        const uint32_t entry[2], uint32_t va)
{
    static const struct {
        uint32_t mode;
        bool     sum, mxr;
    } modes[] = { { PRIV_U, 0, 0 }, { PRIV_U, 0, 1 }, { PRIV_S, 0, 0 },
                  { PRIV_S, 1, 0 }, { PRIV_S, 0, 1 }, { PRIV_S, 1, 1 } };
    struct vm *vm = vcpu->vm;

    vm_write32(vm, NULL, (gpa_t){ ROOT << 12 | (va >> 22) * 4 }, entry[1]);
    vm_write32(vm, NULL, (gpa_t){ TABLE << 12 | (va >> 12 & 0x3ff) * 4 },
               entry[0]);
    for (uint32_t i = 0; i < COUNT_OF(modes); i++)
        for (uint32_t ad = 0; ad < 2; ad++)
            for (int access = 0; access < NR_ACCESS; access++) {
                struct view v = { modes[i].mode, modes[i].sum, modes[i].mxr, ad,
                                  (enum access)access };
                if (!check_walk(out, vcpu, entry, va, v))
                    return false;
            }
    return true;
}

static bool check_entries(struct leaf *out, struct vcpu *vcpu, uint32_t va)
{
    static const uint32_t ppns[] = { FIRST + 3,        FIRST,     FIRST + 2047,
                                     FIRST + 2048,     FIRST - 1, 0x10000,
                                     0x100000 | FIRST, 0x3fffff };

    for (uint32_t i = 0; i < COUNT_OF(ppns); i++)
        for (uint32_t bits = 0; bits < 256; bits++) {
            uint32_t as_leaf[2] = { ppns[i] << 10 | bits,
                                    (uint32_t)TABLE << 10 | PTE_V };
            uint32_t as_root[2] = { FIRST << 10 | 0xcf, ppns[i] << 10 | bits };
            uint32_t pointer[2] = { ppns[i] << 10 | 0xcf,
                                    (uint32_t)TABLE << 10 | bits };

            if (!check_views(out, vcpu, as_leaf, va) ||
                !check_views(out, vcpu, as_root, va) ||
                !check_views(out, vcpu, pointer, va))
                return false;
        }
    return true;
}

bool leaf_walks(struct leaf *out)
{
    static const uint32_t vas[] = { 0, 0x00400fff, 0x7ffff004, 0xfffffffc };
    struct hv_config      config;
    struct hv_vm_config   guest;
    hv_host              *host;
    uint32_t              id = 0;
    bool                  good = true;

    hv_config_default(&config);
    hv_vm_config_default(&guest);
    config.ram_size = (GUEST_PAGES + 512) * PAGE_SIZE;
    guest.mem_size = GUEST_PAGES * PAGE_SIZE;
    SAME("a host", HV_OK, hv_host_new(&config, &host, NULL, 0), 0, 0, 0, 0);
    SAME("a VM", HV_OK, hv_vm_create(host, &guest, &id, NULL, 0), 0, 0, 0, 0);
    struct vcpu *vcpu = &hyp_vm(&host->hal.hyp, id)->vcpu[0];
    vcpu->csr.satp = SATP_MODE | ROOT;
    for (uint32_t i = 0; good && i < COUNT_OF(vas); i++)
        good = check_entries(out, vcpu, vas[i]);
    hv_host_free(host);
    return good;
}
