"""The graph explorer on a page, by what a person sees and does in it."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Locator, expect

SLOW_MS = 30_000

_FACTS = """graph => {
    const view = graph.parentElement.graphView;
    if (!view?.picture || !view.scene) return null;
    const {scene, picture} = view;
    const marks = [0, 0, 0, 0];
    for (const mark of scene.mark) marks[mark] += 1;
    return {
        stage: scene.document.stage,
        against: scene.document.against,
        ops: scene.count - marks[2],
        added: marks[1], removed: marks[2], altered: marks[3],
        titles: picture.visible.nodes.map(node => node.title),
        places: Object.fromEntries(
            picture.visible.nodes.map((node, at) => [node, view.board.camera.toScreen(picture.box(at))])
                .filter(([node]) => node.mark !== 2).map(([node, {x, y}]) => [node.key, [x, y]])),
        zoom: view.board.camera.zoom,
    };
}"""
_POINT = """(graph, title) => {
    const view = graph.parentElement.graphView;
    const {picture, board} = view;
    const at = picture.visible.nodes.findIndex(node => node.title === title);
    if (at < 0) return null;
    if (!board.camera.sees(picture.box(at))) { board.camera.centre(picture.box(at)); board.redraw(); }
    const box = picture.box(at);
    return board.camera.toScreen({x: box.x + box.width / 2, y: box.y + 6});
}"""
_WHEN = "([graph, wanted]) => { const facts = (%s)(graph); return facts && (%s)(facts, wanted); }"


class Explorer:
    """One graph view."""

    def __init__(self, root: Locator) -> None:
        self.root = root
        self.page = root.page

    @property
    def canvas(self) -> Locator:
        """Where the graph is drawn."""
        return self.root.locator(".pwb-board")

    @property
    def panel(self) -> Locator:
        """What is said of the selection."""
        return self.root.locator(".pwb-panel")

    def facts(self) -> dict[str, Any]:
        """What is drawn: stage, ops, marks, titles, where on the screen what is left stands, zoom."""
        found = self.root.evaluate(_FACTS)
        assert found is not None, "nothing is drawn"
        return found

    def until(self, condition: str, wanted: Any = None) -> dict[str, Any]:
        """Wait until a condition on the facts holds, given as JavaScript of ``facts`` and ``wanted``."""
        self.page.wait_for_function(
            _WHEN % (_FACTS, f"(facts, wanted) => {condition}"),
            arg=[self.root.element_handle(), wanted],
            timeout=SLOW_MS,
        )
        return self.facts()

    def at_stage(self, stage: int) -> dict[str, Any]:
        """Wait until a stage is drawn."""
        return self.until("facts.stage === wanted", stage)

    def click(self, title: str, **how: Any) -> None:
        """Click on the first node of this title."""
        point = self.root.evaluate(_POINT, title)
        assert point is not None, f"no node {title}"
        self.canvas.click(position=point, **how)

    def press(self, key: str) -> None:
        """A key, in the drawing."""
        self.canvas.press(key)

    def button(self, words: str) -> Locator:
        """A button of the toolbar or the panel."""
        return self.root.get_by_role("button", name=words, exact=True)

    def choose(self, label: str, value: str) -> None:
        """A choice in one of the lists."""
        self.root.get_by_label(label, exact=True).select_option(value)

    def says(self, text: str | re.Pattern[str]) -> None:
        """Wait until some words can be read."""
        expect(self.root.get_by_text(text).first).to_be_visible(timeout=SLOW_MS)
