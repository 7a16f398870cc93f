/* programs.S - the user programs, as ELF files inside the kernel's image.
 *
 * Each was linked by itself at USER_BASE; hv/guestcc.py puts the files where
 * the assembler finds them. Add a program here and in images.toml. */
    .section .rodata
    .balign 4
sieve:
    .incbin "sieve.bin"
    .balign 4
crc:
    .incbin "crc.bin"
    .balign 4
forks:
    .incbin "forks.bin"
    .balign 4
hog:
    .incbin "hog.bin"
    .balign 4
ping:
    .incbin "ping.bin"
    .balign 4
crime:
    .incbin "crime.bin"
    .balign 4
echo:
    .incbin "echo.bin"
    .balign 4
init:
    .incbin "init.bin"
    .balign 4
end:

/* struct program programs[] of exec.h: name, first byte, end. */
    .globl programs
programs:
    .word   sieve_name, sieve, crc
    .word   crc_name, crc, forks
    .word   forks_name, forks, hog
    .word   hog_name, hog, ping
    .word   ping_name, ping, crime
    .word   crime_name, crime, echo
    .word   echo_name, echo, init
    .word   init_name, init, end
    .word   0, 0, 0

    .irp name, sieve, crc, forks, hog, ping, crime, echo, init
\name\()_name:
    .asciz  "\name"
    .endr
