/* hostile-pv-sched.c - asks for time that is another's, and for pages to be
 * written to that are not its own.
 *
 * styles: pv
 * expect: refused
 *
 * XSA-20 was a vCPU number that nobody checked (a timer of a vCPU that is not
 * there), XSA-298 and others a place for the runstate area that was never let
 * go of. Here: kicks, yields and runstates of vCPUs that do not exist; places
 * that are no memory, not aligned, or somebody's table; steal time told into a
 * page that is given to the balloon meanwhile. What must happen: an error, and
 * nothing written; the page stays until it is let go of. */
#include "hostile/lib/hostile.h"

#define PARAM   SBI_ERR_INVALID_PARAM
#define OUTSIDE SBI_ERR_INVALID_ADDRESS
#define DENIED  SBI_ERR_DENIED
#define NEVER   0xffffffffu
#define CANARY  0x5ca1ab1eu

static void no_such_vcpu(void)
{
    static const uint32_t wild[] = {
        1, 7, 8, 0x7fffffff, 0x80000000, 0xffffffff
    };

    for (uint32_t i = 0; i < COUNT(wild); i++) {
        check_hv(PARAM, HCALL_kick, wild[i], 0, "a kick of nobody");
        check_hv(PARAM, HCALL_yield_to, wild[i], 0, "a yield to nobody");
        check_hv(PARAM, HCALL_runstate, wild[i], address(page[0]),
                 "what nobody did");
    }
}

static void no_such_place(void)
{
    check_hv(PARAM, HCALL_runstate, 0, address(page[0]) + 2, "not aligned");
    check_hv(OUTSIDE, HCALL_runstate, 0, ram_end, "outside RAM");
    check_hv(OUTSIDE, HCALL_runstate, 0, ram_end - 28, "across the end");
    check_hv(OUTSIDE, HCALL_runstate, 0, 0xfffffffc, "that wraps");
    check_hv(OUTSIDE, HCALL_runstate, 0, UART_BASE, "a device");
}

static void steal(int32_t error, uint32_t low, uint32_t high, uint32_t flags,
                  const char *what)
{
    check_sbi(error, SBI_EXT_STA, SBI_STA_SET_SHMEM, low, high, flags, what);
}

static void steal_shapes(void)
{
    steal(PARAM, address(page[1]), 0, 1, "flags that are not known");
    steal(PARAM, address(page[1]) + 4, 0, 0, "not aligned");
    steal(OUTSIDE, address(page[1]), 1, 0, "above 4 GiB");
    steal(OUTSIDE, NEVER & ~63u, 0, 0, "at the end of the address space");
    steal(OUTSIDE, ram_end, 0, 0, "outside RAM");
    steal(OUTSIDE, UART_BASE, 0, 0, "a device");
    check_sbi(SBI_ERR_NOT_SUPPORTED, SBI_EXT_STA, 1, 0, 0, 0, "no such call");
}

/* It is written to behind the guest's back, so it must stay its own. */
static void given_away(void)
{
    uint32_t *list = page[0];

    steal(SBI_SUCCESS, address(page[1]), 0, 0, "a good place");
    list[0] = address(page[1]) >> PAGE_SHIFT;
    check_hv(DENIED, HCALL_balloon_give, address(list), 1, "the page in use");
    steal(SBI_SUCCESS, address(page[2]) + 64, 0, 0, "another place");
    check_hv(SBI_SUCCESS, HCALL_balloon_give, address(list), 1, "the old page");
    list[0] = address(page[2]) >> PAGE_SHIFT;
    check_hv(DENIED, HCALL_balloon_give, address(list), 1, "the new page");
    page[2][0] = page[2][15] = page[2][32] = CANARY;
    for (uint32_t i = 0; i < 3; i++)
        hv_call(HCALL_yield, 0, 0);
    check(page[2][0] == CANARY && page[2][15] == CANARY &&
              page[2][32] == CANARY,
          "written beside its place");
    steal(SBI_SUCCESS, NEVER, NEVER, 0, "no more, please");
    steal(SBI_SUCCESS, NEVER, NEVER, 0, "once more");
    check_hv(SBI_SUCCESS, HCALL_balloon_give, address(list), 1, "a free page");
}

/* A kick before the poll ends it at once; a second poll would sleep for ever,
 * if the timer did not end it. */
static void polls(void)
{
    check_hv(SBI_SUCCESS, HCALL_kick, 0, 0, "a kick of itself");
    check(hv_call(HCALL_poll, 0, 0).value == 1, "a kick that was lost");
    timer_at(now() + 1000);
    check(hv_call(HCALL_poll, 0, 0).value == 0, "a kick that nobody gave");
    for (uint32_t i = 0; i < 100; i++)
        check_hv(SBI_SUCCESS, HCALL_yield_to, 0, 0, "a yield to itself");
}

void attack(void)
{
    no_such_vcpu();
    no_such_place();
    steal_shapes();
    given_away();
    polls();
}
