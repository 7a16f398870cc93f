"""What a few bytes choose: a record, a step of a sequence, a world.

The distributions are those of csrc/hvp/draw.c and generate.c, but the choice
is made of bytes that somebody else draws, and the smaller these are, the
simpler is what they choose. So a shrinker that knows nothing of programs, and
only makes bytes smaller, makes programs simpler.
"""

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate

from hv.fuzz import ops
from hv.fuzz.format import DEFAULT_FEATURES, Form, Record, operand
from hv.fuzz.idioms import HANDLES, Idiom, Part, Step, Wanted, idioms

SLOT = 10  # bytes: is it there, operation (2), actor, a, b, c (2 each)
SLOTS = 16  # of a line
LINE = 1 + SLOT * SLOTS  # is it the last of a program; slots
STEP = 5  # bytes of a step: is it done, operands (2, 2)
SEQUENCE = 5  # slots
COMMON = 5  # bytes: features (2), VMs, length, whether a state is built first
WORLD = 8  # bytes: flags (2), world (2), seed, whether more follow; two spare
# Of 256: slots that are empty, that begin a sequence; steps that are left out;
# worlds after which there is no other one.
EMPTY, IDIOMS, LEFT_OUT, LAST_WORLD = 102, 40, 10, 100

ADDRESSES = ("GVA", "GPA")
HANDLED = (*ADDRESSES, "GFN", "SLOT", "ROOT", "VALUE", "CSR", "VCPU")
# Below what the literals of a kind lie, usually.
USUAL = {
    "GVA": 1024,
    "GPA": 1024,
    "GFN": 48,
    "SLOT": 64,
    "ROOT": 4,
    "VALUE": 256,
    "SIZE": 5,
    "COUNT": 24,
    "REG": 32,
    "CSR": 0x1000,
    "CALL": 28,
    "SBI": 24,
    "VCPU": 4,
    "TIME": 64,
    "LEVEL": 2,
    "MODE": 2,
    "FLAG": 3,
    "STYLE": 5,
    "SYNC": 5,
    "WEIGHT": 1024,
    "PERCENT": 201,
    "MASK": 4,
}
WORDS = (
    *(0x13, 0x73, 0x00100073, 0x10200073, 0x30200073, 0x10500073),
    *(0x12000073, 0x0000100F, 0x22000073, 0x62000073),
)
OPCODES = (0x03, 0x13, 0x23, 0x2F, 0x33, 0x37, 0x63, 0x6F, 0x67, 0x73)
BOARD = 220  # of edges of addresses (204 to 234), those that are devices
NEAR = (16, 160, 32, 4)  # words of each device that are worth a look
PLACES = 4  # of VMs
RIGHTS = (0x07, 0x03, 0x0F, 0x0B, 0x09, 0x0F)  # V with RW, R, RWX, RX, X
ROOT_SLOT = 48  # slots of a root are the last that a program can name

Bytes3 = tuple[int, int, int]


def _number(choice: int) -> int:
    """Return a handle: few are named often, things happen to the same page."""
    return choice & 3 if choice < 154 else choice & 31


def _register(high: int, low: int) -> int:
    """Return the edge that is a register of a device, or just behind it.

    :param high: a byte that says of which device.
    :param low: one that says which.
    """
    device = high & 3
    return 0x2000 | device << 11 | low % NEAR[device]


def _handle(kind: str, high: int, low: int) -> int:
    """Return an operand that names something; 66 %: something live.

    :param high: a byte that says in which form, and what.
    :param low: one that says where in it, and the rest.
    """
    address = kind in ADDRESSES
    if high < 204:
        form = Form.LIVE if high < 168 else Form.STALE
        if kind == "VALUE" and high % 10 >= 7:
            return operand(form, 0x2000 | (high & 15) << 5 | low & 31)
        if not address:
            return operand(form, _number(low))
        # Page and place in it, by one byte: most are at its beginning.
        page = high % 21 & 3 if high % 21 < 12 else high & 31
        return operand(form, page << 5 | (0 if low < 150 else low & 31))
    if high < 235:
        board = address and high >= BOARD
        number = _register(high, low) if board else low & 31
        return operand(Form.EDGE, number)
    literal = (high - 235) << 8 | low
    return operand(Form.LITERAL, literal * USUAL[kind] // (21 << 8))


def _plain(kind: str, high: int, low: int) -> int:
    if high >= 225:
        return operand(Form.EDGE, low & 31)
    return (high << 8 | low) * USUAL[kind] // (225 << 8)


def _rights(high: int, low: int) -> int:
    """Return rights as kernels write them, mostly; any ten bits at times."""
    if high >= 236:
        return (high << 8 | low) & 0x3FF
    rights = RIGHTS[high % len(RIGHTS)]
    for bits, bit in ((low & 3, 0x40), (low >> 2 & 3, 0x80)):
        rights |= bit if bits < 3 else 0
    rights |= 0x10 if low >> 4 & 7 < 5 else 0
    return rights | (0x20 if low > 240 else 0)


def chosen_operand(kind: str, high: int, low: int) -> int:
    """Return an operand of a kind (operands.def); ``""``: nobody looks at it.

    :param high: a byte.
    :param low: another one.
    """
    if not kind:
        return 0
    if kind == "RIGHTS":
        return _rights(high, low)
    if kind == "INSN":
        return (high << 8 | low) & 0x3FFF
    if kind in HANDLED:
        return _handle(kind, high, low)
    return _plain(kind, high, low)


def _insn(data: bytes) -> Bytes3:
    """Return operands that are an instruction, by six bytes."""
    kind, which = data[0], data[1]
    word = int.from_bytes(data[2:], "big")
    if kind < 102:
        word = WORDS[which % len(WORDS)]
    elif kind < 153:
        word = word & ~0x7F | 0x73
    elif kind < 230:
        word = word & ~0x7F | OPCODES[which % len(OPCODES)]
    return 0, word & 0xFFFF, word >> 16


def _operands(row: ops.Op, data: bytes) -> Bytes3:
    a, b, c = row.operands
    return (
        chosen_operand(a, data[0], data[1]),
        chosen_operand(b, data[2], data[3]),
        chosen_operand(c, data[4], data[5]),
    )


def chosen_actor(choice: int, vms: int) -> int:
    """Return who does it: mostly the kernel of a first vCPU, by a byte."""
    vm = (choice >> 6) * vms >> 2
    rest = choice & 63
    if rest < 48:
        return vm | (16 if rest < 34 else 0)
    return vm | (rest & 3) << 2 | (16 if rest >> 2 & 3 < 3 else 0)


def _root_slot(row: ops.Op, args: Bytes3) -> Bytes3:
    if row.name in ("link", "mega"):
        return ROOT_SLOT + (args[0] & 3), args[1], args[2]
    return args


@dataclass(frozen=True)
class Taste:
    """From what records are chosen.

    :param features: operations that may come, by their bits.
    :param vms: that act, the first ones.
    :param last: of 256 lines, those with which a program ends.
    :param builds: only operations that build a state, and no sequences.
    """

    features: int = DEFAULT_FEATURES
    vms: int = 4
    last: int = 256
    builds: bool = False

    @cached_property
    def rows(self) -> tuple[ops.Op, ...]:
        """The operations."""
        return tuple(
            row
            for row in ops.table()
            if row.feature & self.features and (row.builds or not self.builds)
        )

    @cached_property
    def limits(self) -> list[int]:
        """Sums of the operations' weights."""
        return list(accumulate(row.weight for row in self.rows))

    @cached_property
    def idioms(self) -> tuple[Idiom, ...]:
        """The sequences."""
        return tuple(
            idiom
            for idiom in idioms()
            if not idiom.features & ~self.features and not self.builds
        )

    def record(self, data: bytes) -> Record:
        """Return the record of :data:`SLOT` bytes."""
        number = (data[1] << 8 | data[2]) * self.limits[-1] >> 16
        row = self.rows[bisect_right(self.limits, number)]
        actor = chosen_actor(data[3], self.vms)
        if row.injects:
            return Record(row.number, actor, _insn(data[4:]))
        args = _root_slot(row, _operands(row, data[4:]))
        return Record(row.number, actor, args)

    def line(self, data: bytes) -> tuple[list[Record], bool]:
        """Return records and sequences, and whether the program goes on.

        A slot or step whose first byte is small is left out: at times by
        chance, and where nothing depends on it, by who makes bytes smaller.

        :param data: :data:`LINE` bytes.
        """
        records: list[Record] = []
        at = 1
        while at < LINE:
            kind = data[at]
            if (
                kind >= 256 - IDIOMS
                and self.idioms
                and at + SEQUENCE * SLOT <= LINE
            ):
                records += self._sequence(data[at + 1 :])
                at += SEQUENCE * SLOT
                continue
            if kind >= EMPTY:
                records.append(self.record(data[at : at + SLOT]))
            at += SLOT
        return records, data[0] >= self.last

    def _sequence(self, data: bytes) -> list[Record]:
        which = (data[0] << 8 | data[1]) * len(self.idioms) >> 16
        vm = data[2] * self.vms >> 8
        handles = [data[3 + i // 2] >> 4 * (i % 2) & 7 for i in range(HANDLES)]
        steps = data[5:]
        return [
            self._step(step, vm, handles, steps[STEP * i + 1 : STEP * i + 5])
            for i, step in enumerate(self.idioms[which].steps)
            if steps[STEP * i] >= LEFT_OUT
        ]

    def _step(
        self, step: Step, vm: int, handles: list[int], data: bytes
    ) -> Record:
        row = ops.table()[step.op]
        a, b, c = (
            _wanted(row.operands[i], want, n, handles, data[2 * (i % 2) :])
            for i, (want, n) in enumerate(step.operands)
        )
        if step.who is Part.OTHER:
            vm = (vm + 1) % self.vms
        elif step.who is Part.CHILD:
            vm = self.vms % PLACES
        elif step.who is Part.SECOND:
            vm |= 1 << 2
        actor = vm | (0 if step.who is Part.USER else 16)
        return Record(step.op, actor, _root_slot(row, (a, b, c)))


def _wanted(
    kind: str, want: Wanted, number: int, handles: list[int], data: bytes
) -> int:
    if not kind:
        return 0
    if want is Wanted.LITERAL:
        return number
    if want is Wanted.ANY:
        return chosen_operand(kind, data[0], data[1])
    if want is Wanted.EDGE:
        return operand(Form.EDGE, data[1] & 31)
    if want is Wanted.BOARD:
        return operand(Form.EDGE, _register(data[0], data[1]))
    handle = handles[number & 3] << (5 if kind in ADDRESSES else 0)
    return operand(Form.LIVE if want is Wanted.LIVE else Form.STALE, handle)


@lru_cache(maxsize=1 << 12)
def taste(
    features: int, vms: int, last: int = 256, *, builds: bool = False
) -> Taste:
    """Return a taste, whose tables are kept."""
    return Taste(features, vms, last, builds)


def chosen_taste(data: bytes) -> Taste:
    """Return what the programs of a family have in common.

    All features in a quarter of them, else each by a coin ("swarm testing",
    A. Groce and others, ISSTA 2012); two VMs, mostly.

    :param data: :data:`COMMON` bytes.
    """
    features, vms = DEFAULT_FEATURES, 2
    if data[0] >= 64:
        features = (data[0] << 8 | data[1]) & DEFAULT_FEATURES | 1
    if data[2] < 13:
        vms = 1
    elif data[2] >= 230:
        vms = 3 + (data[2] & 1)
    return taste(features, vms, (256, 160, 160, 80)[data[3] >> 6])


def chosen_world(data: bytes, vms: int) -> tuple[int, int, int]:
    """Return flags, world and seed of a program.

    :param data: :data:`WORLD` bytes.
    """
    flags, names = 0, ops.flags()
    if data[0] >= 204:  # one second run at most: each doubles the work
        flags = names["twin"] | (names["strict"] if data[0] >= 240 else 0)
    elif data[0] >= 180:
        flags = names["fill"]
    if data[1] >= 166:
        flags |= names["unfenced"]
    world = (data[2] << 8 | data[3]) & 0xFFFC | vms - 1
    return flags, world, data[4] & 31
