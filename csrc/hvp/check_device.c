/* check_device.c - a device did what its register map says: P13, P22.
 *
 * Before the instruction the devices of its VM are looked at; then board.c says
 * what the access gives, and what they must be like after it. A register that
 * is not there reads 0: whatever else comes is somebody's. */
#include "hvp/run.h"
#include <string.h>

static void look_at_serial(const struct uart *uart, struct hvp_serial *to)
{
    *to = (struct hvp_serial){
        .ier = uart->ier,
        .fcr = uart->fcr,
        .lcr = uart->lcr,
        .mcr = uart->mcr,
        .scr = uart->scr,
        .dll = uart->dll,
        .dlm = uart->dlm,
        .ready = uart->thre_irq,
        .held = uart->rx_count,
    };
    for (uint32_t i = 0; i < uart->rx_count && i < BOARD_FIFO; i++)
        to->byte[i] = uart->rx[(uart->rx_head % BOARD_FIFO + i) % BOARD_FIFO];
}

static void look_at_irqs(const struct plic *plic, struct hvp_irqs *to)
{
    *to = (struct hvp_irqs){
        .contexts = plic->nr_contexts,
        .lines = plic->lines,
        .pending = plic->pending,
        .claimed = plic->claimed,
    };
    memcpy(to->priority, plic->priority, sizeof(to->priority));
    memcpy(to->enable, plic->enable, sizeof(to->enable));
    memcpy(to->threshold, plic->threshold, sizeof(to->threshold));
}

static void look(struct hvp_run *run, const struct vm *vm,
                 struct hvp_board *board)
{
    const struct channels *of = channels_of(&run->host->hal, vm->id);
    size_t                 n = of ? of->in.len - of->in.head : 0;

    memset(board, 0, sizeof(*board));
    look_at_serial(&vm->uart, &board->serial);
    look_at_irqs(&vm->plic, &board->irqs);
    while (board->waiting < n && board->waiting < BOARD_FIFO) {
        board->input[board->waiting] =
            of->in.bytes[of->in.head + board->waiting];
        board->waiting++;
    }
}

void hvp_device_look(struct hvp_run *run, const struct hvp_act *act,
                     struct hvp_board *board)
{
    look(run, hvp_live(run, act->vm), board);
}

void hvp_device_foretell(struct hvp_expect *e)
{
    e->device = (struct hvp_register){
        .gpa = e->data.gpa,
        .size = e->size,
        .value = e->value,
        .store = e->access == ACCESS_STORE,
    };
    e->refused = e->atomic || !hvp_board_access(&e->board, &e->device);
}

void hvp_device_value(struct hvp_run *run, const struct hvp_expect *e,
                      uint32_t got)
{
    if (got == e->device.value)
        return;
    if (e->device.nothing)
        hvp_fail(run, "P22", "load at %#x, where no register is: %#x",
                 (unsigned)e->data.gpa, (unsigned)got);
    else
        hvp_fail(run, "P13", "device register at %#x: %#x, but it has %#x",
                 (unsigned)e->data.gpa, (unsigned)got,
                 (unsigned)e->device.value);
}

void hvp_device_check(struct hvp_run *run, const struct hvp_act *act,
                      const struct hvp_expect *e)
{
    struct hvp_board is;

    look(run, hvp_live(run, act->vm), &is);
    if (is.serial.held != e->board.serial.held)
        hvp_fail(run, "P13",
                 "access to %#x: the UART has %u bytes received, not %u",
                 (unsigned)e->data.gpa, (unsigned)is.serial.held,
                 (unsigned)e->board.serial.held);
    else if (memcmp(&is.serial, &e->board.serial, sizeof(is.serial)) != 0)
        hvp_fail(run, "P13", "access to %#x: the UART is not as it must be",
                 (unsigned)e->data.gpa);
    if (memcmp(&is.irqs, &e->board.irqs, sizeof(is.irqs)) != 0)
        hvp_fail(run, "P13", "access to %#x: the PLIC is not as it must be",
                 (unsigned)e->data.gpa);
}
