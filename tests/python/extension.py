"""Our extension, as client and server declare it (spec/extension.md)."""

from typing import Any

from forms import FormError, array, name, need
from strict_json import canonical, read

EXTENSION = "io.github.agent-attest/proof"
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
VERSION = "io.modelcontextprotocol/protocolVersion"
PLACES = {"legacy": "experimental", "modern": "extensions"}


def at(value: Any, *path: str) -> Any:
    """The member at this path; None where there is none, or something on the way is no object."""
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def era(request: Any) -> str:
    """Rules 1 and 2: legacy, modern, or declared (modern, and it declares the extension)."""
    meta = at(request, "params", "_meta")
    if not isinstance(at(meta, VERSION), str):
        return "legacy"
    return "declared" if isinstance(at(meta, CAPABILITIES, PLACES["modern"], EXTENSION), dict) else "modern"


def _put(capabilities: Any, place: str, settings: dict[str, Any]) -> bool:
    """Rules 3, 4 and 7. Says whether something changed."""
    if not isinstance(capabilities, dict) or not isinstance(capabilities.get(place, {}), dict):
        return False
    there = capabilities.get(place, {})
    if EXTENSION in there and canonical(there[EXTENSION]) == canonical(settings):  # True is 1.0 to Python
        return False
    capabilities.setdefault(place, {})[EXTENSION] = settings
    return True


def _take(capabilities: Any, place: str) -> bool:
    """Rules 7 and 10. Says whether something changed."""
    extensions = at(capabilities, place)
    if not isinstance(extensions, dict) or EXTENSION not in extensions:
        return False
    del extensions[EXTENSION]
    if not extensions:
        del capabilities[place]
    return True


def declare(text: bytes, where: str) -> bytes | None:
    """Rules 3 and 4. None: it passes as it came."""
    message = read(text)
    if where == "initialize":
        changed = at(message, "method") == "initialize" and _put(at(message, "params", "capabilities"), PLACES["legacy"], {})
    else:
        changed = _put(at(message, "params", "_meta", CAPABILITIES), PLACES["modern"], {})
    return canonical(message) if changed else None


def offer(text: bytes, era_of_answer: str, settings: dict[str, Any]) -> bytes | None:
    """Rule 7."""
    message = read(text)
    capabilities = at(message, "result", "capabilities")
    here, other = PLACES[era_of_answer], PLACES["modern" if era_of_answer == "legacy" else "legacy"]
    taken = _take(capabilities, other)
    return canonical(message) if _put(capabilities, here, settings) or taken else None


def offered(text: bytes, era_of_answer: str) -> bytes | None:
    """Rules 8 and 9: the settings as understood."""
    settings = at(read(text), "result", "capabilities", PLACES[era_of_answer], EXTENSION)
    try:
        need(isinstance(settings, dict))
        cache = settings.get("cache", False)
        need(isinstance(cache, bool))
        methods = {name(method) for method in array(settings.get("methods", []))} - {"tools/call"}
    except FormError:
        return None
    return canonical({"cache": cache, "methods": sorted(methods, key=lambda method: method.encode())})


def withhold(text: bytes) -> bytes | None:
    """Rule 10."""
    message = read(text)
    capabilities = at(message, "result", "capabilities")
    taken = [_take(capabilities, place) for place in PLACES.values()]
    return canonical(message) if any(taken) else None
