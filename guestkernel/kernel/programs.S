/* programs.S - the user programs, as ELF files inside the kernel's image.
 *
 * Each was linked by itself at USER_BASE; hv/guestcc.py puts the files where
 * the assembler finds them, and looks here for which they are. Add a program
 * here and in images.toml. */
    .section .rodata.programs, "a"
    .balign 4
    .globl programs
programs: /* struct program programs[] of exec.h: name, first byte, end */

    .macro program name
    .section .rodata.programs, "a"
    .word   \name\()_name, \name, \name\()_end
    .section .rodata, "a"
\name\()_name:
    .asciz  "\name"
    .balign 4
\name:
    .endm

    .macro program_end name
\name\()_end:
    .endm

    program init
    .incbin "init.bin"
    program_end init
    program sieve
    .incbin "sieve.bin"
    program_end sieve
    program crc
    .incbin "crc.bin"
    program_end crc
    program forks
    .incbin "forks.bin"
    program_end forks
    program hog
    .incbin "hog.bin"
    program_end hog
    program ping
    .incbin "ping.bin"
    program_end ping
    program crime
    .incbin "crime.bin"
    program_end crime
    program echo
    .incbin "echo.bin"
    program_end echo
    program storm
    .incbin "storm.bin"
    program_end storm
    program churn
    .incbin "churn.bin"
    program_end churn
    program thrash
    .incbin "thrash.bin"
    program_end thrash
    program syscalls
    .incbin "syscalls.bin"
    program_end syscalls
    program compute
    .incbin "compute.bin"
    program_end compute
    program mixed
    .incbin "mixed.bin"
    program_end mixed
    program parallel
    .incbin "parallel.bin"
    program_end parallel
    program locks
    .incbin "locks.bin"
    program_end locks
    program shoot
    .incbin "shoot.bin"
    program_end shoot

    .section .rodata.programs, "a"
    .word   0, 0, 0
