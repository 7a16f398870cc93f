/* race-counter-fixed.c - two harts count, and none in vain.
 *
 * styles: bare, emulate, assist, nested
 *
 * An atomic addition has no middle for anything to come into. */
#define FIXED
#include "race/race-counter.c"
