/* race-shootdown-fixed.c - takes a page away from both harts.
 *
 * styles: bare, emulate, assist, nested
 *
 * The frame is used again when nobody knows the old translation any more. */
#define FIXED
#include "race/race-shootdown.c"
