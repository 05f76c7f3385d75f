/** One graph in memory: the document's columns as typed arrays, and what follows from them. */
import { type GraphDocument, Mark } from "./document";

export interface Kernel {
  name: string;
  backend: string;
  layout: string;
  dtype: string;
}

export class Scene {
  readonly count: number;
  readonly key: Int32Array;
  readonly index: Int32Array;
  readonly block: Int32Array;
  readonly parent: Int32Array;
  readonly region: Int32Array;
  readonly mark: Uint8Array;
  readonly made: Int32Array;
  /** Readers of value v, in order: `users[usersAt[v]] … users[usersAt[v + 1] - 1]`. */
  readonly usersAt: Int32Array;
  readonly users: Int32Array;
  /** Per entry of `inputs`: the op that wrote that value when it was read, or -1. */
  readonly sources: Int32Array;
  readonly inputsAt: Int32Array;
  readonly inputs: Int32Array;
  readonly outputsAt: Int32Array;
  readonly outputs: Int32Array;
  private readonly places = new Map<number, number>();
  private readonly attributes = new Map<number, Readonly<Record<string, unknown>>>();

  constructor(readonly document: GraphDocument) {
    const { ops, values } = document;
    this.count = ops.key.length;
    this.key = Int32Array.from(ops.key);
    this.index = Int32Array.from(ops.index);
    this.block = Int32Array.from(ops.block);
    this.parent = Int32Array.from(ops.parent);
    this.region = Int32Array.from(ops.region);
    this.mark = Uint8Array.from(ops.mark);
    this.made = Int32Array.from(ops.made);
    this.inputsAt = Int32Array.from(ops.inputsAt);
    this.inputs = Int32Array.from(ops.inputs);
    this.outputsAt = Int32Array.from(ops.outputsAt);
    this.outputs = Int32Array.from(ops.outputs);
    for (let op = 0; op < this.count; op++) this.places.set(this.key[op]!, op);

    const writer = new Int32Array(values.id.length).fill(-1);
    const uses = new Int32Array(values.id.length + 1);
    this.sources = new Int32Array(this.inputs.length);
    // In Program IR a variable may be written again: a reader sees the last writer so far.
    for (let op = 0; op < this.count; op++) {
      for (let at = this.inputsAt[op]!; at < this.inputsAt[op + 1]!; at++) {
        const value = this.inputs[at]!;
        this.sources[at] = writer[value]!;
        uses[value + 1]! += 1;
      }
      for (let at = this.outputsAt[op]!; at < this.outputsAt[op + 1]!; at++) writer[this.outputs[at]!] = op;
    }
    for (let value = 0; value < values.id.length; value++) uses[value + 1]! += uses[value]!;
    this.usersAt = uses;
    this.users = new Int32Array(this.inputs.length);
    const filled = uses.slice(0, -1);
    for (let op = 0; op < this.count; op++)
      for (let at = this.inputsAt[op]!; at < this.inputsAt[op + 1]!; at++)
        this.users[filled[this.inputs[at]!]!++] = op;
  }

  text(at: number): string {
    return at < 0 ? "" : (this.document.strings[at] ?? "");
  }

  type(op: number): string {
    return this.text(this.document.ops.type[op]!);
  }

  /** The type without its dialect: `conv2d` for `pd_op.conv2d`. */
  shortType(op: number): string {
    const type = this.type(op);
    return type.slice(type.indexOf(".") + 1) || type;
  }

  layer(op: number): string {
    return this.text(this.document.ops.layer[op]!);
  }

  markOf(op: number): Mark {
    return this.mark[op] as Mark;
  }

  kernel(op: number): Kernel | null {
    const found = this.document.kernels[this.document.ops.kernel[op]!];
    if (!found) return null;
    const [name, backend, layout, dtype] = found;
    return { name, backend, layout, dtype };
  }

  attrs(op: number): Readonly<Record<string, unknown>> {
    const at = this.document.ops.attrs[op]!;
    let found = this.attributes.get(at);
    if (!found) {
      found = JSON.parse(this.document.attrs[at] ?? "{}") as Record<string, unknown>;
      this.attributes.set(at, found);
    }
    return found;
  }

  /** The op with this key, or -1. */
  place(key: number): number {
    return this.places.get(key) ?? -1;
  }

  /** Of ops of another graph those that this one has, too. */
  placesFrom(other: Scene, ops: Iterable<number>): number[] {
    return [...ops].map((op) => this.place(other.key[op]!)).filter((op) => op >= 0);
  }

  /** Ops by the numbers Python knows them by: removed ones have those of the graph before. */
  placesOf(indices: readonly number[], removed: boolean): number[] {
    const wanted = new Set(indices);
    const places: number[] = [];
    if (wanted.size === 0) return places;
    for (let op = 0; op < this.count; op++)
      if ((this.markOf(op) === Mark.removed) === removed && wanted.has(this.index[op]!)) places.push(op);
    return places;
  }

  /** The numbers Python knows ops by: of those that were removed, or of all others. */
  indicesOf(ops: Iterable<number>, removed: boolean): number[] {
    return [...ops].filter((op) => (this.markOf(op) === Mark.removed) === removed).map((op) => this.index[op]!);
  }

  /** Whether an op has sub-blocks. */
  holds(op: number): boolean {
    return this.parent.includes(op);
  }

  inputsOf(op: number): Int32Array {
    return this.inputs.subarray(this.inputsAt[op], this.inputsAt[op + 1]);
  }

  /** The ops that wrote what op reads, in the order of its inputs; -1 for weights and the like. */
  sourcesOf(op: number): Int32Array {
    return this.sources.subarray(this.inputsAt[op], this.inputsAt[op + 1]);
  }

  outputsOf(op: number): Int32Array {
    return this.outputs.subarray(this.outputsAt[op], this.outputsAt[op + 1]);
  }

  usersOf(value: number): Int32Array {
    return this.users.subarray(this.usersAt[value], this.usersAt[value + 1]);
  }

  get valueCount(): number {
    return this.document.values.id.length;
  }

  /** The name people know a value by, or its id. */
  valueName(value: number): string {
    const { name, id } = this.document.values;
    return this.text(name[value]!) || this.text(id[value]!);
  }

  dtype(value: number): string {
    return this.text(this.document.values.dtype[value]!);
  }

  /** Such as `1x3x224x224`; empty where it is not known. */
  shape(value: number): string {
    return this.text(this.document.values.shape[value]!);
  }

  isParameter(value: number): boolean {
    return this.document.values.parameter[value] === 1;
  }

  /** The type people read: `float32[1x3x224x224]`. */
  valueType(value: number): string {
    const shape = this.document.values.shape[value]! < 0 ? "" : `[${this.shape(value)}]`;
    return this.dtype(value) + shape;
  }
}
