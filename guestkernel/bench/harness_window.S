/* harness_window.S - included by both halves of the harness: from a faulting
 * address to its leaf. A half gives harness_start (a0 = root: take traps,
 * translate) and harness_enter_user (a0 = argument, a1 = pc, a2 = stack; does
 * not return). */
#include "abi/pte.h"

/* A leaf's address is a constant away from its page's number. Leaves with
 * `to` = the one of the faulting address `va`, or a branch to `no` if that is
 * not in the window; uses `tmp`. */
    .macro  window_leaf to, va, tmp, no
    la      \tmp, window_start
    bltu    \va, \tmp, \no
    la      \tmp, window_end
    bgeu    \va, \tmp, \no
    la      \tmp, image_start
    sub     \to, \va, \tmp
    srli    \to, \to, PAGE_SHIFT
    slli    \to, \to, 2
    la      \tmp, leaves
    add     \to, \to, \tmp
    .endm
