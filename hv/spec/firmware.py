"""What a native kernel has beneath it, whoever that is: SBI, and a timer.

On the bare machine that is a firmware, in a VM the hypervisor. The kernel sees
that it is called, and that interrupts arrive.
"""

from dataclasses import dataclass

from hv.spec.beneath import Nothing
from hv.spec.calls import A0, A1, A6, A7, Answer, answer
from hv.spec.csr import SSIP, STIP, Csr
from hv.spec.hart import Computer, Hart
from hv.spec.sbi import LAST_LEGACY, find
from hv.spec.sbi_legacy import LEGACY


@dataclass
class Sbi(Nothing):
    """What a native kernel has beneath it: the standard calls, and a timer.

    :ivar last: what the last call answered.
    """

    last: Answer | None = None

    def arrive(self, computer: Computer, hart: Hart) -> bool:
        """Pass on the timer, and what other harts asked for."""
        came = hart.asked
        if hart.asked:
            hart.csr[Csr.SIP] |= SSIP
            hart.asked = False
        if hart.timer is not None and computer.time(hart) >= hart.timer:
            hart.csr[Csr.SIP] |= STIP
            hart.timer, came = None, True
        return came

    def call(self, computer: Computer, hart: Hart) -> None:
        """Serve a call: extension in a7, function in a6 (3.)."""
        extension, function = hart.x[A7], hart.x[A6]
        args = tuple(hart.x[A0 : A0 + 6])
        if extension <= LAST_LEGACY:
            self.last = answer(LEGACY[extension], computer, hart, args)
            hart.set(A0, self.last.error or self.last.value)
            return
        self.last = answer(find(extension, function), computer, hart, args)
        hart.set(A0, self.last.error)
        hart.set(A1, self.last.value)
