"""What packets are written with: answers, and hexadecimal numbers and bytes."""

from hv.facts import U32

MALFORMED, FAULT, REFUSED, FULL = b"E01", b"E0e", b"E16", b"E1c"
NOT_HERE = b""
OK = b"OK"


class MalformedError(Exception):
    """A packet that says nothing."""


def number(text: bytes) -> int:
    """Return a number, which has no sign.

    :raises MalformedError: it is none.
    """
    if not text or not set(text) <= set(b"0123456789abcdefABCDEF"):
        raise MalformedError
    return int(text, 16)


def word(text: bytes) -> int:
    """Return a number of 32 bits.

    :raises MalformedError: it is none.
    """
    value = number(text)
    if value > U32:
        raise MalformedError
    return value


def span(text: bytes) -> tuple[int, int]:
    """Return an address and a size, or an offset and one.

    :raises MalformedError: they are no numbers of 32 bits.
    """
    address, _, size = text.partition(b",")
    return word(address), word(size)


def raw(text: bytes) -> bytes:
    """Return bytes, of two digits each.

    :raises MalformedError: they are none.
    """
    try:
        return bytes.fromhex(text.decode("ascii"))
    except ValueError:
        raise MalformedError from None


def nothing(rest: bytes) -> None:
    """Let nothing come after the command.

    :raises MalformedError: something does.
    """
    if rest:
        raise MalformedError
