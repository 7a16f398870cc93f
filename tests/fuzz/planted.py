"""The bugs of planted.toml: what the generator must find in little time."""

from dataclasses import dataclass
from pathlib import Path

from tests.equivalence.core import build, planted, records


@dataclass(frozen=True, kw_only=True)
class Bug:
    """One record.

    :param properties: what it may break first.
    :param strategies: which must find it within so many programs.
    """

    name: str
    file: str
    text: str
    instead: str
    precedent: str
    property: str
    reason: str
    properties: list[str]
    strategies: dict[str, int]

    def build(self) -> str:
        """Build the core that has this bug; return its library."""
        return str(
            build(planted(self.name, self.file, self.text, self.instead))
        )


_FILE = Path(__file__).parent / "planted.toml"
BUGS = [Bug(**record) for record in records(_FILE)]
