"""Attacks on the hypervisor, by the million: hypervisor programs.

A hypervisor program (csrc/include/hvp.h) makes a few VMs and does things to
them; the core says which property of isolation did not hold. This package reads
and writes such programs, draws them, shrinks those that break something, and
runs campaigns of them. ``hv fuzz`` and ``hv replay`` are its commands.
"""

from hv.fuzz.format import Program, Record, decode, encode
from hv.fuzz.text import parse, render
from hv.fuzz.verdict import Key, Verdict

__all__ = [
    "Key",
    "Program",
    "Record",
    "Verdict",
    "decode",
    "encode",
    "parse",
    "render",
]
