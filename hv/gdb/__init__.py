"""A debugger's way in: GDB's remote serial protocol, spoken by hv.

One idea per file, from the wire to the guest: :mod:`~hv.gdb.packet` (bytes and
packets), :mod:`~hv.gdb.server` (a socket, one client), :mod:`~hv.gdb.session`
(which packet asks for what; with :mod:`~hv.gdb.moves`, :mod:`~hv.gdb.access`
and :mod:`~hv.gdb.words`), :mod:`~hv.gdb.running` (to the next stop, forward
and back), :mod:`~hv.gdb.target` (registers and memory as a debugger wants
them), :mod:`~hv.gdb.monitor` (what only hv can tell); and
:mod:`~hv.gdb.batch` (no socket, but lines of text), :mod:`~hv.gdb.debugger`,
the GDB of this computer. The protocol is Appendix E of
"Debugging with GDB".
"""
