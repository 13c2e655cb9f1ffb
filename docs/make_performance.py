"""Put what `pytest benchmarks` wrote under results/benchmarks/ into docs/performance.md: `python docs/make_performance.py`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).parent
MEASURED = HERE.parent / "results" / "benchmarks"
_PART = re.compile(r"(<!-- measured: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(page: str, tables: Mapping[str, str]) -> str:
    """The page with each part between `<!-- measured: NAME -->` and `<!-- end -->` replaced by tables[NAME], if there is one."""

    def part(match: re.Match[str]) -> str:
        text = tables.get(match[2])
        return match[0] if text is None else f"{match[1]}{text.strip()}\n{match[3]}"

    return _PART.sub(part, page)


if __name__ == "__main__":
    _page = HERE / "performance.md"
    _tables = {file.stem: file.read_text(encoding="utf-8") for file in MEASURED.glob("*.md")}
    _page.write_text(filled(_page.read_text(encoding="utf-8"), _tables), encoding="utf-8")
