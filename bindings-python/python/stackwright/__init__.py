"""`stackwright`: an orchestration engine that your program embeds.

It works out what to create, change and delete to make the world match a template, does it in the right order and as
parallel as the graph allows, remembers what it did, and never loses or doubles anything when the machine dies half-way.

`Engine` is where to begin; `resource` makes a class a type that templates can use. `stackwright.sync` is the same without
`await`.
"""

from . import cipher, store
from ._native import VERSION as __version__
from .context import Context, SyncContext
from .engine import Engine, Row, RunInfo, Stack, State
from .errors import (
    AlreadyExistsError,
    BugError,
    CancelledError,
    ConflictError,
    DeniedError,
    Diagnostic,
    InvalidInputError,
    NotFoundError,
    Partial,
    Place,
    RateLimitedError,
    RunFailedError,
    StackwrightError,
    UnavailableError,
    UnsupportedError,
)
from .events import Event
from .markers import UNKNOWN, Computed, ForceNew, Sensitive, Tags, WriteOnly
from .plan import HIDDEN, Change, Counts, Output, Plan, Step
from .resources import CannotTell, Existing, NeverReady, Planned, data_source, function, resource
from .run import Report, Run, StepProblem
from .template import Expression, Template, expression, literal

__all__ = [
    "HIDDEN",
    "UNKNOWN",
    "AlreadyExistsError",
    "BugError",
    "CancelledError",
    "CannotTell",
    "Change",
    "Computed",
    "ConflictError",
    "Context",
    "Counts",
    "DeniedError",
    "Diagnostic",
    "Engine",
    "Event",
    "Existing",
    "Expression",
    "ForceNew",
    "InvalidInputError",
    "NeverReady",
    "NotFoundError",
    "Output",
    "Partial",
    "Place",
    "Plan",
    "Planned",
    "RateLimitedError",
    "Report",
    "Row",
    "Run",
    "RunFailedError",
    "RunInfo",
    "Sensitive",
    "Stack",
    "StackwrightError",
    "State",
    "Step",
    "StepProblem",
    "SyncContext",
    "Tags",
    "Template",
    "UnavailableError",
    "UnsupportedError",
    "WriteOnly",
    "__version__",
    "cipher",
    "data_source",
    "expression",
    "function",
    "literal",
    "resource",
    "store",
]
