"""The Dockerfile copies what is there, installs as README.md says, and leaves data, results and addresses out of the image."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
INSTRUCTIONS = [line.split(" ", 1) for line in DOCKERFILE.splitlines() if line and not line.startswith("#")]
IGNORE = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
SENT = [line[1:] for line in IGNORE if line.startswith("!")]


def last(instruction: str) -> str:
    return [rest for name, rest in INSTRUCTIONS if name == instruction][-1]


def test_it_installs_what_the_readme_installs() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    command = re.search(r"uv pip install (-c constraints\.txt) '\.\[(\w+)\]'", readme)
    assert command
    install = re.findall(r"uv pip install .*(-c constraints\.txt) \"\.\[\$\{EXTRAS\}\]\"", DOCKERFILE)
    assert install == [command[1]]
    assert last("ARG") == f"EXTRAS={command[2]}"


def test_the_build_gets_what_is_installed_and_nothing_else() -> None:
    assert next(line for line in IGNORE if not line.startswith(("#", "!"))) == "*"
    assert [path for path in SENT if not (ROOT / path).exists()] == []
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    package_map = re.search(r"\[tool\.setuptools\.package-dir\]\n(.+?)\n\n", project, re.DOTALL)
    assert package_map
    assert set(re.findall(r'= "(.+)"', package_map[1])) <= set(SENT)
    assert {"pyproject.toml", "setup.py", "constraints.txt", "README.md", "LICENSE"} <= set(SENT)
    assert not {"results", "tests", "docs", "."} & set(SENT)


def test_stages_that_are_copied_from_exist_and_no_address_is_named() -> None:
    stages = re.findall(r"^FROM \S+ AS (\w+)$", DOCKERFILE, re.MULTILINE)
    assert re.findall(r"--from=(\w+)", DOCKERFILE) == stages
    assert "://" not in DOCKERFILE
    assert "index" not in DOCKERFILE.lower()


def test_it_runs_equipoise_as_an_ordinary_user_on_volumes() -> None:
    assert last("ENTRYPOINT") == '["equipoise"]'
    assert int(last("USER")) > 0
    settings = dict(pair.split("=", 1) for pair in last("ENV").split())
    assert settings["OMP_NUM_THREADS"] == "1"
    assert last("VOLUME") == f'["{settings["EQUIPOISE_DATA"]}", "{last("WORKDIR")}"]'


def test_the_page_shows_extras_and_folders_of_the_image() -> None:
    page = (ROOT / "docs" / "docker.md").read_text(encoding="utf-8")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    named = {extra for group in re.findall(r"EXTRAS=([\w,]+)", page) for extra in group.split(",")}
    assert named
    assert all(re.search(rf"^{extra} = \[", project, re.MULTILINE) for extra in named)
    volumes = re.findall(r'"(/\w+)"', last("VOLUME"))
    assert set(re.findall(r"-v \S+?:(/\w+)", page)) == set(volumes)
