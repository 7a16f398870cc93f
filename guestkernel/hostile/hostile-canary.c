/* hostile-canary.c - keeps patterns in all its registers while others run.
 *
 * styles: bare, emulate, assist, nested, pv, direct
 * expect: refused
 *
 * Its own timer interrupts it, and the hypervisor takes the hart away from it
 * and gives it back. One register that is not saved shows up here, and tells
 * this guest what its neighbour was doing (XSA-165, XSA-62; sscratch and its
 * like: XSA-220, XSA-444). What must happen: all 31 registers are as they
 * were, in kernel mode and in user mode, every time. Run it beside a second
 * one. */
#include "hostile/lib/hostile.h"

#define ROUNDS 40
#define SPIN   6000 /* times around in each */

static uint32_t expected[32];
static uint32_t ticks;

/* addi x1, x1, -1; bnez x1, .-4; ecall: the counter is a canary, too. */
static const uint32_t spin[] = { 0xfff08093, 0xfe009ee3, INSN_ECALL };

static void tick(uint32_t irq, struct trapframe *frame)
{
    check(irq == IRQ_STI, "only the timer was asked for");
    /* x1 counts down; the others hold still. */
    for (int i = 2; i < 32; i++)
        check(frame->x[i] == expected[i], "a register at an interrupt");
    check(frame->x[1] <= expected[1], "the counter at an interrupt");
    ticks++;
    timer_at(now() + 1000);
}

void attack(void)
{
    uint32_t seed = draw();

    on_interrupt = tick;
    user_interrupts = true;
    for (uint32_t i = 0; i < COUNT(spin); i++)
        page[0][i] = spin[i];
    fence_i();
    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 2; i < 32; i++)
            expected[i] = seed ^ (0x9e3779b1u * (32 * round + i));
        expected[1] = SPIN;
        if (!paravirtual)
            csr_write("sie", MIP_STIP);
        timer_at(now() + 100);
        user_run(expected, address(page[0]));
        check_fault(CAUSE_ECALL_U, 0, "the end of a round");
        check(fault.x[1] == 0, "the counter at the end");
        for (int i = 2; i < 32; i++)
            check(fault.x[i] == expected[i], "a register at the end");
        seed = seed * 3 + ticks;
    }
    check(ticks > 0, "the timer never came");
    timer_at(UINT64_MAX);
}
