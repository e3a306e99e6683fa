"""Trees: hashing and the two proofs (spec/merkle.md)."""

import base64
import hashlib
import re

from forms import check, need

LARGEST = 2**48
EMPTY_ROOT = hashlib.sha256(b"").digest()
_NUMBER = re.compile(r"0|[1-9][0-9]*", re.ASCII)
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", re.ASCII)


def leaf(entry: bytes) -> bytes:
    """Rule 1."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node(left: bytes, right: bytes) -> bytes:
    """Rule 1."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaves: list[bytes]) -> bytes:
    """Rule 2."""
    if len(leaves) < 2:
        return leaves[0] if leaves else EMPTY_ROOT
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return node(root(leaves[:k]), root(leaves[k:]))


def padded(text: str) -> bytes:
    """Rule 3."""
    need(_BASE64.fullmatch(text) is not None)
    data = base64.b64decode(text)
    need(base64.b64encode(data).decode("ascii") == text)  # unused bits that are not zero
    return data


def hash_of(text: str) -> bytes:
    """Rule 3: a hash."""
    need(len(text) == 44)
    data = padded(text)
    need(len(data) == 32)
    return data


def number(text: str) -> int:
    """Rule 4."""
    need(_NUMBER.fullmatch(text) is not None and len(text) <= 20 and int(text) < 2**64)
    return int(text)


def _shape(index: int, size: int) -> list[str]:
    """On which side the siblings of a path stand, from the leaf up (rule 6, by rule 2)."""
    sides = []
    while size > 1:
        k = 1 << (size - 1).bit_length() - 1
        if index < k:
            sides.append("right")
            size = k
        else:
            sides.append("left")
            index, size = index - k, size - k
    return sides[::-1]


def check_inclusion(entry: bytes, index: int, size: int, path: list[bytes], expected: bytes) -> None:
    """Rules 5 and 6; `entry` is its leaf hash."""
    check(size <= LARGEST, "tree-too-large")
    check(index < size, "outside-tree")
    sides = _shape(index, size)
    check(len(sides) == len(path), "proof-length")
    result = entry
    for side, sibling in zip(sides, path):
        result = node(result, sibling) if side == "right" else node(sibling, result)
    check(result == expected, "wrong-root")


def _roots(old: int, size: int, path: list[bytes], whole: bytes | None) -> tuple[bytes, bytes]:
    """Both roots that a proof from `old` to `size` leads to: PROOF of RFC 6962 read from its end. `whole` is the old root where the
    subtree looked at is the whole old tree, which is then no part of the proof."""
    if old == size:
        known = whole if whole is not None else _pop(path)
        return known, known
    k = 1 << (size - 1).bit_length() - 1
    other = _pop(path)
    if old <= k:
        left_old, left_new = _roots(old, k, path, whole)
        return left_old, node(left_new, other)
    right_old, right_new = _roots(old - k, size - k, path, None)
    return node(other, right_old), node(other, right_new)


def _pop(path: list[bytes]) -> bytes:
    check(bool(path), "proof-length")
    return path.pop()


def check_consistency(old: int, old_root: bytes, size: int, new_root: bytes, path: list[bytes]) -> None:
    """Rules 5 and 8 to 10."""
    check(size <= LARGEST, "tree-too-large")
    check(old <= size, "outside-tree")
    if old == 0 or old == size:
        check(not path, "proof-length")
        check(old != 0 or old_root == EMPTY_ROOT, "wrong-root")
        check(old != size or old_root == new_root, "wrong-root")
        return
    left = list(path)
    roots = _roots(old, size, left, old_root)
    check(not left, "proof-length")
    check(roots == (old_root, new_root), "wrong-root")


def hashes(lines: list[str]) -> list[bytes]:
    return [hash_of(line) for line in lines]
