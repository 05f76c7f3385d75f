/** The graph explorer: takes graphs from Python, shows them, and tells Python what a person does. */
import base from "../base.css?inline";
import { Cleanup, debounce, download, h, injectStyle, isDark, onTheme, ownKeys, reason, save } from "../dom";
import css from "../graph_view.css?inline";
import type { GraphViewTraits, Model } from "../types";
import type { Point } from "../viewport";
import { Board, type BoardEvents } from "./board";
import { changesTable } from "./changes";
import { type Colouring, colouring } from "./colours";
import { describeBlock } from "./describe_block";
import { describeOp, opAsText, opTitle, showable, spoken } from "./describe";
import { type GraphDocument, type LineageDocument, Mark } from "./document";
import { unpack } from "./documents";
import { LayoutEngine } from "./engine";
import type { LayoutInput } from "./layout/index";
import { Legend } from "./legend";
import { type Lineage, parseLineage } from "./lineage";
import { lookOf } from "./look";
import { between, type Direction, neighbourhood } from "./neighbourhood";
import { nodeColours, overlayOf } from "./node_colours";
import type { Highlight, Look } from "./painter";
import { type Action, type Histogram, Panel } from "./panel";
import { layoutInput, Picture } from "./picture";
import { dotOf, fileName, pngBlob, svgBlob, svgOf } from "./save";
import { Scene } from "./scene";
import { parseQuery, search, searchNote } from "./search";
import { hideStill } from "./still";
import { placeTip, tipText } from "./tip";
import { Toolbar, type ToolbarEvents } from "./toolbar";
import { stepFrom, type Way } from "./walking";
import { visible, type Visible, type VisibleNode } from "./visible";

/** Up to so many ops everything can be read at once: `auto` shows them flat. */
const flatMost = 150;
/** Searching starts when a person stops typing. */
const typingMs = 120;
/** Within this time the second click of a double click comes. */
const doubleClickMs = 300;
/** Of the panel beside the drawing, as the style sheet has it. */
const panelWidth = 300;

export class GraphView implements BoardEvents, ToolbarEvents {
  private readonly cleanup = new Cleanup();
  private readonly engine = new LayoutEngine();
  readonly board: Board;
  private readonly toolbar: Toolbar;
  private readonly panel: Panel;
  private readonly legend = new Legend();
  private readonly root: HTMLElement;
  private readonly words = h("div", { class: "pwb-words", role: "status" });
  private readonly stageRoom: HTMLElement;
  private readonly tip = h("div", { class: "pwb-tip", hidden: true, "aria-hidden": "true" });
  private readonly alone: HTMLElement;
  private readonly aloneWords = h("span");
  private readonly spoken = h("div", { class: "pwb-hidden", "aria-live": "polite" });
  private readonly changes = h("details", { class: "pwb-changes", hidden: true });
  private readonly later = new Set<() => void>();

  private document: GraphDocument | null = null;
  scene: Scene | null = null;
  picture: Picture | null = null;
  private lineage: Lineage | null = null;
  private historyProblem = "";
  private colours: Colouring | null = null;
  private look: Look | null = null;
  /** Places of ops in the scene. */
  private selected: number[] = [];
  private selectedBlock = "";
  private found: number[] | null = null;
  private foundAt = -1;
  private changeAt = -1;
  private only: Set<number> | null = null;
  private readonly closed = new Set<string>();
  private hover = -1;
  private hops = 1;
  /** Layouts asked for, and documents: a new one of either makes the one under way void. */
  private round = 0;
  private arrivals = 0;
  /** Whether a document is being unpacked. */
  private reading = false;
  private roomWidth = 0;
  private toPlace = true;
  /** Whether the view itself is setting traits: what it hears of then it knows. */
  private telling = false;

  constructor(
    private readonly model: Model<GraphViewTraits>,
    private readonly el: HTMLElement,
  ) {
    this.board = new Board(this, this.cleanup);
    this.toolbar = new Toolbar(this, this.cleanup);
    const leads = {
      jump: (op: number) => this.goTo(op),
      travel: (stage: number, key: number) => this.travel(stage, key),
      histogram: (name: string) => this.ask(name),
    };
    this.panel = new Panel(leads);
    const all = h("button", { type: "button", class: "pwb-button" }, "show all");
    this.cleanup.listen(all, "click", () => this.showOnly(null));
    this.alone = h("div", { class: "pwb-alone", role: "status", hidden: true }, this.aloneWords, all);
    const middle = h("div", { class: "pwb-middle" }, this.board.element, this.alone, this.legend.element, this.tip);
    this.stageRoom = h("div", { class: "pwb-stage" }, middle, this.panel.element);
    this.root = h(
      "div",
      { class: "pwb pwb-graph" },
      this.toolbar.element,
      this.words,
      this.stageRoom,
      this.changes,
      this.spoken,
    );
    ownKeys(this.root);
    this.cleanup.listen<KeyboardEvent>(this.root, "keydown", (event) => this.keyAnywhere(event));
    this.cleanup.listen<ClipboardEvent>(this.board.canvas, "copy", (event) => {
      event.clipboardData?.setData("text/plain", this.asText());
      event.preventDefault();
    });
    el.append(this.root);
    this.style();
    // Only now the notebook has put the view into the page: before that it has no styles, nor neighbours.
    requestAnimationFrame(() => {
      if (!this.root.isConnected) return;
      this.style();
      this.restyle();
      hideStill(this.root, this.model.get("still"));
    });
    this.listen();
    this.restyle();
    this.showWords();
    this.lineageRead = this.takeLineage();
    void this.takeDocument();
  }

  dispose(): void {
    this.round += 1;
    this.arrivals += 1;
    clearTimeout(this.panelTimer);
    this.engine.dispose();
    this.cleanup.run();
    this.root.remove();
  }

  private style(): void {
    injectStyle(this.el, "base", base);
    injectStyle(this.el, "graph", css);
  }

  private listen(): void {
    const { cleanup, model } = this;
    const on = (names: (keyof GraphViewTraits)[], task: () => void) =>
      cleanup.observe(model, names, () => {
        if (!this.telling) task();
      });
    on(["document"], () => void this.takeDocument());
    on(["lineage"], () => {
      this.lineageRead = this.takeLineage();
    });
    on(["title", "note", "message", "busy", "height", "stages", "other_stages", "choose_stage"], () => this.showWords());
    on(["stage", "against"], () => this.showWords());
    on(["selection", "selection_before"], () => this.selectionGiven());
    on(["query"], () => this.queryGiven());
    on(["only"], () => this.onlyGiven());
    on(["mode"], () => void this.refresh("order"));
    on(["open_blocks"], () => void this.refresh("order"));
    on(["show_parameters"], () => void this.refresh("order"));
    on(["colour_by", "overlays"], () => {
      this.recolour();
      this.showPanel();
    });
    on(["fade"], () => this.dress());
    const answer = (content?: unknown) => {
      const found = content as (Histogram & { answer?: string }) | undefined;
      if (found?.answer === "histogram") this.panel.answer(found);
    };
    model.on("msg:custom", answer);
    cleanup.add(() => model.off("msg:custom", answer));
    onTheme(cleanup, () => this.restyle());
    cleanup.add(this.searchLater.cancel);
  }

  private readonly searchLater = debounce(() => this.search(true), typingMs);

  /** Sets traits from the page. */
  private tell(values: Partial<GraphViewTraits>): void {
    this.telling = true;
    for (const [name, value] of Object.entries(values) as [keyof GraphViewTraits, never][])
      this.model.set(name, value);
    this.telling = false;
    save(this.model);
  }

  // Graphs from Python

  private async takeDocument(): Promise<void> {
    const bytes = this.model.get("document");
    const shown = this.model.get("shown");
    this.arrivals += 1;
    const { arrivals } = this;
    if (bytes.byteLength === 0) {
      this.round += 1;
      this.reading = false;
      this.document = this.scene = this.picture = null;
      this.toPlace = true;
      this.board.show(null);
      this.showWords();
      return;
    }
    performance.mark("pwb-document");
    this.reading = true;
    let found: GraphDocument;
    let scene: Scene;
    try {
      // A stage that changed nothing has the document of one before it.
      found = { ...(await unpack<GraphDocument>(bytes)), ...shown };
      scene = new Scene(found);
    } catch (error) {
      if (arrivals !== this.arrivals) return;
      this.reading = false;
      this.showWords(`The graph cannot be read: ${reason(error)}.`);
      return;
    }
    await this.lineageRead;
    if (arrivals !== this.arrivals) return;
    this.reading = false;
    const old = this.scene;
    this.document = found;
    this.scene = scene;
    this.carryOver(old);
    this.showWords();
    await this.refresh("stay");
  }

  /** What is selected, shown alone and found stays so by key where the new graph has it. */
  private carryOver(old: Scene | null): void {
    const scene = this.scene!;
    const same = (ops: Iterable<number>) =>
      old ? [...ops].map((op) => scene.place(old.key[op]!)).filter((op) => op >= 0) : [];
    this.only = old && this.only ? new Set(same(this.only)) : this.only;
    if (this.only?.size === 0) this.only = null;
    const kept = same(this.selected);
    // Python may have chosen a stage and ops of it at once: then its choice is for this graph.
    const chosen = this.selectionWaiting || !old ? this.placesOf("selection", "selection_before") : null;
    this.selectionWaiting = false;
    this.selected = chosen ?? kept;
    const [first] = chosen ?? [];
    if (first !== undefined) this.later.add(() => this.reveal(first));
    const wanted = this.wanted < 0 ? -1 : scene.place(this.wanted);
    this.wanted = -1;
    if (wanted >= 0) {
      this.selected = [wanted];
      this.later.add(() => this.reveal(wanted));
    }
    if (!old || this.onlyWaiting) {
      const wanted = this.placesOf("only");
      this.only = wanted.length > 0 ? new Set(wanted) : null;
    }
    this.onlyWaiting = false;
    this.changeAt = -1;
    this.search(false);
    this.tellSelection();
  }

  private selectionWaiting = false;
  private onlyWaiting = false;

  /** Whether the graph that Python's traits speak of has arrived. */
  private get upToDate(): boolean {
    const { document, model } = this;
    return !this.reading && document?.stage === model.get("stage") && document.against === model.get("against");
  }

  /** The picture, unless it is still that of the graph before: the ops it numbers are others. */
  private get current(): Picture | null {
    return this.picture?.scene === this.scene ? this.picture : null;
  }

  /** The lineage comes with a graph: where its new ops belong is known only when both are read. */
  private lineageRead: Promise<void> = Promise.resolve();

  private async takeLineage(): Promise<void> {
    const bytes = this.model.get("lineage");
    if (bytes.byteLength === 0) {
      this.lineage = null;
      return;
    }
    try {
      this.lineage = parseLineage(await unpack<LineageDocument>(bytes));
      this.historyProblem = "";
      this.showPanel();
    } catch (error) {
      this.historyProblem = `The history of the ops cannot be read: ${reason(error)}.`;
    }
    this.showWords();
  }

  // Layout

  private get shownMode(): "flat" | "layers" {
    const wanted = this.model.get("mode");
    const { scene } = this;
    if (wanted !== "auto" || !scene) return wanted === "layers" ? "layers" : "flat";
    // Chosen once: a stage with more ops must not change the view under a person's eyes.
    this.autoMode ??= scene.count > flatMost && scene.document.blocks.parent.length > 0 ? "layers" : "flat";
    return this.autoMode;
  }

  private autoMode: "flat" | "layers" | undefined;

  /** Builds and lays out what is to be seen. A node named by `anchor` stays where it is on the screen. */
  private async refresh(how: LayoutInput["mode"], anchor = ""): Promise<void> {
    const { scene } = this;
    if (!scene) return;
    this.round += 1;
    const { round } = this;
    const open = this.openBlocks(scene);
    const shown = visible(scene, {
      mode: this.shownMode,
      open,
      closed: this.closed,
      only: this.only,
      parameters: this.model.get("show_parameters"),
    });
    const old = this.picture;
    const slow = setTimeout(() => this.root.classList.add("pwb-drawing"), 300);
    const madeOf = how === "stay" ? this.lineage?.madeAt(this.document?.stage ?? 0) : undefined;
    const answer = await this.engine.layout(layoutInput(shown, old, how, madeOf));
    clearTimeout(slow);
    if (round !== this.round || answer.kind === "superseded") return;
    this.root.classList.remove("pwb-drawing");
    if (answer.kind === "error") {
      this.showWords(`The graph cannot be laid out: ${answer.message}.`);
      return;
    }
    const held = anchor || (old && how === "stay" && answer.output.moved > 0 ? this.middleKey(old, shown) : "");
    const from = held && old ? this.onScreen(old, held) : null;
    this.picture = new Picture(scene, shown, answer.output);
    this.changeAt = this.changeNow(old);
    this.hover = -1;
    this.tip.hidden = true;
    this.board.show(this.picture);
    this.toolbar.setMode(this.shownMode, scene.document.blocks.parent.length > 0);
    this.showAlone();
    this.showChanges();
    this.recolour();
    if (this.toPlace) this.placeFirst();
    else if (from) {
      const to = this.onScreen(this.picture, held);
      if (to) this.board.camera.move(from.x - to.x, from.y - to.y);
    } else this.board.camera.move(0, -answer.output.rise * this.board.camera.zoom);
    this.showPanel();
    this.showZoom();
    this.board.painted(() => {
      performance.mark("pwb-painted");
      for (const task of [...this.later]) {
        this.later.delete(task);
        task();
      }
    });
  }

  /** Which change of a new picture a person is at: before those in a block that was opened. */
  private changeNow(old: Picture | null): number {
    const picture = this.picture!;
    const key = this.changeAt < 0 ? undefined : old?.visible.nodes[old.changes[this.changeAt]!]?.key;
    const node = key === undefined ? -1 : picture.find(key);
    if (node < 0) return -1;
    const at = picture.changes.indexOf(node);
    return at >= 0 ? at : picture.changes.findIndex((change) => picture.y[change]! >= picture.y[node]!) - 1;
  }

  /** Of what stays, what is nearest to the middle of the screen: where things move it holds the eye. */
  private middleKey(old: Picture, shown: Visible): string {
    const { seen } = this.board.camera;
    const keys = new Set(shown.nodes.map(({ key }) => key));
    let best = "";
    let least = Infinity;
    for (const node of old.nodesIn(seen)) {
      const { key, open } = old.visible.nodes[node]!;
      const away = Math.hypot(
        old.x[node]! + old.width[node]! / 2 - seen.x - seen.width / 2,
        old.y[node]! + old.height[node]! / 2 - seen.y - seen.height / 2,
      );
      if (open || away >= least || !keys.has(key)) continue;
      best = key;
      least = away;
    }
    return best;
  }

  private onScreen(picture: Picture, key: string): Point | null {
    const node = picture.find(key);
    return node < 0 ? null : this.board.camera.toScreen({ x: picture.x[node]!, y: picture.y[node]! });
  }

  /** A model that is one block is opened: a single box says nothing. */
  private openBlocks(scene: Scene): Set<string> {
    const open = new Set(this.model.get("open_blocks"));
    const { blocks } = scene.document;
    if (this.shownMode !== "layers" || open.size > 0 || this.picture) return open;
    const outer = blocks.parent.flatMap((parent, block) => (parent < 0 ? [block] : []));
    const outside = scene.block.reduce((sum, block) => sum + (block < 0 ? 1 : 0), 0);
    if (outer.length === 1 && outside < scene.count / 2) {
      open.add(scene.text(blocks.path[outer[0]!]!));
      this.tell({ open_blocks: [...open] });
    }
    return open;
  }

  private placeFirst(): void {
    const { board, picture } = this;
    this.toPlace = !picture || picture.count === 0 || !board.measure();
    if (!picture || this.toPlace) return;
    board.camera.fitLegible();
    const first = this.selected[0] !== undefined ? picture.visible.nodeOf[this.selected[0]]! : picture.changes[0];
    board.camera.centre(picture.box(first === undefined || first < 0 ? picture.top() : first));
  }

  resized(): void {
    const { camera } = this.board;
    // With the panel beside it all stays in its place, under the pointer that made it open.
    if (!this.board.measure()) return;
    const { clientWidth: width } = this.stageRoom;
    const wider = this.roomWidth > 0 ? width - this.roomWidth : 0;
    this.roomWidth = width;
    if (this.toPlace) {
      // It may have joined the page only now, and has the page's colours from here on.
      this.restyle();
      this.placeFirst();
    } else camera.move(wider / 2, 0);
    const covered = this.current?.visible.nodeOf[this.besidePanel] ?? -1;
    this.besidePanel = -1;
    if (covered >= 0) camera.reveal(this.picture!.box(covered));
    this.showZoom();
    this.board.redraw();
  }

  // Colours

  private restyle(): void {
    const theme = isDark() ? "dark" : "light";
    if (this.model.get("theme") !== theme) this.tell({ theme });
    this.look = lookOf(this.root);
    this.dress();
  }

  private recolour(): void {
    const { scene, model } = this;
    if (!scene) return;
    const overlays = model.get("overlays");
    const by = model.get("colour_by");
    const extras = {
      passes: model.get("stages").map(({ pass }) => pass),
      overlays: overlays.map((overlay) => overlayOf(scene, overlay)),
      keep: this.colours,
    };
    this.colours = by === "mark" || by === "" ? null : colouring(scene, by, extras);
    const usual = [["mark", "change"], ["type", "op type"], ["layer", "layer"], ["backend", "backend"]] as const;
    const more = [["dtype", "dtype"], ["pass", "pass that made it"]] as const;
    const named = overlays.map(({ name }) => [`overlay:${name}`, showable(name, 40)] as const);
    this.toolbar.setColours([...usual, ...more, ...named], by);
    this.dress();
  }

  private dress(): void {
    const { current: picture, look, model } = this;
    this.toolbar.setChecks(model.get("fade"), model.get("show_parameters"));
    if (!look || !picture) return;
    this.legend.show(this.colours, look.dark);
    const nodes = (ops: Iterable<number>) => new Set([...ops].map((op) => picture.visible.nodeOf[op]!).filter((node) => node >= 0));
    const selected = nodes(this.selected);
    const block = this.selectedBlock ? picture.find(this.selectedBlock) : -1;
    if (block >= 0) selected.add(block);
    const highlight: Highlight = {
      selected,
      found: nodes(this.found ?? []),
      hover: this.hover,
      fade: model.get("fade"),
      colourOf: nodeColours(picture, this.colours, look.dark, this.combine),
    };
    this.highlight = highlight;
    this.board.dress(look, highlight);
  }

  private highlight: Highlight | null = null;

  // Words

  private showWords(problem = ""): void {
    const { model, toolbar } = this;
    const message = problem || model.get("message") || this.historyProblem;
    const reading = model.get("busy") && !this.upToDate ? "reading the graph …" : "";
    toolbar.setWords(model.get("title"), model.get("note") || this.summary(), message || reading, message !== "");
    toolbar.setStages(
      model.get("stages"),
      model.get("other_stages"),
      model.get("stage"),
      model.get("against"),
      model.get("choose_stage"),
    );
    this.root.style.setProperty("--pwb-height", `${Math.max(160, model.get("height") || 520)}px`);
    const empty = !this.scene?.count;
    this.words.textContent = empty ? message || (this.scene ? "This graph has no ops." : "No graph to show yet.") : "";
    this.words.hidden = !empty;
    this.stageRoom.hidden = empty;
    if (empty) this.changes.hidden = true;
    const ops = this.scene ? this.scene.mark.reduce((sum, mark) => sum + (mark === (Mark.removed as number) ? 0 : 1), 0) : 0;
    const label = this.scene
      ? `${model.get("title") || "graph"}: ${ops.toLocaleString("en")} ops. Arrow keys move it, or the selection along its edges; n and p go to changes, f shows it all.`
      : "no graph";
    this.board.canvas.setAttribute("aria-label", label);
  }

  /** What the stage shown is, in numbers. */
  private summary(): string {
    const { scene } = this;
    if (!scene) return "";
    const count = [0, 0, 0, 0];
    for (const mark of scene.mark) count[mark]! += 1;
    const [, added = 0, removed = 0, altered = 0] = count;
    const ops = `${(scene.count - removed).toLocaleString("en")} ops`;
    if (added + removed + altered === 0) return ops;
    const parts = [`${added} added`, `${removed} removed`, `${altered} altered`];
    return `${ops}: ${parts.filter((part) => !part.startsWith("0 ")).join(", ")}`;
  }

  private showChanges(): void {
    const { picture, scene, document } = this;
    if (!picture || !scene) return;
    const marked = scene.mark.some((mark) => mark !== 0);
    const compared = document?.against !== "none" && (marked || this.model.get("stages").length > 1);
    this.toolbar.setChanges(this.changeAt, picture.changes.length, compared);
    this.changes.hidden = !marked;
    if (this.changes.hidden) return;
    const { summary, table } = changesTable(scene, (op) => this.goTo(op));
    this.changes.replaceChildren(summary, table);
  }

  private showZoom(): void {
    this.toolbar.setZoom(this.board.camera.zoom);
  }

  private showAlone(): void {
    const { scene, only } = this;
    this.alone.hidden = !only;
    if (only && scene)
      this.aloneWords.textContent = `${only.size.toLocaleString("en")} of ${scene.count.toLocaleString("en")} ops alone`;
  }

  // Selection

  private placesOf(...names: ("selection" | "selection_before" | "only")[]): number[] {
    const { scene } = this;
    if (!scene) return [];
    return names.flatMap((name) => {
      const wanted = new Set(this.model.get(name));
      if (wanted.size === 0) return [];
      const places: number[] = [];
      for (let op = 0; op < scene.count; op++)
        if ((scene.markOf(op) === Mark.removed) === (name === "selection_before") && wanted.has(scene.index[op]!)) places.push(op);
      return places;
    });
  }

  private selectionGiven(): void {
    if (!this.upToDate) {
      this.selectionWaiting = true;
      return;
    }
    this.selected = this.placesOf("selection", "selection_before");
    this.selectedBlock = "";
    this.shownSelection();
    if (this.selected[0] !== undefined) this.reveal(this.selected[0]);
  }

  private onlyGiven(): void {
    if (!this.upToDate) {
      this.onlyWaiting = true;
      return;
    }
    const wanted = this.placesOf("only");
    this.only = wanted.length > 0 ? new Set(wanted) : null;
    this.toPlace = true;
    void this.refresh("order");
  }

  private tellSelection(): void {
    const { scene } = this;
    if (!scene) return;
    const indices = (removed: boolean) =>
      this.selected.filter((op) => (scene.markOf(op) === Mark.removed) === removed).map((op) => scene.index[op]!);
    const selection = indices(false);
    const before = indices(true);
    const same = (one: number[], other: number[]) => one.length === other.length && one.every((op, at) => op === other[at]);
    if (same(selection, this.model.get("selection")) && same(before, this.model.get("selection_before"))) return;
    this.tell({ selection, selection_before: before });
  }

  private select(ops: number[], block = ""): void {
    this.selected = ops;
    this.selectedBlock = block;
    // What a person does now comes after what Python asked for before.
    this.selectionWaiting = false;
    this.wanted = -1;
    this.tellSelection();
    this.shownSelection();
  }

  private shownSelection(): void {
    const { scene } = this;
    const [first] = this.selected;
    const block = this.selectedBlock ? this.current?.visible.nodes[this.current.find(this.selectedBlock)] : undefined;
    if (scene && first !== undefined) this.spoken.textContent = `Selected ${spoken(scene, first)}`;
    else if (block) this.spoken.textContent = `Selected block ${block.title}, ${block.detail}`;
    else if (this.spoken.textContent) this.spoken.textContent = "Nothing selected";
    clearTimeout(this.panelTimer);
    if (this.panel.element.hidden && this.selected[0] !== undefined) this.besidePanel = this.selected[0];
    if (this.panelDelay > 0) this.panelTimer = setTimeout(() => this.showPanel(), this.panelDelay);
    else this.showPanel();
    this.panelDelay = 0;
    this.dress();
  }

  /** The op whose selection opens the panel: the panel must not cover it. */
  private besidePanel = -1;
  private panelDelay = 0;
  private panelTimer: ReturnType<typeof setTimeout> | undefined;

  private showPanel(): void {
    const { scene, current: picture } = this;
    const [op] = this.selected;
    if (!scene || !picture) return;
    if (op === undefined) {
      const node = this.selectedBlock ? picture.find(this.selectedBlock) : -1;
      if (node < 0) this.panel.hide();
      else {
        const shown = picture.visible.nodes[node]!;
        this.panel.show(shown.title, describeBlock(scene, shown), this.blockActions(node), new Map());
      }
      return;
    }
    const parameters = new Map<string, string>();
    for (const value of scene.inputsOf(op))
      if (scene.isParameter(value)) parameters.set(showable(scene.valueName(value), 200), scene.valueName(value));
    const sections = describeOp(scene, op, this.lineage);
    const number = this.colours?.kind === "scale" ? this.colours.text(op) : "";
    if (number) sections.unshift({ title: "Shown", rows: [{ label: "", value: number }] });
    const title = this.selected.length > 1 ? `${this.selected.length} ops, the first: ${opTitle(scene, op)}` : opTitle(scene, op);
    this.panel.show(title, sections, this.opActions(op), parameters);
  }

  private opActions(op: number): Action[] {
    const around = (direction: Direction, words: string, title: string): Action => ({
      words,
      title,
      run: () => this.around(direction),
    });
    const actions = [
      around("both", `around (${this.hops})`, "Only what is so many edges away; again for one more"),
      around("up", "upstream", "Only what it is computed from"),
      around("down", "downstream", "Only what is computed from it"),
    ];
    const [first, second] = this.selected;
    if (first !== undefined && second !== undefined)
      actions.push({
        words: "between",
        title: "Only what lies between the first two selected",
        run: () => {
          const found = between(this.scene!, first, second);
          if (found.length > 0) this.showOnly(found);
          else this.showWords("No path leads from one to the other.");
        },
      });
    if (this.only) actions.push({ words: "show all", title: "The whole graph again", run: () => this.showOnly(null) });
    const node = this.picture!.visible.nodes[this.picture!.visible.nodeOf[op]!];
    if (node?.kind === "op" && this.holds(op))
      actions.push({ words: node.open ? "close" : "open", title: "Its sub-blocks (Enter)", run: () => this.toggle(node) });
    actions.push({ words: "copy", title: "Copy as text (Ctrl+C)", run: () => this.copy() });
    return actions;
  }

  private holds(op: number): boolean {
    return this.scene!.parent.includes(op);
  }

  private blockActions(at: number): Action[] {
    const node = this.picture!.visible.nodes[at]!;
    return [{ words: node.open ? "close" : "open", title: "In place (Enter, or double click)", run: () => this.toggle(node) }];
  }

  /** Opens or closes a block, or the sub-blocks of an op, in its place. */
  private toggle(node: VisibleNode): void {
    if (node.kind === "block") {
      const { blocks } = this.scene!.document;
      const path = this.scene!.text(blocks.path[node.ref]!);
      const open = this.model.get("open_blocks").filter((one) => one !== path);
      this.tell({ open_blocks: node.open ? open : [...open, path] });
    } else if (node.open) this.closed.add(node.key);
    else this.closed.delete(node.key);
    void this.refresh("order", node.key);
  }

  /** Selects an op and brings it into sight, opening what hides it. */
  private goTo(op: number): void {
    this.select([op]);
    this.reveal(op);
  }

  private reveal(op: number): void {
    const { scene, current: picture } = this;
    if (!scene) return;
    if (!picture) {
      this.later.add(() => this.reveal(op));
      return;
    }
    if (this.only && !this.only.has(op)) {
      this.only = null;
      this.tell({ only: [] });
      this.later.add(() => this.reveal(op));
      void this.refresh("order");
      return;
    }
    const node = picture.visible.nodeOf[op]!;
    const shown = picture.visible.nodes[node];
    if (!shown) return;
    if (shown.kind === "block" || shown.ref !== op) {
      const { blocks } = scene.document;
      const open = new Set(this.model.get("open_blocks"));
      // Sub-blocks stand where the outermost of their ops stands.
      let outer = op;
      for (let holder = scene.parent[op]!; holder >= 0; holder = scene.parent[holder]!) {
        this.closed.delete(`op ${scene.key[holder]!}`);
        outer = holder;
      }
      for (let block = scene.block[outer]!; block >= 0; block = blocks.parent[block]!) open.add(scene.text(blocks.path[block]!));
      this.tell({ open_blocks: [...open] });
      this.later.add(() => this.centre(op));
      void this.refresh("order", shown.key);
      return;
    }
    this.centre(op);
  }

  private centre(op: number): void {
    this.bring(this.current?.visible.nodeOf[op] ?? -1);
  }

  /** Brings a node into sight, large enough to read. */
  private bring(node: number): void {
    const { current: picture, board } = this;
    if (!picture || node < 0) return;
    if (board.camera.zoom < 0.35) board.camera.zoomTo(0.8);
    if (!board.camera.sees(picture.box(node))) board.camera.centre(picture.box(node));
    this.showZoom();
    board.redraw();
  }

  /** To an op of another stage, by the key it has in all. */
  private travel(stage: number, key: number): void {
    this.wanted = key;
    this.tell({ stage, against: "before" });
    this.showWords();
  }

  private wanted = -1;

  private around(direction: Direction): void {
    const { scene } = this;
    if (!scene || this.selected.length === 0) return;
    const hops = direction === "both" ? this.hops : Infinity;
    const found = neighbourhood(scene, this.selected, hops, direction);
    if (direction === "both") this.hops += 1;
    this.showOnly(found);
  }

  private showOnly(ops: Int32Array | null): void {
    const scene = this.scene!;
    this.only = ops ? new Set(ops) : null;
    if (!ops) this.hops = 1;
    const only = [...(ops ?? [])].filter((op) => scene.markOf(op) !== Mark.removed).map((op) => scene.index[op]!);
    this.tell({ only });
    const [first] = this.selected;
    this.toPlace = ops !== null;
    if (!ops && first !== undefined) this.later.add(() => this.centre(first));
    void this.refresh(ops ? "fresh" : "order");
  }

  // What the board says

  clicked(node: number, more: boolean): void {
    const { current: picture } = this;
    if (!picture) return;
    const shown = picture.visible.nodes[node];
    this.hops = 1;
    // The panel must not come between the two clicks of a double click.
    const opens = shown !== undefined && (shown.kind === "block" || this.holds(shown.ref));
    const { camera } = this.board;
    const right = opens ? camera.toScreen({ x: picture.x[node]! + picture.width[node]!, y: 0 }).x : 0;
    const covered = this.panel.element.hidden && right > camera.pane.width - panelWidth;
    this.panelDelay = covered ? doubleClickMs : 0;
    if (!shown) this.select([]);
    else if (shown.kind === "block") this.select([], shown.key);
    else if (shown.kind === "op" || shown.kind === "region") {
      const op = shown.ref;
      if (!more) this.select([op]);
      else if (this.selected.includes(op)) this.select(this.selected.filter((one) => one !== op));
      else this.select([...this.selected, op]);
    } else {
      const readers = this.scene!.usersOf(shown.ref);
      this.select(readers.length > 0 ? [readers[0]!] : []);
    }
  }

  followed(stub: number, from: number): void {
    const { current: picture } = this;
    const found = picture?.stubs[stub];
    if (!picture || !found) return;
    const target = picture.visible.nodes[from === found.from ? (found.to.length === 1 ? found.to[0]! : from) : found.from];
    if (target?.kind === "op") this.goTo(target.ref);
    else if (target) this.select([], target.key);
  }

  doubleClicked(at: number): void {
    const node = this.current?.visible.nodes[at];
    if (node?.kind === "block" || (node?.kind === "op" && this.holds(node.ref))) this.toggle(node);
    else if (node?.kind === "op") this.centre(node.ref);
  }

  hovered(node: number, at: Point): void {
    const shown = this.current?.visible.nodes[node];
    this.tip.hidden = !shown || shown.open;
    if (this.highlight && this.hover !== node) {
      this.hover = node;
      this.highlight = { ...this.highlight, hover: node };
      this.board.dress(this.look!, this.highlight, false);
    }
    if (!shown || shown.open) return;
    placeTip(this.tip, tipText(this.picture!, node, this.colours, this.combine), at, this.board.camera.pane);
  }

  /** How the numbers of ops make that of a block. */
  private get combine(): "sum" | "max" {
    const { model } = this;
    return model.get("overlays").find(({ name }) => model.get("colour_by") === `overlay:${name}`)?.combine ?? "sum";
  }

  moved(): void {
    this.tip.hidden = true;
    this.showZoom();
  }

  key(event: KeyboardEvent): boolean {
    const { camera } = this.board;
    const step = 60;
    const pan = (dx: number, dy: number) => {
      camera.move(dx, dy);
      this.moved();
      this.board.redraw();
    };
    const toEnd = (y: number) => {
      camera.centre({ x: camera.seen.x, width: camera.seen.width, y, height: 0 });
      pan(0, 0);
    };
    const along: Record<string, () => void> = {
      ArrowUp: () => this.walk("up"),
      ArrowDown: () => this.walk("down"),
      ArrowLeft: () => this.walk("left"),
      ArrowRight: () => this.walk("right"),
    };
    const moves: Record<string, () => void> = {
      ArrowLeft: () => pan(step, 0),
      ArrowRight: () => pan(-step, 0),
      ArrowUp: () => pan(0, step),
      ArrowDown: () => pan(0, -step),
      PageUp: () => pan(0, camera.pane.height * 0.9),
      PageDown: () => pan(0, -camera.pane.height * 0.9),
      Home: () => toEnd(0),
      End: () => toEnd(camera.graph.height),
      f: () => this.fit(),
      0: () => this.fit(),
      1: () => this.actualSize(),
      "+": () => this.zoom(1.25),
      "=": () => this.zoom(1.25),
      "-": () => this.zoom(1 / 1.25),
      l: () => this.changeMode(this.shownMode === "flat" ? "layers" : "flat"),
      t: () => this.tidy(),
      Enter: () => this.open(),
      Escape: () => this.escape(),
    };
    const selecting = (this.selected.length > 0 || this.selectedBlock !== "") && !event.shiftKey;
    const action = (selecting ? along[event.key] : undefined) ?? moves[event.key];
    action?.();
    return action !== undefined;
  }

  private changeMode(mode: "flat" | "layers"): void {
    this.tell({ mode });
    const [first] = this.selected;
    const anchor = first === undefined ? "" : `op ${this.scene!.key[first]!}`;
    if (first === undefined) this.toPlace = true;
    else this.later.add(() => this.centre(first));
    void this.refresh("order", anchor);
  }

  private open(): void {
    const [op] = this.selected;
    const { current: picture } = this;
    if (!picture) return;
    const at = op === undefined ? (this.selectedBlock ? picture.find(this.selectedBlock) : -1) : picture.visible.nodeOf[op]!;
    if (at >= 0) this.doubleClicked(at);
  }

  private escape(): void {
    if (this.only) this.showOnly(null);
    else this.select([]);
  }

  /** From the selected op along an edge, or to its neighbour in the row. */
  private walk(where: Way): void {
    const { current: picture } = this;
    const [op] = this.selected;
    if (!picture) return;
    const here = op === undefined ? picture.find(this.selectedBlock) : picture.visible.nodeOf[op]!;
    const next = here < 0 ? -1 : stepFrom(picture, here, where);
    const node = picture.visible.nodes[next];
    if (!node) return;
    if (node.kind === "op") this.goTo(node.ref);
    else {
      this.select([], node.key);
      this.bring(next);
    }
  }

  private keyAnywhere(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target as Element;
    if (target.matches("input:not([type=checkbox]), select, textarea")) return;
    const actions: Record<string, () => void> = {
      n: () => this.step(1),
      p: () => this.step(-1),
      "/": () => this.toolbar.focusSearch(),
      "[": () => this.stepStage(-1),
      "]": () => this.stepStage(1),
    };
    const action = actions[event.key];
    if (!action) return;
    action();
    event.preventDefault();
    event.stopPropagation();
  }

  // What the toolbar says

  stage(index: number): void {
    this.wanted = -1;
    this.tell({ stage: index });
    this.showWords();
  }

  stepStage(direction: 1 | -1): void {
    const stages = this.model.get("stages");
    const at = this.model.get("stage");
    // Lowering to kernels changes the graph, too, and the last stage is what runs.
    const last = stages.length - 1;
    const changed = stages.filter(({ index, changed, lowered }) => changed || lowered || index === 0 || index === last);
    const next = direction > 0 ? changed.find(({ index }) => index > at) : changed.filter(({ index }) => index < at).pop();
    if (next) this.stage(next.index);
  }

  against(value: string): void {
    this.tell({ against: value });
    this.showWords();
  }

  mode(value: "flat" | "layers"): void {
    this.changeMode(value);
  }

  step(direction: 1 | -1): void {
    const { current: picture, board } = this;
    const total = picture?.changes.length ?? 0;
    if (!picture || total === 0) return;
    this.changeAt = this.changeAt < 0 && direction < 0 ? total - 1 : (this.changeAt + direction + total) % total;
    const node = picture.changes[this.changeAt]!;
    const shown = picture.visible.nodes[node]!;
    if (board.camera.zoom < 0.35) board.camera.zoomTo(0.8);
    board.camera.centre(picture.box(node));
    this.showZoom();
    if (shown.kind === "op") this.select([shown.ref]);
    else this.select([], shown.key);
    this.toolbar.setChanges(this.changeAt, total, true);
  }

  fade(on: boolean): void {
    this.tell({ fade: on });
    this.dress();
  }

  colourBy(value: string): void {
    this.tell({ colour_by: value });
    this.recolour();
    this.showPanel();
  }

  query(text: string): void {
    this.tell({ query: text });
    this.searchLater();
  }

  private queryGiven(): void {
    this.toolbar.setQuery(this.model.get("query"));
    this.search(true);
  }

  private search(dress: boolean): void {
    const { scene, model, toolbar } = this;
    const text = model.get("query");
    toolbar.setQuery(text);
    this.foundAt = -1;
    this.found = null;
    let problem = "";
    if (scene && text.trim()) {
      const query = parseQuery(text);
      if ("error" in query) problem = query.error;
      else {
        this.found = [...search(scene, query)];
        problem = this.found.length === 0 ? (searchNote(scene, query) ?? "") : "";
      }
    }
    toolbar.setFound(-1, this.found?.length ?? null, problem);
    this.showWords(problem);
    const indices = (this.found ?? []).filter((op) => scene!.markOf(op) !== Mark.removed).map((op) => scene!.index[op]!);
    const known = model.get("found");
    if (indices.length !== known.length || indices.some((op, at) => op !== known[at])) this.tell({ found: indices });
    if (dress) this.dress();
  }

  stepFound(direction: 1 | -1): void {
    this.searchLater.flush();
    const total = this.found?.length ?? 0;
    if (total === 0) return;
    this.foundAt = this.foundAt < 0 && direction < 0 ? total - 1 : (this.foundAt + direction + total) % total;
    this.goTo(this.found![this.foundAt]!);
    this.toolbar.setFound(this.foundAt, total, "");
  }

  zoom(factor: number): void {
    this.board.camera.zoomTo(this.board.camera.zoom * factor);
    this.moved();
    this.board.redraw();
  }

  actualSize(): void {
    this.zoom(1 / this.board.camera.zoom);
  }

  fit(): void {
    this.board.camera.fitAll();
    this.moved();
    this.board.redraw();
  }

  tidy(): void {
    this.toPlace = true;
    void this.refresh("fresh");
  }

  parameters(on: boolean): void {
    this.tell({ show_parameters: on });
    void this.refresh("order");
  }

  // Files and text

  save(format: "svg" | "png" | "dot"): void {
    const { picture, look, highlight, model } = this;
    if (!picture || !look || !highlight) return;
    const stage = model.get("stages")[model.get("stage")];
    const name = `${fileName(model.get("title"), stage)}.${format}`;
    const plain: Highlight = { ...highlight, hover: -1 };
    if (format === "dot") download(name, new Blob([dotOf(picture)], { type: "text/vnd.graphviz" }));
    else if (format === "svg") download(name, svgBlob(svgOf(picture, look, plain)));
    else
      pngBlob(picture, look, plain, this.board.camera.seen).then(
        (blob) => download(name, blob),
        (error: unknown) => this.showWords(`PNG not saved: ${reason(error)}.`),
      );
  }

  copy(): void {
    const text = this.asText();
    const { clipboard } = navigator as { clipboard?: Clipboard };
    if (!clipboard) {
      this.showWords("This page may not write to the clipboard: press Ctrl+C in the drawing.");
      return;
    }
    clipboard.writeText(text).then(
      () => (this.spoken.textContent = "Copied"),
      () => this.showWords("The browser refused the clipboard: press Ctrl+C in the drawing."),
    );
  }

  /** The selected ops in full, or the graph as a list. */
  private asText(): string {
    const { scene } = this;
    if (!scene) return "";
    if (this.selected.length > 0)
      return this.selected.map((op) => `${opTitle(scene, op)}\n${opAsText(describeOp(scene, op, this.lineage))}`).join("\n");
    const ops = [...(this.only ?? Array.from({ length: scene.count }, (_, op) => op))];
    return ops.map((op) => spoken(scene, op)).join("\n");
  }

  private ask(name: string): void {
    try {
      this.model.send({ ask: "histogram", name });
    } catch {
      this.panel.answer({ name, error: "needs a running kernel" });
    }
  }
}
