"""The bugs of planted.toml: what the generator must find in little time."""

from dataclasses import dataclass
from pathlib import Path

from tests.equivalence.core import Planted, build


@dataclass(frozen=True, kw_only=True)
class Bug(Planted):
    """One record.

    :param properties: what it may break first.
    :param strategies: which must find it within so many programs.
    """

    precedent: str
    property: str
    reason: str
    properties: list[str]
    strategies: dict[str, int]

    def build(self) -> str:
        """Build the core that has this bug; return its library."""
        return str(build(self.files()))


BUGS = Bug.read(Path(__file__).with_name("planted.toml"))
