"""Tables of emails and of numbers."""

from __future__ import annotations

from pathlib import Path

from equipoise.contracts.dataset import Dataset

TEXTS = [f"this is mail number {i} about something" for i in range(12)]


def csv(path: Path, header: str, rows: list[str]) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def mails(tmp_path: Path, header: str = "id,text,bug,ui", name: str = "mails.csv") -> Path:
    rows = [f'{i},"{text}, really",{i % 2},{int(i % 3 == 0)}' for i, text in enumerate(TEXTS)]
    return csv(tmp_path / name, header, rows)


def numbers(tmp_path: Path, **cells: str) -> Path:
    """Rows x,y,colour,a,b; `r5x="nan"` sets column x of row 5 (line 7)."""
    grid = [
        [str(i / 4), str(i * i), "red" if i % 3 else "blue", str(i % 2), str(int(i < 3))] for i in range(12)
    ]
    for where, value in cells.items():
        grid[int(where[1:-1])]["xycab".index(where[-1])] = value
    return csv(tmp_path / "numbers.csv", "x,y,colour,a,b", [",".join(row) for row in grid])


def notes(data: Dataset) -> str:
    return "\n".join(data.notes)
