"""Print what pyproject.toml asks for: its dependencies and named extras.

``make`` installs these lists by themselves, so that asking for the test tools
does not build the package again.
"""

import sys
import tomllib
from pathlib import Path


def main(names: list[str]) -> None:
    """Print one requirement per line.

    :param names: ``build``, ``run``, or the name of an extra.
    :raises KeyError: no extra has this name.
    """
    text = Path("pyproject.toml").read_text(encoding="utf-8")
    config = tomllib.loads(text)
    lists = {
        "build": config["build-system"]["requires"],
        "run": config["project"]["dependencies"],
        **config["project"]["optional-dependencies"],
    }
    for name in names:
        print(*lists[name], sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
