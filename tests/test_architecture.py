"""The house is as ARCHITECTURE.md says: who imports whom, what starts without PyTorch, what files hold."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src"
PACKAGE = "glassgrad"


def layers() -> list[list[str]]:
    """The pieces of each layer, the lowest first, as the list in ARCHITECTURE.md gives them."""
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    listed = re.search(r"^```layers\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert listed, "ARCHITECTURE.md has lost its list of layers"
    return [line.split(", ") for line in reversed(listed[1].splitlines())]


LAYER = {piece: height for height, pieces in enumerate(layers()) for piece in pieces}
FILES = sorted((SOURCE / PACKAGE).rglob("*.py"))
MODULES = {".".join(file.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): file for file in FILES}


def piece(module: str) -> str:
    """The piece that a module belongs to.

    Example:
        >>> piece("glassgrad.formula.tree"), piece("glassgrad")
        ('formula', '__init__')
    """
    return [*module.split("."), "__init__"][1]


def imports(module: str, tree: ast.AST, is_package: bool = False) -> Iterator[tuple[int, str]]:
    """Every import of a module of ours, wherever it stands, as (line, module); the version is anybody's."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            source = _absolute(node, module.split("."), is_package)
            names = [f"{source}.{alias.name}" for alias in node.names]
        else:
            continue
        ours = (name for name in names if name.split(".")[0] == PACKAGE and name != f"{PACKAGE}.__version__")
        yield from ((node.lineno, _known(name)) for name in ours)


def _absolute(node: ast.ImportFrom, here: list[str], is_package: bool) -> str:
    """The module that `from … import` names, dots resolved: a package's own dot is the package itself."""
    start = here[: len(here) - node.level + is_package] if node.level else []
    return ".".join(start + ([node.module] if node.module else []))


def _known(name: str) -> str:
    """The module that a dotted name leads to: `glassgrad.formula.tree.walk` to `glassgrad.formula.tree`."""
    while name not in MODULES and name != PACKAGE:
        name = name.rpartition(".")[0]
    return name


def upward(module: str, tree: ast.Module, is_package: bool = False) -> list[str]:
    """The imports of a module that point upward, each as a sentence."""
    height = LAYER[piece(module)]
    return [
        f"{module}, line {line}: imports {other}, which stands above it"
        for line, other in imports(module, tree, is_package)
        if LAYER.get(piece(other), 0) > height
    ]


def test_every_module_belongs_to_a_layer() -> None:
    strangers = {piece(module) for module in MODULES} - set(LAYER)
    assert not strangers, f"enter into the list of layers in ARCHITECTURE.md: {', '.join(sorted(strangers))}"


def test_no_piece_is_listed_twice() -> None:
    pieces = [piece for layer in layers() for piece in layer]
    assert len(pieces) == len(set(pieces))


@pytest.mark.parametrize("module", [module for module in MODULES if piece(module) in LAYER])
def test_imports_point_downward(module: str) -> None:
    file = MODULES[module]
    tree = ast.parse(file.read_text(encoding="utf-8"))
    assert upward(module, tree, file.name == "__init__.py") == []


class AtImport(ast.NodeTransformer):
    """Leaves of a module what runs when it is imported: no functions, nothing under `if TYPE_CHECKING`."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        return None

    def visit_If(self, node: ast.If) -> ast.AST | None:
        return None if ast.unparse(node.test) == "TYPE_CHECKING" else self.generic_visit(node)


def test_no_two_pieces_need_each_other_to_be_imported() -> None:
    needed: dict[str, set[str]] = {}
    for module, file in MODULES.items():
        tree = AtImport().visit(ast.parse(file.read_text(encoding="utf-8")))
        for _, other in imports(module, tree, file.name == "__init__.py"):
            if piece(other) != piece(module):
                needed.setdefault(piece(module), set()).add(piece(other))
    assert list(TopologicalSorter(needed).static_order())  # a circle raises CycleError, which names it


@pytest.mark.parametrize(
    "line",
    [
        "import glassgrad.cli",
        "from glassgrad import cli",
        "from glassgrad.cli import main",
        "from .. import cli",
        "from ..cli import main",
        "def f():\n    from glassgrad.cli import main",
    ],
)
def test_an_upward_import_is_seen(line: str) -> None:
    assert len(upward("glassgrad.formula.tree", ast.parse(line))) == 1


def test_a_relative_import_within_a_package_is_seen() -> None:
    tree = ast.parse("from . import tree\nfrom ..cli import main")
    assert [line for line, _ in imports("glassgrad.formula", tree, is_package=True)] == [1, 2]
    assert len(upward("glassgrad.formula", tree, is_package=True)) == 1


@pytest.mark.parametrize("module", MODULES)
def test_every_module_says_what_it_is(module: str) -> None:
    assert ast.get_docstring(ast.parse(MODULES[module].read_text(encoding="utf-8")))


HEAVY = ("torch", "pydantic", "scipy", "sympy", "llvmlite", "matplotlib", "gymnasium")
LOADED = f"import sys; print(*(name for name in {HEAVY!r} if name in sys.modules), file=sys.stderr)"


@pytest.mark.skipif("glassgrad.cli" not in MODULES, reason="there is no command line yet")
@pytest.mark.parametrize(
    "start",
    [
        "import glassgrad",
        "import glassgrad.cli",
        "import atexit, sys, glassgrad.cli\nsys.argv = ['glassgrad', '--help']\natexit.register(loaded)\n"
        "glassgrad.cli.main()",
    ],
    ids=["import glassgrad", "import glassgrad.cli", "glassgrad --help"],
)
def test_it_starts_without_heavy_libraries(start: str) -> None:
    program = f"def loaded():\n    {LOADED}\n{start}\nif 'atexit' not in globals(): loaded()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, "")


def project_files() -> list[Path]:
    """The files of the project as git sees them: committed ones, and new ones that are not ignored."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return []
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


# Folders of one machine, and hosts that serve packages: a project that names them runs nowhere else.
FOREIGN = re.compile(
    r"(?<![\w.~$}/-])/(?:home|root|Users|work|opt|mnt|media|tmp|private)/\w"
    r"|\b[A-Z]:\\Users\\"
    r"|\bfile:///"
    r"|\b(?:[\w-]+[.])*(?:pypi[.]org|pythonhosted[.]org|npmjs[.](?:org|com)|debian[.]org|anaconda[.]org)\b"
    r"|\bdownload[.]pytorch[.]org\b|--(?:extra-)?index-url\b"
)


def test_no_file_names_a_machine_or_a_registry() -> None:
    files = project_files()
    if not files:
        pytest.skip("not a git checkout")
    found = []
    for file in files:
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:  # a font or a picture
            continue
        found += [f"{file.relative_to(ROOT)}: {match[0]}" for match in FOREIGN.finditer(text)]
    assert found == []


@pytest.mark.parametrize("name", ["/ho|me/ann/x", "see /wo|rk/main", "C:|\\Users\\ann", "https://pypi|.org/simple"])
def test_a_foreign_name_is_seen(name: str) -> None:
    assert FOREIGN.search(name.replace("|", ""))  # the bar keeps this very file clean
