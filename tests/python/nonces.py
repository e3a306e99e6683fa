"""Nonces (spec/nonce.md)."""

import hmac
from typing import Any

from forms import b64_decode

LIFE = 60


def judge(body: dict[str, Any], now: int) -> str:
    """Rules 4 and 5, in the words of vectors/README.md."""
    nonce = b64_decode(body["nonce"], 32)
    message = b"attest nonce 1\0" + nonce[:8] + body["key"].encode() + body["audience"].encode("utf-8")
    secrets = (b64_decode(body[name], 32) for name in ("secret", "before"))
    if not any(hmac.compare_digest(hmac.digest(secret, message, "sha256")[:24], nonce[8:]) for secret in secrets):
        return "not-ours"
    age = now - int.from_bytes(nonce[:8], "big")
    return "good" if 0 <= age < LIFE else "stale"
