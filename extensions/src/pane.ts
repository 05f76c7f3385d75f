/** One graph on screen: shows a drawing, moves it, tells what was clicked. */
import { type Cleanup, h, s } from "./dom";
import type { Drawn, DrawnNode } from "./drawing";
import { signGlyph } from "./drawing";
import type { Side } from "./types";
import { type Box, centred, far, heldInSight, type Point, type Size, zoomedAt } from "./viewport";

export interface PaneEvents {
  /** The wheel or two fingers ask for another zoom; `at` is in the pane's own pixels. */
  zoom(pane: Pane, factor: number, at: Point): void;
  select(pane: Pane, node: DrawnNode | null): void;
  key(event: KeyboardEvent, pane: Pane): boolean;
  moved(): void;
  resized(pane: Pane): void;
  save(pane: Pane, format: "svg" | "png" | "dot"): void;
}

export class Pane {
  readonly element: HTMLElement;
  readonly canvas: HTMLElement;
  private readonly title: HTMLElement;
  private readonly tally: HTMLElement;
  private readonly saving: HTMLDetailsElement;
  private readonly svg: SVGSVGElement;
  private readonly viewport: SVGGElement;
  private readonly notice: HTMLElement;
  private nodeOf = new Map<Element, DrawnNode>();
  private marked: Element[] = [];
  drawn: Drawn | null = null;
  offset: Point = { x: 0, y: 0 };
  /** Size of the canvas when it was last looked at. */
  size: Size = { width: 0, height: 0 };
  private zoom = 1;

  constructor(
    readonly side: Side,
    private readonly events: PaneEvents,
    private readonly cleanup: Cleanup,
  ) {
    this.title = h("span", { class: "pwb-pane-title" });
    this.tally = h("span", { class: "pwb-pane-tally" });
    this.saving = this.saveMenu();
    this.viewport = s("g", { class: "pwb-viewport" });
    this.svg = s("svg", { class: "pwb-svg", role: "img" }, this.viewport);
    this.notice = h("div", { class: "pwb-notice", role: "status", hidden: true });
    this.canvas = h("div", {
      class: "pwb-canvas",
      tabindex: 0,
      role: "group",
      title:
        "Drag or arrow keys: move. Ctrl + wheel, or the wheel after a click: zoom. n, p: next, previous change.",
    });
    this.canvas.append(this.svg, this.notice);
    this.element = h(
      "section",
      { class: "pwb-pane", "data-side": side, hidden: true },
      h("header", { class: "pwb-pane-head" }, this.title, this.tally, this.saving),
      this.canvas,
    );
    this.listen();
  }

  get visible(): boolean {
    return !this.element.hidden;
  }

  setTitle(title: string): void {
    this.title.textContent = title;
    this.title.title = title;
  }

  show(drawn: Drawn): void {
    this.drawn = drawn;
    this.notice.hidden = true;
    this.nodeOf = new Map(drawn.nodes.map((node) => [node.element, node]));
    this.marked = [];
    this.viewport.replaceChildren(drawn.content);
    const count = (sign: string) => drawn.changes.filter((node) => node.sign === sign).length;
    const parts = (["added", "removed", "altered"] as const)
      .map((sign) => ({ sign, n: count(sign) }))
      .filter(({ n }) => n);
    this.tally.replaceChildren(
      ...parts.map(({ sign, n }) =>
        h("span", { class: `pwb-count pwb-${sign}` }, `${signGlyph[sign]} ${n} ${sign}`),
      ),
    );
    const words = parts.map(({ sign, n }) => `${n} ${sign}`).join(", ") || "nothing marked as changed";
    const label = `${this.title.textContent || this.side}: graph with ${drawn.nodes.length} nodes, ${words}`;
    this.svg.setAttribute("aria-label", label);
    this.canvas.setAttribute("aria-label", `${label}. Arrow keys move it, n and p go to the changes.`);
    this.saving.hidden = false;
  }

  /** Takes the drawing away and says why. */
  say(words: string): void {
    this.drawn = null;
    this.viewport.replaceChildren();
    this.tally.replaceChildren();
    this.nodeOf.clear();
    this.marked = [];
    this.notice.textContent = words;
    this.notice.hidden = false;
    this.svg.setAttribute("aria-label", words);
    this.canvas.setAttribute("aria-label", words);
    this.saving.hidden = true;
  }

  place(offset: Point, zoom: number): void {
    this.zoom = zoom;
    this.offset = this.drawn ? heldInSight(offset, this.drawn.size, this.size, zoom) : offset;
    this.svg.classList.toggle("pwb-far", zoom < far);
    const { x, y } = this.offset;
    this.viewport.setAttribute(
      "transform",
      `translate(${x.toFixed(2)} ${y.toFixed(2)}) scale(${zoom.toFixed(4)})`,
    );
  }

  zoomTo(zoom: number, at: Point = { x: this.size.width / 2, y: this.size.height / 2 }): void {
    this.place(zoomedAt(this.offset, at, this.zoom, zoom), zoom);
  }

  /** Puts a box of the graph into the middle. */
  centre(box: Box, zoom: number): void {
    if (this.drawn) this.place(centred(box, this.drawn.size, this.size, zoom), zoom);
  }

  /** The box of the graph that is in sight. */
  inSight(): Box {
    return {
      x: -this.offset.x / this.zoom,
      y: -this.offset.y / this.zoom,
      width: this.size.width / this.zoom,
      height: this.size.height / this.zoom,
    };
  }

  reveal(node: DrawnNode): void {
    if (!this.sees(node)) this.centre(node.box, this.zoom);
  }

  /** Brings the first change into view, unless some change is there already. */
  revealChange(): void {
    const changes = this.drawn?.changes ?? [];
    if (changes[0] && !changes.some((node) => this.sees(node))) this.reveal(changes[0]);
  }

  private sees({ box }: DrawnNode): boolean {
    const { x, y, width, height } = this.inSight();
    return box.x >= x && box.y >= y && box.x + box.width <= x + width && box.y + box.height <= y + height;
  }

  find(id: string): DrawnNode | null {
    return this.nodes().find((node) => node.id === id) ?? null;
  }

  /** Outlines nodes and lifts their edges out of the rest. */
  outline(nodes: DrawnNode[]): void {
    for (const element of this.marked) element.classList.remove("pwb-selected", "pwb-near");
    this.marked = [];
    for (const node of nodes) {
      node.element.classList.add("pwb-selected");
      this.marked.push(node.element);
      for (const edge of this.drawn?.edgesOf(node) ?? []) {
        edge.classList.add("pwb-near");
        this.marked.push(edge);
      }
    }
  }

  /** Lets `look` see the drawing in its usual look: nothing outlined, and not as from far away. */
  plain<T>(look: () => T): T {
    const outlined = this.nodes().filter(({ element }) => element.classList.contains("pwb-selected"));
    const isFar = this.svg.classList.contains("pwb-far");
    this.outline([]);
    this.svg.classList.remove("pwb-far");
    try {
      return look();
    } finally {
      this.outline(outlined);
      this.svg.classList.toggle("pwb-far", isFar);
    }
  }

  private nodes(): DrawnNode[] {
    return this.drawn?.nodes ?? [];
  }

  /** Takes the size from the page, unless the pane is hidden: then the last one holds. */
  measure(): boolean {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (width === 0) return false;
    const changed = width !== this.size.width || height !== this.size.height;
    this.size = { width, height };
    return changed;
  }

  private saveMenu(): HTMLDetailsElement {
    const item = (format: "svg" | "png" | "dot", words: string) => {
      const button = h("button", { type: "button" }, words);
      this.cleanup.listen(button, "click", () => {
        this.saving.open = false;
        this.events.save(this, format);
      });
      return button;
    };
    const menu = h(
      "details",
      { class: "pwb-save", hidden: true },
      h("summary", { title: "Save this graph as a file" }, "Save"),
      h("div", {}, item("svg", "SVG drawing"), item("png", "PNG picture"), item("dot", "DOT text")),
    );
    this.cleanup.listen<FocusEvent>(menu, "focusout", (event) => {
      if (event.relatedTarget && !menu.contains(event.relatedTarget as Node)) menu.open = false;
    });
    this.cleanup.listen<KeyboardEvent>(menu, "keydown", (event) => {
      if (event.key === "Escape") menu.open = false;
    });
    return menu;
  }

  private listen(): void {
    const { canvas, cleanup } = this;
    let from: Point | null = null;
    let start: Point = { x: 0, y: 0 };
    let dragged = false;

    cleanup.listen<PointerEvent>(canvas, "pointerdown", (event) => {
      if (event.button !== 0) return;
      from = { x: event.clientX, y: event.clientY };
      start = this.offset;
      dragged = false;
    });
    cleanup.listen<PointerEvent>(canvas, "pointermove", (event) => {
      if (!from || !(event.buttons & 1)) return;
      const [dx, dy] = [event.clientX - from.x, event.clientY - from.y];
      if (!dragged && Math.hypot(dx, dy) < 4) return;
      if (!dragged) {
        dragged = true;
        canvas.setPointerCapture(event.pointerId);
        canvas.classList.add("pwb-dragging");
      }
      this.place({ x: start.x + dx, y: start.y + dy }, this.zoom);
      this.events.moved();
    });
    const end = () => {
      from = null;
      canvas.classList.remove("pwb-dragging");
    };
    cleanup.listen(canvas, "pointerup", end);
    cleanup.listen(canvas, "pointercancel", end);
    cleanup.listen<MouseEvent>(canvas, "click", (event) => {
      canvas.focus({ preventScroll: true });
      if (dragged) return;
      const group = (event.target as Element).closest("g.node");
      this.events.select(this, (group && this.nodeOf.get(group)) ?? null);
    });

    // The page keeps its wheel, unless Ctrl is held or the person is working in this graph.
    cleanup.listen<WheelEvent>(
      canvas,
      "wheel",
      (event) => {
        if (!this.drawn) return;
        if (!(event.ctrlKey || event.metaKey || canvas.matches(":focus, :focus-within"))) return;
        event.preventDefault();
        const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
        const delta = Math.max(-120, Math.min(120, event.deltaY * lines));
        const frame = canvas.getBoundingClientRect();
        const at = { x: event.clientX - frame.left, y: event.clientY - frame.top };
        this.events.zoom(this, Math.exp(-delta * (event.ctrlKey ? 0.004 : 0.002)), at);
      },
      { passive: false },
    );

    cleanup.listen<KeyboardEvent>(canvas, "keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const step = event.shiftKey ? 240 : 60;
      const moves: Record<string, [number, number]> = {
        ArrowLeft: [step, 0],
        ArrowRight: [-step, 0],
        ArrowUp: [0, step],
        ArrowDown: [0, -step],
        PageUp: [0, this.size.height * 0.9],
        PageDown: [0, -this.size.height * 0.9],
      };
      const move = moves[event.key];
      if (move) {
        this.place({ x: this.offset.x + move[0], y: this.offset.y + move[1] }, this.zoom);
        this.events.moved();
      } else if (!this.events.key(event, this)) {
        return;
      }
      event.preventDefault();
      event.stopPropagation();
    });

    const observer = new ResizeObserver(() => this.events.resized(this));
    observer.observe(canvas);
    cleanup.add(() => observer.disconnect());
  }
}
