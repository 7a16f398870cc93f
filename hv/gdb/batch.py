"""Packets that are lines of text, for people: ``hv gdb --batch``."""

from collections.abc import Iterator

from hv.gdb.session import Session
from hv.gdb.words import OK


def lines(session: Session, packets: Iterator[str]) -> Iterator[str]:
    """Answer each packet; ``#`` begins a comment.

    What the client would print is printed, and not as it is sent.
    """
    for line in packets:
        payload = line.rstrip("\n").encode()
        if not payload or payload.startswith(b"#"):
            continue
        yield f"-> {line.strip()}"
        for answer in session.answer(payload):
            if answer[:1] == b"O" and answer != OK:
                yield bytes.fromhex(answer[1:].decode()).decode().rstrip("\n")
            else:
                yield f"<- {answer.decode('latin-1')}"
        if session.left:
            return
