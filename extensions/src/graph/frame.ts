/** The view on the page: the drawing with what lies over it and beside it, or words in its place. */
import base from "../base.css?inline";
import { type Cleanup, h, injectStyle, ownKeys } from "../dom";
import css from "../graph_view.css?inline";

const heightLeast = 160;
const heightUsual = 520;

export interface FrameParts {
  toolbar: HTMLElement;
  board: HTMLElement;
  legend: HTMLElement;
  tip: HTMLElement;
  panel: HTMLElement;
}

export class Frame {
  readonly root: HTMLElement;
  private readonly room: HTMLElement;
  private readonly words = h("div", { class: "pwb-words", role: "status" });
  private readonly alone: HTMLElement;
  private readonly aloneWords = h("span");
  private readonly spoken = h("div", { class: "pwb-hidden", "aria-live": "polite" });
  private readonly changes = h("details", { class: "pwb-changes", hidden: true });

  constructor(
    private readonly el: HTMLElement,
    { toolbar, board, legend, tip, panel }: FrameParts,
    showAll: () => void,
    cleanup: Cleanup,
  ) {
    const all = h("button", { type: "button", class: "pwb-button" }, "show all");
    cleanup.listen(all, "click", showAll);
    this.alone = h("div", { class: "pwb-alone", role: "status", hidden: true }, this.aloneWords, all);
    const middle = h("div", { class: "pwb-middle" }, board, this.alone, legend, tip);
    this.room = h("div", { class: "pwb-stage" }, middle, panel);
    this.root = h("div", { class: "pwb pwb-graph" }, toolbar, this.words, this.room, this.changes, this.spoken);
    ownKeys(this.root);
    el.append(this.root);
    this.style();
  }

  style(): void {
    injectStyle(this.el, "base", base);
    injectStyle(this.el, "graph", css);
  }

  /** Of the drawing and the panel together. */
  get roomWidth(): number {
    return this.room.clientWidth;
  }

  setHeight(height: number): void {
    this.root.style.setProperty("--pwb-height", `${Math.max(heightLeast, height || heightUsual)}px`);
  }

  /** A layout that takes long is under way. */
  setSlow(is: boolean): void {
    this.root.classList.toggle("pwb-drawing", is);
  }

  /** Words in place of the drawing; none where there is something to draw. */
  setInstead(words: string): void {
    const empty = words !== "";
    this.words.textContent = words;
    this.words.hidden = !empty;
    this.room.hidden = empty;
    if (empty) this.changes.hidden = true;
  }

  /** What part of the graph is shown alone; nothing where it is the whole. */
  setAlone(words: string): void {
    this.alone.hidden = words === "";
    if (words) this.aloneWords.textContent = words;
  }

  /** The table below the drawing, if there is one. */
  setChanges(found: { summary: HTMLElement; table: HTMLElement } | null): void {
    this.changes.hidden = !found;
    if (found) this.changes.replaceChildren(found.summary, found.table);
  }

  /** For those who hear the page. */
  speak(words: string): void {
    this.spoken.textContent = words;
  }

  /** What is selected, or that nothing is any more. */
  speakSelection(words: string): void {
    if (words || this.spoken.textContent) this.speak(words || "Nothing selected");
  }
}
