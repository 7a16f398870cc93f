"""Packets: any bytes have an answer, and what is sent is what arrives."""

from hypothesis import given
from hypothesis import strategies as st

from hv.gdb.packet import (
    LONGEST,
    Ack,
    Bad,
    Decoder,
    Interrupt,
    Packet,
    checksum,
    encode,
)

payloads = st.binary(max_size=80)
# What may be on a line: whole packets, their parts, and noise.
lines = st.lists(
    st.one_of(
        payloads,
        payloads.map(encode),
        st.sampled_from(
            [b"$", b"#", b"}", b"+", b"-", b"\x03", b"$#00", b"$}#7d", b"#zz"]
        ),
    ),
    max_size=12,
).map(b"".join)


@given(payloads)
def test_what_is_sent_arrives(payload: bytes) -> None:
    assert Decoder().feed(encode(payload)) == [Packet(payload)]


@given(payloads)
def test_a_packet_holds_no_byte_that_ends_it(payload: bytes) -> None:
    body = encode(payload)[1:-3]
    assert not set(body) & set(b"$#*")


@given(lines)
def test_any_bytes_have_an_answer(data: bytes) -> None:
    for event in Decoder().feed(data):
        assert isinstance(event, Packet | Bad | Ack | Interrupt)


@given(lines, st.data())
def test_it_does_not_matter_how_bytes_are_cut(
    data: bytes, draw: st.DataObject
) -> None:
    decoder, events, left = Decoder(), [], data
    while left:
        size = draw.draw(st.integers(1, len(left)))
        events += decoder.feed(left[:size])
        left = left[size:]
    assert events == Decoder().feed(data)


@given(lines, payloads)
def test_after_any_noise_the_next_packet_arrives(
    noise: bytes, payload: bytes
) -> None:
    assert Decoder().feed(noise + encode(payload))[-1] == Packet(payload)


@given(payloads, st.integers(1, 255), st.data())
def test_a_flipped_byte_is_not_believed(
    payload: bytes, flip: int, draw: st.DataObject
) -> None:
    """One wrong byte is noticed; a sum can tell no more than that."""
    sent = bytearray(encode(payload))
    at = draw.draw(st.integers(1, len(sent) - 1))
    sent[at] ^= flip
    events = Decoder().feed(bytes(sent))
    if sent.lower() != encode(payload).lower():  # 9A and 9a are one
        assert Packet(payload) not in events


def test_a_packet_without_end_is_forgotten() -> None:
    decoder = Decoder()
    events = decoder.feed(b"$" + b"a" * (3 * LONGEST))
    assert events == [Bad(f"longer than {LONGEST} bytes")]
    longest = b"a" * LONGEST
    assert decoder.feed(encode(longest)) == [Packet(longest)]


def test_the_sum_is_that_of_what_was_sent() -> None:
    assert checksum(b"}\x03") == b"80"
    assert Decoder().feed(b"$}\x03#80") == [Packet(b"#")]
