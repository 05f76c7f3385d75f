/** The graph as it comes from Python. Mirrors `workbench/ui/document.py`. */

/** Indices into `GraphDocument.strings` are called texts; -1 stands for "none" in every column. */
export interface GraphDocument {
  version: 1;
  /** The stage it is of, and what it is compared with, as the traits of these names say. */
  stage?: number;
  against?: string;
  ir: "pir" | "program";
  strings: string[];
  /** Column by column: the i-th entry of each is the i-th op. Removed ops stand at the end. */
  ops: {
    /** The same op has the same key in every stage of a trace; unique in one graph. */
    key: number[];
    /** The op's number in the graph it is from: the one shown, or for a removed op the one before. */
    index: number[];
    type: number[];
    /** Text of the layer path, such as `/Sequential/BasicBlock_1/Conv2D`. */
    layer: number[];
    /** The innermost block that holds it, an index into `blocks`. */
    block: number[];
    /** The op whose sub-block holds it, a place in these columns. */
    parent: number[];
    /** Which of that op's sub-blocks, from 0. */
    region: number[];
    kernel: number[];
    attrs: number[];
    /** 0 unchanged, 1 added, 2 removed, 3 altered. */
    mark: number[];
    /** The stage whose pass made it; 0 for ops of the model as loaded. */
    made: number[];
    /** `inputs[inputsAt[i]] … inputs[inputsAt[i + 1] - 1]` are the values op i reads; the same for outputs. */
    inputsAt: number[];
    inputs: number[];
    outputsAt: number[];
    outputs: number[];
  };
  /** One entry per value. */
  values: {
    id: number[];
    name: number[];
    dtype: number[];
    /** Text such as `1x3x224x224`; -1 as a dimension is known only at run time. */
    shape: number[];
    /** 1 for weights and constants. */
    parameter: number[];
  };
  /** Layers as a tree; a parent comes before its children. */
  blocks: {
    parent: number[];
    name: number[];
    /** Text that is the block's key in every stage. */
    path: number[];
    /** Text of what it is without its number: `BasicBlock` for `BasicBlock_1`. */
    kind: number[];
    /** How many repeated siblings it gathers (`BasicBlock ×8`); 1 for a block that is one. */
    repeat: number[];
  };
  /** Each a JSON object in text: attribute to value. */
  attrs: string[];
  /** Name, backend, layout, dtype. */
  kernels: [string, string, string, string][];
  /** What is different about an altered op, a line each, by its place in the columns. */
  alterations: Record<string, string[]>;
  /** Who read what a removed op wrote: triples of the removed op, a reader that stays, the value. */
  former?: number[];
}

export const Mark = { none: 0, added: 1, removed: 2, altered: 3 } as const;
export type Mark = (typeof Mark)[keyof typeof Mark];

/** What became of ops on the way through the passes. */
export interface LineageDocument {
  version: 1;
  strings: string[];
  /** Pass of each stage; null for the model as loaded. */
  passes: (string | null)[];
  /** One entry per key: type and layer as texts, and the first stage that has it. */
  keys: { type: number[]; layer: number[]; born: number[] };
  /** The ops `from` became, or became part of, the op `into` at a stage; into -1: they are gone. */
  events: { stage: number[]; how: number[]; into: number[]; from: number[][] };
}
