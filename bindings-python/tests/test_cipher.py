"""Ciphers that are written in Python seal what is sensitive, and nothing opens elsewhere."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import secrets
from pathlib import Path
from typing import Any

import pytest
from conftest import Cloud, buckets, engine_of

from stackwright import BugError, DeniedError, Engine, StackwrightError
from stackwright.cipher import Place, Sealed

URL = {"output": {"token": {"value": "${acme_bucket.assets.token}", "sensitive": True}}, **buckets("assets")}


class Stream:
    """SHA-256 as a key stream, and HMAC over all of it."""

    def __init__(self, key: bytes = b"k" * 32) -> None:
        self.key = key
        self.places: list[Place] = []

    def _mix(self, nonce: bytes, text: bytes) -> bytes:
        blocks = (hashlib.sha256(self.key + nonce + bytes([idx])).digest() for idx in range(len(text) // 32 + 1))
        return bytes(a ^ b for a, b in zip(text, b"".join(blocks)))

    def _tag(self, place: Place, rest: bytes) -> bytes:
        return hmac.digest(self.key, place.authenticated + rest, "sha256")

    def seal(self, place: Place, plain: bytes) -> Sealed:
        self.places.append(place)
        nonce = secrets.token_bytes(16)
        rest = nonce + self._mix(nonce, plain)
        return Sealed("first", self._tag(place, rest) + rest)

    def open(self, place: Place, sealed: Sealed) -> bytes:
        tag, rest = sealed.bytes[:32], sealed.bytes[32:]
        if sealed.key != "first" or not hmac.compare_digest(tag, self._tag(place, rest)):
            raise DeniedError("it was changed, or sealed elsewhere", code="cipher.open_failed")
        return self._mix(rest[:16], rest[16:])


async def revealed(path: Path, cloud: Cloud, cipher: Any) -> Any:
    async with engine_of(cloud, store=path, cipher=cipher) as engine:
        return (await engine.stack("a/b").outputs(reveal=True))["token"]


async def apply(path: Path, cloud: Cloud, cipher: Any) -> None:
    async with engine_of(cloud, store=path, cipher=cipher) as engine:
        await (await (await engine.stack("a/b").plan(URL)).apply())


async def test_it_seals_and_opens(tmp_path: Path, cloud: Cloud) -> None:
    cipher = Stream()
    await apply(tmp_path / "state.db", cloud, cipher)
    assert await revealed(tmp_path / "state.db", cloud, Stream()) == "hunter2-assets"
    for part in ("state.db", "state.db-wal"):
        # SQLite's thread may be putting the log away right now.
        with contextlib.suppress(FileNotFoundError):
            assert b"hunter2" not in (tmp_path / part).read_bytes()
    assert {place.stack for place in cipher.places} == {"a/b"}
    assert any(place.kind == "row" and "token" in place.path for place in cipher.places)
    # Each place is authenticated, all of it.
    assert len({place.authenticated for place in cipher.places}) == len(set(cipher.places)) > 1
    assert all(place.path.encode() in place.authenticated and place.id.encode() in place.authenticated for place in cipher.places)
    # A key file is made for nobody.
    assert not (tmp_path / "state.db.key").exists()


async def test_another_key_opens_nothing(tmp_path: Path, cloud: Cloud) -> None:
    await apply(tmp_path / "state.db", cloud, Stream())
    with pytest.raises(DeniedError) as found:
        await revealed(tmp_path / "state.db", cloud, Stream(b"x" * 32))
    assert (found.value.code, found.value.message) == ("cipher.open_failed", "it was changed, or sealed elsewhere")
    assert isinstance(found.value.__cause__, DeniedError)


async def test_what_it_raises_comes_back(tmp_path: Path, cloud: Cloud) -> None:
    mine = OSError("the key is in drawer 7")

    class Locked(Stream):
        def open(self, place: Place, sealed: Sealed) -> bytes:
            raise mine

    await apply(tmp_path / "state.db", cloud, Stream())
    with pytest.raises(BugError, match="OSError") as found:
        await revealed(tmp_path / "state.db", cloud, Locked())
    assert (found.value.code, found.value.__cause__) == ("host.failed", mine)
    assert "drawer" not in str(found.value)


@pytest.mark.parametrize("answer", [None, "text", ("key", b"bytes"), Sealed("key", "text")])  # type: ignore[arg-type]
async def test_other_shapes_are_refused(tmp_path: Path, cloud: Cloud, answer: Any) -> None:
    class Odd(Stream):
        def seal(self, place: Place, plain: bytes) -> Sealed:
            return answer

    with pytest.raises(StackwrightError) as found:
        await apply(tmp_path / "state.db", cloud, Odd())
    assert found.value.code == "host.reply" and "hunter2" not in str(found.value)


def test_what_is_no_cipher_is_refused() -> None:
    class Late(Stream):
        async def seal(self, place: Place, plain: bytes) -> Sealed:  # type: ignore[override]
            return Stream.seal(self, place, plain)

    with pytest.raises(TypeError, match="fetch a data key before"):
        Engine(cipher=Late())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="object is no cipher: it has no `seal`"):
        Engine(cipher=object())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="either `key` or `cipher`"):
        Engine(cipher=Stream(), key="ab" * 32)
