"""A guest's vCPU: registers and CSRs, as the guest itself would see them."""

from hv.core import constant, ffi, from_c, lib, to_c
from hv.errors import UsageError
from hv.facts import U32, Priv, choose, integer
from hv.host import Host

_ABI = (
    *("zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1"),
    *(f"a{i}" for i in range(8)),
    *(f"s{i}" for i in range(2, 12)),
    *(f"t{i}" for i in range(3, 7)),
)

REGISTERS: dict[str, int] = {
    **{f"x{i}": i for i in range(32)},
    **{name: i for i, name in enumerate(_ABI)},
    "fp": 8,
    "pc": lib.HV_REG_PC,
}


def register(name: str | int) -> int:
    """Return hv.h's number of a register or CSR, given by name or CSR number.

    :raises UsageError: if there is no such register.

    >>> register("x10") == register("a0") == 10
    True
    >>> register("sepc") - register(0x100)
    65
    """
    if isinstance(name, int):
        csr: int | None = integer("a CSR number", name, 0, 0xFFF)
    elif name in REGISTERS:
        return REGISTERS[name]
    else:
        csr = constant(f"CSR_{name.upper()}")
    if csr is None:
        raise UsageError(
            f"no register {name!r}: there are x0-x31, ABI names, pc and CSRs"
        )
    return int(lib.HV_REG_CSR) + csr


class Cpu:
    """One vCPU. Registers are attributes: ``cpu.a0``, ``cpu.x10``, ``cpu.pc``.

    :meth:`reg` and :meth:`set_reg` reach CSRs too.
    """

    __slots__ = ("_guest", "_host", "_number")
    _host: Host
    _guest: int
    _number: int

    def __init__(self, host: Host, guest: int, number: int) -> None:
        object.__setattr__(self, "_host", host)
        object.__setattr__(self, "_guest", guest)
        object.__setattr__(self, "_number", number)

    def reg(self, name: str | int) -> int:
        """Return a register by name, or a CSR by name or number.

        :raises UsageError: if the guest has no such register.
        """
        return self._get(register(name), name)

    def set_reg(self, name: str | int, value: int) -> None:
        """Set a register by name, or a CSR by name or number.

        :raises UsageError: if the guest has no such register.
        """
        integer(f"the value of {name}", value, 0, U32)
        self._host.checked(
            f"setting {name} of vCPU {self._number}",
            lib.hv_reg_set,
            self._guest,
            self._number,
            register(name),
            value,
        )

    @property
    def priv(self) -> Priv:
        """The privilege mode that the guest believes it is in."""
        return from_c("PRIV_", Priv, self._get(lib.HV_REG_PRIV, "priv"))

    def set_priv(self, priv: str) -> None:
        """Let the guest be in another privilege mode, as it believes.

        :raises UsageError: if there is no such mode, or none for a guest.
        """
        self._host.checked(
            f"changing the mode of vCPU {self._number}",
            lib.hv_reg_set,
            self._guest,
            self._number,
            lib.HV_REG_PRIV,
            to_c("PRIV_", choose(Priv, priv, "mode")),
        )

    @property
    def registers(self) -> dict[str, int]:
        """All of x0 to x31 by ABI name, and pc."""
        return {name: self.reg(name) for name in (*_ABI, "pc")}

    def __getattr__(self, name: str) -> int:
        """Return a register by its name as an attribute."""
        if name not in REGISTERS:
            raise AttributeError(f"no register {name!r}")
        return self.reg(name)

    def __setattr__(self, name: str, value: int) -> None:
        """Set a register by its name as an attribute."""
        if name not in REGISTERS:
            raise AttributeError(f"no register {name!r}")
        self.set_reg(name, value)

    def __repr__(self) -> str:
        """Show where the vCPU is."""
        return f"<vCPU {self._number}: pc={self.pc:#x} in {self.priv}>"

    def _get(self, number: int, name: str | int) -> int:
        out = ffi.new("uint32_t *")
        self._host.checked(
            f"reading {name} of vCPU {self._number}",
            lib.hv_reg_get,
            self._guest,
            self._number,
            number,
            out,
        )
        return int(out[0])
