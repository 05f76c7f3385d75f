/** What is known of the selection, beside the drawing. */
import { h, s } from "../dom";
import type { Row, Section } from "./describe";
import { shortNumber } from "./numbers";

export interface PanelEvents {
  jump(op: number): void;
  /** To an op of another stage. */
  travel(stage: number, key: number): void;
  histogram(name: string): void;
}

export interface Action {
  words: string;
  title: string;
  run: () => void;
}

export interface Histogram {
  name: string;
  error?: string;
  count?: number;
  finite?: number;
  min?: number;
  max?: number;
  mean?: number;
  std?: number;
  zeros?: number;
  counts?: number[];
  edges?: number[];
}

export class Panel {
  readonly element = h("aside", { class: "pwb-panel", "aria-label": "Selection", hidden: true });
  private readonly shown = new Map<string, HTMLElement>();

  // Its buttons come and go with every selection, and their listeners with them.
  constructor(private readonly events: PanelEvents) {}

  hide(): void {
    this.element.hidden = true;
    this.element.replaceChildren();
    this.shown.clear();
  }

  show(title: string, sections: Section[], actions: Action[], parameters: ReadonlyMap<string, string>): void {
    this.shown.clear();
    const buttons = actions.map(({ words, title: hint, run }) => {
      const button = h("button", { type: "button", class: "pwb-button pwb-action", title: hint }, words);
      button.addEventListener("click", run);
      return button;
    });
    this.element.replaceChildren(
      h("h3", { class: "pwb-panel-title" }, title),
      h("div", { class: "pwb-actions" }, ...buttons),
      ...sections.map((section) => this.section(section, parameters)),
    );
    this.element.hidden = false;
    this.element.scrollTop = 0;
  }

  /** Draws the values of a parameter where they were asked for. */
  answer(found: Histogram): void {
    const place = this.shown.get(found.name);
    if (!place) return;
    if (found.error !== undefined) place.replaceChildren(found.error);
    else place.replaceChildren(...histogramOf(found));
  }

  private section({ title, rows }: Section, parameters: ReadonlyMap<string, string>): HTMLElement {
    const list = h("dl", { class: "pwb-facts" });
    for (const row of rows) {
      const name = parameters.get(row.label);
      list.append(h("dt", {}, row.label), h("dd", { title: row.full ?? null }, this.value(row)));
      if (name !== undefined) list.append(...this.values(row.label, name));
    }
    return h("section", {}, h("h4", {}, title), list);
  }

  private value(row: Row): HTMLElement | string {
    const { op, elsewhere } = row;
    if (op === undefined && !elsewhere) return row.value;
    const title = elsewhere ? `Show it at stage ${elsewhere.stage}` : "Go to this op";
    const button = h("button", { type: "button", class: "pwb-link", title }, row.value);
    button.addEventListener("click", () => {
      if (elsewhere) this.events.travel(elsewhere.stage, elsewhere.key);
      else this.events.jump(op!);
    });
    return button;
  }

  private values(label: string, name: string): HTMLElement[] {
    const place = h("div", { class: "pwb-values", role: "status" });
    const ask = h("button", { type: "button", class: "pwb-link", "aria-label": `Values of ${label}` }, "values");
    ask.addEventListener("click", () => {
      if (place.textContent === reading) return;
      place.textContent = reading;
      this.events.histogram(name);
    });
    this.shown.set(name, place);
    return [h("dt"), h("dd", {}, ask, place)];
  }
}

const reading = "reading …";
const wide = 220;
const high = 56;

function histogramOf(found: Histogram): Node[] {
  const { counts = [], edges = [], count = 0, finite = 0 } = found;
  const words: string[] = [];
  const say = (name: string, value: number | undefined) => {
    if (value !== undefined) words.push(`${name} ${shortNumber(value)}`);
  };
  say("min", found.min);
  say("max", found.max);
  say("mean", found.mean);
  say("std", found.std);
  if (found.zeros) words.push(`${found.zeros.toLocaleString("en")} zeros`);
  if (finite < count) words.push(`${(count - finite).toLocaleString("en")} not finite`);
  if (count === 0) words.push("no values");
  const most = Math.max(1, ...counts);
  const step = wide / Math.max(1, counts.length);
  const bars = counts.map((number, at) => {
    const tall = number === 0 ? 0 : Math.max(1, (number / most) * high);
    const range = `${shortNumber(edges[at] ?? NaN)} to ${shortNumber(edges[at + 1] ?? NaN)}: ${number.toLocaleString("en")}`;
    const bar = { x: at * step, y: high - tall, width: Math.max(0.5, step - 0.5), height: tall };
    return s("rect", bar, s("title", {}, range));
  });
  const label = `Histogram of ${count.toLocaleString("en")} values: ${words.join(", ")}`;
  const svg = s("svg", { class: "pwb-histogram", viewBox: `0 0 ${wide} ${high}`, role: "img", "aria-label": label }, ...bars);
  return [...(counts.length > 0 ? [svg] : []), h("div", {}, words.join(", "))];
}
