"""Tables for people: plain text, aligned, nothing that a pipe would garble."""

from collections.abc import Sequence


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Sequence[int] | None = None,
) -> str:
    """Return aligned text.

    :param right: the columns that are numbers; default all but the first.

    >>> print(table(("name", "insns"), [("a", "5"), ("bc", "12")]))
    name  insns
    a         5
    bc       12
    """
    numbers = range(1, len(head)) if right is None else right
    lines = [head, *rows] if any(head) else list(rows)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if i in numbers else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def count(value: int) -> str:
    """Return a number with its digits in groups.

    >>> count(1234567)
    '1,234,567'
    """
    return f"{value:,}"
