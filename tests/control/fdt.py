"""Read a flattened device tree: the specification again, independently."""

import struct
from dataclasses import dataclass, field


@dataclass
class Node:
    """Properties as bytes, and children by name."""

    props: dict[str, bytes] = field(default_factory=dict)
    children: dict[str, "Node"] = field(default_factory=dict)

    def at(self, path: str) -> "Node":
        node = self
        for name in filter(None, path.split("/")):
            node = node.children[name]
        return node

    def cells(self, name: str) -> list[int]:
        data = self.props[name]
        assert len(data) % 4 == 0
        return list(struct.unpack(f">{len(data) // 4}I", data))

    def strings(self, name: str) -> list[str]:
        data = self.props[name]
        assert data.endswith(b"\0")
        return data[:-1].decode().split("\0")


def parse(blob: bytes) -> Node:
    """Return the root; assert all that a strict reader would."""
    (magic, total, at_struct, at_strings, at_rsv, version, compatible, _,
     size_strings, size_struct) = struct.unpack_from(">10I", blob)  # fmt: skip
    assert magic == 0xD00DFEED
    assert total == len(blob)
    assert (version, compatible) == (17, 16)
    assert at_rsv % 8 == 0
    assert blob[at_rsv : at_rsv + 16] == bytes(16)
    assert at_struct % 4 == 0
    names = blob[at_strings : at_strings + size_strings]
    end = at_struct + size_struct
    root, at = _node(blob, at_struct, names)
    assert struct.unpack_from(">I", blob, at) == (9,)
    assert at + 4 == end
    return root


def _node(blob: bytes, at: int, names: bytes) -> tuple[Node, int]:
    assert struct.unpack_from(">I", blob, at) == (1,)
    at = (blob.index(b"\0", at + 4) + 1 + 3) & ~3
    node = Node()
    while True:
        (token,) = struct.unpack_from(">I", blob, at)
        if token == 3:
            assert not node.children, "properties come before children"
            size, where = struct.unpack_from(">II", blob, at + 4)
            name = names[where : names.index(b"\0", where)].decode()
            assert name not in node.props
            node.props[name] = blob[at + 12 : at + 12 + size]
            at = (at + 12 + size + 3) & ~3
        elif token == 1:
            name = blob[at + 4 : blob.index(b"\0", at + 4)].decode()
            assert name not in node.children
            node.children[name], at = _node(blob, at, names)
        else:
            assert token == 2
            return node, at + 4
