"""Plans and graphs as HTML and SVG. Colours follow the reader's: light or dark."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .markers import UNKNOWN
from .plan import HIDDEN, Change, Step

if TYPE_CHECKING:
    from .plan import BasePlan

__all__ = ["graph_svg", "plan_html"]

_SIGNS = {
    "create": ("+", "add"),
    "update": ("~", "change"),
    "replace": ("±", "replace"),
    "replace-create-first": ("±", "replace"),
    "delete": ("−", "delete"),
    "read": ("⇣", "other"),
    "forget": ("∅", "other"),
    "wait": ("…", "other"),
    "no-op": ("·", "other"),
}

_STYLE = """
.stackwright{--add:#1a7f37;--change:#9a6700;--replace:#8250df;--delete:#cf222e;--other:#57606a;--line:#8884;
font:13px/1.5 system-ui,sans-serif}
@media (prefers-color-scheme:dark){.stackwright{--add:#3fb950;--change:#d29922;--replace:#bc8cff;--delete:#f85149;--other:#9198a1}}
.stackwright details{border-top:1px solid var(--line);padding:4px 0}
.stackwright summary{cursor:pointer}
.stackwright code,.stackwright td{font-family:ui-monospace,monospace;font-size:12px}
.stackwright b.sign{display:inline-block;width:1.4em;text-align:center}
.stackwright .why{color:var(--other)}
.stackwright table{border-collapse:collapse;margin:4px 0 4px 2em}
.stackwright td{padding:1px 10px 1px 0;text-align:left;vertical-align:top;white-space:pre-wrap}
.stackwright .add{color:var(--add)}.stackwright .change{color:var(--change)}.stackwright .replace{color:var(--replace)}
.stackwright .delete{color:var(--delete)}.stackwright .other{color:var(--other)}
"""


def plan_html(plan: BasePlan) -> str:
    """Returns a plan as a piece of HTML."""
    counts = plan.counts
    if plan.is_empty:
        head = "Nothing to do: the world is as the template says."
    else:
        head = (
            f'<b class="add">{counts.add} to add</b>, <b class="change">{counts.change} to change</b>, '
            f'<b class="delete">{counts.delete} to destroy</b>'
        )
    body = "".join(_change(change) for change in plan.changes)
    warnings = "".join(f"<p>⚠ {html.escape(warning.message)}</p>" for warning in plan.warnings)
    name = html.escape(plan.stack_name)
    return f'<div class="stackwright"><style>{_STYLE}</style><p><code>{name}</code>: {head}</p>{warnings}{body}</div>'


def _change(change: Change) -> str:
    sign, tone = _SIGNS.get(change.action, ("?", "other"))
    rows = "".join(_rows(change))
    return (
        f'<details><summary><b class="sign {tone}">{sign}</b><code>{html.escape(change.address)}</code> '
        f'<span class="why">{html.escape(change.why)}</span></summary><table>{rows}</table></details>'
    )


def _rows(change: Change) -> list[str]:
    before = change.before if isinstance(change.before, dict) else {}
    after = change.after if isinstance(change.after, dict) else {}
    rows: list[str] = []
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old is None and new is None:
            continue
        is_changed = old != new or (old is HIDDEN and name in change.changed)
        shown = _text(new if change.after is not None else old)
        if is_changed and change.before is not None and change.after is not None:
            shown = f'{_text(old)} → <span class="change">{_text(new)}</span>'
        forces = ' <span class="replace">forces replacement</span>' if name in change.replace_paths else ""
        rows.append(f"<tr><td>{html.escape(str(name))}</td><td>{shown}{forces}</td></tr>")
    return rows


def _text(value: object) -> str:
    if value is UNKNOWN:
        return '<span class="other">known after apply</span>'
    if value is HIDDEN:
        return '<span class="other">(sensitive value)</span>'
    return html.escape(json.dumps(value, default=str, ensure_ascii=False, indent=1 if isinstance(value, dict) else None))


# The size of a step's box, and the space between boxes.
_WIDTH, _HEIGHT, _GAP_X, _GAP_Y = 220, 30, 50, 12


def graph_svg(steps: Sequence[Step]) -> str:
    """Returns steps as SVG: from left to right, each right of all that it waits for."""
    columns: list[int] = []
    rows: dict[int, int] = {}
    places: list[tuple[int, int]] = []
    for step in steps:
        column = max((columns[need] + 1 for need in step.needs if need < len(columns)), default=0)
        row = rows.get(column, 0)
        rows[column] = row + 1
        columns.append(column)
        places.append((8 + column * (_WIDTH + _GAP_X), 8 + row * (_HEIGHT + _GAP_Y)))
    width = 16 + max(((column + 1) * (_WIDTH + _GAP_X) - _GAP_X for column in columns), default=0)
    height = 16 + max((row * (_HEIGHT + _GAP_Y) - _GAP_Y for row in rows.values()), default=0)
    lines: list[str] = []
    boxes: list[str] = []
    for (x, y), step in zip(places, steps, strict=True):
        for need in step.needs:
            from_x, from_y = places[need]
            start, end = (from_x + _WIDTH, from_y + _HEIGHT / 2), (x, y + _HEIGHT / 2)
            middle = (start[0] + end[0]) / 2
            lines.append(
                f'<path d="M{start[0]} {start[1]}C{middle} {start[1]} {middle} {end[1]} {end[0]} {end[1]}" fill="none" '
                'stroke="var(--other,#57606a)" stroke-opacity=".5"/>'
            )
        sign, tone = _SIGNS.get(step.action, ("?", "other"))
        address = html.escape(step.address)
        short = html.escape(step.address if len(step.address) < 30 else f"…{step.address[-28:]}")
        boxes.append(
            f'<g class="{tone}" fill="var(--{tone},#57606a)"><title>{step.action} {address}</title>'
            f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="6" fill-opacity=".12" '
            f'stroke="var(--{tone},#57606a)"/>'
            f'<text x="{x + 10}" y="{y + 19}" font-family="ui-monospace,monospace" font-size="11">{sign} {short}</text></g>'
        )
    style = _STYLE.replace("<", "&lt;")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="stackwright" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}"><style>{style}</style>{"".join(lines)}{"".join(boxes)}</svg>'
    )
