/** A page without a kernel: the traits live here, and every stage it was written with. */
import type { GraphViewTraits, Model } from "../types";
import { GraphView } from "./view";

export interface PageData {
  state: Omit<GraphViewTraits, "document" | "lineage" | "shown">;
  /** Packed graphs in base64, by stage and what it is compared with, such as `6 before`. */
  documents: Record<string, string>;
  lineage: string;
}

class PageModel implements Model<GraphViewTraits> {
  private readonly handlers = new Map<string, Set<(content?: unknown) => void>>();
  private readonly state: GraphViewTraits;
  private readonly waiting = new Set<string>();

  constructor(private readonly data: PageData) {
    const { stage, against } = data.state;
    this.state = { ...data.state, shown: { stage, against }, document: new DataView(new ArrayBuffer(0)), lineage: viewOf(data.lineage) };
    this.state.document = this.documentNow() ?? this.state.document;
  }

  get<K extends keyof GraphViewTraits>(name: K): GraphViewTraits[K] {
    return this.state[name];
  }

  set<K extends keyof GraphViewTraits>(name: K, value: GraphViewTraits[K]): void {
    // Asked for again: what was said of another choice no longer holds.
    this.waiting.add(name);
    if (this.state[name] === value) return;
    this.state[name] = value;
    this.emit(`change:${name}`);
  }

  /** What Python does in a notebook: another stage brings its graph. */
  save_changes(): void {
    const asked = this.waiting.has("stage") || this.waiting.has("against");
    this.waiting.clear();
    if (!asked) return;
    const found = this.documentNow();
    const { stage, against } = this.state;
    this.state.message = found ? "" : `this page was saved without stage ${stage} against ${against}`;
    if (found) {
      this.state.shown = { stage, against };
      this.state.document = found;
      this.emit("change:document");
    } else Object.assign(this.state, this.state.shown);
    this.emit("change:message");
  }

  send(): void {
    throw new Error("this page has no kernel");
  }

  on(event: string, callback: (content?: unknown) => void): void {
    const known = this.handlers.get(event) ?? new Set();
    this.handlers.set(event, known.add(callback));
  }

  off(event: string, callback: (content?: unknown) => void): void {
    this.handlers.get(event)?.delete(callback);
  }

  private emit(event: string): void {
    for (const callback of [...(this.handlers.get(event) ?? [])]) callback();
  }

  /** What did not change is kept once: the rule is that of `kept_as` in Python. */
  private keptAs(stage: number, against: string): string {
    if (against !== "before" && against !== "none") return `${stage} ${against}`;
    const { stages } = this.state;
    const differs = (at: number) => (stages[at]?.changed ?? false) || (stages[at]?.lowered ?? false);
    let at = stage;
    while (at > 0 && !differs(at)) at -= 1;
    return `${at} ${at === stage && differs(at) ? against : "none"}`;
  }

  private documentNow(): DataView | null {
    const text = this.data.documents[this.keptAs(this.state.stage, this.state.against)];
    return text === undefined ? null : viewOf(text);
  }
}

export function page(el: HTMLElement, data: PageData): void {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => (document.body.dataset.jpThemeLight = String(!dark.matches));
  follow();
  dark.addEventListener("change", follow);
  el.graphView = new GraphView(new PageModel(data), el);
}

function viewOf(base64: string): DataView {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return new DataView(bytes.buffer);
}
