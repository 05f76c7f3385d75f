/** The panel of what is selected: what it says, what a person can do from it, and when it comes. */
import type { Cleanup } from "../dom";
import type { Arrivals } from "./arrivals";
import { describeBlock } from "./describe_block";
import { describeOp, opTitle, showable } from "./describe";
import type { Drawing } from "./drawing";
import type { Dressing } from "./dressing";
import type { Extent } from "./extent";
import type { Direction } from "./neighbourhood";
import { type Action, type Histogram, Panel, type PanelEvents } from "./panel";
import type { Picture } from "./picture";
import type { Scene } from "./scene";
import type { Selection } from "./selection";

/** Within this time the second click of a double click comes. */
const doubleClickMs = 300;
/** Of the panel beside the drawing, as the style sheet has it. */
const width = 300;

export interface SelectionPanelEvents extends PanelEvents {
  around(direction: Direction): void;
  between(first: number, second: number): void;
  copy(): void;
}

export interface SelectionPanelParts {
  arrivals: Arrivals;
  selection: Selection;
  extent: Extent;
  drawing: Drawing;
  dressing: Dressing;
}

export class SelectionPanel {
  private readonly panel: Panel;
  private delay = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** The op whose selection opens the panel, or -1: the panel must not cover it. */
  private opener = -1;

  constructor(
    private readonly parts: SelectionPanelParts,
    private readonly events: SelectionPanelEvents,
    cleanup: Cleanup,
  ) {
    this.panel = new Panel(events);
    cleanup.add(() => clearTimeout(this.timer));
  }

  get element(): HTMLElement {
    return this.panel.element;
  }

  /** Draws the values of a parameter where they were asked for. */
  answer(found: Histogram): void {
    this.panel.answer(found);
  }

  /**
   * The panel must not come between the two clicks of a double click: it waits where it would cover what opens, of
   * which `right` is the end on the screen.
   */
  clicked(right: number, paneWidth: number): void {
    this.delay = this.panel.element.hidden && right > paneWidth - width ? doubleClickMs : 0;
  }

  /** Something else is selected. */
  selected(): void {
    const { first } = this.parts.selection;
    clearTimeout(this.timer);
    if (this.panel.element.hidden && first !== undefined) this.opener = first;
    if (this.delay > 0) this.timer = setTimeout(() => this.show(), this.delay);
    else this.show();
    this.delay = 0;
  }

  /** Gives, once, the node that a panel that opened must not cover, or -1. */
  takeOpener(): number {
    const node = this.parts.drawing.current?.visible.nodeOf[this.opener] ?? -1;
    this.opener = -1;
    return node;
  }

  show(): void {
    const { arrivals, drawing, selection } = this.parts;
    const { scene } = arrivals;
    const { current: picture } = drawing;
    if (!scene || !picture) return;
    const { first } = selection;
    if (first !== undefined) this.showOp(scene, picture, first);
    else this.showBlock(scene, picture, selection.nodeIn(picture));
  }

  private showBlock(scene: Scene, picture: Picture, node: number): void {
    const shown = picture.visible.nodes[node];
    if (!shown) {
      this.panel.hide();
      return;
    }
    const title = "In place (Enter, or double click)";
    const actions = [{ words: shown.open ? "close" : "open", title, run: () => this.parts.drawing.toggle(shown) }];
    this.panel.show(shown.title, describeBlock(scene, shown), actions, new Map());
  }

  private showOp(scene: Scene, picture: Picture, op: number): void {
    const { arrivals, dressing, selection } = this.parts;
    const parameters = new Map<string, string>();
    for (const value of scene.inputsOf(op))
      if (scene.isParameter(value)) parameters.set(showable(scene.valueName(value), 200), scene.valueName(value));
    const sections = describeOp(scene, op, arrivals.lineage);
    const number = dressing.colours?.kind === "scale" ? dressing.colours.text(op) : "";
    if (number) sections.unshift({ title: "Shown", rows: [{ label: "", value: number }] });
    const count = selection.ops.length;
    const title = count > 1 ? `${count} ops, the first: ${opTitle(scene, op)}` : opTitle(scene, op);
    this.panel.show(title, sections, this.opActions(scene, picture, op), parameters);
  }

  private opActions(scene: Scene, picture: Picture, op: number): Action[] {
    const { events } = this;
    const { drawing, extent, selection } = this.parts;
    const around = (direction: Direction, words: string, title: string): Action => ({
      words,
      title,
      run: () => events.around(direction),
    });
    const actions = [
      around("both", `around (${extent.hops})`, "Only what is so many edges away; again for one more"),
      around("up", "upstream", "Only what it is computed from"),
      around("down", "downstream", "Only what is computed from it"),
    ];
    const [first, second] = selection.ops;
    if (first !== undefined && second !== undefined)
      actions.push({
        words: "between",
        title: "Only what lies between the first two selected",
        run: () => events.between(first, second),
      });
    if (extent.only) actions.push({ words: "show all", title: "The whole graph again", run: () => drawing.showAll() });
    const node = picture.visible.nodes[picture.visible.nodeOf[op]!];
    if (node?.kind === "op" && scene.holds(op))
      actions.push({ words: node.open ? "close" : "open", title: "Its sub-blocks (Enter)", run: () => drawing.toggle(node) });
    actions.push({ words: "copy", title: "Copy as text (Ctrl+C)", run: () => events.copy() });
    return actions;
  }
}
