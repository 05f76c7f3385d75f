"""How each language writes a call, a number and a list of literals."""

from __future__ import annotations

from collections.abc import Sequence


def cpp_statement(target: str, name: str, args: Sequence[str]) -> str:
    """A call in C++."""
    owner = "config." if target == "config" else "config.pass_builder()->"
    return f"{owner}{name}({', '.join(args)});"


def c_statement(target: str, name: str, args: Sequence[str]) -> str:
    """A call in C."""
    # Calls that Python makes without an argument are switches in C.
    switch = name in ("EnableNewExecutor", "EnableMemoryOptim")
    return f"PD_Config{name}({', '.join(('config', *args, *(['TRUE'] if switch else [])))});"


def go_statement(target: str, name: str, args: Sequence[str]) -> str:
    """A call in Go."""
    return f"config.{name}({', '.join(args) or ('true' if name == 'EnableMemoryOptim' else '')})"


def python_statement(target: str, name: str, args: Sequence[str]) -> str:
    """A call in Python."""
    return f"config{'' if target == 'config' else '.pass_builder()'}.{name}({', '.join(args)})"


def r_statement(target: str, name: str, args: Sequence[str]) -> str:
    """A call in R, on objects of Python."""
    return f"config${'' if target == 'config' else 'pass_builder()$'}{name}({', '.join(args)})"


def r_number(value: int) -> str:
    """A whole number in R."""
    # A whole number of R has 32 bits.
    return f"{value}L" if abs(value) < 2**31 else f'py_eval("{value}", convert = FALSE)'


def in_braces(items: Sequence[str]) -> str:
    """A list or a set in C++, a set in Python."""
    return f"{{{', '.join(items)}}}"


def c_array(items: Sequence[str]) -> str:
    """Two arguments in C: how many there are, and an array."""
    return f"{len(items)}, (const char*[]){in_braces(items)}"


def go_slice(items: Sequence[str]) -> str:
    """A list in Go."""
    return f"[]string{in_braces(items)}"


def r_list(items: Sequence[str]) -> str:
    """A list in R, which Python takes as one."""
    return f"list({', '.join(items)})"


def r_set(items: Sequence[str]) -> str:
    """A set of Python's in R."""
    return f"import_builtins(convert = FALSE)$set({r_list(items)})"
