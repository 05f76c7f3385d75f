/** The graph before and after a pass, side by side. */
import base from "./base.css?inline";
import { changesTable } from "./changes_table";
import { Cleanup, debounce, download, h, injectStyle, isDark, onTheme, ownKeys, plural, reason, save } from "./dom";
import { type Drawn, type DrawnNode, readDrawing } from "./drawing";
import { pngBlob, standaloneSvg, svgBlob } from "./export";
import css from "./graph_view.css?inline";
import { LayoutEngine } from "./layout";
import { Pane, type PaneEvents } from "./pane";
import type { GraphViewTraits, Model, RenderContext, Side } from "./types";
import { actualSize, clampZoom, muchDifferent, type Point, type Size, zoomToFit } from "./viewport";

const sides: Side[] = ["before", "after"];

class GraphView implements PaneEvents {
  private readonly cleanup = new Cleanup();
  private readonly engine = new LayoutEngine();
  private readonly panes: Record<Side, Pane>;
  private readonly root: HTMLElement;
  private readonly stage: HTMLElement;
  private readonly bar: HTMLElement;
  private readonly note = h("p", { class: "pwb-note" });
  private readonly status = h("span", { class: "pwb-status", role: "status" });
  private readonly spoken = h("div", { class: "pwb-hidden", "aria-live": "polite" });
  private readonly words = h("div", { class: "pwb-words", role: "status", hidden: true });
  private readonly changes = h("details", { class: "pwb-changes", hidden: true });
  private readonly counter = h("span", { class: "pwb-counter" });
  private readonly percent = h("span", { class: "pwb-percent" });
  private readonly steps: HTMLElement;
  private readonly tools: HTMLElement;
  private zoomed = 1;
  /** Counts the requests for a drawing, so that a late one is not shown. */
  private round = 0;
  private placed: Partial<Record<Side, Size>> = {};
  private toPlace = false;
  /** Whether a person has moved or zoomed since the view chose its place itself. */
  private touched = false;
  private step = -1;
  private choosing = false;
  private selectedIn: string;

  constructor(
    private readonly model: Model<GraphViewTraits>,
    private readonly el: HTMLElement,
  ) {
    this.panes = {
      before: new Pane("before", this, this.cleanup),
      after: new Pane("after", this, this.cleanup),
    };
    const button = (words: string, title: string, action: () => void) => {
      const made = h("button", { type: "button", class: "pwb-button", title, "aria-label": title }, words);
      this.cleanup.listen(made, "click", action);
      return made;
    };
    this.steps = h(
      "div",
      { class: "pwb-group", role: "group", "aria-label": "Changes" },
      button("‹", "Previous change (p)", () => this.goTo(-1)),
      this.counter,
      button("›", "Next change (n)", () => this.goTo(1)),
    );
    this.tools = h(
      "div",
      { class: "pwb-tools" },
      this.steps,
      h(
        "div",
        { class: "pwb-group", role: "group", "aria-label": "Zoom" },
        button("−", "Zoom out (−)", () => this.zoomBy(1 / 1.25)),
        this.percent,
        button("+", "Zoom in (+)", () => this.zoomBy(1.25)),
        button("1:1", "Actual size (1)", () => this.zoomBy(actualSize / this.zoomed)),
        button("Fit", "Show the whole graph (f)", () => this.fit("all")),
      ),
    );
    this.stage = h("div", { class: "pwb-stage" }, this.panes.before.element, this.panes.after.element);
    this.bar = h("div", { class: "pwb-bar" }, this.note, this.status, this.tools);
    this.root = h(
      "div",
      { class: "pwb pwb-graph" },
      this.bar,
      this.words,
      this.stage,
      this.changes,
      this.spoken,
    );
    ownKeys(this.root);
    this.cleanup.listen<KeyboardEvent>(this.root, "keydown", (event) => this.stepKey(event));
    this.el.append(this.root);
    injectStyle(this.el, "base", base);
    injectStyle(this.el, "graph", css);
    requestAnimationFrame(() => {
      if (!this.root.isConnected) return;
      injectStyle(this.el, "base", base);
      injectStyle(this.el, "graph", css);
    });

    const redraw = debounce(() => void this.draw(), 15);
    this.cleanup.add(redraw.cancel);
    this.cleanup.observe(model, ["before", "after", "too_large"], redraw);
    this.cleanup.observe(model, ["before_title", "after_title", "note", "table", "height"], () =>
      this.showWords(),
    );
    this.cleanup.observe(model, ["selected"], () => this.selectedElsewhere());
    onTheme(this.cleanup, () => this.tellTheme());
    this.selectedIn = this.selectedDot(model.get("selected"));
    this.tellTheme();
    this.showWords();
    void this.draw();
  }

  dispose(): void {
    this.round += 1;
    this.engine.dispose();
    this.cleanup.run();
    this.root.remove();
  }

  // What is said in words

  private showWords(): void {
    const { model } = this;
    const note = model.get("note");
    this.note.textContent = note;
    this.note.title = note;
    this.bar.hidden = this.tools.hidden && !note;
    this.panes.before.setTitle(model.get("before_title") || "Before");
    this.panes.after.setTitle(model.get("after_title") || "After");
    this.root.style.setProperty("--pwb-height", `${Math.max(120, model.get("height") || 420)}px`);
    const rows = model.get("table");
    this.changes.hidden = rows.length === 0;
    this.changes.replaceChildren(
      h("summary", {}, `${plural(rows.length, "changed op")} as a table`),
      ...(rows.length ? [changesTable(rows)] : []),
    );
  }

  private tellTheme(): void {
    const theme = isDark() ? "dark" : "light";
    if (this.model.get("theme") === theme) return;
    this.model.set("theme", theme);
    save(this.model);
  }

  /** No drawing at all: the words and the table stand for it. */
  private showInstead(words: string): void {
    this.words.textContent = words;
    this.words.hidden = false;
    this.stage.hidden = true;
    this.tools.hidden = true;
    this.bar.hidden = !this.model.get("note");
    this.changes.open = true;
    this.placed = {};
  }

  // Drawing

  private async draw(): Promise<void> {
    const { model } = this;
    this.round += 1;
    const round = this.round;
    this.engine.cancel();
    this.status.textContent = "";
    this.root.classList.remove("pwb-drawing");
    const tooLarge = model.get("too_large");
    const dots: Record<Side, string> = { before: model.get("before"), after: model.get("after") };
    if (tooLarge) {
      this.showInstead(tooLarge);
      return;
    }
    if (!dots.before && !dots.after) {
      this.showInstead("No graph to show yet.");
      return;
    }

    const slow = setTimeout(() => {
      this.status.textContent = "drawing …";
      this.root.classList.add("pwb-drawing");
    }, 250);
    const drawings: Partial<Record<Side, Drawn | string>> = {};
    const seconds = model.get("time_limit") || 10;
    for (const side of ["after", "before"] as const) {
      if (!dots[side]) continue;
      const drawing = await this.engine.draw(dots[side], seconds);
      if (round !== this.round) {
        clearTimeout(slow);
        return;
      }
      if (drawing.kind === "svg") drawings[side] = attempt(() => readDrawing(drawing.svg));
      else if (drawing.kind === "timeout")
        drawings[side] =
          `This graph was not drawn within ${plural(drawing.seconds, "second")}, so the drawing was stopped.`;
      else if (drawing.kind === "error")
        drawings[side] = `Graphviz could not draw this graph: ${drawing.message}.`;
    }
    clearTimeout(slow);
    this.status.textContent = "";
    this.root.classList.remove("pwb-drawing");
    this.showDrawings(drawings);
  }

  private showDrawings(drawings: Partial<Record<Side, Drawn | string>>): void {
    const results = Object.values(drawings);
    const failures = results.filter((result) => typeof result === "string");
    if (failures.length === results.length) {
      this.showInstead([...new Set(failures)].join(" "));
      return;
    }

    this.words.hidden = true;
    this.stage.hidden = false;
    this.tools.hidden = false;
    this.bar.hidden = false;
    let panesChanged = false;
    for (const side of sides) {
      const pane = this.panes[side];
      const result = drawings[side];
      panesChanged ||= pane.visible !== (result !== undefined);
      pane.element.hidden = result === undefined;
      if (result === undefined) pane.drawn = null;
      else if (typeof result === "string") pane.say(result);
      else pane.show(result);
    }
    this.changes.open = failures.length > 0;
    this.step = -1;
    this.showCounter();
    const grown = this.shownPanes().some(({ side, drawn }) => {
      const old = this.placed[side];
      return !old || !drawn || muchDifferent(old, drawn.size);
    });
    const first = Object.keys(this.placed).length === 0;
    for (const { side, drawn } of this.shownPanes()) if (drawn) this.placed[side] = drawn.size;
    if (first || (panesChanged ? !this.touched : grown)) this.fit("width");
    else
      for (const pane of this.shownPanes()) {
        this.keepPlace(pane);
        pane.revealChange();
      }
    if (this.selectedDot(this.model.get("selected")) === this.selectedIn) this.showSelected(false);
    else this.clearSelection();
  }

  private shownPanes(): Pane[] {
    return sides.map((side) => this.panes[side]).filter((pane) => pane.visible && pane.drawn);
  }

  // Place and zoom

  /** Leaves the view of a graph where it was before the graph or the pane's size changed. */
  private keepPlace(pane: Pane): void {
    const old = pane.size;
    pane.measure();
    if (!pane.drawn) return;
    if (old.width === 0) {
      pane.centre(firstBox(pane.drawn), this.zoomed);
      return;
    }
    const x = pane.offset.x + (pane.size.width - old.width) / 2;
    pane.place({ x, y: pane.offset.y + (pane.size.height - old.height) / 2 }, this.zoomed);
  }

  private fit(what: "width" | "all"): void {
    const panes = this.shownPanes();
    for (const pane of panes) pane.measure();
    this.toPlace = panes.some(({ size }) => size.width < 10 || size.height < 10);
    if (this.toPlace || panes.length === 0) return;
    this.setZoom(Math.min(...panes.map(({ drawn, size }) => zoomToFit(drawn!.size, size, what))));
    for (const pane of panes) pane.centre(firstBox(pane.drawn!), this.zoomed);
    this.touched = false;
  }

  private setZoom(zoom: number): void {
    this.zoomed = clampZoom(zoom);
    this.percent.textContent = `${Math.round((this.zoomed / actualSize) * 100)}%`;
  }

  private zoomBy(factor: number, at?: { pane: Pane; point: Point }): void {
    this.setZoom(this.zoomed * factor);
    this.touched = true;
    for (const pane of this.shownPanes()) pane.zoomTo(this.zoomed, at?.pane === pane ? at.point : undefined);
  }

  zoom(pane: Pane, factor: number, point: Point): void {
    this.zoomBy(factor, { pane, point });
  }

  moved(): void {
    this.touched = true;
  }

  resized(pane: Pane): void {
    if (this.toPlace) this.fit("width");
    else this.keepPlace(pane);
  }

  /** n and p work wherever the focus is in the view. */
  private stepKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || (event.key !== "n" && event.key !== "p")) return;
    this.goTo(event.key === "n" ? 1 : -1);
    event.preventDefault();
    event.stopPropagation();
  }

  key(event: KeyboardEvent): boolean {
    const actions: Record<string, () => void> = {
      f: () => this.fit("all"),
      0: () => this.fit("all"),
      1: () => this.zoomBy(actualSize / this.zoomed),
      "+": () => this.zoomBy(1.25),
      "=": () => this.zoomBy(1.25),
      "-": () => this.zoomBy(1 / 1.25),
      Escape: () => this.clearSelection(),
    };
    const action = actions[event.key];
    action?.();
    return action !== undefined;
  }

  // Changes and the selection

  /** The panes step together: where one has fewer marks than the other, several steps share one. */
  private goTo(direction: 1 | -1): void {
    const panes = this.shownPanes().filter(({ drawn }) => drawn!.changes.length > 0);
    const total = Math.max(0, ...panes.map(({ drawn }) => drawn!.changes.length));
    if (total === 0) return;
    this.step = this.step < 0 && direction < 0 ? total - 1 : (this.step + direction + total) % total;
    const targets = panes.map((pane) => {
      const { changes } = pane.drawn!;
      return { pane, node: changes[Math.floor((this.step * changes.length) / total)]! };
    });
    const leader = targets.find(({ pane }) => pane.drawn!.changes.length === total) ?? targets[0]!;
    for (const pane of this.shownPanes()) {
      const target = targets.find((candidate) => candidate.pane === pane);
      pane.outline(target ? [target.node] : []);
      if (target) pane.centre(target.node.box, this.zoomed);
      else pane.centre(sameHeight(leader.node, leader.pane.drawn!, pane.drawn!), this.zoomed);
    }
    this.touched = true;
    this.showCounter();
    this.choose(`${leader.pane.side}:${leader.node.id}`, this.describe(leader.pane, leader.node));
  }

  private showCounter(): void {
    const total = Math.max(0, ...this.shownPanes().map(({ drawn }) => drawn!.changes.length));
    const at = this.step < 0 ? "" : `${this.step + 1} of `;
    this.counter.textContent = total ? `${at}${plural(total, "change")}` : "no changes";
    for (const button of this.steps.querySelectorAll("button")) button.disabled = total === 0;
  }

  private describe(pane: Pane, node: DrawnNode): string {
    return `Selected ${node.label || node.id}${node.sign ? `, ${node.sign}` : ""}, in the graph ${pane.side}`;
  }

  private choose(selected: string, spoken: string): void {
    this.spoken.textContent = spoken;
    this.selectedIn = this.selectedDot(selected);
    if (this.model.get("selected") === selected) return;
    this.choosing = true;
    this.model.set("selected", selected);
    this.choosing = false;
    save(this.model);
  }

  select(pane: Pane, node: DrawnNode | null): void {
    for (const other of this.shownPanes()) other.outline(other === pane && node ? [node] : []);
    this.choose(node ? `${pane.side}:${node.id}` : "", node ? this.describe(pane, node) : "");
  }

  private clearSelection(): void {
    for (const pane of this.shownPanes()) pane.outline([]);
    this.choose("", "");
  }

  /** The trait was set from Python or in another view. */
  private selectedElsewhere(): void {
    if (this.choosing) return;
    this.selectedIn = this.selectedDot(this.model.get("selected"));
    this.showSelected(true);
  }

  private showSelected(reveal: boolean): void {
    const selected = this.model.get("selected");
    for (const pane of this.shownPanes()) {
      const node = selected.startsWith(`${pane.side}:`)
        ? pane.find(selected.slice(pane.side.length + 1))
        : null;
      pane.outline(node ? [node] : []);
      if (node && reveal) pane.reveal(node);
    }
  }

  /** The graph a selection belongs to: `op12` is another op in the graph of another stage. */
  private selectedDot(selected: string): string {
    const side = sides.find((name) => selected.startsWith(`${name}:`));
    return side ? this.model.get(side) : "";
  }

  // Files

  save(pane: Pane, format: "svg" | "png" | "dot"): void {
    const title = this.model.get(`${pane.side}_title`) || pane.side;
    const name = `${title.replace(/[^\w.-]+/g, "_").replace(/^_+|_+$/g, "") || pane.side}.${format}`;
    const { drawn } = pane;
    if (format === "dot") {
      download(name, new Blob([this.model.get(pane.side)], { type: "text/vnd.graphviz" }));
      return;
    }
    if (!drawn) return;
    const svg = pane.plain(() => standaloneSvg(drawn, getComputedStyle(this.root).backgroundColor));
    if (format === "svg") {
      download(name, svgBlob(svg));
      return;
    }
    pngBlob(svg, drawn.size).then(
      (blob) => download(name, blob),
      (error: unknown) => {
        this.status.textContent = `PNG not saved: ${reason(error)}`;
      },
    );
  }
}

function attempt(read: () => Drawn): Drawn | string {
  try {
    return read();
  } catch (error) {
    return `${reason(error)}.`;
  }
}

/** Where to look first: at the first change, or at the top. */
function firstBox({ changes, size }: Drawn): { x: number; y: number; width: number; height: number } {
  return changes[0]?.box ?? { x: 0, y: 0, width: size.width, height: 0 };
}

/** The place in `there` that is as far down as `node` is in `here`. */
function sameHeight(
  node: DrawnNode,
  here: Drawn,
  there: Drawn,
): { x: number; y: number; width: number; height: number } {
  const y = (node.box.y / Math.max(1, here.size.height)) * there.size.height;
  return { x: 0, y, width: there.size.width, height: node.box.height };
}

export function render({ model, el }: RenderContext<GraphViewTraits>): () => void {
  const view = new GraphView(model, el);
  return () => view.dispose();
}

export default { render };
