"""The guide's code runs as it stands."""

import re
from pathlib import Path

GUIDE = Path(__file__).parent.parent / "docs" / "navigation_loop.md"


def test_code_of_the_guide_runs_from_top_to_bottom():
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert len(blocks) >= 4
    names: dict = {}
    for text in blocks:
        block = re.sub(r"time_limit=[\d.]+", "time_limit=600.0", text)  # compiling takes longer
        exec(compile(block, str(GUIDE), "exec"), names)
    assert names["path"].solved
