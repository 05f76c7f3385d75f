/** The graph explorer: connects its parts with each other, with the page, and with the traits. */
import { Cleanup, download, onTheme, reason } from "../dom";
import type { GraphViewTraits, Model } from "../types";
import { type ArrivalEvents, Arrivals } from "./arrivals";
import { Board, type BoardEvents } from "./board";
import { changesTable } from "./changes";
import { Drawing, type DrawingEvents } from "./drawing";
import { Dressing } from "./dressing";
import { Extent } from "./extent";
import { Finding } from "./finding";
import { Frame } from "./frame";
import { drawingKey, type KeyEvents, viewKey } from "./keys";
import { Navigation } from "./navigation";
import { between, type Direction } from "./neighbourhood";
import type { Histogram } from "./panel";
import type { Picture } from "./picture";
import { dotOf, fileName, pngBlob, svgBlob, svgOf, textOf } from "./save";
import type { Scene } from "./scene";
import { Selection } from "./selection";
import { SelectionPanel, type SelectionPanelEvents } from "./selection_panel";
import { Sight } from "./sight";
import { hideStill } from "./still";
import { Tip } from "./tip";
import { Toolbar, type ToolbarEvents } from "./toolbar";
import { Traits } from "./traits";
import { drawingLabel, selectionWords, summary } from "./words";

export class GraphView {
  readonly board: Board;
  private readonly cleanup = new Cleanup();
  private readonly traits: Traits;
  private readonly toolbar: Toolbar;
  private readonly sight: Sight;
  private readonly arrivals: Arrivals;
  private readonly selection: Selection;
  private readonly extent: Extent;
  private readonly finding: Finding;
  private readonly dressing: Dressing;
  private readonly drawing: Drawing;
  private readonly navigation: Navigation;
  private readonly panel: SelectionPanel;
  private readonly frame: Frame;

  constructor(
    private readonly model: Model<GraphViewTraits>,
    el: HTMLElement,
  ) {
    const { cleanup } = this;
    const commands = this.commands();
    const tip = new Tip();
    this.traits = new Traits(model, cleanup);
    this.board = this.newBoard(commands);
    this.toolbar = new Toolbar(commands, cleanup);
    const { board, toolbar, traits } = this;
    this.sight = new Sight(board, toolbar, tip);
    this.arrivals = this.newArrivals();
    this.selection = new Selection(traits, this.arrivals, () => this.showSelection());
    this.extent = new Extent(traits);
    this.finding = new Finding(traits, toolbar, () => this.search(), cleanup);
    this.dressing = new Dressing(traits, board, toolbar, tip);
    this.drawing = this.newDrawing();
    const { arrivals, drawing, dressing, selection } = this;
    this.navigation = new Navigation(arrivals, selection, drawing, this.sight);
    this.panel = this.newPanel();
    const elements = {
      toolbar: toolbar.element,
      board: board.element,
      legend: dressing.legend.element,
      tip: tip.element,
      panel: this.panel.element,
    };
    this.frame = new Frame(el, elements, () => drawing.showAll(), cleanup);
    cleanup.listen<KeyboardEvent>(this.frame.root, "keydown", (event) => viewKey(event, commands));
    cleanup.listen<ClipboardEvent>(board.canvas, "copy", (event) => {
      event.clipboardData?.setData("text/plain", this.asText());
      event.preventDefault();
    });
    // Only now the notebook has put the view into the page: before that it has no styles, nor neighbours.
    requestAnimationFrame(() => {
      if (!this.frame.root.isConnected) return;
      this.frame.style();
      this.restyle();
      hideStill(this.frame.root, traits.get("still"));
    });
    this.listen();
    this.restyle();
    this.showWords();
    arrivals.takeLineage();
    void arrivals.takeGraph();
  }

  dispose(): void {
    this.cleanup.run();
    this.frame.root.remove();
  }

  get scene(): Scene | null {
    return this.arrivals.scene;
  }

  get picture(): Picture | null {
    return this.drawing.picture;
  }

  // How the parts are connected

  /** What the toolbar and the keys ask for. */
  private commands(): ToolbarEvents & KeyEvents {
    return {
      stage: (index) => this.stage(index),
      stepStage: (direction) => this.stepStage(direction),
      against: (value) => this.setAgainst(value),
      mode: (mode) => this.drawing.changeMode(mode),
      otherMode: () => this.drawing.changeMode(this.extent.modeOf(this.scene) === "flat" ? "layers" : "flat"),
      step: (direction) => this.step(direction),
      fade: (on) => this.setFade(on),
      colourBy: (value) => this.setColours(value),
      query: (text) => this.finding.typed(text),
      stepFound: (direction) => this.stepFound(direction),
      focusSearch: () => this.toolbar.focusSearch(),
      pan: (dx, dy) => this.sight.pan(dx, dy),
      page: (direction) => this.sight.page(direction),
      toTop: () => this.sight.toTop(),
      toEnd: () => this.sight.toEnd(),
      zoom: (factor) => this.sight.zoom(factor),
      actualSize: () => this.sight.actualSize(),
      fit: () => this.sight.fit(),
      tidy: () => this.drawing.tidy(),
      parameters: (on) => this.setParameters(on),
      walk: (way) => this.navigation.walk(way),
      open: () => this.navigation.open(),
      escape: () => this.escape(),
      save: (format) => this.save(format),
      copy: () => this.copy(),
    };
  }

  private newBoard(commands: KeyEvents): Board {
    const events: BoardEvents = {
      clicked: (node, more) => this.clicked(node, more),
      followed: (stub, from) => this.navigation.followed(stub, from),
      doubleClicked: (node) => this.navigation.doubleClicked(node),
      hovered: (node, at) => this.dressing.hovered(this.drawing.current, node, at),
      moved: () => this.sight.moved(),
      resized: () => this.resized(),
      key: (event) => drawingKey(event, !this.selection.none, commands),
    };
    return new Board(events, this.cleanup);
  }

  private newArrivals(): Arrivals {
    const events: ArrivalEvents = {
      graph: (scene, old) => this.graphArrived(scene, old),
      noGraph: () => {
        this.drawing.clear();
        this.showWords();
      },
      history: () => {
        if (!this.arrivals.historyProblem) this.panel.show();
        this.showWords();
      },
      problem: (words) => this.showWords(words),
    };
    return new Arrivals(this.traits, events, this.cleanup);
  }

  private newDrawing(): Drawing {
    const { traits, arrivals, selection, extent, board, sight } = this;
    const events: DrawingEvents = {
      slow: (is) => this.frame.setSlow(is),
      pictured: (picture, old) => this.pictured(picture, old),
      placed: () => {
        this.panel.show();
        sight.showZoom();
      },
      problem: (words) => this.showWords(words),
    };
    return new Drawing({ traits, arrivals, selection, extent, board, sight }, events, this.cleanup);
  }

  private newPanel(): SelectionPanel {
    const { arrivals, selection, extent, drawing, dressing } = this;
    const events: SelectionPanelEvents = {
      jump: (op) => this.goTo(op),
      travel: (stage, key) => this.travel(stage, key),
      histogram: (name) => this.ask(name),
      around: (direction) => this.around(direction),
      between: (first, second) => this.between(first, second),
      copy: () => this.copy(),
    };
    return new SelectionPanel({ arrivals, selection, extent, drawing, dressing }, events, this.cleanup);
  }

  private listen(): void {
    const { cleanup, drawing, model, traits } = this;
    traits.on(["document"], () => void this.arrivals.takeGraph());
    traits.on(["lineage"], () => this.arrivals.takeLineage());
    traits.on(["title", "note", "message", "busy", "height", "stages", "other_stages", "choose_stage"], () => this.showWords());
    traits.on(["stage", "against"], () => this.showWords());
    traits.on(["selection", "selection_before"], () => this.selectionGiven());
    traits.on(["query"], () => this.search());
    traits.on(["only"], () => this.onlyGiven());
    traits.on(["mode", "open_blocks", "show_parameters"], () => void drawing.refresh("order"));
    traits.on(["colour_by", "overlays"], () => this.coloursChosen());
    traits.on(["fade"], () => this.dress());
    const answer = (content?: unknown) => {
      const found = content as (Histogram & { answer?: string }) | undefined;
      if (found?.answer === "histogram") this.panel.answer(found);
    };
    model.on("msg:custom", answer);
    cleanup.add(() => model.off("msg:custom", answer));
    onTheme(cleanup, () => this.restyle());
  }

  // What Python sends

  private graphArrived(scene: Scene, old: Scene | null): void {
    const { drawing, navigation } = this;
    this.extent.carryOver(scene, old);
    navigation.changes.at = -1;
    this.finding.search(scene);
    for (const op of this.selection.carryOver(scene, old)) drawing.later(() => drawing.reveal(op));
    this.showWords();
    void drawing.refresh("stay");
  }

  private selectionGiven(): void {
    const { drawing, selection } = this;
    if (selection.take() && selection.first !== undefined) drawing.reveal(selection.first);
  }

  private onlyGiven(): void {
    const { arrivals, drawing, extent, sight } = this;
    if (!arrivals.scene || !arrivals.upToDate) {
      extent.takeLater();
      return;
    }
    extent.take(arrivals.scene);
    sight.afresh = true;
    void drawing.refresh("order");
  }

  // What the page shows

  private pictured(picture: Picture, old: Picture | null): void {
    const { dressing, extent, frame, navigation, toolbar } = this;
    const { scene } = picture;
    const { blocks } = scene.document;
    navigation.changes.carryOver(picture, old);
    dressing.forgetPointer();
    toolbar.setMode(extent.modeOf(scene), blocks.parent.length > 0);
    const { only } = extent;
    frame.setAlone(only ? `${only.size.toLocaleString("en")} of ${scene.count.toLocaleString("en")} ops alone` : "");
    this.showChanges(picture);
    this.recolour();
  }

  private showChanges({ changes, scene }: Picture): void {
    const marked = scene.mark.some((mark) => mark !== 0);
    const compared = scene.document.against !== "none" && (marked || this.traits.get("stages").length > 1);
    this.toolbar.setChanges(this.navigation.changes.at, changes.length, compared);
    this.frame.setChanges(marked ? changesTable(scene, (op) => this.goTo(op)) : null);
  }

  private showWords(problem = ""): void {
    const { arrivals, board, frame, scene, toolbar, traits } = this;
    const title = traits.get("title");
    const message = problem || traits.get("message") || arrivals.historyProblem;
    const reading = traits.get("busy") && !arrivals.upToDate ? "reading the graph …" : "";
    toolbar.setWords(title, traits.get("note") || summary(scene), message || reading, message !== "");
    toolbar.setStages(
      traits.get("stages"),
      traits.get("other_stages"),
      traits.get("stage"),
      traits.get("against"),
      traits.get("choose_stage"),
    );
    frame.setHeight(traits.get("height"));
    frame.setInstead(scene?.count ? "" : message || (scene ? "This graph has no ops." : "No graph to show yet."));
    board.canvas.setAttribute("aria-label", drawingLabel(scene, title));
  }

  private showSelection(): void {
    this.frame.speakSelection(selectionWords(this.scene, this.drawing.current, this.selection));
    this.panel.selected();
    this.dress();
  }

  private restyle(): void {
    this.dressing.restyle(this.frame.root);
    this.dress();
  }

  private recolour(): void {
    if (!this.scene) return;
    this.dressing.recolour(this.scene);
    this.dress();
  }

  private coloursChosen(): void {
    this.recolour();
    this.panel.show();
  }

  private dress(): void {
    this.dressing.dress(this.drawing.current, this.selection, this.finding.ops);
  }

  private resized(): void {
    const { board, drawing, frame, panel, sight } = this;
    if (!board.measure()) return;
    sight.widened(frame.roomWidth);
    if (sight.afresh) {
      // It may have joined the page only now, and has the page's colours from here on.
      this.restyle();
      drawing.begin();
    }
    const opener = panel.takeOpener();
    if (opener >= 0) board.camera.reveal(drawing.picture!.box(opener));
    sight.showZoom();
    board.redraw();
  }

  // What a person does

  /** Selects an op and brings it into sight, opening what hides it. */
  goTo(op: number): void {
    this.navigation.goTo(op);
  }

  private clicked(at: number, more: boolean): void {
    const { board, drawing, extent, navigation, panel, scene } = this;
    const { camera } = board;
    const { current: picture } = drawing;
    if (!picture) return;
    const node = picture.visible.nodes[at];
    extent.hops = 1;
    const opens = node !== undefined && (node.kind === "block" || scene!.holds(node.ref));
    const right = opens ? camera.toScreen({ x: picture.x[at]! + picture.width[at]!, y: 0 }).x : 0;
    panel.clicked(right, camera.pane.width);
    navigation.clicked(node, more);
  }

  private escape(): void {
    if (this.extent.only) this.drawing.showAll();
    else this.selection.choose([]);
  }

  private step(direction: 1 | -1): void {
    const { drawing, navigation, toolbar } = this;
    if (navigation.step(direction)) toolbar.setChanges(navigation.changes.at, drawing.picture!.changes.length, true);
  }

  private stepFound(direction: 1 | -1): void {
    const op = this.finding.step(direction);
    if (op >= 0) this.goTo(op);
  }

  private search(): void {
    this.showWords(this.finding.search(this.scene));
    this.dress();
  }

  private around(direction: Direction): void {
    const { drawing, extent, scene, selection } = this;
    if (scene && selection.ops.length > 0) drawing.showAlone(extent.around(scene, selection.ops, direction));
  }

  private between(first: number, second: number): void {
    const found = between(this.scene!, first, second);
    if (found.length > 0) this.drawing.showAlone(found);
    else this.showWords("No path leads from one to the other.");
  }

  stage(index: number): void {
    this.selection.wanted = -1;
    this.traits.tell({ stage: index });
    this.showWords();
  }

  private stepStage(direction: 1 | -1): void {
    const stages = this.traits.get("stages");
    const at = this.traits.get("stage");
    // Lowering to kernels changes the graph, too, and the last stage is what runs.
    const last = stages.length - 1;
    const changed = stages.filter(({ index, changed, lowered }) => changed || lowered || index === 0 || index === last);
    const next = direction > 0 ? changed.find(({ index }) => index > at) : changed.filter(({ index }) => index < at).pop();
    if (next) this.stage(next.index);
  }

  /** To an op of another stage, by the key it has in all. */
  private travel(stage: number, key: number): void {
    this.selection.wanted = key;
    this.traits.tell({ stage, against: "before" });
    this.showWords();
  }

  private setAgainst(against: string): void {
    this.traits.tell({ against });
    this.showWords();
  }

  private setFade(fade: boolean): void {
    this.traits.tell({ fade });
    this.dress();
  }

  private setColours(by: string): void {
    this.traits.tell({ colour_by: by });
    this.coloursChosen();
  }

  private setParameters(shown: boolean): void {
    this.traits.tell({ show_parameters: shown });
    void this.drawing.refresh("order");
  }

  /** Asks Python for the values of a parameter. */
  private ask(name: string): void {
    try {
      this.model.send({ ask: "histogram", name });
    } catch {
      this.panel.answer({ name, error: "needs a running kernel" });
    }
  }

  // Files and text

  private save(format: "svg" | "png" | "dot"): void {
    const { board, dressing, picture, traits } = this;
    const { worn } = dressing;
    if (!picture || !worn) return;
    const { look, highlight } = worn;
    const stage = traits.get("stages")[traits.get("stage")];
    const name = `${fileName(traits.get("title"), stage)}.${format}`;
    if (format === "dot") download(name, new Blob([dotOf(picture)], { type: "text/vnd.graphviz" }));
    else if (format === "svg") download(name, svgBlob(svgOf(picture, look, highlight)));
    else
      pngBlob(picture, look, highlight, board.camera.seen).then(
        (blob) => download(name, blob),
        (error: unknown) => this.showWords(`PNG not saved: ${reason(error)}.`),
      );
  }

  private copy(): void {
    const text = this.asText();
    const { clipboard } = navigator as { clipboard?: Clipboard };
    if (!clipboard) {
      this.showWords("This page may not write to the clipboard: press Ctrl+C in the drawing.");
      return;
    }
    clipboard.writeText(text).then(
      () => this.frame.speak("Copied"),
      () => this.showWords("The browser refused the clipboard: press Ctrl+C in the drawing."),
    );
  }

  private asText(): string {
    const { arrivals, extent, scene, selection } = this;
    return scene ? textOf(scene, selection.ops, extent.only, arrivals.lineage) : "";
  }
}
