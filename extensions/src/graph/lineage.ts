/** What became of ops on the way through the passes: where one comes from and where it went. */
import type { LineageDocument } from "./document";

export interface Step {
  stage: number;
  pass: string | null;
  /** fused, replaced, merged, folded or dropped. */
  how: string;
  /** The key of the op it became or became part of; -1 where it is gone. */
  into: number;
}

const again = "run the cell again";

/** Reads what Python sent, as JSON text or parsed. Throws an error in one line for anything else. */
export function parseLineage(data: unknown): Lineage {
  const found = (typeof data === "string" ? parsed(data) : data) as Partial<LineageDocument> | null;
  if (typeof found !== "object" || found === null) throw new Error(`the lineage is no JSON object: ${again}`);
  if (found.version !== 1) {
    throw new Error(`the lineage is of version ${String(found.version)}, this view reads 1: ${again}`);
  }
  const { strings, passes, keys, events } = found;
  const keyColumns = [keys?.type, keys?.layer, keys?.born];
  const eventColumns = [events?.stage, events?.how, events?.into, events?.from];
  if (!Array.isArray(strings) || !Array.isArray(passes) || !even(keyColumns) || !even(eventColumns)) {
    throw new Error(`the lineage is damaged: its columns are missing or differ in length: ${again}`);
  }
  return new Lineage(found as LineageDocument);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`the lineage is not JSON: ${again}`);
  }
}

function even(columns: unknown[]): boolean {
  const [first] = columns as unknown[][];
  return columns.every((column) => Array.isArray(column) && column.length === first?.length);
}

/** By these an op stands for what it came of; a constant computed ahead is no part of its reader. */
const standsFor: ReadonlySet<string> = new Set(["fused", "replaced", "merged"]);

/** What `workbench.tracing.Lineage` knows, from its document: its events stand in the order they happened. */
export class Lineage {
  /** Per key the events it came of, and those that happened to it. */
  private readonly made = new Map<number, number[]>();
  private readonly met = new Map<number, number[]>();
  /** Per event what happened: what came to several ops at once is an event for each, one after the other. */
  private readonly change: Int32Array;

  constructor(private readonly document: LineageDocument) {
    const { stage, how, into, from } = document.events;
    this.change = new Int32Array(into.length);
    for (let event = 0; event < into.length; event++) {
      if (into[event]! >= 0) listed(this.made, into[event]!).push(event);
      for (const key of new Set(from[event])) listed(this.met, key).push(event);
      if (event === 0) continue;
      const same =
        stage[event] === stage[event - 1] &&
        how[event] === how[event - 1] &&
        from[event]!.length === from[event - 1]!.length &&
        from[event]!.every((key, at) => key === from[event - 1]![at]);
      this.change[event] = this.change[event - 1]! + (same ? 0 : 1);
    }
  }

  has(key: number): boolean {
    return this.document.keys.born[key] !== undefined;
  }

  /**
   * The keys of the model as loaded that this op stands for after a stage, ascending; itself when it is one
   * of them.
   */
  origins(key: number, after = Infinity): number[] {
    // What joined an op after it had gone into another is no part of that other: a key counts up to a change.
    const upTo = new Map([[key, Infinity]]);
    const open = [key];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const limit = upTo.get(next)!;
      for (const event of this.made.get(next) ?? []) {
        const change = this.change[event]!;
        if (change >= limit || this.document.events.stage[event]! > after || !this.standsFor(event)) continue;
        for (const part of this.document.events.from[event]!) {
          if ((upTo.get(part) ?? -1) >= change) continue;
          upTo.set(part, change);
          open.push(part);
        }
      }
    }
    return [...upTo.keys()].filter((part) => this.document.keys.born[part] === 0).sort((a, b) => a - b);
  }

  /**
   * What happened to an op and to what it became part of, to the end of the pipeline.
   *
   * Where it became part of several ops, the one that gives the result is followed; where it was computed
   * ahead into a constant, that is the end, with a step for each op that reads it.
   */
  fate(key: number): Step[] {
    const { into } = this.document.events;
    const steps: Step[] = [];
    let at = key;
    let last = -1;
    for (;;) {
      const events = this.met.get(at) ?? [];
      const first = events[firstAfter(events, this.change, last)];
      if (first === undefined) return steps;
      steps.push(this.step(first));
      last = this.change[first]!;
      if (!this.standsFor(first)) {
        const others = events.filter((event) => event !== first && this.change[event] === last);
        return [...steps, ...others.map((event) => this.step(event))];
      }
      at = into[first]!;
    }
  }

  private step(event: number): Step {
    const { stage, how, into } = this.document.events;
    const pass = this.pass(stage[event]!);
    return { stage: stage[event]!, pass, how: this.text(how[event]!), into: into[event]! };
  }

  private standsFor(event: number): boolean {
    return standsFor.has(this.text(this.document.events.how[event]!));
  }

  /** What each op made at a stage was made of, by key. */
  madeAt(stage: number): Map<number, number[]> {
    const found = new Map<number, number[]>();
    const { events } = this.document;
    for (let event = 0; event < events.stage.length; event++)
      if (events.stage[event] === stage && events.into[event]! >= 0)
        listed(found, events.into[event]!).push(...events.from[event]!);
    return found;
  }

  madeBy(key: number): { stage: number; pass: string | null } {
    const stage = this.document.keys.born[key] ?? 0;
    return { stage, pass: this.pass(stage) };
  }

  /** The pass of a stage; null for the model as loaded. */
  pass(stage: number): string | null {
    return this.document.passes[stage] ?? null;
  }

  type(key: number): string {
    return this.text(this.document.keys.type[key] ?? -1);
  }

  layer(key: number): string {
    return this.text(this.document.keys.layer[key] ?? -1);
  }

  /** What people know an op of any stage by: its short type and its layer. */
  label(key: number): string {
    const type = this.type(key);
    const short = type.slice(type.indexOf(".") + 1) || type || "unknown op";
    const layer = this.layer(key);
    return layer ? `${short} in ${layer}` : short;
  }

  private text(at: number): string {
    return this.document.strings[at] ?? "";
  }
}

/** The first place in `events` whose change comes after `last`. */
function firstAfter(events: number[], change: Int32Array, last: number): number {
  let low = 0;
  let high = events.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (change[events[middle]!]! > last) high = middle;
    else low = middle + 1;
  }
  return low;
}

function listed(lists: Map<number, number[]>, key: number): number[] {
  let list = lists.get(key);
  if (!list) {
    list = [];
    lists.set(key, list);
  }
  return list;
}
