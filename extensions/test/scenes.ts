/** Graphs and lineages for tests, from descriptions short enough to read. */
import { Mark, type GraphDocument, type LineageDocument } from "../src/graph/document";
import { Scene } from "../src/graph/scene";

export interface OpDescription {
  type: string;
  /** Values by name. One that no op writes and `values` does not describe is an input of the graph. */
  inputs?: string[];
  outputs?: string[];
  /** Such as `/A/Conv2D`: makes the blocks `/A` and `/A/Conv2D`. */
  layer?: string;
  attrs?: Record<string, unknown>;
  /** Name, backend, layout, dtype. */
  kernel?: [string, string, string, string];
  mark?: keyof typeof marks;
  made?: number;
  /** The place of the op whose sub-block holds this one. */
  parent?: number;
  region?: number;
  /** Its place in the list when left out; the same for `index`. */
  key?: number;
  index?: number;
  alteration?: string[];
}

/** `float32[1x3x8x8]`, or in full; `name: ""` for a value that has an id only. */
export type ValueDescription =
  | string
  | { dtype?: string; shape?: string; parameter?: boolean; name?: string; id?: string };

export const marks = { none: Mark.none, added: Mark.added, removed: Mark.removed, altered: Mark.altered };

export function documentOf(
  ops: OpDescription[],
  values: Record<string, ValueDescription> = {},
  ir: GraphDocument["ir"] = "pir",
): GraphDocument {
  const strings = new Table<string>();
  const text = (string: string | undefined) => (string === undefined ? -1 : strings.at(string));
  const attrs = new Table<string>();
  const kernels = new Table<string>();
  const blocks = new Blocks(strings);
  const document: GraphDocument = {
    version: 1,
    ir,
    strings: strings.entries,
    ops: {
      key: ops.map(({ key }, place) => key ?? place),
      index: ops.map(({ index }, place) => index ?? place),
      type: ops.map(({ type }) => text(type)),
      layer: ops.map(({ layer }) => text(layer)),
      block: ops.map(({ layer }) => blocks.at(layer ?? "")),
      parent: ops.map(({ parent }) => parent ?? -1),
      region: ops.map(({ parent, region }) => region ?? (parent === undefined ? -1 : 0)),
      kernel: ops.map(({ kernel }) => (kernel ? kernels.at(JSON.stringify(kernel)) : -1)),
      attrs: ops.map((op) => attrs.at(JSON.stringify(op.attrs ?? {}))),
      mark: ops.map(({ mark }) => marks[mark ?? "none"]),
      made: ops.map(({ made }) => made ?? 0),
      inputsAt: [0],
      inputs: [],
      outputsAt: [0],
      outputs: [],
    },
    values: { id: [], name: [], dtype: [], shape: [], parameter: [] },
    blocks: blocks.columns,
    attrs: attrs.entries,
    kernels: kernels.entries.map((kernel) => JSON.parse(kernel) as [string, string, string, string]),
    alterations: {},
  };
  const known = new Table<string>();
  const valueAt = (name: string) => {
    const at = known.at(name);
    if (at === document.values.id.length) {
      const value = described(values[name] ?? {});
      document.values.id.push(text(value.id ?? name));
      document.values.name.push(text(value.name ?? name));
      document.values.dtype.push(text(value.dtype));
      document.values.shape.push(text(value.shape));
      document.values.parameter.push(value.parameter ? 1 : 0);
    }
    return at;
  };
  for (const [place, op] of ops.entries()) {
    for (const name of op.inputs ?? []) document.ops.inputs.push(valueAt(name));
    for (const name of op.outputs ?? []) document.ops.outputs.push(valueAt(name));
    document.ops.inputsAt.push(document.ops.inputs.length);
    document.ops.outputsAt.push(document.ops.outputs.length);
    if (op.alteration) document.alterations[place] = op.alteration;
  }
  return document;
}

export function sceneOf(
  ops: OpDescription[],
  values: Record<string, ValueDescription> = {},
  ir: GraphDocument["ir"] = "pir",
): Scene {
  return new Scene(documentOf(ops, values, ir));
}

export interface EventDescription {
  stage: number;
  how: string;
  into: number;
  from: number[];
}

/** `keys[i]` is the op with key i: its type, its layer and the first stage that has it (0 when left out). */
export function lineageOf(
  passes: string[],
  keys: { type: string; layer?: string; born?: number }[],
  events: EventDescription[],
): LineageDocument {
  const strings = new Table<string>();
  return {
    version: 1,
    strings: strings.entries,
    passes: [null, ...passes],
    keys: {
      type: keys.map(({ type }) => strings.at(type)),
      layer: keys.map(({ layer }) => (layer === undefined ? -1 : strings.at(layer))),
      born: keys.map(({ born }) => born ?? 0),
    },
    events: {
      stage: events.map(({ stage }) => stage),
      how: events.map(({ how }) => strings.at(how)),
      into: events.map(({ into }) => into),
      from: events.map(({ from }) => from),
    },
  };
}

/** Random numbers from 0 to below 1, the same for the same seed (xorshift). */
export function seeded(seed: number): () => number {
  let state = Math.imul(seed + 1, 0x9e3779b1) || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** Names that must neither run, nor break, nor deceive. */
export const hostileNames: readonly string[] = [
  "",
  " ",
  "<img src=x onerror=alert(1)>",
  "</script><script>alert(1)</script>",
  "&lt;b&gt;",
  "javascript:alert(1)",
  '"quoted" \'twice\' `thrice`',
  "back\\slash \\u0041 ${x} {{y}}",
  "__proto__",
  "constructor",
  "toString",
  "line\nbreak\ttab\rreturn\0zero",
  "\u001b[31mred\u0007",
  "\u202egpj.exe\u202c",
  "\u2066\u2067\u2068",
  "\u200b\u200c\u200d\ufeff\u00ad",
  "עברית",
  "العربية 123",
  "模型/卷积 ①",
  "👩‍👩‍👧‍👦 🇩🇪 ❤️",
  "e\u0301\u0302\u0303\u0304\u0305",
  "\ud800 lone \udc00",
  "\u{10ffff}\uffff",
  "İıŞß",
  "/conv[",
  "(((((",
  "NaN",
  "-1",
  "type:conv",
  "x".repeat(100_000),
];

function described(value: ValueDescription): Exclude<ValueDescription, string> {
  if (typeof value !== "string") return value;
  const [, dtype = "", shape] = /^([^[]*)(?:\[(.*)\])?$/.exec(value) ?? [];
  return { ...(dtype && { dtype }), ...(shape !== undefined && { shape }) };
}

/** Each entry once, by the place it was first met. */
class Table<T> {
  readonly entries: T[] = [];
  private readonly places = new Map<T, number>();

  at(entry: T): number {
    let place = this.places.get(entry);
    if (place === undefined) {
      place = this.entries.push(entry) - 1;
      this.places.set(entry, place);
    }
    return place;
  }
}

class Blocks {
  readonly columns: GraphDocument["blocks"] = { parent: [], name: [], path: [], kind: [], repeat: [] };
  private readonly places = new Map<string, number>();

  constructor(private readonly strings: Table<string>) {}

  /** The block of a layer path, made with those around it; -1 for ops of no layer. */
  at(layer: string): number {
    let place = -1;
    let path = "";
    for (const name of layer.split("/").filter(Boolean)) {
      path += `/${name}`;
      place = this.places.get(path) ?? this.add(path, name, place);
    }
    return place;
  }

  private add(path: string, name: string, parent: number): number {
    const { columns, strings } = this;
    columns.parent.push(parent);
    columns.name.push(strings.at(name));
    columns.path.push(strings.at(path));
    columns.kind.push(strings.at(name.replace(/_\d+$/, "")));
    const place = columns.repeat.push(1) - 1;
    this.places.set(path, place);
    return place;
  }
}
