"""Sizes, as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hv
from hv.units import format_size, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("16MiB", 16 << 20),
        ("64M", 64 << 20),
        ("64mb", 64 << 20),
        ("1 GiB", 1 << 30),
        ("4k", 4096),
        ("4096", 4096),
        ("4096B", 4096),
        (" 8 KiB ", 8192),
        (0, 0),
        (4096, 4096),
    ],
)
def test_sizes(text: str | int, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    ["", "MiB", "-1", "1.5M", "16 MiB MiB", "0x1000", "1T", "iB", "٤",
     "1" * 30, -1, None, 1.5, True, b"16M", "1\n2"],
)  # fmt: skip
def test_no_sizes(text: str) -> None:
    with pytest.raises(hv.UsageError):
        parse_size(text)


@given(st.integers(0, 1 << 40))
def test_a_formatted_size_is_read_back(size: int) -> None:
    assert parse_size(format_size(size)) == size


@given(st.text())
def test_any_text_is_a_size_or_a_usage_error(text: str) -> None:
    try:
        assert parse_size(text) >= 0
    except hv.UsageError as error:
        assert repr(text) in str(error)  # noqa: PT017
