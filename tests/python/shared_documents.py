"""Documents that verifiers share (spec/shared-document.md)."""

import re

from forms import Refused, digest, members, name, need, sha256, text, whole
from keys import Key
from tokens import Token, read_token

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class SharedDocument(Token):
    typ = "mcp-shared-document+jwt"

    def claims(self) -> None:
        claims = members(self.payload, ("aud", "digest", "name", "version"))
        self.audience, self.digest = name(claims["aud"]), digest(claims["digest"])
        self.name, self.version = text(claims["name"]), whole(claims["version"])
        need(_NAME.fullmatch(self.name) is not None)


def open_document(stored: bytes, key: Key, audience: str, document: str) -> bytes:
    """Rule 3."""
    line, separator, data = stored.partition(b"\n")
    if not separator:
        raise Refused("bad-token")
    try:
        said = read_token(SharedDocument, line.decode("ascii"), "")
    except (Refused, UnicodeDecodeError):
        raise Refused("bad-token") from None
    for holds, reason in (
        (said.verifies(key), "bad-signature"),
        (said.audience == audience, "other-audience"),
        (said.name == document, "other-name"),
        (said.digest == sha256(data), "other-bytes"),
    ):
        if not holds:
            raise Refused(reason)
    return data
