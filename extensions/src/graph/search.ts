/** Finds ops by words, fields and regexes: `conv -type:bias shape:64x?x? attr:strides=2 layer:/Block_\d/`. */
import { attributesOf, showable } from "./describe";
import { Mark } from "./document";
import type { Scene } from "./scene";

/** Words that all have to match. */
export interface Query {
  readonly words: readonly Word[];
}

/** One line that says what to do. */
export interface QueryError {
  readonly error: string;
}

export interface Word {
  readonly field: Field;
  readonly negated: boolean;
  /** In lower case; of `attr:strides=2` the part behind the sign. */
  readonly text: string;
  /** Stands in the place of the text where one was given. */
  readonly regex: RegExp | null;
  /** The attribute of `attr:`, and whether a value of it was asked for. */
  readonly attribute: string;
  readonly valued: boolean;
}

type Field = (typeof fields)[number] | "any";

const fields = [
  "type",
  "name",
  "layer",
  "attr",
  "shape",
  "dtype",
  "kernel",
  "backend",
  "mark",
  "pass",
  "op",
] as const;
const noRegex: ReadonlySet<Field> = new Set(["shape", "mark", "pass", "op"]);
const markWords: Readonly<Record<string, readonly Mark[]>> = {
  added: [Mark.added],
  removed: [Mark.removed],
  altered: [Mark.altered],
  changed: [Mark.added, Mark.removed, Mark.altered],
  unchanged: [Mark.none],
};
const shortDtypes: Readonly<Record<string, string>> = {
  f16: "float16",
  f32: "float32",
  f64: "float64",
  fp16: "float16",
  fp32: "float32",
  fp64: "float64",
  bf16: "bfloat16",
  i8: "int8",
  i16: "int16",
  i32: "int32",
  i64: "int64",
  u8: "uint8",
};

/** A regex sees so many characters of each text: what takes long on a long text must not stop the page. */
export const regexReach = 2000;

/** Never throws; an empty text is a query that every op answers. */
export function parseQuery(text: string): Query | QueryError {
  const words: Word[] = [];
  let rest = text.trim();
  while (rest) {
    const found = readWord(rest);
    if ("error" in found) return found;
    words.push(found.word);
    rest = rest.slice(found.length).trimStart();
  }
  return { words };
}

/** The ops that match, in order. */
export function search(scene: Scene, query: Query): Int32Array {
  const texts = new Texts(scene);
  const tests = query.words.map((word) => ({ test: testOf(scene, texts, word), wanted: !word.negated }));
  const found = new Int32Array(scene.count);
  let count = 0;
  for (let op = 0; op < scene.count; op++) {
    if (tests.every(({ test, wanted }) => test(op) === wanted)) found[count++] = op;
  }
  return found.slice(0, count);
}

/** What to know about the answer: that a regex did not see all of some texts; null where there is nothing. */
export function searchNote(scene: Scene, query: Query): string | null {
  const long = ({ length }: string) => length > regexReach;
  const { strings, attrs } = scene.document;
  const cut = query.words.some(({ regex }) => regex) && (strings.some(long) || attrs.some(long));
  return cut ? `a regex sees the first ${regexReach.toLocaleString("en")} characters of a text` : null;
}

/** The first word of a text that does not begin with a space, and how long it is there. */
function readWord(text: string): { word: Word; length: number } | QueryError {
  const negated = /^[-!]\S/.test(text);
  const start = negated ? 1 : 0;
  const name = /^[a-z]+:/i.exec(text.slice(start))?.[0] ?? "";
  const field = name ? fields.find((known) => `${known}:` === name.toLowerCase()) : "any";
  if (!field) {
    const shown = showable(name.slice(0, -1), 40);
    return { error: `no field '${shown}': use ${fields.join(", ")}, or put the word in quotes` };
  }
  let at = start + name.length;
  let attribute = "";
  let valued = false;
  if (field === "attr") {
    const key = /^([^\s="/][^\s="]*)(=?)/.exec(text.slice(at));
    if (key) {
      attribute = key[1]!.toLowerCase();
      valued = key[2] === "=";
      at += key[0].length;
    }
  }
  const value = readValue(text, at);
  if ("error" in value) return value;
  const { regex } = value;
  const word: Word = { field, negated, text: value.text.toLowerCase(), regex, attribute, valued };
  const wrong = complaint(word);
  return wrong === null ? { word, length: value.end } : { error: wrong };
}

interface Value {
  text: string;
  regex: RegExp | null;
  end: number;
}

/** What stands at `at`: a text in quotes, a regex between slashes, or all up to the next space. */
function readValue(text: string, at: number): Value | QueryError {
  if (text[at] === '"') {
    const close = text.indexOf('"', at + 1);
    if (close < 0) return { error: 'a quote is not closed: put " at the end of the text' };
    return { text: text.slice(at + 1, close), regex: null, end: close + 1 };
  }
  const slashed = readSlashed(text, at);
  if (slashed) {
    const { source, flags, end } = slashed;
    const regex = regexOf(source, flags);
    return "error" in regex ? regex : { text: "", regex, end };
  }
  const space = text.slice(at).search(/\s/);
  const end = space < 0 ? text.length : at + space;
  return { text: text.slice(at, end), regex: null, end };
}

/** `/…/` or `/…/i` up to a space or the end; null for anything else, such as the layer `/A/Conv2D`. */
function readSlashed(text: string, at: number): { source: string; flags: string; end: number } | null {
  if (text[at] !== "/") return null;
  let inClass = false;
  for (let end = at + 1; end < text.length; end++) {
    const char = text[end];
    if (char === "\\") end += 1;
    else if (char === "[") inClass = true;
    else if (char === "]") inClass = false;
    else if (char === "/" && !inClass) {
      const flags = /^([a-z]*)(?:\s|$)/.exec(text.slice(end + 1, end + 10))?.[1];
      if (flags === undefined || !/^[dgimsuvy]*$/.test(flags) || end === at + 1) return null;
      return { source: text.slice(at + 1, end), flags, end: end + 1 + flags.length };
    }
  }
  // Such as `/[a/`: said to be wrong rather than looked for.
  const first = /^\/(\S*)\/(i?)(?:\s|$)/.exec(text.slice(at));
  if (!first || !inClass) return null;
  return { source: first[1]!, flags: first[2]!, end: at + first[0].trimEnd().length };
}

function regexOf(source: string, flags: string): RegExp | QueryError {
  const shown = `/${showable(source, 40)}/`;
  if (flags && flags !== "i") {
    return { error: `no flag '${flags}': use ${shown} or ${shown}i, or put the text in quotes` };
  }
  if (repeatsRepetition(source)) {
    return { error: `${shown} repeats a group with a choice in it and may never end: use [ab]+ or (ab)+` };
  }
  try {
    const regex = new RegExp(source, flags);
    // Compiled only when first used, once for each width of characters; one that is too large says so then.
    for (const sample of ["", "\u0100"]) regex.test(sample);
    return regex;
  } catch (error) {
    const message = error instanceof Error ? error.message : "";
    const why = /: ([^:]*)$/.exec(message)?.[1] ?? "not understood";
    return { error: `${shown} is no regex (${why.toLowerCase()}): mend it, or put the text in quotes` };
  }
}

/**
 * Whether a repeated group has a choice in it: a repetition, such as `(a+)+`, or alternatives, such as
 * `(a|a)*`. Backtracking over these can be exponential in the length of the text.
 */
function repeatsRepetition(source: string): boolean {
  const plain = source.replace(/\\./gs, "_").replace(/\[[^\]]*\]/g, "_");
  const open: boolean[] = [];
  let choice = false;
  for (let at = 0; at < plain.length; at++) {
    const char = plain[at]!;
    if (char === "(") {
      open.push(choice);
      choice = false;
      if (plain[at + 1] === "?") at += 1;
    } else if (char === ")") {
      if (choice && /^(?:[*+]|\{\d+,?\d*\})/.test(plain.slice(at + 1))) return true;
      choice ||= open.pop() ?? false;
    } else if ("*+?{|".includes(char)) choice = true;
  }
  return false;
}

/** What is wrong with a word, or null. */
function complaint({ field, text, regex, attribute, valued }: Word): string | null {
  if (regex) {
    if (!noRegex.has(field)) return null;
    return `${field}: takes no regex: use ${example(field)}`;
  }
  if (field === "attr") {
    return attribute || valued ? null : "attr: needs a name: use attr:strides, attr:strides=2 or attr:/stri/";
  }
  if (field === "any") return null;
  const good =
    field === "mark"
      ? Object.hasOwn(markWords, text)
      : field === "pass" || field === "op"
        ? /^\d+$/.test(text)
        : field === "shape"
          ? dimsOf(text).every((dim) => /^(?:\d+|-1|\?|\*)$/.test(dim))
          : text !== "";
  if (good) return null;
  const what = text ? `does not take '${showable(text, 40)}'` : "needs more";
  return `${field}: ${what}: use ${example(field)}`;
}

function example(field: Field): string {
  if (field === "mark") return Object.keys(markWords).join(", ");
  return {
    any: "a word",
    type: "type:conv",
    name: "name:relu",
    layer: "layer:/Sequential",
    attr: "attr:strides=2",
    shape: "dimensions such as shape:64x56, with ? for any one",
    dtype: "dtype:float32",
    kernel: "kernel:conv2d",
    backend: "backend:onednn",
    pass: "the number of a stage, such as pass:3",
    op: "the number of an op, such as op:12",
  }[field];
}

function testOf(scene: Scene, texts: Texts, word: Word): (op: number) => boolean {
  const { ops, values } = scene.document;
  const match = matcher(word);
  const text = texts.test(match);
  const name = remembered(scene.valueCount, (value) => {
    const named = values.name[value]!;
    return text(scene.text(named) ? named : values.id[value]!);
  });
  const { kernels } = scene.document;
  const kernel = (part: 0 | 1) =>
    remembered(kernels.length, (at) => {
      const string = kernels[at]![part];
      return match(match.cased ? string : string.toLowerCase());
    });
  switch (word.field) {
    case "any": {
      const kernelName = kernel(0);
      return (op) =>
        text(ops.type[op]!) ||
        text(ops.layer[op]!) ||
        kernelName(ops.kernel[op]!) ||
        someValue(scene, op, name);
    }
    case "type":
      return (op) => text(ops.type[op]!);
    case "layer":
      return (op) => text(ops.layer[op]!);
    case "name":
      return (op) => text(ops.layer[op]!) || someValue(scene, op, name);
    case "kernel": {
      const kernelName = kernel(0);
      return (op) => kernelName(ops.kernel[op]!);
    }
    case "backend": {
      const backend = kernel(1);
      return (op) => backend(ops.kernel[op]!);
    }
    case "attr": {
      const distinct = new Map<number, boolean>();
      return (op) => {
        const at = ops.attrs[op]!;
        let known = distinct.get(at);
        if (known === undefined) distinct.set(at, (known = hasAttribute(attributesOf(scene, op), word)));
        return known;
      };
    }
    case "dtype": {
      const start = shortDtypes[word.text] ?? word.text;
      const dtype = word.regex ? text : texts.test((of) => of.startsWith(start));
      return (op) => someValue(scene, op, (value) => dtype(values.dtype[value]!));
    }
    case "shape": {
      const wanted = dimsOf(word.text);
      const shape = texts.test((of) => hasDims(of ? of.split("x") : [], wanted));
      return (op) => someValue(scene, op, (value) => shape(values.shape[value]!));
    }
    case "mark": {
      const wanted = markWords[word.text] ?? [];
      return (op) => wanted.includes(scene.markOf(op));
    }
    case "pass": {
      const stage = Number(word.text);
      return (op) => scene.made[op] === stage;
    }
    case "op": {
      const index = Number(word.text);
      return (op) => scene.index[op] === index;
    }
  }
}

type Match = ((text: string) => boolean) & { cased?: true };

/** Whether a text answers a word: for a regex as it stands, for all else in lower case. */
function matcher({ text, regex }: Word): Match {
  if (!regex) return (of) => of.includes(text);
  return Object.assign((of: string) => regex.test(of.slice(0, regexReach)), { cased: true as const });
}

/** The texts of a scene, each looked at once per word however many ops have it. */
class Texts {
  private static readonly lowered = new WeakMap<Scene, string[]>();
  private readonly lower: string[];

  constructor(private readonly scene: Scene) {
    this.lower = Texts.lowered.get(scene) ?? [];
    Texts.lowered.set(scene, this.lower);
  }

  /** A test of texts by their number; none is the empty text. */
  test(match: Match): (at: number) => boolean {
    const { strings } = this.scene.document;
    const empty = match("");
    const known = remembered(strings.length, (at) => {
      const string = strings[at]!;
      return match(match.cased ? string : (this.lower[at] ??= string.toLowerCase()));
    });
    return (at) => (at < 0 ? empty : known(at));
  }
}

/** A test that is made once per number; false for numbers that are out of range. */
function remembered(count: number, test: (at: number) => boolean): (at: number) => boolean {
  const known = new Int8Array(count);
  return (at) => {
    const before = known[at];
    if (before !== 0) return before === 1;
    const now = test(at);
    known[at] = now ? 1 : -1;
    return now;
  };
}

function someValue(scene: Scene, op: number, test: (value: number) => boolean): boolean {
  const { inputsAt, inputs, outputsAt, outputs } = scene;
  for (let at = inputsAt[op]!; at < inputsAt[op + 1]!; at++) if (test(inputs[at]!)) return true;
  for (let at = outputsAt[op]!; at < outputsAt[op + 1]!; at++) if (test(outputs[at]!)) return true;
  return false;
}

function hasAttribute(attributes: Readonly<Record<string, unknown>>, word: Word): boolean {
  const { attribute, valued, text, regex } = word;
  return Object.entries(attributes).some(([name, value]) => {
    if (!attribute) return regex?.test(name.slice(0, regexReach)) ?? false;
    if (name.toLowerCase() !== attribute) return false;
    if (!valued) return true;
    const json = JSON.stringify(value);
    if (regex) return regex.test(json.slice(0, regexReach));
    if (typeof value !== "string" && text !== "" && Number.isFinite(Number(text))) {
      return numbersIn(json).includes(String(Number(text)));
    }
    return withoutSpaces(json.toLowerCase()).includes(withoutSpaces(text));
  });
}

/** The numbers of a JSON text, those in words left out: `1` is in `[1, 2]`, not in `[10]` or `["conv_1"]`. */
function numbersIn(json: string): string[] {
  return json.match(/(?<![\w.+-])-?\d[\w.+-]*/g) ?? [];
}

/** `[2, 2]` and `[2,2]` are the same to people. */
function withoutSpaces(text: string): string {
  return text.replace(/\s+/g, "");
}

function dimsOf(text: string): string[] {
  return text.replace(/^\[|[\]x×,]+$/g, "").split(/[x×,]\s*/);
}

/** Whether the wanted dimensions are among `dims`, one after the other. */
function hasDims(dims: string[], wanted: string[]): boolean {
  const fits = (start: number) =>
    wanted.every((dim, at) => dim === "?" || dim === "*" || dim === dims[start + at]);
  for (let start = 0; start + wanted.length <= dims.length; start++) if (fits(start)) return true;
  return false;
}
