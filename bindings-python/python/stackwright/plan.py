"""A plan: what is to be done and why, before anything is."""

from __future__ import annotations

import base64
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from . import _json
from .errors import Diagnostic, diagnostic_from_json

if TYPE_CHECKING:
    from .engine import Engine
    from .run import Run

__all__ = ["HIDDEN", "Change", "Counts", "Hidden", "Output", "Plan", "Step"]

OnFailure = Literal["stop", "continue"]


class Hidden:
    """Stands where a value is sensitive."""

    def __repr__(self) -> str:
        return "(sensitive value)"


HIDDEN = Hidden()
"""Stands where a value is sensitive."""


def shown(data: Mapping[str, Any]) -> Any:
    """Returns a value of the engine's, with `UNKNOWN` and `HIDDEN` where it is so."""
    from .markers import UNKNOWN

    value = data["value"]
    for stand_in, paths in ((UNKNOWN, data.get("unknown", ())), (HIDDEN, data.get("hidden", ()))):
        for path in paths:
            value = _put(value, [next(iter(step.values())) for step in path], stand_in)
    return value


def _put(value: Any, path: list[Any], stand_in: object) -> Any:
    if not path:
        return stand_in
    step, *rest = path
    if isinstance(value, dict):
        return {**value, step: _put(value.get(step), rest, stand_in)}
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        items: list[Any] = value
        return [*items[:step], _put(items[step], rest, stand_in), *items[step + 1 :]]
    return stand_in


@dataclass(frozen=True)
class Counts:
    """How many objects a plan concerns; a replacement is one made and one deleted."""

    add: int
    """Objects that are made."""
    change: int
    """Objects that are changed in place."""
    delete: int
    """Objects that are deleted."""
    import_: int
    """Objects that are adopted."""
    forget: int
    """Objects that are let go."""
    wait: int
    """Objects that are only waited for."""

    def __str__(self) -> str:
        return f"{self.add} to add, {self.change} to change, {self.delete} to destroy"


@dataclass(frozen=True)
class Change:
    """What is to be done about one instance."""

    address: str
    """The instance."""
    type_name: str
    """The registered type."""
    action: str
    """`create`, `update`, `replace`, `replace-create-first`, `delete`, `read`, `forget` or `wait`."""
    reasons: list[dict[str, Any]]
    """Why, the strongest reason first: `{"type": "changed", "paths": …}`."""
    before: Any
    """The object as it is; `None` where there is none. `HIDDEN` stands where it is sensitive."""
    after: Any
    """The object as it will be; `None` where it goes. `UNKNOWN` stands where nobody knows yet."""
    changed: list[str]
    """The paths that differ."""
    replace_paths: list[str]
    """The paths that make a new object necessary."""
    previous_address: str | None = None
    """Where the object stood before, if it moved."""
    importing: str | None = None
    """The id to import, where the object is adopted."""

    @property
    def why(self) -> str:
        """The strongest reason, in words."""
        if not self.reasons:
            return ""
        reason = dict(self.reasons[0])
        kind = str(reason.pop("type")).replace("_", " ")
        details = self.changed or [str(part) for value in reason.values() for part in (value if isinstance(value, list) else [value])]
        return f"{kind}: {', '.join(details)}" if details else kind


@dataclass(frozen=True)
class Output:
    """A root output."""

    value: Any
    """Its value; `HIDDEN` where it is sensitive, `UNKNOWN` where nobody knows yet."""
    sensitive: bool = False
    """Whether the template declares it sensitive."""


@dataclass(frozen=True)
class Step:
    """What runs: a replacement is one change and two steps."""

    address: str
    """The instance."""
    action: str
    """`create`, `update`, `delete`, `read`, `forget` or `wait`."""
    needs: list[int] = field(default_factory=list[int])
    """The steps that it waits for, by their places."""


class BasePlan:
    """What a plan comes to; the same in both twins."""

    def __init__(self, engine: Engine, view: Mapping[str, Any]) -> None:
        self._engine, self._bridge = engine, engine._bridge
        self._number: int = view["plan"]
        self.stack_name: str = view["stack"]
        self.mode: str = view["mode"]
        self.is_empty: bool = view["is_empty"]
        counts = view["counts"]
        self.counts: Counts = Counts(
            counts["add"], counts["change"], counts["delete"], counts["import"], counts["forget"], counts["wait"]
        )
        self.warnings: list[Diagnostic] = [diagnostic_from_json(problem) for problem in view["warnings"]]
        weakref.finalize(self, self._bridge.forget, "release_plan", plan=self._number).atexit = False

    @property
    def changes(self) -> list[Change]:
        """What is done to whom, without those left alone; by address."""
        return [
            Change(
                address=data["address"],
                type_name=data["type_name"],
                action=data["action"],
                reasons=data["reasons"],
                before=None if data["before"] is None else shown(data["before"]),
                after=None if data["after"] is None else shown(data["after"]),
                changed=[path.removeprefix(".") for path in data["paths"]],
                replace_paths=[path.removeprefix(".") for path in data["replace_paths"]],
                previous_address=data["previous_address"],
                importing=data["importing"],
            )
            for data in self._bridge.tell("plan_changes", plan=self._number)
        ]

    @property
    def outputs(self) -> dict[str, Output]:
        """What the root outputs will be."""
        outputs = self._bridge.tell("plan_outputs", plan=self._number)
        return {name: Output(shown(data["value"]), data["sensitive"]) for name, data in outputs.items()}

    @property
    def steps(self) -> list[Step]:
        """What runs, each after what it needs."""
        graph = self._bridge.tell("plan_graph", plan=self._number)
        joins: list[set[int]] = []
        for join in graph["joins"]:
            needs = {need["step"] for need in join.get("needs", ())}
            joins.append(needs.union(*(joins[other] for other in join.get("joins", ()))))
        return [
            Step(
                step["address"],
                step["action"],
                sorted({need["step"] for need in step["needs"]}.union(*(joins[join] for join in step["joins"]))),
            )
            for step in graph["steps"]
        ]

    def to_dict(self) -> dict[str, Any]:
        """Returns the plan in the shape of Terraform's plan JSON, as tools for policies and cost read it.

        Sensitive values are null there.
        """
        return dict(self._bridge.tell("plan_json", plan=self._number))

    def to_bytes(self) -> bytes:
        """Returns the plan as bytes that another process can open (`Stack.open_plan`); secrets in it are sealed."""
        return base64.b64decode(self._bridge.tell("seal_plan", plan=self._number))

    def __str__(self) -> str:
        return str(self._bridge.tell("plan_text", plan=self._number))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.stack_name}: {'nothing to do' if self.is_empty else self.counts}>"

    def __bool__(self) -> bool:
        """Whether anything is to be done."""
        return not self.is_empty

    def _repr_html_(self) -> str:
        from .notebook import plan_html

        return plan_html(self)

    @property
    def graph(self) -> Graph:
        """What runs in which order, for a notebook (SVG) or other tools (`dot`)."""
        return Graph(self.steps)


class Graph:
    """The steps of a plan, drawn."""

    def __init__(self, steps: list[Step]) -> None:
        self.steps: list[Step] = steps

    def dot(self) -> str:
        """Returns the graph in Graphviz's language, with arrows from a step to what it waits for."""
        lines = ["digraph {", '  rankdir = "RL";', '  node [shape = "box"];']
        lines += [f"  n{idx} [label = {_json.dumps(f'{step.action} {step.address}')}];" for idx, step in enumerate(self.steps)]
        lines += [f"  n{idx} -> n{need};" for idx, step in enumerate(self.steps) for need in step.needs]
        return "\n".join([*lines, "}", ""])

    def svg(self) -> str:
        """Returns the graph as SVG."""
        from .notebook import graph_svg

        return graph_svg(self.steps)

    def _repr_svg_(self) -> str:
        return self.svg()


class Plan(BasePlan):
    """What is to be done and why. `print(plan)` shows it as a page; `await plan.apply()` carries it out."""

    async def apply(
        self,
        *,
        parallelism: int | None = None,
        on_failure: OnFailure | None = None,
        who: str = "",
        why: str = "",
        variables: Mapping[str, object] | None = None,
    ) -> Run:
        """Carries the plan out. Returns once the run has begun, on tasks of the engine's own.

        :param parallelism: how many calls run at once.
        :param on_failure: what becomes of the rest when a step fails: `stop` (the default) starts nothing new,
            `continue` goes on with what does not depend on it.
        :param who: who starts it, for the history.
        :param why: why, for the history.
        :param variables: the ephemeral variables of a plan from `open_plan`.
        :raises ConflictError: `plan.stale` where state moved since, `lease.held` while somebody else works on the stack,
            `run.unfinished` while an earlier run was not ended.
        """
        from .run import Run, begin

        query = apply_query(parallelism, on_failure, who, why, variables)
        return await begin(Run, self._engine, self.stack_name, "apply", {"plan": self._number, "query": query})


def apply_query(
    parallelism: int | None,
    on_failure: OnFailure | None,
    who: str,
    why: str,
    variables: Mapping[str, object] | None,
) -> dict[str, object]:
    return {
        "parallelism": parallelism,
        "on_failure": on_failure,
        "who": who,
        "why": why,
        "variables": dict(variables or {}),
    }
