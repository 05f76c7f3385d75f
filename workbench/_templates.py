"""Texts from Jinja2 templates: programs, reports and pages. A variable that a template lacks is an error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

# By the ending of a template's name: what is put into these is escaped.
HTML = ("html", "html.j2", "html.jinja")


def render(
    package: str,
    template: str,
    values: Mapping[str, Any],
    filters: Mapping[str, Callable[..., Any]] | None = None,
) -> str:
    """A template with values in it.

    Args:
        package: the package whose folder ``templates`` holds it.
        template: the name of its file.
        values: by name.
        filters: more of them, by name.

    Returns:
        The text. Lines that hold a tag alone leave nothing behind. In HTML values are escaped.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=PackageLoader(package),
        autoescape=select_autoescape(HTML, ()),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    environment.filters.update(filters or {})
    return environment.get_template(template).render(values)
