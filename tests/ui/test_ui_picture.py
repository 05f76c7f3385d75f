"""The picture of a graph for places without scripts: faithful, bounded, and safe whatever the names are."""

from __future__ import annotations

import json
import random
import re
import unicodedata
import zlib
from collections.abc import Callable
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import workbench as wb
from workbench.ir import Graph, Kernel, Op, Value, diff
from workbench.ui.document import Shown, alone, compared, graph_document, packed
from workbench.ui.picture import picture_svg

SVG = "{http://www.w3.org/2000/svg}"
ELEMENTS = {"svg", "title", "desc", "rect", "path", "text"}
ATTRIBUTES = {
    *("width", "height", "viewBox", "role", "font-family", "x", "y", "rx", "d", "fill", "stroke"),
    *("stroke-width", "stroke-dasharray", "font-size", "font-weight", "text-anchor"),
}
LARGEST = 200_000


def drawn(svg: str) -> ElementTree.Element:
    """The picture, after what holds for every one of them."""
    size = len(svg.encode())
    assert size <= LARGEST
    root = ElementTree.fromstring(svg)
    for element in root.iter():
        assert element.tag.removeprefix(SVG) in ELEMENTS
        assert set(element.attrib) <= ATTRIBUTES
        for value in element.attrib.values():
            assert "url(" not in value and "script" not in value and "//" not in value
    assert root.attrib["role"] == "img"
    assert [child.tag for child in root][:3] == [f"{SVG}title", f"{SVG}desc", f"{SVG}rect"]
    # Everything lies within the picture, on a ground of its own that fills it.
    left, top, width, height = map(float, root.attrib["viewBox"].split())
    ground = root.find(f"{SVG}rect")
    assert ground is not None and ground.attrib["fill"] == "#ffffff"
    for box in root.iter(f"{SVG}rect"):
        x, y = float(box.attrib["x"]), float(box.attrib["y"])
        assert left <= x and x + float(box.attrib["width"]) <= left + width + 0.5
        assert top <= y and y + float(box.attrib["height"]) <= top + height + 0.5
    return root


def texts(root: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def words(root: ElementTree.Element) -> str:
    return root.findtext(f"{SVG}desc") or ""


def chain(count: int, layer: Callable[[int], str] = lambda _: "") -> Graph:
    ops = tuple(
        Op(at, f"pd_op.kind{at % 7}", (f"v{at - 1}",) if at else (), (f"v{at}",), layer=layer(at))
        for at in range(count)
    )
    return Graph("pir", ops, {f"v{at}": Value(f"v{at}", "float32", (1, at)) for at in range(count)})


def test_a_graph_is_drawn_op_by_op() -> None:
    root = drawn(picture_svg(alone(chain(5)), title="five"))
    assert root.findtext(f"{SVG}title") == "five"
    shown = texts(root)
    assert shown.count("kind3") == 1 and "float32[1x3]" in shown and "5 ops" in shown
    paths = [element.attrib["d"] for element in root.iter(f"{SVG}path")]
    # One path holds all lines, another one the points of the arrows.
    assert [path.count("M") for path in paths] == [4, 4]


def test_what_a_reader_of_the_screen_hears() -> None:
    shown = compared(chain(4), alone(chain(5)), diff(chain(4), chain(5)))
    said = words(drawn(picture_svg(shown)))
    assert said.startswith("5 ops, + 1 added")
    assert "1 kind0" in said


def test_an_empty_graph_is_said_to_be_empty() -> None:
    root = drawn(picture_svg(alone(Graph("pir", (), {})), title="nothing"))
    assert "This graph has no ops." in texts(root)
    assert "0 ops" in texts(root)


def test_marks_have_a_sign_each_and_what_was_removed_is_dashed() -> None:
    before = Graph("pir", (Op(0, "data", (), ("%0",)), Op(1, "old", ("%0",), ("%1",))), {})
    after = Graph("pir", (Op(0, "data", (), ("%0",)), Op(1, "new", ("%0",), ("%1",))), {})
    root = drawn(picture_svg(compared(before, alone(after), diff(before, after))))
    shown = texts(root)
    assert shown.count("+") == 1 and shown.count("−") == 1 and shown.count("~") == 0
    dashed = [box for box in root.iter(f"{SVG}rect") if "stroke-dasharray" in box.attrib]
    assert len(dashed) == 1
    assert "1 op" not in shown and "2 ops, + 1 added, − 1 removed" in shown


def test_a_removed_op_alone_is_drawn() -> None:
    before = chain(1)
    empty = Graph("pir", (), {})
    shown = texts(drawn(picture_svg(compared(before, alone(empty), diff(before, empty)))))
    assert "kind0" in shown and "0 ops, − 1 removed" in shown


def test_a_large_graph_is_drawn_by_layer() -> None:
    graph = chain(400, lambda at: f"/Net/Stage_{at // 100}/Layer_{at // 10}")
    shown = texts(drawn(picture_svg(alone(graph))))
    assert "400 ops" in shown
    # The one block around everything is open.
    assert "Net" in shown
    blocks = [text for text in shown if "×" in text]
    assert blocks and shown.count("▸") >= len(blocks)
    counts = [int(found[1]) for text in shown[2:] if (found := re.fullmatch(r"(\d+) ops?", text))]
    assert 400 in counts or sum(counts) == 400


def test_a_block_says_that_something_in_it_changed() -> None:
    graph = chain(200, lambda at: f"/Part_{'abcd'[at // 50]}")
    ops = [*graph.ops[:60], *graph.ops[61:]]
    renumbered = tuple(Op(at, op.type, op.inputs, op.outputs, layer=op.layer) for at, op in enumerate(ops))
    after = Graph("pir", renumbered, graph.values)
    shown = texts(drawn(picture_svg(compared(graph, alone(after), diff(graph, after)))))
    assert [text for text in shown if re.fullmatch(r"49 ops, \d changed", text)]
    assert shown.count("50 ops") == 3 and "~" in shown


def test_of_a_graph_without_layers_the_first_part_is_drawn_and_the_rest_is_counted() -> None:
    rng = random.Random(7)
    # No structure that repeats, so that there are no blocks to be found.
    ops = tuple(
        Op(
            at,
            f"op_{rng.randrange(1 << 40)}",
            tuple(f"v{rng.randrange(at)}" for _ in range(min(at, 2))),
            (f"v{at}",),
        )
        for at in range(1000)
    )
    root = drawn(picture_svg(alone(Graph("program", ops, {}))))
    last = texts(root)
    found = next(
        re.fullmatch(r"and ([\d,]+) more ops: run the cell to see all", text) for text in last[-3:-2]
    )
    assert found
    assert found[0] in words(root)
    assert sum(text.startswith("op_") for text in last) > 100


def test_the_ops_counted_and_those_drawn_are_all_there_are() -> None:
    rng = random.Random(3)
    for count in (151, 333, 2000):
        ops = tuple(
            Op(
                at,
                f"k.{rng.randrange(1 << 30):010}",
                tuple(f"v{rng.randrange(max(0, at - 9), at)}" for _ in range(min(at, 2))),
                (f"v{at}",),
            )
            for at in range(count)
        )
        shown = texts(drawn(picture_svg(alone(Graph("program", ops, {})))))
        alone_drawn = sum(re.fullmatch(r"\d{10}", text) is not None for text in shown)
        held = sum(int(found[1]) for text in shown[:-2] if (found := re.fullmatch(r"(\d+) ops?", text)))
        more = [
            int(found[1].replace(",", ""))
            for text in shown
            if (found := re.match(r"and ([\d,]+) more op", text))
        ]
        assert alone_drawn + held + sum(more) == count


def test_a_value_with_many_readers_is_named_at_both_ends() -> None:
    ops = [Op(0, "data", (), ("%0",))]
    ops += [Op(at, "add", ("%0", f"%{at - 1}"), (f"%{at}",)) for at in range(1, 37)]
    graph = Graph("pir", tuple(ops), {"%0": Value("%0", "float32", (1,), "mask")})
    shown = texts(drawn(picture_svg(alone(graph))))
    assert shown.count("mask → 36 uses") == 1
    assert shown.count("▾ mask") == 36


def test_control_flow_has_frames() -> None:
    ops = (
        Op(0, "pd_op.data", (), ("%0",)),
        Op(1, "pd_op.if", ("%0",), ("%3",)),
        Op(2, "pd_op.exp", ("%0",), ("%1",), parent=1),
        Op(3, "pd_op.log", ("%0",), ("%2",), parent=1, region=1),
    )
    shown = texts(drawn(picture_svg(alone(Graph("pir", ops, {})))))
    assert [text for text in shown if text in ("if", "true", "false", "exp", "log")] == [
        *("if", "true", "false", "exp", "log"),
    ]


def test_a_large_loop_is_closed_and_says_what_it_holds() -> None:
    inner = [Op(at, f"k{at}", (), (), parent=1) for at in range(2, 900)]
    graph = Graph("pir", (Op(0, "data"), Op(1, "pd_op.while"), *inner, Op(900, "fetch")), {})
    shown = texts(drawn(picture_svg(alone(graph))))
    assert "while" in shown and "898 ops inside" in shown
    assert not [text for text in shown if "more op" in text]


@pytest.mark.parametrize("parents", ["deep", "odd"])
def test_deep_nesting_and_odd_parents(parents: str) -> None:
    count = 140
    holder = (
        [at - 1 if at else None for at in range(count)] if parents == "deep" else [*range(1, count), 10**9]
    )
    ops = tuple(Op(at, "pd_op.if", (), (), parent=holder[at], region=-at) for at in range(count))
    assert texts(drawn(picture_svg(alone(Graph("pir", ops, {}))))).count("if") == count
    deep = tuple(Op(at, "pd_op.while", parent=at - 1 if at else None) for at in range(3000))
    assert "2,999 ops inside" in texts(drawn(picture_svg(alone(Graph("pir", deep, {})))))


def test_everything_joined_with_everything_stays_small() -> None:
    ops = tuple(
        Op(n, "x", tuple(f"v{k}_{n}" for k in range(n)), tuple(f"v{n}_{k}" for k in range(24)))
        for n in range(24)
    )
    assert texts(drawn(picture_svg(alone(Graph("pir", ops, {}))))).count("x") == 24


# Names that mean harm


MARKUP = [
    "<script>alert(1)</script>",
    "</text></svg><script>",
    '"><img src=x onerror=alert(1)>',
    "&lt;&#0;&amp",
]
MARKUP += ["]]>", "<!--", "-->", "<![CDATA[", "</script>", "</noscript>", "javascript:alert(1)", "url(#x)"]
UNSEEN = [
    "\u202eevil\u202d",
    "\u2066\u2069",
    "\ud800",
    "\udfff\ud800",
    "\0",
    "\x1b[31m",
    "\u2028\u2029",
    "\ufeff",
]
UNSEEN += ["\ufffe\uffff", "\u200b", "", " ", "\n", "\r\n", "\U000e0041", "\u0301" * 50, "\x85", "\U0001ffff"]
PLANES = [
    "שלום",
    "مرحبا",
    "日本語" * 20,
    "😀" * 90,
    "\U00020000",
    "\U0010fffd",
    "e\u0301",
    "ﷺ" * 60,
    "é" * 10,
]
hostile = st.one_of(
    st.sampled_from([*MARKUP, *UNSEEN, *PLANES]),
    st.text(max_size=20),
    st.text(alphabet=st.characters(categories=("Cc", "Cf", "Cs", "Co", "Cn", "Mn")), max_size=8),
    st.integers(0, 0x10FFFF).map(chr),
)
plain = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), hostile, st.lists(st.floats(), max_size=2)
)


def named(
    names: list[str], attr: object, shape: tuple[int, ...] | None, parent: int | None, more: int
) -> Shown:
    """Two graphs with these names everywhere, one compared with the other."""
    kind, other, layer, one, two, three, key, kernel, dtype, called, inner, last = names
    values = {
        one: Value(one, dtype, (1,), called, True),
        two: Value(two, dtype, shape, called),
        three: Value(three, None, None, last if shape else None),
    }
    attrs = {key: attr, "list": [attr, [attr]], "tuple": (attr,)}
    run = Kernel(kernel, kernel, last, dtype)
    ops = (
        Op(0, kind, (one, "unknown"), (two,), attrs, layer, run),
        Op(1, other, (two, one), (three, inner), attrs, f"{layer}/{inner}", parent=parent),
        *(Op(at, kind, (two, three), (), {}, layer) for at in range(2, 2 + more)),
    )
    after = Graph("program", ops, values)
    before = Graph("program", (Op(0, last, (one,), (two,), attrs), Op(1, kind, (two,), (three,))), values)
    return compared(before, alone(after), diff(before, after))


def hostile_pictures() -> st.SearchStrategy[Shown]:
    return st.builds(
        named,
        st.lists(hostile, min_size=12, max_size=12, unique=True),
        plain,
        st.sampled_from([None, (), (-1, 3), tuple(range(300))]),
        st.sampled_from([None, 0]),
        st.sampled_from([0, 12]),
    )


def check_texts(root: ElementTree.Element) -> None:
    """Nothing on the screen is invisible, and what is written from right to left is closed off."""
    for text in root.itertext():
        inside = text.replace("\u2068", "").replace("\u2069", "")
        assert not {unicodedata.category(one) for one in inside} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
        assert text.count("\u2068") == text.count("\u2069")


quietly = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@quietly
@given(hostile_pictures(), hostile)
def test_hostile_names_in_pictures(shown: Shown, title: str) -> None:
    root = drawn(picture_svg(shown, title=title))
    check_texts(root)
    assert root.findtext(f"{SVG}title")


@settings(quietly, max_examples=5)
@given(st.lists(hostile, min_size=3, max_size=3))
def test_hostile_names_in_large_pictures(names: list[str]) -> None:
    kind, layer, value = names
    ops = tuple(
        Op(
            at,
            f"{kind}.{kind}{at}",
            (f"{value}{at - 1}",),
            (f"{value}{at}",),
            layer=f"{layer}/{layer}{at // 9}",
        )
        for at in range(180)
    )
    values = {f"{value}{at}": Value(f"{value}{at}", kind, (1,), f"{value}{at}") for at in range(180)}
    check_texts(drawn(picture_svg(alone(Graph("pir", ops, values)), title=kind)))


@pytest.mark.parametrize("text", [*MARKUP[:4], *UNSEEN[:6], *PLANES[:4], "a"])
def test_names_of_a_hundred_thousand_characters(text: str) -> None:
    long = text * (100_000 // len(text))
    shown = named([f"{long}{at}" for at in range(12)], long, tuple(range(9000)), 0, 12)
    check_texts(drawn(picture_svg(shown, title=long)))
    document = json.loads(zlib.decompress(packed(graph_document(shown))), parse_constant=refuse)
    assert document["strings"][document["ops"]["type"][0]] == sent(shown.graph.ops[0].type)
    view = wb.view(shown.graph, title=long)
    page = page_of(view.to_html())
    view.close()
    assert json.loads(page.scripts[0])["state"]["title"] == sent(long)
    assert len(page.heading) <= 210


def test_names_of_four_bytes_a_letter_everywhere_stay_within_the_size() -> None:
    name = "😀" * 100
    ops = tuple(
        Op(at, f"{name}{at}", tuple(f"{at - back}{name}" for back in range(1, 8)), (f"{at}{name}",))
        for at in range(150)
    )
    values = {f"{at}{name}": Value(f"{at}{name}", name, (1,), f"{name}{at}") for at in range(150)}
    drawn(picture_svg(alone(Graph("pir", ops, values)), title=name))


def sent(texts: object) -> object:
    """What JSON makes of texts: two halves of a character beside each other become one."""
    return json.loads(json.dumps(texts))


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


@quietly
@given(hostile_pictures())
def test_hostile_names_in_the_document_are_strict_json(shown: Shown) -> None:
    document = json.loads(zlib.decompress(packed(graph_document(shown))), parse_constant=refuse)
    assert [document["strings"][at] for at in document["ops"]["type"]] == sent(
        [op.type for op in shown.graph.ops]
    )
    assert [document["strings"][at] for at in document["values"]["id"]] == sent(list(shown.graph.values))
    for attrs in document["attrs"]:
        assert isinstance(json.loads(attrs, parse_constant=refuse), dict)
    known = len(document["strings"])
    for column in (document["values"]["name"], document["values"]["dtype"], document["blocks"]["path"]):
        assert all(-1 <= at < known for at in column)


class Page(HTMLParser):
    """The elements of a page in order, and what its scripts hold."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: set[str] = set()
        self.scripts: list[str] = []
        self.heading = ""
        self._within = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes.update(name for name, _ in attrs)
        self._within = tag
        if tag == "script":
            self.scripts.append("")

    handle_startendtag = handle_starttag

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within == "script":
            self.scripts[-1] += data
        elif self._within == "title" and not self.heading:
            self.heading = data


def page_of(text: str) -> Page:
    page = Page()
    page.feed(text)
    page.close()
    return page


@settings(quietly, max_examples=12)
@given(hostile_pictures(), hostile)
def test_hostile_names_in_the_page(shown: Shown, title: str) -> None:
    view = wb.view(shown.graph, title=title, note=title, query=title)
    try:
        text = view.to_html()
    finally:
        view.close()
    text.encode()
    page = page_of(text)
    first = ["html", "head", "meta", "meta", "meta", "title", "style", "body", "div", "noscript", "svg"]
    assert page.elements[: len(first)] == first
    assert page.elements[-2:] == ["script", "script"]
    assert set(page.elements[len(first) : -2]) <= ELEMENTS - {"svg"}
    assert not [name for name in page.attributes if name.startswith("on") or name in ("src", "href", "style")]
    data = json.loads(page.scripts[0], parse_constant=refuse)
    assert data["state"]["title"] == sent(title) == data["state"]["query"]
    assert set(data["documents"]) == {"0 none"}
    assert page.scripts[1].lstrip().startswith('import { page } from "data:text/javascript;base64,')
