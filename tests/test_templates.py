"""Texts from templates: what is put into HTML is escaped, and what is missing is an error."""

from __future__ import annotations

from collections.abc import Iterator

import jinja2
import pytest

from workbench._templates import render

TEXT = "{% for name in names %}\n  {{ name }}\n{% endfor %}\n"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A package with one text under several names, and another one."""
    folder = tmp_path_factory.mktemp("site") / "package_with_templates" / "templates"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    for name in ("page.html.j2", "page.html", "issue.md.jinja", "program.py.j2", "html.cc.j2"):
        (folder / name).write_text(TEXT)
    (folder / "loud.txt").write_text("{{ word | loud }}")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder.parent.parent)
        yield folder.parent.name


@pytest.mark.parametrize("template", ["page.html.j2", "page.html"])
def test_in_html_values_are_escaped(package: str, template: str) -> None:
    assert render(package, template, {"names": ["<b>", "a & b"]}) == "  &lt;b&gt;\n  a &amp; b\n"


@pytest.mark.parametrize("template", ["issue.md.jinja", "program.py.j2", "html.cc.j2"])
def test_in_programs_they_are_not(package: str, template: str) -> None:
    assert render(package, template, {"names": ["<vector>", "a & b"]}) == "  <vector>\n  a & b\n"


def test_a_value_that_is_missing_is_an_error(package: str) -> None:
    with pytest.raises(jinja2.UndefinedError, match="'names' is undefined"):
        render(package, "program.py.j2", {"name": "x"})


def test_filters_are_those_given(package: str) -> None:
    assert render(package, "loud.txt", {"word": "now"}, {"loud": str.upper}) == "NOW"
