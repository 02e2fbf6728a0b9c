"""Mutation testing: changes one thing of a module at a time and reports the changes that no test notices.

    script/mutate [MODULE[:LINE]]...     such as speech/endpoint.py or wire/frames.py:83; without any, all

It is our own because most of what has to be pinned here are defaults of dataclasses, module constants and
default arguments: mutmut 3 changes function bodies only, and cosmic-ray starts pytest anew for each mutant (7 s).
Here a process that has imported the libraries is forked per mutant, and an import hook gives the fork the changed
module; no file is written.
"""

from __future__ import annotations

import ast
import gc
import importlib
import os
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import Phase, settings

PACKAGE = Path("wyoming_units")
PLUGINS = ("_hypothesis_pytestplugin", "pytest_asyncio.plugin", "pytest_timeout")
LIBRARIES = """
    hassil home_assistant_intents homeassistant hypothesis.strategies ifaddr numpy pydantic wyoming.error wyoming.info
    wyoming.ping yaml zeroconf.asyncio
"""
"""What the package and its tests import, as far as it is there: imported once, not for each mutant."""
UNIT, INTEGRATION = "tests/unit/test_", "tests/integration/test_"
WIRE = [f"{INTEGRATION}{name}.py" for name in ("wire", "streams", "client")]
GRAMMAR = [f"{UNIT}grammar_{name}.py" for name in ("text", "automaton", "home")]
TESTS = {
    "wire": [f"{UNIT}limits.py", *WIRE],
    "wire/frames.py": [f"{UNIT}frames.py", *WIRE],
    "wire/requests.py": [f"{UNIT}requests.py", *WIRE],
    "wire/discovery.py": [f"{UNIT}discovery.py", f"{INTEGRATION}discovery.py"],
    "speech/automaton.py": GRAMMAR,
    "speech/dates.py": [f"{UNIT}readings.py"],
    "speech/endpoint.py": [f"{UNIT}{name}.py" for name in ("endpoint", "turn_rules")],
    "speech/fades.py": [f"{UNIT}fades.py"],
    "speech/grammar.py": GRAMMAR,
    "speech/hallucination.py": [f"{UNIT}hallucination.py"],
    "speech/home.py": [f"{UNIT}home.py"],
    "speech/level.py": [f"{UNIT}levels.py", f"{UNIT}turn_rules.py"],
    "speech/likeness.py": [f"{UNIT}likeness.py"],
    "speech/measures.py": [f"{UNIT}speakable.py", f"{UNIT}readings.py"],
    "speech/mel.py": [f"{INTEGRATION}smart_turn.py"],
    "speech/numbers.py": GRAMMAR,
    "speech/pronounce.py": [f"{UNIT}pronounce.py", *GRAMMAR],
    "speech/readings.py": [f"{UNIT}readings.py", *GRAMMAR],
    "speech/sentences.py": [f"{UNIT}sentences.py"],
    "speech/speakable.py": [f"{UNIT}speakable.py"],
    "speech/speaking.py": [f"{INTEGRATION}{name}.py" for name in ("speaking", "speaking_requests")],
    "speech/ssml.py": [f"{UNIT}ssml.py"],
    "speech/trigger.py": [f"{UNIT}trigger.py"],
    "speech/turn.py": [f"{UNIT}endpoint.py", f"{UNIT}turn_rules.py"],
    "speech/vocabulary.py": [f"{INTEGRATION}faster_whisper.py"],
}
"""The tests that answer for a module, fast ones first; of a folder where the module has none of its own."""
MEMORY = 6 << 30
"""Bytes of address space that a mutant may take; some never stop to collect."""

OPPOSITES: dict[type[ast.AST], tuple[type[ast.AST], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.And: (ast.Or,),
    ast.Or: (ast.And,),
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add,),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Mult,),
    ast.Mod: (ast.Mult,),
    ast.Break: (ast.Continue,),
    ast.Continue: (ast.Break,),
}


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One change of one module."""

    module: str
    """Path below the package."""
    tree: ast.Module
    line: int
    text: str
    """What is replaced by what."""
    parent: ast.AST
    field: str
    index: int | None
    new: ast.AST

    def module_changed(self) -> ast.Module:
        """Return the changed module; the tree is changed for good."""
        if self.index is None:
            setattr(self.parent, self.field, self.new)
        else:
            getattr(self.parent, self.field)[self.index] = self.new
        return ast.fix_missing_locations(self.tree)


def alternatives(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what a node may be replaced by."""
    for opposite in OPPOSITES.get(type(node), ()):
        yield opposite()
    match node:
        case ast.Constant(value=bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(value=int() as value):
            yield from (ast.Constant(value + 1), ast.Constant(value - 1))
        case ast.Constant(value=float() as value):
            changed = (0.1,) if value == 0 else (value * 1.1, value * 0.9)
            yield from map(ast.Constant, changed)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
        case ast.Return(value=value) if not isinstance(value, ast.Constant | None):
            yield ast.Return(ast.Constant(None))
        case ast.Expr(value=ast.Call() | ast.Await()) | ast.Raise() | ast.AugAssign():
            yield ast.Pass()
        case ast.Assign(targets=[ast.Attribute()]):
            yield ast.Pass()


def _is_text(node: ast.AST) -> bool:
    """Tell what is there for people only: log lines, texts of messages, types."""
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func)
        return name.startswith("_LOGGER.")
    return isinstance(node, (ast.JoinedStr, ast.Import, ast.ImportFrom))


def _conditions(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Yield plain conditions turned round; comparisons and `and`, `or`, `not` are changed by themselves."""
    if isinstance(node, (ast.If, ast.While, ast.IfExp)):
        if not isinstance(node.test, (ast.Compare, ast.BoolOp, ast.UnaryOp, ast.Constant)):
            yield "test", ast.UnaryOp(ast.Not(), node.test)


def mutants(module: str, tree: ast.Module) -> Iterator[Mutant]:
    """Yield all mutants of a module in the order of its source."""

    def mutant(
        node: ast.AST, parent: ast.AST, field: str, index: int | None, new: ast.AST
    ) -> Mutant:
        shown = parent if isinstance(node, (ast.cmpop, ast.boolop, ast.operator)) else node
        old = ast.unparse(shown)
        kind = "" if shown is node else f"  [{type(node).__name__} -> {type(new).__name__}]"
        after = "" if kind else f"  ->  {ast.unparse(ast.fix_missing_locations(new))}"
        text = " ".join(f"{old}{after}{kind}".split())
        return Mutant(
            module=module, tree=tree, line=getattr(shown, "lineno", 0), text=text,
            parent=parent, field=field, index=index, new=new,
        )  # fmt: skip

    def walk(node: ast.AST) -> Iterator[Mutant]:
        for field, new in _conditions(node):
            yield mutant(getattr(node, field), node, field, None, new)
        for field, value in ast.iter_fields(node):
            if field in ("annotation", "returns", "decorator_list"):
                continue
            children = value if isinstance(value, list) else [value]
            for position, child in enumerate(children):
                if not isinstance(child, ast.AST) or _is_text(child):
                    continue
                if isinstance(child, ast.Expr) and _is_text(child.value):
                    continue
                for new in alternatives(child):
                    index = position if isinstance(value, list) else None
                    yield mutant(child, node, field, index, new)
                yield from walk(child)

    return walk(tree)


class Changed(MetaPathFinder, Loader):
    """Imports the changed module in place of the real one."""

    def __init__(self, mutant: Mutant) -> None:
        self._name = ".".join((PACKAGE / mutant.module).with_suffix("").parts)
        self._file = str(PACKAGE / mutant.module)
        self._code = compile(mutant.module_changed(), self._file, "exec")

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        return spec_from_loader(fullname, self, origin=self._file)

    def exec_module(self, module: ModuleType) -> None:
        exec(self._code, module.__dict__)


def passes(tests: Sequence[str], limit: float, mutant: Mutant | None = None) -> bool:
    """Run tests in a fork; False when one fails, or when they do not end within `limit` seconds."""
    child = os.fork()
    if child == 0:
        _run_tests(tests, limit, mutant)
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status == 0
        time.sleep(0.02)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def _run_tests(tests: Sequence[str], limit: float, mutant: Mutant | None) -> None:
    status: int = 2
    try:
        os.setsid()
        if mutant is not None:
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            sys.meta_path.insert(0, Changed(mutant))
        options = ["-x", "-q", "--no-header", "--tb=line", "--disable-warnings"]
        for plugin in ("no:cacheprovider", *PLUGINS):
            options += ["-p", plugin]
        status = pytest.main([*options, f"--timeout={limit:.0f}", *tests])
    finally:
        os._exit(int(status))


def tests_of(module: str) -> list[str]:
    """Return the test files for a module, as far as they are there."""
    named = TESTS.get(module) or TESTS[module.split("/", maxsplit=1)[0]]
    return [name for name in named if Path(name).exists()]


def wanted(arguments: Sequence[str]) -> dict[str, set[int]]:
    """Return the lines to change by module; no lines are all of them."""
    every = [
        str(path.relative_to(PACKAGE))
        for folder in ("wire", "speech")
        for path in sorted((PACKAGE / folder).glob("*.py"))
        if path.name != "__init__.py"
    ]
    chosen: dict[str, set[int]] = {}
    for argument in arguments or every:
        module, _, line = argument.partition(":")
        if module not in every:
            raise SystemExit(f"{module} is none of {' '.join(every)}")
        chosen.setdefault(module, set()).update({int(line)} if line else ())
    return chosen


def examine(module: str, lines: set[int]) -> Counter[str]:
    """Test all mutants of a module, tell the survivors and count."""
    tests = tests_of(module)
    start = time.monotonic()
    if not passes(tests, 300):
        raise SystemExit(f"{module}: the tests fail without any change")
    limit = 10 + 3 * (time.monotonic() - start)
    source = (PACKAGE / module).read_text("utf-8")
    count: Counter[str] = Counter()
    total = len([m for m in mutants(module, ast.parse(source)) if not lines or m.line in lines])
    for number in range(total):
        # Parsed anew, so that each mutant has a tree of its own to change.
        every = (m for m in mutants(module, ast.parse(source)) if not lines or m.line in lines)
        mutant = next(m for position, m in enumerate(every) if position == number)
        survived = passes(tests, limit, mutant)
        count["survived" if survived else "killed"] += 1
        if survived:
            print(f"  {module}:{mutant.line}: {mutant.text}", flush=True)
    seconds = time.monotonic() - start
    print(
        f"{module}: {total} mutants, {count['killed']} killed, {count['survived']} survived, {seconds:.0f} s",
        flush=True,
    )
    return count


def main(arguments: Sequence[str]) -> None:
    """Report on the wanted modules."""
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    for name in (*LIBRARIES.split(), *PLUGINS):
        with suppress(ImportError):
            importlib.import_module(name)
    settings.register_profile(
        "mutate", phases=[Phase.explicit, Phase.generate], database=None, derandomize=True
    )
    settings.load_profile("mutate")
    gc.freeze()  # pytest collects garbage at its end
    count: Counter[str] = Counter()
    for module, lines in wanted(arguments).items():
        count += examine(module, lines)
    print(f"{count.total()} mutants, {count['killed']} killed, {count['survived']} survived")


if __name__ == "__main__":
    main(sys.argv[1:])
