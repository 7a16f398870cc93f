"""Several guests in one terminal: their lines, each with its guest's name.

On a terminal, below the lines stands a table that is kept up to date; in a file
or a pipe there are only lines.
"""

import re
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.console import RenderableType

    from hv.vm import VM

COLOURS = ("green", "cyan", "red", "yellow", "magenta", "blue")


class View(AbstractContextManager["View"]):
    """Show consoles line by line, each line with its VM's name."""

    def __init__(self, vms: "Sequence[VM]") -> None:
        self._vms = vms
        self._width = max((8, *(len(vm.name) for vm in vms)))
        self._partial = dict.fromkeys((vm.name for vm in vms), b"")

    def __exit__(self, *_: object) -> None:
        """Show the last lines that have no end."""
        for i, vm in enumerate(self._vms):
            if self._partial[vm.name]:
                self._line(i, vm.name, self._partial[vm.name])

    def update(self) -> None:
        """Show what the guests have written since the last time."""
        for i, vm in enumerate(self._vms):
            text = self._partial[vm.name] + vm.console.clean()
            *lines, self._partial[vm.name] = text.split(b"\n")
            for line in lines:
                self._line(i, vm.name, line)

    def event(self, text: str) -> None:
        """Show what the hypervisor has to say."""
        print(f"{'hv':>{self._width}} * {text}", flush=True)

    def _line(self, _index: int, name: str, line: bytes) -> None:
        print(f"{name:>{self._width}} | {printable(line)}", flush=True)


class Plain(View):
    """Lines only, for a file or a pipe."""

    def __enter__(self) -> Self:
        """Return itself."""
        return self


class Screen(View):
    """Lines in colour, and below them a table that is kept up to date.

    :param top: makes the table.
    """

    def __init__(
        self, vms: "Sequence[VM]", top: "Callable[[], RenderableType]"
    ) -> None:
        from rich.live import Live  # noqa: PLC0415 -- slow

        super().__init__(vms)
        self._top = top
        self._live: Live = Live(top(), auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        """Start to draw."""
        self._live.start()
        return self

    def __exit__(self, *raised: object) -> None:
        """Leave the terminal as it was."""
        super().__exit__(*raised)
        self._live.stop()
        self._live.console.print(self._top())

    def update(self) -> None:
        """Show new lines and new figures."""
        super().update()
        self._live.update(self._top(), refresh=True)

    def event(self, text: str) -> None:
        """Show what the hypervisor has to say, in bold."""
        self._print(f"{'hv':>{self._width}} * {text}", "bold")

    def _line(self, index: int, name: str, line: bytes) -> None:
        colour = COLOURS[index % len(COLOURS)]
        self._print(f"{name:>{self._width}} | {printable(line)}", colour)

    def _print(self, text: str, style: str) -> None:
        self._live.console.print(
            text, style=style, markup=False, highlight=False
        )


def screen(vms: "Sequence[VM]", top: "Callable[[], RenderableType]") -> View:
    """Return what fits where the output goes."""
    return Screen(vms, top) if sys.stdout.isatty() else Plain(vms)


def printable(line: bytes) -> str:
    """Return a guest's line without what would steer the terminal.

    >>> printable(bytes([27]) + b"[2Jhello")
    '?[2Jhello'
    """
    text = line.decode(errors="replace").rstrip("\r")
    return re.sub(r"[^\x20-\x7e\xa0-\U0010ffff]", "?", text)
