/** What crosses between Python and the page. Mirrors the traits in `workbench/ui/_widgets.py`. */

/** The part of an anywidget model the widgets use. */
export interface Model<T extends object> {
  get<K extends keyof T & string>(name: K): T[K];
  set<K extends keyof T & string>(name: K, value: T[K]): void;
  save_changes(): void;
  on(event: string, callback: () => void): void;
  off(event: string, callback: () => void): void;
}

export interface RenderContext<T extends object> {
  model: Model<T>;
  el: HTMLElement;
}

/** One stage of a trace: a pass and what it did to the graph. Stage 0 is the model before any pass. */
export interface Stage {
  index: number;
  pass: string | null;
  changed: boolean;
  /** What the log says the pass found; two numbers where it searched twice; null where it says nothing. */
  matches: number | [number, number] | null;
  ops: number;
  added: number;
  removed: number;
  note: string | null;
  can_disable: boolean;
  /** Why the pass cannot be switched off, or another remark for its switch. */
  reason: string | null;
}

/** A pass that did not run. */
export interface OffPass {
  pass: string;
  reason: string | null;
  /** Its stage number when it last ran, if known: the row is shown there. */
  index?: number | null;
}

export interface PassListTraits {
  stages: Stage[];
  disabled: string[];
  off_passes: OffPass[];
  selected: number;
  filter: string;
  hide_unchanged: boolean;
  busy: boolean;
  message: string;
  height: number;
}

export type Sign = "added" | "removed" | "altered";

/** One changed op. */
export interface ChangeRow {
  sign: string;
  type: string;
  name: string;
  inputs: string | string[];
  outputs: string | string[];
}

export interface GraphViewTraits {
  before: string;
  after: string;
  before_title: string;
  after_title: string;
  note: string;
  too_large: string;
  table: ChangeRow[];
  /** `before:op12` or `after:op12`, or empty. */
  selected: string;
  theme: string;
  height: number;
  /** Seconds one drawing may take. */
  time_limit: number;
}

export type Side = "before" | "after";
