"""Exceptions. All stand under `StackwrightError`; most have a builtin parent too.

The class says what a caller can do (`kind`), `code` says what happened (`plan.stale`; each code has a page in the
engine's documentation), and both are the same in every language.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from .run import Report

__all__ = [
    "AlreadyExistsError",
    "BugError",
    "CancelledError",
    "ConflictError",
    "DeniedError",
    "Diagnostic",
    "InvalidInputError",
    "NotFoundError",
    "Partial",
    "Place",
    "RateLimitedError",
    "RunFailedError",
    "StackwrightError",
    "UnavailableError",
    "UnsupportedError",
]

Effect = Literal["none", "unknown"]


@dataclass(frozen=True)
class Place:
    """Where something stands in a text, as people count it."""

    file: str
    """The name of the file."""
    line: int
    """The line, from 1."""
    column: int
    """The column, from 1."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Diagnostic:
    """A problem in the input: what, where, and a way out."""

    code: str
    """The stable code, such as `template.reference`."""
    message: str
    """What is wrong."""
    severity: Literal["error", "warning"] = "error"
    """How bad it is: work goes on with a warning."""
    help: str | None = None
    """A way out."""
    address: str | None = None
    """The instance concerned."""
    place: Place | None = None
    """Where it stands, where the text is at hand."""
    rendered: str | None = None
    """The problem with the lines that it is about, for a terminal."""

    def __str__(self) -> str:
        if self.rendered is not None:
            return self.rendered.rstrip("\n")
        where = f" ({self.address})" if self.address else ""
        way_out = f"; {self.help}" if self.help else ""
        return f"{self.severity}[{self.code}]: {self.message}{where}{way_out}"


def diagnostic_from_json(data: Mapping[str, Any]) -> Diagnostic:
    place = data.get("place")
    return Diagnostic(
        code=data["code"],
        message=data["message"],
        severity=data.get("severity", "error"),
        help=data.get("help"),
        address=data.get("address"),
        place=None if place is None else Place(place["file"], place["line"], place["column"]),
        rendered=data.get("rendered"),
    )


class StackwrightError(Exception):
    """What the engine says, and what a resource type may raise to say more than an ordinary exception can.

    Raised by a verb of a resource type, it tells the engine what the caller can do (by its class), whether repeating
    the call helps (`retry`), and whether the call may have changed the world (`effect`). Any other exception counts as
    "may have changed it", so that the engine looks before it goes on.

    :param message: what happened, for people. No secrets: it is shown and stored.
    :param code: the stable name of what happened.
    :param retry: whether repeating helps: `True`, `False`, or after which time (a `timedelta` or seconds).
    :param effect: `"none"` where nothing was changed, `"unknown"` where that is not certain.
    :param context: facts, for people.
    :param diagnostics: problems in the input.
    """

    kind: ClassVar[str] = "bug"
    """What the caller can do, as every language calls it."""

    code: str
    """The stable name of what happened, such as `plan.stale`."""
    message: str
    """What happened, for people."""
    retry: bool | timedelta
    """Whether repeating the same helps, or after which time."""
    effect: Effect
    """Whether the world may have been changed."""
    context: dict[str, str]
    """Facts, in the order in which they were added."""
    diagnostics: list[Diagnostic]
    """Problems in the input."""
    causes: list[str]
    """The messages of the causes on the engine's side, outermost first."""

    def __init__(
        self,
        message: str = "",
        *,
        code: str = "host.failed",
        retry: bool | float | timedelta = False,
        effect: Effect = "none",
        context: Mapping[str, str] | None = None,
        diagnostics: Sequence[Diagnostic] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.retry = timedelta(seconds=retry) if isinstance(retry, (int, float)) and not isinstance(retry, bool) else retry
        self.effect = effect
        self.context = dict(context or {})
        self.diagnostics = list(diagnostics)
        self.causes = []

    def __str__(self) -> str:
        parts = [self.message, *self.causes]
        lines = [": ".join(parts)]
        lines.extend(str(diagnostic) for diagnostic in self.diagnostics)
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.code}: {self.message}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.message), self.__dict__)


def _rebuild(cls: type[StackwrightError], message: str) -> StackwrightError:
    error = cls.__new__(cls, message)
    StackwrightError.__init__(error, message)
    return error


class InvalidInputError(StackwrightError, ValueError):
    """Mend the input: a template, a variable, an argument."""

    kind = "invalid_input"


class NotFoundError(StackwrightError, LookupError):
    """Name something that exists."""

    kind = "not_found"


class AlreadyExistsError(StackwrightError, FileExistsError):
    """Choose another name, or adopt what is there."""

    kind = "already_exists"


class ConflictError(StackwrightError, RuntimeError):
    """Somebody else was faster: look again, then repeat."""

    kind = "conflict"


class DeniedError(StackwrightError, PermissionError):
    """Ask for permission, or fix the credentials."""

    kind = "denied"


class UnavailableError(StackwrightError, ConnectionError):
    """Try again later: a service, a disk or a network does not answer."""

    kind = "unavailable"


class RateLimitedError(StackwrightError, ConnectionError):
    """Try again more slowly."""

    kind = "rate_limited"


class UnsupportedError(StackwrightError, NotImplementedError):
    """Use another way; this one is not offered."""

    kind = "unsupported"


class CancelledError(StackwrightError, RuntimeError):
    """The caller asked to stop. (Not asyncio's: a task that is cancelled sees that one.)"""

    kind = "cancelled"


class BugError(StackwrightError, RuntimeError):
    """Report it: the engine or a resource type broke its own contract."""

    kind = "bug"


class RunFailedError(StackwrightError, RuntimeError):
    """A run ended otherwise than well; `report` says how, and `__cause__` is the first exception of a type of yours."""

    report: Report
    """How the run ended."""

    def __init__(self, message: str, *, code: str, report: Report) -> None:
        super().__init__(message, code=code, effect="unknown")
        self.report = report

    kind = "unavailable"


class Partial(Exception):
    """Raised by `create` or `update` that stopped half-way, `from` what stopped it: what is there now.

    The engine remembers the object as half made, and replaces it the next time.

    :param outputs: as the verb would have returned it.
    """

    outputs: object
    """What is there."""

    def __init__(self, outputs: object) -> None:
        super().__init__("the object is half made")
        self.outputs = outputs


BY_KIND: dict[str, type[StackwrightError]] = {
    cls.kind: cls
    for cls in (
        InvalidInputError,
        NotFoundError,
        AlreadyExistsError,
        ConflictError,
        DeniedError,
        UnavailableError,
        RateLimitedError,
        UnsupportedError,
        CancelledError,
        BugError,
    )
}


def error_from_json(data: Mapping[str, Any]) -> StackwrightError:
    """Returns the exception for a failure of the engine's."""
    retry = data.get("retry", "no")
    error = BY_KIND.get(data["kind"], BugError)(
        data["message"],
        code=data["code"],
        retry=timedelta(milliseconds=retry["after_ms"]) if isinstance(retry, dict) else retry == "with_backoff",
        effect=data.get("effect", "none"),
        context=dict(data.get("context", ())),
        diagnostics=[diagnostic_from_json(problem) for problem in data.get("diagnostics", ())],
    )
    error.causes = list(data.get("causes", ()))
    return error


def error_to_json(error: StackwrightError) -> dict[str, Any]:
    """Returns the failure that the engine gets."""
    retry: Any = "with_backoff" if error.retry else "no"
    if isinstance(error.retry, timedelta):
        retry = {"after_ms": max(0, round(error.retry.total_seconds() * 1000))}
    problems = [
        {"code": problem.code, "message": problem.message, "severity": problem.severity}
        | ({"help": problem.help} if problem.help else {})
        for problem in error.diagnostics
    ]
    return {
        "kind": error.kind,
        "code": error.code,
        "message": error.message,
        "retry": retry,
        "effect": error.effect,
        "context": list(error.context.items()),
        "diagnostics": problems,
    }
