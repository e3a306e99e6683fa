"""Ed25519 keys: form, enrolment, thumbprint, strict verification (spec/jwk.md); P-256 keys of platforms (spec/platform.md).

The curve arithmetic is for the checks that the library does not make; the equation itself (rule 11) is OpenSSL's, which is cofactorless.
Points are (X, Y, Z, T) in extended coordinates, x = X/Z, y = Y/Z, xy = T/Z.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from forms import b64_decode, b64_encode, members, need, sha256

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)
Point = tuple[int, int, int, int]
IDENTITY: Point = (0, 1, 1, 0)


def _add(a: Point, b: Point) -> Point:
    # RFC 8032, section 5.1.4; complete, so it doubles too.
    s, t = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    u, v = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = t - s, v - u, v + u, t + s
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(scalar: int, point: Point) -> Point:
    result = IDENTITY
    while scalar:
        if scalar & 1:
            result = _add(result, point)
        point = _add(point, point)
        scalar >>= 1
    return result


def _is_identity(point: Point) -> bool:
    return point[0] % P == 0 and (point[1] - point[2]) % P == 0


def _decode(data: bytes) -> Point | None:
    """RFC 8032, section 5.1.3, but without its refusal of y >= p and of a sign with x = 0, which is rule 7."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, (number & (2**255 - 1)) % P
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P == -u % P:
        x = x * SQRT_M1 % P
    if v * x * x % P != u:
        return None
    if x & 1 != sign:
        x = -x % P
    return x, y, 1, x * y % P


def _encode(point: Point) -> bytes:
    inverse = pow(point[2], -1, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


@lru_cache(maxsize=None)
def _enrol(x: bytes) -> bool:
    point = _decode(x)
    return (
        point is not None  # rule 5
        and not _is_identity(_times(8, point))  # rule 6
        and _encode(point) == x  # rule 7
        and _is_identity(_times(L, point))  # rule 8
    )


@dataclass(frozen=True)
class Key:
    x: bytes

    @property
    def thumbprint(self) -> str:
        """Rule 3."""
        return sha256(b'{"crv":"Ed25519","kty":"OKP","x":"%s"}' % b64_encode(self.x).encode())

    @property
    def issuer(self) -> str:
        """Rule 4."""
        return "urn:ietf:params:oauth:jwk-thumbprint:sha-256:" + self.thumbprint

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Rules 9 to 11. The key is enrolled."""
        if len(signature) != 64 or int.from_bytes(signature[32:], "little") >= L:
            return False
        r = _decode(signature[:32])
        if r is None or _is_identity(_times(8, r)):
            return False
        try:
            Ed25519PublicKey.from_public_bytes(self.x).verify(signature, message)
        except InvalidSignature:
            return False
        return True


def read_key(value: Any) -> Key:
    """A JWK that passes enrolment (rules 1, 2, 5 to 8)."""
    members(value, ("crv", "kty", "x"))
    need(value["crv"] == "Ed25519" and value["kty"] == "OKP")
    return enrol(b64_decode(value["x"], 32))


def enrol(x: bytes) -> Key:
    """32 bytes that pass enrolment (rules 5 to 8)."""
    need(_enrol(x))
    return Key(x)


@dataclass(frozen=True)
class PlatformKey:
    """platform.md, rules 12 to 14. The equation is OpenSSL's, which takes either of s and n - s."""

    x: bytes
    y: bytes

    @property
    def thumbprint(self) -> str:
        return sha256(b'{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}' % (b64_encode(self.x).encode(), b64_encode(self.y).encode()))

    def verifies(self, signature: bytes, message: bytes) -> bool:
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        try:
            self._point().verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True

    def _point(self) -> ec.EllipticCurvePublicKey:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + self.x + self.y)


def read_platform_key(value: Any) -> PlatformKey:
    """A JWK of a point of the curve (platform.md, rule 12)."""
    members(value, ("crv", "kty", "x", "y"))
    need(value["crv"] == "P-256" and value["kty"] == "EC")
    key = PlatformKey(b64_decode(value["x"], 32), b64_decode(value["y"], 32))
    try:
        key._point()
    except ValueError:
        need(False)
    return key
