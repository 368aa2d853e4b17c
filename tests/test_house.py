"""The rules of the house: what is in the wheel, who may import what, who may speak."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import policyctl

CHECKOUT = Path(__file__).resolve().parent.parent
INSTALLED = Path(policyctl.__file__).resolve().parent
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))

NOT_ROOMS = {"build", "dist", "docs", "examples", "requirements", "tests"}
SHIPPED = {".json", ".lark", ".policy", ".py", ".tables"}

ONE_FILE_EACH = ("croniter", "lark", "litellm", "psycopg", "rich", "ruamel.yaml", "sqlite3")
PURE_ROOMS = ("engine", "policy", "schemas")
IMPURE = {"httpx", "os", "requests", "socket", "subprocess", "time"}
MAY_READ_FILES = "policy/files.py"


# --- the checkout and the wheel ------------------------------------------------------------------


def files_below(folder: Path) -> list[Path]:
    """
    Return the files that a person put there: nothing hidden, no bytecode.
    """
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(
        path
        for path in found
        if not any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(folder).parts)
    )


def rooms() -> list[Path]:
    """
    Return the top folders that hold code of the package.
    """
    folders = (path for path in sorted(CHECKOUT.iterdir()) if path.is_dir())
    return [
        folder
        for folder in folders
        if folder.name not in NOT_ROOMS
        and not folder.name.startswith(".")
        and any(path.suffix == ".py" for path in files_below(folder))
    ]


def room_files() -> list[Path]:
    return [path for room in rooms() for path in files_below(room)]


def package_name(folder: Path) -> str:
    return ".".join(["policyctl", *folder.relative_to(CHECKOUT).parts])


def code_folders() -> list[Path]:
    return sorted({path.parent for path in room_files() if path.suffix == ".py"})


def test_every_folder_with_code_is_listed() -> None:
    """
    A folder with Python files is named in pyproject.toml, and nothing is named that is not there.
    """
    expected = ["policyctl", *map(package_name, code_folders())]

    assert sorted(expected) == sorted(PROJECT["tool"]["setuptools"]["packages"])


def test_every_sub_package_has_an_init() -> None:
    """
    Each folder with Python files is a regular package, so mypy and pytest see the same modules.
    """
    assert [] == [folder for folder in code_folders() if not (folder / "__init__.py").is_file()]


def test_rooms_hold_only_what_is_shipped() -> None:
    """
    A room holds only kinds of files that the wheel takes along; anything else would vanish from it.
    """
    assert [] == [path for path in room_files() if path.suffix not in SHIPPED]


def test_the_wheel_holds_every_file_and_nothing_else() -> None:
    """
    The installed package has the files of the rooms and of the root, and no left-overs.
    """
    root = [*CHECKOUT.glob("*.py"), CHECKOUT / "py.typed"]
    expected = {path.relative_to(CHECKOUT).as_posix() for path in [*root, *room_files()]}

    assert expected == {path.relative_to(INSTALLED).as_posix() for path in files_below(INSTALLED)}


def test_the_package_says_that_it_is_typed() -> None:
    """
    Type checkers of other projects use our annotations.
    """
    assert (INSTALLED / "py.typed").is_file()


def test_the_version_is_written_once() -> None:
    """
    The wheel has the version that the package tells, because it is read from there.
    """
    assert "version" not in PROJECT["project"]
    assert version("policyctl") == policyctl.__version__


# --- who may import what, who may speak ------------------------------------------------------------


def source_trees() -> list[tuple[str, ast.Module]]:
    """
    Return each module of the installed package: its path inside the package, and its syntax tree.
    """
    return [
        (path.relative_to(INSTALLED).as_posix(), ast.parse(path.read_text(encoding="utf-8")))
        for path in files_below(INSTALLED)
        if path.suffix == ".py"
    ]


def imported_names(tree: ast.AST) -> Iterator[str]:
    """
    Yield the dotted names that a module imports from outside its package, wherever it does so.
    """
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), names=names, level=0):
                yield from (f"{module}.{alias.name}" for alias in names)
            case ast.Call(
                func=ast.Name(id="__import__" | "import_module") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(module)), *_],
            ):
                yield module


def imports(tree: ast.AST, library: str) -> bool:
    return any(f"{name}.".startswith(f"{library}.") for name in imported_names(tree))


def spoken(tree: ast.AST) -> list[str]:
    """
    Return what a module does to the person: prints, and ends the process.
    """
    said = []
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="print" | "exit" | "quit" as name)):
                said.append(name)
            case ast.Name(id="SystemExit" as name):
                said.append(name)
            case ast.Attribute(
                value=ast.Name(id="click" | "sys" | "os" as module),
                attr="echo" | "secho" | "exit" | "_exit" | "stdout" | "stderr" as attribute,
            ):
                said.append(f"{module}.{attribute}")
            case ast.ImportFrom(module="click" | "sys" as module, names=names):
                wanted = {"echo", "secho", "exit", "stdout", "stderr"}
                said += [f"{module}.{alias.name}" for alias in names if alias.name in wanted]
    return said


def clock_reads_and_opens(tree: ast.AST) -> list[str]:
    """
    Return the calls that ask what time it is or open a file.
    """
    asked = []
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="open" as name)):
                asked.append(name)
            case ast.Call(
                func=ast.Attribute(
                    value=ast.Name(id="date" | "datetime") | ast.Attribute(attr="date" | "datetime"),
                    attr="now" | "today" | "utcnow" as name,
                )
            ):
                asked.append(name)
    return asked


@pytest.mark.parametrize("library", ONE_FILE_EACH)
def test_a_library_is_imported_in_one_file(library: str) -> None:
    """
    A library that we might replace one day is known to one file at most.
    """
    users = [path for path, tree in source_trees() if imports(tree, library)]

    assert [] == users[1:], f"{library} is imported in {users}"


@pytest.mark.parametrize("room", PURE_ROOMS)
def test_a_pure_room_does_not_touch_the_machine(room: str) -> None:
    """
    The language, the engine and the words read no clock, file, variable or network: they are handed in.
    Only policy/files.py reads files.
    """
    modules = [(path, tree) for path, tree in source_trees() if path.startswith(f"{room}/")]
    found = {
        path: sorted(library for library in IMPURE if imports(tree, library)) + clock_reads_and_opens(tree)
        for path, tree in modules
    }
    if MAY_READ_FILES in found:
        found[MAY_READ_FILES] = [name for name in found[MAY_READ_FILES] if name not in {"open", "os"}]

    assert modules
    assert {} == {path: names for path, names in found.items() if names}


def test_only_the_command_speaks() -> None:
    """
    Outside cli/ nothing prints and nothing ends the process.
    """
    quiet = {path: spoken(tree) for path, tree in source_trees() if not path.startswith("cli/")}

    assert "__init__.py" in quiet
    assert {} == {path: said for path, said in quiet.items() if said}


@pytest.mark.parametrize(
    "source",
    [
        "import ruamel.yaml",
        "import ruamel.yaml.comments as c",
        "from ruamel import yaml",
        "from ruamel.yaml import YAML",
        "def late():\n    from ruamel.yaml import YAML",
        "import_module('ruamel.yaml')",
        "importlib.import_module('ruamel.yaml')",
    ],
)
def test_every_way_to_import_is_seen(source: str) -> None:
    """
    An import counts at any depth and in any form.
    """
    assert imports(ast.parse(source), "ruamel.yaml")


@pytest.mark.parametrize(
    "source", ["import ruamel_yaml", "from .yaml import ruamel", "from ruamel import base"]
)
def test_a_look_alike_is_no_import(source: str) -> None:
    """
    A module of ours, or one with a similar name, is not the library.
    """
    assert not imports(ast.parse(source), "ruamel.yaml")


@pytest.mark.parametrize(
    "source",
    [
        "print('hello')",
        "click.echo('hello')",
        "from click import echo",
        "sys.exit(1)",
        "from sys import exit",
        "raise SystemExit(1)",
        "sys.stdout.write('hello')",
    ],
)
def test_every_way_to_speak_is_seen(source: str) -> None:
    """
    Printing and exiting are noticed in each of their forms.
    """
    assert 1 == len(spoken(ast.parse(source)))


@pytest.mark.parametrize(
    "source", ["open('x')", "datetime.now(UTC)", "datetime.datetime.utcnow()", "date.today()"]
)
def test_every_way_to_ask_the_machine_is_seen(source: str) -> None:
    """
    Clocks and files are noticed where no import gives them away.
    """
    assert 1 == len(clock_reads_and_opens(ast.parse(source)))


# --- locks and paths -------------------------------------------------------------------------------


def locked(name: str) -> dict[str, Version]:
    """
    Return the version of each package in a lock file.
    """
    text = (CHECKOUT / "requirements" / name).read_text(encoding="utf-8")
    return {
        found[1]: Version(found[2]) for found in re.finditer(r"^([a-z0-9-]+)==([^\s;]+)", text, re.MULTILINE)
    }


@pytest.mark.parametrize("name", ["base.txt", "dev.txt", "run.txt"])
def test_a_lock_file_is_complete_and_tied_to_no_index(name: str) -> None:
    """
    Each locked package has hashes, and no line says where to fetch it from.
    """
    text = (CHECKOUT / "requirements" / name).read_text(encoding="utf-8")
    without_hash = re.findall(r"^\S+==\S+.*(?<!\\)$|\\\n(?! +--hash=sha256:).*", text, re.MULTILINE)

    assert locked(name)
    assert [] == without_hash
    assert [] == re.findall(r"\w+://|--(?:extra-)?index-url|--find-links", text)


def test_the_lock_files_agree() -> None:
    """
    A package has one version in all lock files, and the others hold all that the base needs.
    """
    base = locked("base.txt")

    for other in ("dev.txt", "run.txt"):
        versions = locked(other)
        assert base == {name: versions.get(name) for name in base}


def asked_for(extra: str | None) -> list[Requirement]:
    """
    Return what an extra asks for, and what the extras ask for that it names by `policyctl[...]`.
    """
    project = PROJECT["project"]
    texts = project["optional-dependencies"][extra] if extra else project["dependencies"]
    asked: list[Requirement] = []
    for requirement in map(Requirement, texts):
        named = sorted(requirement.extras) if requirement.name == "policyctl" else []
        asked += [found for name in named for found in asked_for(name)] or [requirement]
    return asked


@pytest.mark.parametrize(("extra", "name"), [(None, "base.txt"), ("dev", "dev.txt"), ("run", "run.txt")])
def test_the_lock_files_follow_pyproject(extra: str | None, name: str) -> None:
    """
    Each package that pyproject.toml asks for is locked at a version inside its range.
    """
    asked = asked_for(extra)
    versions = locked(name)

    assert asked
    for requirement in asked:
        assert versions[requirement.name.replace(".", "-")] in requirement.specifier, requirement


@pytest.mark.parametrize("release", ["1.82.7", "1.82.8"])
def test_the_stolen_releases_of_litellm_are_out_of_range(release: str) -> None:
    """
    Two releases of litellm carried malware; no range of ours admits them.
    """
    ranges = [Requirement(text) for text in PROJECT["project"]["optional-dependencies"]["run"]]
    litellm = next(requirement for requirement in ranges if requirement.name == "litellm")

    assert Version(release) not in litellm.specifier


MACHINE_PATH = re.compile(r"(?<![\w./~-])/(?:work|root|opt|home|Users)/\w")


def tracked_files() -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=CHECKOUT, capture_output=True, check=True, text=True
    )
    return [CHECKOUT / name for name in listing.stdout.split("\0") if name]


def test_no_file_names_a_machine() -> None:
    """
    No tracked file holds a path of the machine on which it was written.
    """
    present = [path for path in tracked_files() if path.is_file()]
    naming = [
        path for path in present if MACHINE_PATH.search(path.read_text(encoding="utf-8", errors="replace"))
    ]

    assert CHECKOUT / "pyproject.toml" in present
    assert [] == naming


@pytest.mark.parametrize("place", ["work", "root", "opt", "home", "Users"])
def test_a_machine_path_is_seen(place: str) -> None:
    """
    The places where people and machines keep their checkouts are known.
    """
    assert MACHINE_PATH.search(f"see /{place}/policyctl/notes.txt")


# --- what every test may count on ------------------------------------------------------------------


@pytest.fixture(scope="module")
def a_person_with_settings() -> Iterator[None]:
    """
    An environment as a person has it, made before the clean-up of the single test.
    """
    settings = {
        "POLICYCTL_COLOR": "always",
        "SOME_API_KEY": "k",
        "ENABLE_TIME_RULES": "true",
        "POLICYCTL_PAIRS": "7",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        yield


@pytest.mark.usefixtures("a_person_with_settings")
def test_a_test_sees_no_settings_of_a_person() -> None:
    """
    Keys and switches of the person who runs the tests stay outside; the size of the property tests does not.
    """
    seen = {"POLICYCTL_COLOR", "SOME_API_KEY", "ENABLE_TIME_RULES", "POLICYCTL_PAIRS"} & set(os.environ)

    assert {"POLICYCTL_PAIRS"} == seen
