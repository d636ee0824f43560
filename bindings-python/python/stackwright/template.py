"""Templates: from files, from texts, from Python data, or built block by block with references."""

from __future__ import annotations

import keyword
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from . import _json

__all__ = ["Expression", "Template", "expression", "literal"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")
_META = ("count", "for_each", "depends_on", "provider", "lifecycle")


class Expression:
    """Something that is only known when the template is evaluated, such as `vpc.id`.

    Attributes and items of it are expressions too. It can stand wherever a value can, and in texts:
    `f"http://{server.ip}:80"`.
    """

    __slots__ = ("_text",)

    _text: str

    def __init__(self, text: str) -> None:
        object.__setattr__(self, "_text", text)

    def __getattr__(self, name: str) -> Expression:
        if name.startswith("__"):
            raise AttributeError(name)
        # `from_` and the like: names that Python keeps for itself.
        plain = name[:-1] if name.endswith("_") and keyword.iskeyword(name[:-1]) else name
        return Expression(f"{self._text}.{plain}")

    def __getitem__(self, key: int | str | Expression) -> Expression:
        inner = key._text if isinstance(key, Expression) else _json.dumps(key)
        return Expression(f"{self._text}[{inner}]")

    @property
    def each(self) -> Expression:
        """The same of every instance: `hosts.each.ip` is `acme_host.hosts[*].ip`."""
        return Expression(f"{self._text}[*]")

    def __stackwright__(self) -> object:
        return f"${{{self._text}}}"

    def __str__(self) -> str:
        return f"${{{self._text}}}"

    def __format__(self, spec: str) -> str:
        if spec:
            raise ValueError("an expression is not known yet, so it cannot be formatted: use `format(…)` in the template")
        return str(self)

    def __repr__(self) -> str:
        return f"<Expression {self._text}>"

    def __bool__(self) -> bool:
        raise TypeError("an expression is not known yet, so Python cannot decide on it")

    def __iter__(self) -> Any:
        raise TypeError("an expression is not known yet, so Python cannot walk through it; use `for_each`")

    def __setattr__(self, name: str, value: object) -> None:
        raise TypeError("an expression cannot be changed")


def expression(text: str) -> Expression:
    """Returns an expression from its text: `expression('upper(var.name)')`."""
    return Expression(text)


def literal(text: str) -> str:
    """Returns a text in which `${` and `%{` mean themselves."""
    return text.replace("${", "$${").replace("%{", "%%{")


class Block(Expression):
    """A block of a template; as an expression, what it is known by."""

    __slots__ = ("address",)

    address: str

    def __init__(self, address: str, reference: str) -> None:
        super().__init__(reference)
        object.__setattr__(self, "address", address)


class Template:
    """What is wanted.

    Texts of Python data are templates themselves: `"${var.name}"` is evaluated. `literal` keeps a text as it is.
    """

    def __init__(self) -> None:
        self._files: dict[str, str] = {}
        self._folder: Path | None = None
        self._data: dict[str, Any] = {}

    @classmethod
    def from_path(cls, path: str | os.PathLike[str]) -> Template:
        """Returns the template of a folder with `.tf`, `.tf.json` or YAML files, or of a single file."""
        template = cls()
        place = Path(path)
        if place.is_file():
            template._files[place.name] = place.read_text(encoding="utf-8")
        else:
            template._folder = place
        return template

    @classmethod
    def from_text(cls, text: str, *, name: str = "main.tf") -> Template:
        """Returns the template of a text; the name says how it is written (`main.tf`, `main.tf.json`, `main.yaml`)."""
        return cls.from_files({name: text})

    @classmethod
    def from_files(cls, files: Mapping[str, str]) -> Template:
        """Returns the template of texts by name; those in folders are modules: `net/main.tf`."""
        template = cls()
        template._files.update(files)
        return template

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Template:
        """Returns the template of Python data in the shape of Terraform's JSON: `{"resource": {type: {name: {…}}}}`.

        Numbers stay exact (`int`, `Decimal`); `datetime`, `Path`, `UUID`, enums and dataclasses are written as people expect.
        """
        template = cls()
        template._data = cast("dict[str, Any]", _json.plain(data))
        return template

    # --- building ---

    def resource(self, type: str, name: str, /, **arguments: object) -> Block:
        """Adds a resource, and returns what refers to it.

        `count`, `for_each`, `depends_on`, `provider` and `lifecycle` are those of every resource.
        """
        return self._add(("resource", type, name), f"{type}.{name}", f"{type}.{name}", arguments)

    def data(self, type: str, name: str, /, **arguments: object) -> Block:
        """Adds a data source, and returns what refers to it."""
        return self._add(("data", type, name), f"data.{type}.{name}", f"data.{type}.{name}", arguments)

    def module(self, name: str, /, source: str, **arguments: object) -> Block:
        """Adds a call of a module, and returns what refers to its outputs."""
        return self._add(("module", name), f"module.{name}", f"module.{name}", {"source": source, **arguments})

    def variable(self, name: str, /, **properties: object) -> Block:
        """Adds a variable (`type`, `default`, `description`, `sensitive`), and returns what refers to it."""
        return self._add(("variable", name), f"var.{name}", f"var.{name}", properties)

    def local(self, name: str, value: object) -> Block:
        """Adds a local value, and returns what refers to it."""
        _check_name(name)
        self._data.setdefault("locals", {})[name] = self._value(value)
        return Block(f"local.{name}", f"local.{name}")

    def output(self, name: str, value: object, **properties: object) -> None:
        """Adds an output."""
        self._add(("output", name), f"output.{name}", f"output.{name}", {"value": value, **properties})

    def provider(self, name: str, /, **arguments: object) -> None:
        """Configures a provider."""
        self._data.setdefault("provider", {})[name] = self._value(arguments)

    def _add(self, path: tuple[str, ...], address: str, reference: str, arguments: Mapping[str, object]) -> Block:
        place = self._data
        for part in path[:-1]:
            place = place.setdefault(part, {})
        _check_name(path[-1])
        if path[-1] in place:
            raise ValueError(f"the template has `{address}` already")
        block = {key[:-1] if key.endswith("_") and keyword.iskeyword(key[:-1]) else key: value for key, value in arguments.items()}
        if isinstance(block.get("depends_on"), (list, tuple)):
            needed = cast("list[object]", block["depends_on"])
            block["depends_on"] = [need.address if isinstance(need, Block) else need for need in needed]
        place[path[-1]] = {key: self._value(value) for key, value in block.items()}
        return Block(address, reference)

    @staticmethod
    def _value(value: object) -> Any:
        return _json.plain(value)

    # --- out ---

    def to_dict(self) -> dict[str, Any]:
        """Returns what was built, in the shape of Terraform's JSON."""
        return cast("dict[str, Any]", _json.plain(self._data))

    def to_json(self) -> str:
        """Returns what was built as JSON text, which any program that reads Terraform's JSON understands."""
        return _json.dumps(self._data)

    def __stackwright__(self) -> dict[str, object]:
        files = dict(self._files)
        if self._data:
            files["stackwright.tf.json"] = self.to_json()
        query: dict[str, object] = {"files": files}
        if self._folder is not None:
            query["folder"] = str(self._folder)
        return query

    def __repr__(self) -> str:
        place = f" {self._folder}" if self._folder is not None else ""
        return f"<Template{place} {len(self._files)} files, {len(self._data)} kinds of blocks>"


def _check_name(name: str) -> None:
    if not _NAME.match(name):
        raise ValueError(f"`{name}` is no name: letters, digits, `_` and `-`, the first of them no digit")


def template_of(given: Template | Mapping[str, object] | str | os.PathLike[str]) -> Template:
    """Returns the template that somebody means: one, a folder or file, or Python data."""
    if isinstance(given, Template):
        return given
    if isinstance(given, Mapping):
        return Template.from_dict(given)
    path = Path(given)
    if isinstance(given, str) and ("\n" in given or not path.exists()):
        if "\n" in given or "{" in given:
            raise TypeError("a text is taken as a path; use Template.from_text for the text of a template")
    return Template.from_path(path)
