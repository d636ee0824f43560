"""Ciphers that are written in Python: what keeps sensitive values secret in a store.

.. code-block:: python

    class MyCipher:
        def seal(self, place, plain): return Sealed("2026-01", encrypt(plain, place.authenticated))
        def open(self, place, sealed): return decrypt(sealed.bytes, place.authenticated)

    Engine("sqlite:///state.db", cipher=MyCipher())

Both methods are plain functions: the engine calls them for every sensitive value while it writes or reads a record, on threads of
its own, and waits. Where keys live in a service, fetch a data key before the engine is opened and seal with that.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Cipher", "Place", "Sealed"]


@dataclass(frozen=True)
class Place:
    """Where a sealed value stands."""

    stack: str
    """The stack, as `tenant/name`."""
    kind: str
    """The kind of record, such as `row`."""
    id: str
    """Which record of that kind, such as an object id."""
    field: str
    """The field in the record, such as `attributes`."""
    path: str
    """The path in the field; empty where the whole field is sealed."""
    authenticated: bytes
    """All of that as bytes, to be authenticated with the value, so that it opens nowhere else."""


@dataclass(frozen=True)
class Sealed:
    """Sealed bytes, and which key opens them."""

    key: str
    """The name of the key; stored in the open."""
    bytes: bytes
    """What the cipher made. `repr` shows it: it is no secret."""


class Cipher(Protocol):
    """Seals what must not be read in a store, and opens it again. Called from several threads at once."""

    def seal(self, place: Place, plain: bytes) -> Sealed:
        """Seals, so that it opens at this place only.

        :raises UnavailableError: where the key is not to be had; say `cipher.key_unavailable`.
        """
        ...

    def open(self, place: Place, sealed: Sealed) -> bytes:
        """Opens what `seal` made at the same place.

        :raises DeniedError: for another key, another place, or bytes that were changed; say `cipher.open_failed`.
        """
        ...


def check(cipher: Cipher) -> Cipher:
    """Refuses what is no cipher, with what to do."""
    for name in ("seal", "open"):
        method: Callable[..., object] | None = getattr(cipher, name, None)
        if not callable(method):
            raise TypeError(f"{type(cipher).__name__} is no cipher: it has no `{name}`")
        if inspect.iscoroutinefunction(method):
            raise TypeError(
                f"{type(cipher).__name__}.{name} is a plain function, not `async def`: the engine waits for it while it writes "
                "a record; fetch a data key before the engine is opened, and seal with that"
            )
    return cipher
