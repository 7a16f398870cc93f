/* race-wakeup-fixed.c - says that it lies down, then looks.
 *
 * styles: bare, emulate, assist, nested
 *
 * Whatever the schedule: either the sleeper sees the work, or whoever brings it sees the
 * sleeper. */
#define FIXED
#include "race/race-wakeup.c"
