"""The graph explorer in a real Chromium: showing a graph and moving in it, with Netron beside it."""

from __future__ import annotations

import gzip
import json
import logging
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import netron
from playwright.sync_api import Browser, BrowserContext, Page, Route, sync_playwright
from playwright.sync_api import Error as BrowserError
from playwright.sync_api import TimeoutError as PatienceError

import workbench as wb
from tests.chromium import chromium
from workbench.ir import Graph, Op, Value
from workbench.ui._widgets import STATIC
from workbench.ui.page import kept_as, page_data

HERE = Path(__file__).parent
IN_PAGE = HERE / "in_page.js"
BUNDLE = STATIC / "graph_view.js"
# A page of our own, answered from memory: nothing listens there.
ADDRESS = "http://127.0.0.1:9"
NETRON_LIMIT_S = 180
# What takes Netron longer than this is measured once.
NETRON_LONG_S = 20
SHOWS = 5
LARGE_SHOWS = 3
STAGE_ROUNDS = 3
FRAME_ROUNDS = 6
FRAMES = 60
LAYERS = 36
Row = tuple[str, str, str, str]
Times = dict[str, Any]


# ---------------------------------------------------------------- graphs


def residual_net(count: int, nets: int = 5) -> Graph:
    """Residual nets one after the other, with parameters, shapes, layers and attributes as exported ones."""
    ops: list[Op] = []
    values: dict[str, Value] = {}

    def value(shape: tuple[int, ...], name: str | None = None) -> str:
        one = Value(f"%{len(values)}", "float32", shape, name, parameter=name is not None)
        values[one.id] = one
        return one.id

    def op(kind: str, layer: str, inputs: list[str], shapes: list[tuple[int, ...]], **attrs: Any) -> str:
        outputs = tuple(value(shape) for shape in shapes)
        attrs = {**attrs, "struct_name": f"{layer}/", "stop_gradient": [False] * len(outputs)}
        ops.append(Op(len(ops), f"pd_op.{kind}", tuple(inputs), outputs, attrs, layer))
        return outputs[0]

    def convolution(x: str, layer: str, number: str, wide: int, shape: tuple[int, ...]) -> str:
        name = f"{len(ops)}"
        weight = value((wide, wide, 3, 3), f"conv2d_{name}.w_0")
        window = {
            "strides": [1, 1],
            "paddings": [1, 1],
            "dilations": [1, 1],
            "groups": 1,
            "data_format": "NCHW",
        }
        x = op("conv2d", f"{layer}/Conv2D{number}", [x, weight], [shape], **window)
        statistics_ = [value((wide,), f"batch_norm2d_{name}.{part}") for part in ("w_1", "w_2", "w_0", "b_0")]
        settings = {"is_test": True, "momentum": 0.9, "epsilon": 1e-5, "data_format": "NCHW"}
        shapes = [shape, *[(wide,)] * 4, (-1,)]
        return op("batch_norm_", f"{layer}/BatchNorm2D{number}", [x, *statistics_], shapes, **settings)

    x = op("data", "", [], [(-1, 64, 56, 56)], name="image", dtype="float32")
    block = 0
    while len(ops) < count:
        net, stage = len(ops) * nets // count, block // 8 % 4
        wide = 64 << stage
        shape = (-1, wide, 56 >> stage, 56 >> stage)
        layer = f"/ResNet_{net}/Sequential_{stage}/BasicBlock_{block}"
        y = convolution(x, layer, "", wide, shape)
        y = op("relu", f"{layer}/ReLU", [y], [shape])
        y = convolution(y, layer, "_1", wide, shape)
        if block % 8 == 0:
            x = convolution(x, f"{layer}/Sequential", "", wide, shape)
        y = op("add", layer, [y, x], [shape])
        x = op("relu", f"{layer}/ReLU", [y], [shape])
        block += 1
    return Graph("pir", tuple(ops), values)


def saved(view: wb.GraphView) -> tuple[bytes, int]:
    """The graph a view shows, as a page reads it, and how many bytes Python sends for it."""
    state = {name: getattr(view, name) for name in view.trait_names(sync=True) if not name.startswith("_")}
    plain = {name: value for name, value in state.items() if isinstance(value, (bool, int, str, list))}
    documents = {kept_as(view.stages, view.stage, view.against): view.document}
    return json.dumps(page_data(plain, documents, b"")).encode(), len(view.document)


def saved_page(view: wb.GraphView, folder: Path) -> bytes:
    """The data of a page saved with all its stages."""
    path = folder / "saved.html"
    view.save_html(path)
    found = re.search(
        r'<script id="data" type="application/json">(.*?)</script>', path.read_text("utf-8"), re.DOTALL
    )
    assert found
    return found.group(1).encode()


# ---------------------------------------------------------------- pages


@contextmanager
def guarded(browser: Browser) -> Iterator[BrowserContext]:
    """Pages that may ask this machine alone."""
    context = browser.new_context(viewport={"width": 1500, "height": 1150})

    def guard(route: Route) -> None:
        if urlsplit(route.request.url).hostname == "127.0.0.1":
            route.continue_()
        else:
            route.abort()

    context.route(re.compile(r"^(https?|wss?)://"), guard)
    context.add_init_script(path=IN_PAGE)
    try:
        yield context
    finally:
        context.close()


class Explorer:
    """A page with the graph explorer in it."""

    def __init__(self, context: BrowserContext) -> None:
        self.answers: dict[str, tuple[str, bytes]] = {
            "/": ("text/html", b"<!doctype html><meta charset=utf-8><body style='margin: 0'>"),
            "/graph_view.js": ("text/javascript", BUNDLE.read_bytes()),
        }
        context.route(f"{ADDRESS}/**", self._answer)
        self.page: Page = context.new_page()
        self.page.set_default_timeout(0)
        self.page.goto(ADDRESS)

    def _answer(self, route: Route) -> None:
        kind, body = self.answers.get(urlsplit(route.request.url).path, ("", b""))
        route.fulfill(status=200 if kind else 404, content_type=kind or "text/plain", body=body)

    def give(self, name: str, data: bytes) -> None:
        """Make a saved view known under a name."""
        self.answers[f"/{name}"] = ("application/json", data)

    def show(self, name: str) -> Times:
        """Show it, in a page that has the explorer's code already."""
        return self.page.evaluate("name => measure.show(name)", name)

    def shows(self, name: str, count: int) -> list[Times]:
        """Show it several times; the first one warms up where there are more."""
        found = [self.show(name) for _ in range(count + (count > 1))]
        return found[1:] if count > 1 else found


class Netron:
    """Netron's own server, and its page in our browser."""

    def __init__(self, browser: Browser, file: Path) -> None:
        self.browser, self.file = browser, file
        logging.getLogger("netron").setLevel(logging.WARNING)

    def show(self) -> Times | None:
        """Open the file; None where that takes too long."""
        host, port = netron.start(str(self.file), ("127.0.0.1", 0), browse=False)
        try:
            with guarded(self.browser) as context:
                # Said before it is asked: it waits for consent to cookies.
                context.add_cookies([{"name": "consent", "value": "1", "url": f"http://{host}:{port}"}])
                page = context.new_page()
                page.goto(f"http://{host}:{port}", wait_until="domcontentloaded")
                try:
                    page.wait_for_function(
                        "() => measure.times || measure.problem", timeout=NETRON_LIMIT_S * 1000
                    )
                except PatienceError:
                    # Only a Netron that is seen at work was slow: anything else is a fault of this script.
                    state = page.evaluate("() => measure.state()")
                    if state["ready"] or not state["asked"] or "spinner" not in state["classes"]:
                        raise RuntimeError(f"Netron's end was missed, or it never began: {state}") from None
                    return None
                found = page.evaluate("() => ({times: measure.times, problem: measure.problem})")
                if not found["times"]:
                    raise RuntimeError(f"Netron was not measured: {found['problem']}")
                return found["times"]
        finally:
            netron.stop((host, port))

    def shows(self, count: int) -> list[Times] | None:
        """Open it several times, or once if it takes long."""
        first = self.show()
        if first is None or first["all"] > NETRON_LONG_S * 1000:
            return None if first is None else [first]
        return [found for _ in range(count) if (found := self.show())]


# ---------------------------------------------------------------- rows


def median(times: list[Times], name: str) -> float:
    """In seconds."""
    return statistics.median(time[name] for time in times) / 1000


def parts(times: list[Times]) -> str:
    """Where the time went."""
    shares = f"reading {median(times, 'before'):.2f}, layout {median(times, 'layout'):.2f}"
    return f"{shares}, drawing {median(times, 'after'):.2f} s; worst of {len(times)} {_worst(times)}"


def _worst(times: list[Times]) -> str:
    return f"{max(time['all'] for time in times) / 1000:.2f} s"


def beside(times: list[Times] | None, name: str = "all") -> str:
    """What Netron took."""
    return f"over {NETRON_LIMIT_S} s" if times is None else f"{median(times, name):.2f} s"


def counted(times: list[Times] | None) -> str:
    """How much was drawn: Netron makes each parameter a node, we fold them into their ops unless asked."""
    return f"with parameters, {times[0]['nodes']:,} nodes" if times else "with parameters"


def showing_deep(explorer: Explorer, browser: Browser) -> list[Row]:
    """The sample of 10,000 ops, from its packed graph to its picture."""
    folder = wb.sample("deep")
    model = wb.load(folder)
    start = time.perf_counter()
    view = wb.view(model, mode="flat")
    python = time.perf_counter() - start
    data, size = saved(view)
    explorer.give("deep", data)
    view.mode = "layers"
    explorer.give("deep-layers", saved(view)[0])
    view.mode, view.show_parameters = "flat", True
    explorer.give("deep-parameters", saved(view)[0])
    view.close()
    # Netron between ours: what the machine does meanwhile hits both.
    flat = explorer.shows("deep", SHOWS)
    theirs = Netron(browser, Path(folder) / "inference.json").shows(SHOWS)
    flat += explorer.shows("deep", SHOWS)
    layers = explorer.shows("deep-layers", SHOWS)
    full = explorer.shows("deep-parameters", SHOWS)
    ours = median(full, "all")
    return [
        (
            f"deep, {model.ops:,} ops, flat: packed graph to picture",
            f"{median(flat, 'all'):.2f} s",
            "at most 1 s",
            parts(flat),
        ),
        (
            "the same by layer",
            f"{median(layers, 'all'):.2f} s",
            "at most 1 s",
            f"{parts(layers)}; {layers[0]['nodes']:,} nodes",
        ),
        (
            "deep, flat, with parameters: model file to picture",
            f"{python + ours:.2f} s",
            "",
            f"{counted(full)}; Python reads the file and packs {size / 1000:,.0f} kB in {python:.2f} s; "
            f"Netron, {counted(theirs)}, from having the file: {beside(theirs)}, "
            f"of it layout {beside(theirs, 'layout')}",
        ),
    ]


def showing_large(explorer: Explorer) -> list[Row]:
    """Synthetic nets of 50,000 and 100,000 ops."""
    rows = []
    for count, shows, goal in ((50_000, LARGE_SHOWS, "at most 3 s"), (100_000, 1, "is shown")):
        graph = residual_net(count)
        start = time.perf_counter()
        view = wb.view(graph, mode="flat")
        python = time.perf_counter() - start
        data, size = saved(view)
        view.close()
        explorer.give("large", data)
        name = f"{len(graph.ops):,} ops, flat: packed graph to picture"
        try:
            times = explorer.shows("large", shows)
        except BrowserError as error:
            rows.append((name, "failed", goal, str(error).splitlines()[0][:120]))
            continue
        note = f"{parts(times)}; Python packs {size / 1e6:.1f} MB in {python:.1f} s"
        rows.append((name, f"{median(times, 'all'):.2f} s", goal, note))
    return rows


def decoder(explorer: Explorer, browser: Browser, folder: Path) -> list[Row]:
    """A decoder whose layers share a mask: what layouts of graphs find hard."""
    script = [sys.executable, str(HERE / "decoder.py"), str(LAYERS), str(folder)]
    subprocess.run(script, check=True, capture_output=True)
    file = folder / "inference.json"
    view = wb.view(folder, mode="flat")
    ops = len(view.graph().ops)
    explorer.give("decoder", saved(view)[0])
    view.show_parameters = True
    explorer.give("decoder-parameters", saved(view)[0])
    view.close()
    ours = explorer.shows("decoder", SHOWS)
    theirs = Netron(browser, file).shows(SHOWS)
    ours += explorer.shows("decoder", SHOWS)
    full = explorer.shows("decoder-parameters", SHOWS)
    return [
        (
            f"layout of a {LAYERS}-layer decoder, shared mask, {ops:,} ops",
            f"{median(ours, 'layout'):.3f} s",
            "at most 0.2 s",
            f"{counted(full)}: {median(full, 'layout'):.3f} s; "
            f"Netron, {counted(theirs)}: {beside(theirs, 'layout')}",
        ),
        (
            "the same decoder, packed graph to picture",
            f"{median(ours, 'all'):.2f} s",
            "",
            f"{parts(ours)}; Netron from having the file {beside(theirs)}",
        ),
    ]


def stages(explorer: Explorer, folder: Path) -> list[Row]:
    """From each pass of `deep` that changed something to the next."""
    with wb.Session(wb.load(wb.sample("deep"))) as session:
        session.start()
        trace = wb.trace(session)
        rows = []
        for mode, words in (("flat", "flat"), ("layers", "by layer")):
            view = wb.view(trace, mode=mode)
            changed = [stage["index"] for stage in view.stages if stage["changed"]]
            view.stage = changed[0]
            view.wait()
            if mode == "flat":
                data = json.loads(saved_page(view, folder))
            view.close()
            data["state"].update(stage=changed[0], mode=mode)
            explorer.give("trace", json.dumps(data).encode())
            steps: list[Times] = []
            for _ in range(STAGE_ROUNDS):
                explorer.show("trace")
                steps += [explorer.page.evaluate("at => measure.stage(at)", at) for at in changed[1:]]
            moved = sum(step["moved"] for step in steps)
            stayed = sum(step["stayed"] for step in steps)
            # The first round only: the others repeat it.
            restless = [step for step in steps[: len(changed) - 1] if step["moved"]]
            where = "".join(
                f"; to stage {step['number']}: {step['moved']:,} in {step['shifts']} shifts"
                for step in restless[:4]
            )
            name = f"deep, stage to stage, {words}"
            rows += [
                (
                    name,
                    f"{median(steps, 'all'):.2f} s",
                    "at most 0.2 s",
                    f"{len(changed)} stages; {parts(steps)}",
                ),
                (
                    f"{name}: nodes that stay and move",
                    f"{moved:,}",
                    "0",
                    f"of {stayed:,} in {len(steps)} steps{where}",
                ),
            ]
        trace.close()
    return rows


def moving(explorer: Explorer) -> list[Row]:
    """Panning and zooming in `deep`, flat, and an empty canvas of the same size."""
    explorer.show("deep")
    rows = []
    ways = (
        ("fit", "panning, all in sight"),
        ("middle", "panning, half way"),
        ("boxes", "panning, boxes and edges"),
        ("actual", "panning at 1:1"),
    )
    for how, words, zooming in (*((*way, False) for way in ways), ("middle", "zooming, half way", True)):
        rounds = [
            explorer.page.evaluate(
                "([how, zooming, count]) => measure.move(how, zooming, count)", [how, zooming, FRAMES]
            )
            for _ in range(FRAME_ROUNDS + 1)
        ]
        cold, rounds = rounds[0], rounds[1:]
        scripts = [time for one in rounds for time in one["scripts"]]
        ours = [time for one in rounds for time in one["ours"]]
        theirs = [time for one in rounds for time in one["theirs"]]
        # Means, since a median would hide frames left out.
        mine, empty = statistics.fmean(ours), statistics.fmean(theirs)
        name = f"deep, {words}"
        rows += [
            (
                f"{name}: script per frame",
                f"{statistics.median(scripts):.1f} ms",
                "at most 4 ms",
                f"95 % within {_late(scripts):.1f} ms, the first frame {cold['first']:.0f} ms; "
                f"{rounds[0]['seen']:,} nodes in sight at {rounds[0]['zoom']:.3f}",
            ),
            (
                f"{name}: frames / those of an empty canvas",
                f"{mine / empty:.2f}",
                "at most 1.3",
                f"{mine:.1f} ms, empty {empty:.1f} ms; 95 % {_late(ours):.1f}, {_late(theirs):.1f} ms, "
                f"medians {statistics.median(ours):.1f}, {statistics.median(theirs):.1f} ms",
            ),
        ]
    return rows


def _late(times: list[float]) -> float:
    return sorted(times)[len(times) * 95 // 100]


def bundle() -> Row:
    """What a page loads."""
    code = BUNDLE.read_bytes()
    size = len(gzip.compress(code, 9))
    note = f"{len(code) / 1000:.0f} KB as it is"
    return "graph explorer, compressed", f"{size / 1000:.0f} KB", "at most 300 KB", note


def explorer_rows(deep: bool = True) -> list[Row]:
    """All rows of the graph explorer.

    Args:
        deep: with the sample `deep`, which takes over a minute to export and half a minute to trace.
    """
    with (
        tempfile.TemporaryDirectory() as name,
        sync_playwright() as playwright,
        chromium(playwright) as browser,
        guarded(browser) as context,
    ):
        explorer = Explorer(context)
        folder = Path(name)
        rows = []
        if deep:
            print("exporting the sample 'deep' if it is not cached: over a minute", flush=True)
            rows += showing_deep(explorer, browser)
        rows += [*showing_large(explorer), *decoder(explorer, browser, folder)]
        if deep:
            rows += [*moving(explorer), *stages(explorer, folder)]
        return [*rows, bundle()]
