"""The snippets of README.md run, in order, as one program."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parent / "README.md"
README = README if README.exists() else Path(__file__).parents[1] / "README.md"


def test_every_snippet_runs(tmp_path: Path) -> None:
    text = README.read_text(encoding="utf-8")
    snippets = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert {language for language, _ in snippets} == {"python", "sh"}
    program = "\n".join(code for language, code in snippets if language == "python")
    assert program.count("stackwright.resource(") == 2
    script = tmp_path / "readme.py"
    script.write_text(program, encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-W", "error", str(script)], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    lines = result.stdout.splitlines()
    assert "https://b-assets.example" in lines
    assert "acme_vault.main acme.quota" in lines
    assert "step_finished acme_bucket.assets" in lines
    assert any("'crash/same-key'" in line for line in lines)
    assert "succeeded into state.pickle" in lines
    assert "hunter2" not in result.stdout + result.stderr
