"""What is to be closed, and is at the end of a ``with``."""

from abc import ABC, abstractmethod
from typing import Self


class Closing(ABC):
    """Something that holds memory outside of Python: use it in a ``with``."""

    @abstractmethod
    def close(self) -> None:
        """Give it back now."""

    def __enter__(self) -> Self:
        """Return itself; :meth:`close` is called at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()
