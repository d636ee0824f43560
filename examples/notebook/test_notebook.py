"""The notebook runs from its first cell to its last, and shows what it says it shows."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient


def shown(notebook: nbformat.NotebookNode, source: str, kind: str) -> str:
    """Returns what a cell that ends so has shown, of one kind."""
    cell = next(cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.rstrip().endswith(source))
    return "".join(str(output["data"][kind]) for output in cell.outputs if kind in output.get("data", {}))


def test_the_notebook_runs() -> None:
    notebook = nbformat.read(Path(__file__).with_name("shop.ipynb"), as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells), "the notebook is kept without what it shows"
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()

    page = shown(notebook, "\nplan", "text/html")
    assert page.count("demo_service.") >= 5 and "5 to add" in page, page
    drawing = shown(notebook, "plan.graph", "image/svg+xml")
    assert drawing.startswith("<svg") and all(f"demo_service.{name}" in drawing for name in ("store", "site", "worker"))
    assert "5 of 5 done, succeeded" in shown(notebook, 'report.outputs["site"]', "text/html")
    assert "http://site.internal" in shown(notebook, 'report.outputs["site"]', "text/plain")
    assert "demo_service.site" in shown(notebook, "\nrepair", "text/html")
    assert "('queue', 1)" in shown(notebook, "for file in cloud.iterdir())", "text/plain")
    assert "5 of 5 done, succeeded" in shown(notebook, "work.cleanup()", "text/html")
