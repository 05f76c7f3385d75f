/** What crosses between Python and the page. Mirrors the traits in `workbench/ui`. */

/** The part of an anywidget model the widgets use. */
export interface Model<T extends object> {
  get<K extends keyof T & string>(name: K): T[K];
  set<K extends keyof T & string>(name: K, value: T[K]): void;
  save_changes(): void;
  /** A question to Python; its answer comes as a `msg:custom` event. */
  send(content: unknown): void;
  on(event: string, callback: (content?: unknown) => void): void;
  off(event: string, callback: (content?: unknown) => void): void;
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

/** `lowered`: before this pass Paddle itself turned the ops into kernels. */
export type GraphStage = Pick<Stage, "index" | "pass" | "changed"> & { lowered?: boolean };

/** Numbers on ops, by the key an op has in every stage. */
export interface OverlayTrait {
  name: string;
  unit: string;
  combine: "sum" | "max";
  keys: number[];
  values: number[];
}

export interface GraphViewTraits {
  /** The graph and the lineage, packed: see `graph/document.ts`. */
  document: DataView;
  lineage: DataView;
  /** The stage the document is of, and what it is compared with. */
  shown: { stage?: number; against?: string };
  stages: GraphStage[];
  other_stages: GraphStage[];
  stage: number;
  /** "before", "none", "3" or "other:3". */
  against: string;
  selection: number[];
  selection_before: number[];
  query: string;
  found: number[];
  only: number[];
  mode: "auto" | "flat" | "layers";
  open_blocks: string[];
  colour_by: string;
  overlays: OverlayTrait[];
  fade: boolean;
  show_parameters: boolean;
  title: string;
  note: string;
  message: string;
  busy: boolean;
  choose_stage: boolean;
  theme: string;
  /** Id of the picture that stands for the view where there is no kernel. */
  still: string;
  height: number;
}
