/** Colours of ops by what they are or by a number each, with what a legend needs. */
import { markWord, showable, stageText } from "./describe";
import { shortNumber } from "./numbers";
import type { Scene } from "./scene";

/** A number per op, by its place in the scene; NaN where there is none. */
export interface Overlay {
  name: string;
  unit: string;
  values: Float64Array;
}

export interface Extras {
  /** Pass of each stage; null for the model as loaded. */
  passes?: readonly (string | null)[];
  overlays?: readonly Overlay[];
  /** The colouring shown before: categories that are in both keep their colour. */
  keep?: Colouring | null;
}

export interface Category {
  /** What it is told by in other stages; the raw name. */
  key: string;
  label: string;
  count: number;
  /** For the light theme; letters on it are `ink`. */
  colour: string;
  ink: string;
  dark: string;
  darkInk: string;
}

export interface Scale {
  min: number;
  max: number;
  /** Of a diverging scale: 0, in the middle. */
  mid?: number;
  unit: string;
  logarithmic: boolean;
  /** For the legend: name and unit, and that it is logarithmic where it is. */
  label: string;
  /** `at` is from 0, the start of the legend's bar, to 1. */
  ticks: { at: number; label: string }[];
  /** Where on the legend's bar a number is. */
  place: (value: number) => number;
  /** The colour of a number. */
  colourAt: (value: number, dark: boolean) => string;
  /** The colour at a place from 0 to 1 on the legend's bar. */
  barAt: (place: number, dark: boolean) => string;
}

export interface Colouring {
  kind: "categories" | "scale" | "none";
  title: string;
  /** Category of each op; -1 for none. */
  ofOp: Int32Array;
  categories: Category[];
  scale?: Scale;
  valueOf: (op: number) => number | null;
  /** What hovering shows; numbers with their unit. */
  text: (op: number) => string;
  /** Fill and letters for an op; null for one that keeps its plain colour. */
  colourOf: (op: number, dark: boolean) => { fill: string; ink: string } | null;
}

interface Shade {
  colour: string;
  dark: string;
}

const labelLimit = 80;
/** A range of positive numbers over this is shown logarithmically. */
const widest = 1000;
const steps = 256;

/**
 * For categories: from M. Okabe and K. Ito, "Color Universal Design" (2008), and P. Tol, "Colour Schemes"
 * (2021; muted and high contrast), the ten that stay furthest apart for every kind of colour vision. Those
 * too dark for a dark page are mixed with white.
 */
const palette: readonly Shade[] = [
  { colour: "#56b4e9", dark: "#56b4e9" },
  { colour: "#ddaa33", dark: "#ddaa33" },
  { colour: "#009e73", dark: "#009e73" },
  { colour: "#cc79a7", dark: "#cc79a7" },
  { colour: "#f0e442", dark: "#f0e442" },
  { colour: "#332288", dark: "#6659a6" },
  { colour: "#88ccee", dark: "#88ccee" },
  { colour: "#882255", dark: "#9a436e" },
  { colour: "#999933", dark: "#999933" },
  { colour: "#117733", dark: "#117733" },
];
const grey: Shade = { colour: "#bbbbbb", dark: "#767676" };
const markShades: Readonly<Record<string, Shade>> = {
  unchanged: grey,
  added: { colour: "#009e73", dark: "#009e73" },
  removed: { colour: "#d55e00", dark: "#d55e00" },
  altered: { colour: "#f0e442", dark: "#f0e442" },
};

/** J. Nuñez, C. Anderton and R. Renslow, "Optimizing colormaps …" (2018): cividis, ten steps. */
const cividis = ramp(
  "#00224e #123570 #3b496c #575d6d #707173 #8a8678 #a59c74 #c3b369 #e1cc55 #fee838".split(" "),
);
/** C. Brewer, ColorBrewer 2.0: RdBu from blue to red, nine steps. */
const blueRed = ramp(
  "#2166ac #4393c3 #92c5de #d1e5f0 #f7f7f7 #fddbc7 #f4a582 #d6604d #b2182b".split(" "),
);
/** F. Crameri, "Scientific colour maps" (2018): berlin, ten steps; dark in the middle, for dark pages. */
const berlin = ramp(
  "#9eb0ff #5aa3da #2d7597 #194155 #11181d #270c01 #501802 #8a3f2a #c37469 #ffacac".split(" "),
);

/** `by` is mark, type, layer, backend, dtype, pass or `overlay:NAME`. */
export function colouring(scene: Scene, by: string, extras: Extras = {}): Colouring {
  if (by.startsWith("overlay:")) {
    const name = by.slice("overlay:".length);
    const overlay = extras.overlays?.find((one) => one.name === name);
    return overlay ? byNumber(scene, overlay) : none(scene, name);
  }
  const passes = extras.passes ?? [];
  switch (by) {
    case "mark":
      return byName(scene, "change", (op) => markWord(scene.markOf(op)), extras, undefined, markShades);
    case "type":
      return byName(scene, "op type", (op) => scene.type(op), extras);
    case "layer":
      return byName(scene, "layer", topLayers(scene), extras);
    case "backend":
      return byName(scene, "backend", (op) => scene.kernel(op)?.backend ?? "", extras);
    case "dtype":
      return byName(scene, "dtype", (op) => dtypeOf(scene, op), extras);
    case "pass":
      return byName(scene, "made by", (op) => String(scene.made[op]!), extras, (stage) =>
        stageText(Number(stage), passes[Number(stage)]),
      );
    default:
      return none(scene, by);
  }
}

/** "#111" or "#fff", whichever is easier to read on a colour given as `#rrggbb`. */
export function inkOn(colour: string): string {
  const light = luminance(colour) + 0.05;
  return light / (luminance("#111111") + 0.05) >= 1.05 / light ? "#111" : "#fff";
}

/** Relative luminance as WCAG 2 has it. */
export function luminance(colour: string): number {
  const [red, green, blue] = channels(colour).map((channel) => {
    const share = channel / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function byName(
  scene: Scene,
  title: string,
  keyOf: (op: number) => string,
  { keep }: Extras,
  labelOf: (key: string) => string = (key) => showable(key, labelLimit),
  fixed?: Readonly<Record<string, Shade>>,
): Colouring {
  const places = new Map<string, number>();
  const counts: number[] = [];
  const first = new Int32Array(scene.count).fill(-1);
  for (let op = 0; op < scene.count; op++) {
    const key = keyOf(op);
    if (!key) continue;
    let place = places.get(key);
    if (place === undefined) {
      place = counts.push(0) - 1;
      places.set(key, place);
    }
    counts[place]! += 1;
    first[op] = place;
  }
  if (counts.length === 0) return none(scene, title);
  const keys = [...places.keys()];
  const byCount = (a: number, b: number) => counts[b]! - counts[a]! || (keys[a]! < keys[b]! ? -1 : 1);
  const order = keys.map((_, place) => place).sort(byCount);
  const shown = order.slice(0, palette.length);
  const names = shown.map((place) => keys[place]!);
  const shades = fixed ? names.map((key) => fixed[key] ?? grey) : chosen(names, keep);
  const categories = names.map((key, at) => category(key, labelOf(key), counts[shown[at]!]!, shades[at]!));
  const rest = order.slice(palette.length);
  if (rest.length > 0) {
    const count = rest.reduce((sum, place) => sum + counts[place]!, 0);
    categories.push(category("", `other (${rest.length.toLocaleString("en")})`, count, grey));
  }
  const rank = new Int32Array(counts.length).fill(palette.length);
  for (const [at, place] of shown.entries()) rank[place] = at;
  const inks = categories.map(({ colour, ink, dark, darkInk }) => ({
    light: { fill: colour, ink },
    dark: { fill: dark, ink: darkInk },
  }));
  const ofOp = first.map((place) => (place < 0 ? -1 : rank[place]!));
  return {
    kind: "categories",
    title,
    ofOp,
    categories,
    valueOf: () => null,
    text: (op) => `${title}: ${first[op]! < 0 ? "none" : labelOf(keys[first[op]!]!)}`,
    colourOf: (op, dark) => inks[ofOp[op]!]?.[dark ? "dark" : "light"] ?? null,
  };
}

function category(key: string, label: string, count: number, { colour, dark }: Shade): Category {
  return { key, label, count, colour, ink: inkOn(colour), dark, darkInk: inkOn(dark) };
}

/** A shade for each key: the one it had before, or the first that is free. */
function chosen(keys: string[], keep: Colouring | null | undefined): Shade[] {
  const before = new Map(keep?.categories.map(({ key, colour }) => [key, colour]));
  const kept = keys.map((key) => palette.find(({ colour }) => colour === before.get(key)));
  const free = palette.filter((shade) => !kept.includes(shade));
  return kept.map((shade) => shade ?? free.shift() ?? grey);
}

/** The block two levels below the top that holds an op; from its layer where it is in no block. */
function topLayers(scene: Scene): (op: number) => string {
  const { parent, path, name } = scene.document.blocks;
  const depth = new Int32Array(parent.length);
  const top = Int32Array.from(parent, (_, block) => block);
  for (let block = 0; block < parent.length; block++) {
    const above = parent[block]!;
    // A root that has no name is the model as a whole, no level of its own.
    depth[block] = above >= 0 ? depth[above]! + 1 : scene.text(name[block]!) ? 1 : 0;
    if (depth[block]! > 2) top[block] = top[above]!;
  }
  return (op) => {
    const block = top[scene.document.ops.block[op]!];
    const found = block === undefined ? "" : scene.text(path[block]!) || scene.text(name[block]!);
    if (found) return found;
    const levels = scene.layer(op).split("/", 4).filter(Boolean).slice(0, 2);
    return levels.length > 0 ? `/${levels.join("/")}` : "";
  };
}

/** What an op computes in: the dtype of its first output, or of its first input. */
function dtypeOf(scene: Scene, op: number): string {
  const value = scene.outputsOf(op)[0] ?? scene.inputsOf(op)[0];
  return value === undefined ? "" : scene.dtype(value);
}

function none(scene: Scene, title: string, text = `${showable(title, labelLimit)}: none`): Colouring {
  return {
    kind: "none",
    title: showable(title, labelLimit),
    ofOp: new Int32Array(scene.count).fill(-1),
    categories: [],
    valueOf: () => null,
    text: () => text,
    colourOf: () => null,
  };
}

function byNumber(scene: Scene, overlay: Overlay): Colouring {
  const { values } = overlay;
  const name = showable(overlay.name, labelLimit);
  const unit = showable(overlay.unit, labelLimit);
  const valueOf = (op: number) => {
    const value = values[op];
    return value === undefined || Number.isNaN(value) ? null : value;
  };
  const text = (op: number) => {
    const value = valueOf(op);
    return `${name}: ${value === null ? "no number" : [shortNumber(value), unit].filter(Boolean).join(" ")}`;
  };
  const scale = scaleOf(values.subarray(0, scene.count), name, unit);
  if (!scale) return { ...none(scene, overlay.name), valueOf, text };
  // One entry per step of a ramp at most: drawing asks for every node of every frame.
  const fills = new Map<string, { fill: string; ink: string }>();
  const colourOf = (op: number, dark: boolean) => {
    const value = valueOf(op);
    if (value === null) return null;
    const fill = scale.colourAt(value, dark);
    let found = fills.get(fill);
    if (!found) fills.set(fill, (found = { fill, ink: inkOn(fill) }));
    return found;
  };
  const ofOp = new Int32Array(scene.count).fill(-1);
  return { kind: "scale", title: name, ofOp, categories: [], scale, valueOf, text, colourOf };
}

/** Null where no number is finite. */
function scaleOf(values: Float64Array, name: string, unit: string): Scale | null {
  let low = Infinity;
  let high = -Infinity;
  let smallest = Infinity;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
    if (value > 0) smallest = Math.min(smallest, value);
  }
  if (low > high) return null;
  const diverging = low < 0 && high > 0;
  const logarithmic = low >= 0 && high / smallest > widest;
  const reach = Math.max(-low, high);
  const min = diverging ? -reach : logarithmic ? smallest : low;
  const max = diverging ? reach : high;
  const place = (value: number) => Math.min(1, Math.max(0, share(value, min, max, logarithmic)));
  const barAt = (at: number, dark: boolean) => {
    const step = Math.round(at * (steps - 1));
    if (diverging) return (dark ? berlin : blueRed)[step]!;
    // More stands out more: dark on a light page, light on a dark one.
    return cividis[dark ? step : steps - 1 - step]!;
  };
  const notes = [unit, logarithmic ? "logarithmic" : ""].filter(Boolean).join(", ");
  return {
    min,
    max,
    ...(diverging ? { mid: 0 } : {}),
    unit,
    logarithmic,
    label: notes ? `${name} (${notes})` : name,
    ticks: (logarithmic ? decades(min, max) : evenTicks(min, max)).map((value) => ({
      at: place(value),
      label: shortNumber(value),
    })),
    place,
    colourAt: (value, dark) => barAt(place(value), dark),
    barAt,
  };
}

function share(value: number, min: number, max: number, logarithmic: boolean): number {
  if (value === Infinity) return 1;
  if (Number.isNaN(value) || value === -Infinity) return 0;
  if (logarithmic && value <= 0) return 0;
  if (logarithmic) return (Math.log(value) - Math.log(min)) / (Math.log(max) - Math.log(min));
  if (min === max) return 0.5;
  // The difference of two large numbers of other sign is no finite one.
  const by = Number.isFinite(max - min) ? 1 : 0.25;
  return (value * by - min * by) / (max * by - min * by);
}

/** About five round numbers from min to max; just these two where there are none. */
function evenTicks(min: number, max: number): number[] {
  if (min === max) return [min];
  const rough = (max - min) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((times) => times * power).find((size) => size >= rough) ?? 0;
  const from = Math.ceil(min / step);
  const count = Math.floor(max / step) - from + 1;
  if (!(step > 0 && count >= 2 && count <= 12 && Math.abs(from) < 1e9)) return [min, max];
  return Array.from({ length: count }, (_, at) => (from + at) * step);
}

/** Powers of ten from min to max, at most six. */
function decades(min: number, max: number): number[] {
  const from = Math.ceil(Math.log10(min) - 1e-9);
  const to = Math.floor(Math.log10(max) + 1e-9);
  const stride = Math.ceil((to - from + 1) / 6);
  const ticks: number[] = [];
  for (let power = from; power <= to; power += stride) ticks.push(10 ** power);
  return ticks;
}

/** Even steps between the stops, as `#rrggbb`. */
function ramp(stops: string[]): string[] {
  const points = stops.map(channels);
  return Array.from({ length: steps }, (_, step) => {
    const along = (step / (steps - 1)) * (points.length - 1);
    const at = Math.min(Math.floor(along), points.length - 2);
    const next = points[at + 1]!;
    const mixed = points[at]!.map((from, channel) => from + (next[channel]! - from) * (along - at));
    return `#${mixed.map((channel) => Math.round(channel).toString(16).padStart(2, "0")).join("")}`;
  });
}

function channels(colour: string): number[] {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
}
