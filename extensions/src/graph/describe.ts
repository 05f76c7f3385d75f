/** What is known of an op, as plain data for the side panel, the screen reader and "copy as text". */
import { Mark } from "./document";
import type { Lineage } from "./lineage";
import { neighbours } from "./neighbourhood";
import type { Scene } from "./scene";

export interface Section {
  title: string;
  rows: Row[];
}

/** Texts are safe to show as they are: `showable` has been over them. */
export interface Row {
  label: string;
  value: string;
  /** The whole of a value that was shortened. */
  full?: string;
  /** The op of the scene this row leads to. */
  op?: number;
  /** Where it leads when that is another stage: an op by its key. */
  elsewhere?: { stage: number; key: number };
}

const nameLimit = 200;
const valueLimit = 160;
const listLimit = 200;
const spokenLimit = 60;
const spokenValues = 6;
/** Of one value; a hub has thousands. */
const readersLimit = 20;

/** Controls, bidi marks, lone surrogates and all else that has no shape of its own on the screen. */
const invisible = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;
const rightToLeft = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefe\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/**
 * A name as it may be put on the screen: one line, at most `limit` UTF-16 units, nothing invisible in it.
 *
 * Right-to-left letters stay, between isolates (two more units), so that they cannot reorder what is around
 * them. For names as they come: a text that has been through it must not go through it again.
 */
export function showable(text: string, limit = Infinity): string {
  const cut = shortened(text, limit).replace(invisible, "\ufffd");
  return rightToLeft.test(cut) ? `\u2068${cut}\u2069` : cut;
}

function shortened(text: string, limit: number): string {
  if (text.length <= limit) return text;
  let end = Math.max(0, Math.floor(limit) - 1);
  // Not between the two halves of a character.
  if (text.codePointAt(end - 1)! > 0xffff) end -= 1;
  return limit < 1 ? "" : `${text.slice(0, end)}…`;
}

/** The attributes of an op; none where what was sent is not a JSON object. */
export function attributesOf(scene: Scene, op: number): Readonly<Record<string, unknown>> {
  try {
    const found: unknown = scene.attrs(op);
    return typeof found === "object" && found !== null ? (found as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** Such as `conv2d #12`. */
export function opTitle(scene: Scene, op: number): string {
  return `${showable(scene.shortType(op), spokenLimit)} #${scene.index[op]!}`;
}

export function describeOp(scene: Scene, op: number, lineage: Lineage | null): Section[] {
  const sections: Section[] = [
    { title: "Op", rows: opRows(scene, op, lineage) },
    { title: "What changed", rows: (scene.document.alterations[op] ?? []).map((line) => row("", line)) },
    { title: "Stands for", rows: lineage ? originRows(scene, op, lineage) : [] },
    { title: "Went to", rows: lineage ? fateRows(scene, op, lineage) : [] },
    { title: "Inputs", rows: inputRows(scene, op) },
    { title: "Outputs", rows: outputRows(scene, op) },
    { title: "Parameters", rows: parameterRows(scene, op) },
    { title: "Kernel", rows: kernelRows(scene, op) },
    { title: "Attributes", rows: attributeRows(scene, op) },
  ];
  return sections.filter(({ rows }) => rows.length > 0);
}

/** A line per row: section, label and value in full, with tabs between. */
export function opAsText(sections: Section[]): string {
  const line = (title: string, { label, value, full }: Row) => `${title}\t${label}\t${full ?? value}\n`;
  return sections.flatMap(({ title, rows }) => rows.map((row) => line(title, row))).join("");
}

/** One sentence for a screen reader. */
export function spoken(scene: Scene, op: number): string {
  const layer = scene.layer(op);
  const parts = [
    `${showable(scene.shortType(op), spokenLimit)} number ${scene.index[op]!}`,
    layer && `in ${showable(layer, nameLimit)}`,
    scene.markOf(op) !== Mark.none && markWord(scene.markOf(op)),
    spokenList(scene, "reads", scene.inputsOf(op)),
    spokenList(scene, "writes", scene.outputsOf(op)),
  ];
  return `${parts.filter(Boolean).join(", ")}.`;
}

export function markWord(mark: Mark): string {
  return ["unchanged", "added", "removed", "altered"][mark] ?? "unchanged";
}

/** "3: conv_bn_fuse_pass", "3" where the pass is not known, or the model as loaded. */
export function stageText(stage: number, pass: string | null | undefined): string {
  if (stage <= 0) return "model as loaded";
  return pass ? `stage ${stage}: ${showable(pass, nameLimit)}` : `stage ${stage}`;
}

/** Bytes of one element; undefined for a dtype of no fixed size. */
export function bytesOf(dtype: string): number | undefined {
  if (dtype === "bool") return 1;
  if (/^float8/.test(dtype)) return 1;
  const bits = /^(?:u?int|b?float|complex)(8|16|32|64|128)$/.exec(dtype)?.[1];
  return bits === undefined ? undefined : Number(bits) / 8;
}

/** How many elements a shape such as `64x3x7x7` has; undefined where that is known only at run time. */
export function elementsOf(shape: string): number | undefined {
  if (shape === "") return 1;
  const dims = shape.split("x");
  if (!dims.every((dim) => /^\d+$/.test(dim))) return undefined;
  const count = dims.reduce((product, dim) => product * Number(dim), 1);
  return Number.isSafeInteger(count) ? count : undefined;
}

function row(label: string, value: string, op = -1): Row {
  const shown: Row = { label: showable(label, nameLimit), value: showable(value, valueLimit) };
  if (value.length > valueLimit) shown.full = showable(value);
  if (op >= 0) shown.op = op;
  return shown;
}

/** A row whose texts are safe already, being made of shown names. */
function plainRow(label: string, value: string, op = -1): Row {
  return op >= 0 ? { label, value, op } : { label, value };
}

function opRows(scene: Scene, op: number, lineage: Lineage | null): Row[] {
  const mark = scene.markOf(op);
  const made = scene.made[op]!;
  const layer = scene.layer(op);
  const parent = scene.parent[op]!;
  const rows = [
    row("Type", scene.type(op)),
    row("Number", `${scene.index[op]!}${mark === Mark.removed ? " in the graph before" : ""}`),
  ];
  if (layer) rows.push(row("Layer", layer));
  if (parent >= 0) rows.push(plainRow("In a block of", opTitle(scene, parent), parent));
  rows.push(row("Change", markWord(mark)));
  rows.push(plainRow("Made by", stageText(made, lineage?.pass(made))));
  if (lineage) rows.push(...growthRows(scene, op, lineage));
  return rows;
}

function inputRows(scene: Scene, op: number): Row[] {
  return neighbours(scene, op)
    .inputs.filter(({ value }) => !scene.isParameter(value))
    .map(({ value, op: source }) => valueRow(scene, value, "from", source));
}

function outputRows(scene: Scene, op: number): Row[] {
  const rows: Row[] = [];
  const shown = new Map<number, number>();
  for (const { value, op: reader } of neighbours(scene, op).outputs) {
    const count = (shown.get(value) ?? 0) + 1;
    shown.set(value, count);
    if (count <= readersLimit) rows.push(valueRow(scene, value, "to", reader));
  }
  for (const [value, count] of shown) {
    const rest = count - readersLimit;
    if (rest > 0) rows.push(row(scene.valueName(value), `and ${counted(rest, "more reader")}`));
  }
  return rows;
}

function valueRow(scene: Scene, value: number, way: "from" | "to", end: number): Row {
  const type = showable(scene.valueType(value), valueLimit);
  const to = end >= 0 ? `${way} ${opTitle(scene, end)}` : "";
  return plainRow(showable(scene.valueName(value), nameLimit), [type, to].filter(Boolean).join(" "), end);
}

function parameterRows(scene: Scene, op: number): Row[] {
  const parameters = [...new Set(scene.inputsOf(op))].filter((value) => scene.isParameter(value));
  return parameters.map((value) => {
    const known = scene.document.values.shape[value]! >= 0;
    const elements = known ? elementsOf(scene.shape(value)) : undefined;
    const bytes = bytesOf(scene.dtype(value));
    const parts = [scene.valueType(value)];
    if (elements !== undefined) parts.push(counted(elements, "element"));
    if (elements !== undefined && bytes !== undefined) parts.push(counted(elements * bytes, "byte"));
    return row(scene.valueName(value), parts.filter(Boolean).join(", "));
  });
}

function counted(count: number, one: string): string {
  return `${count.toLocaleString("en")} ${one}${count === 1 ? "" : "s"}`;
}

function kernelRows(scene: Scene, op: number): Row[] {
  const kernel = scene.kernel(op);
  if (!kernel) return [];
  return [
    row("Name", kernel.name),
    row("Backend", kernel.backend),
    row("Layout", kernel.layout),
    row("Dtype", kernel.dtype),
  ].filter(({ value }) => value);
}

function attributeRows(scene: Scene, op: number): Row[] {
  return Object.entries(attributesOf(scene, op))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => row(name, JSON.stringify(value)));
}

function originRows(scene: Scene, op: number, lineage: Lineage): Row[] {
  const key = scene.key[op]!;
  const origins = lineage.origins(key, scene.document.stage).filter((origin) => origin !== key);
  const rows = origins.slice(0, listLimit).map((origin) => {
    const type = lineage.type(origin);
    const short = type.slice(type.indexOf(".") + 1) || type;
    // Without a layer there still has to be something to click on.
    const named = row(short, lineage.layer(origin) || `#${origin}`, scene.place(origin));
    return named.op === undefined ? { ...named, elsewhere: { stage: 0, key: origin } } : named;
  });
  return more(rows, origins.length);
}

function fateRows(scene: Scene, op: number, lineage: Lineage): Row[] {
  const now = scene.document.stage ?? -1;
  // What it took in before is told as what it stands for, and where it grew.
  const steps = lineage.fate(scene.key[op]!).filter(({ stage, into }) => stage > now || into !== scene.key[op]);
  const rows = steps.slice(0, listLimit).map(({ stage, pass, how, into }) => {
    const leadsTo = row("", stepText(how, into, lineage), into === scene.key[op] ? -1 : scene.place(into));
    const elsewhere = { stage, key: into < 0 ? scene.key[op]! : into };
    const here = leadsTo.op !== undefined || stage === scene.document.stage;
    return { ...leadsTo, label: stageText(stage, pass), ...(here ? {} : { elsewhere }) };
  });
  return more(rows, steps.length);
}

/** The stages up to this one at which it took others in. */
function growthRows(scene: Scene, op: number, lineage: Lineage): Row[] {
  const now = scene.document.stage ?? -1;
  const key = scene.key[op]!;
  return lineage
    .fate(key)
    .filter(({ stage, into }) => into === key && stage <= now)
    .map(({ stage, pass }) => plainRow("Grew at", stageText(stage, pass)));
}

/** What happened to an op in words; the op it leads to may be itself, where it took others in. */
function stepText(how: string, into: number, lineage: Lineage): string {
  if (into < 0) return how || "removed";
  const label = lineage.label(into);
  if (how === "folded") return `computed ahead into a constant that is read by ${label}`;
  if (how === "replaced") return `replaced by ${label}`;
  return `${how || "taken"} into ${label}`;
}

function more(rows: Row[], all: number): Row[] {
  const rest = all - rows.length;
  return rest > 0 ? [...rows, plainRow("", `and ${rest.toLocaleString("en")} more`)] : rows;
}

function spokenList(scene: Scene, verb: string, values: Int32Array): string {
  if (values.length === 0) return "";
  const named = [...values.subarray(0, spokenValues)].map((value) => {
    const parts = [scene.valueName(value), scene.dtype(value), spokenShape(scene, value)];
    return parts.filter(Boolean).map((part) => showable(part, spokenLimit)).join(" ");
  });
  const rest = values.length - named.length;
  if (rest > 0) named.push(`${rest} more`);
  const last = named.pop()!;
  return `${verb} ${named.length ? `${named.join(", ")} and ` : ""}${last}`;
}

/** `1 by 3 by any by 8`, since `1x3x-1x8` is read letter by letter. */
function spokenShape(scene: Scene, value: number): string {
  if (scene.document.values.shape[value]! < 0) return "";
  const shape = scene.shape(value);
  return shape ? shape.split("x").map((dim) => (dim === "-1" ? "any" : dim)).join(" by ") : "scalar";
}
