import { describe, expect, it } from "vitest";
import { type Category, colouring, inkOn, luminance, type Scale } from "../src/graph/colours";
import type { Scene } from "../src/graph/scene";
import { hostileNames, type OpDescription, sceneOf } from "./scenes";

const net = sceneOf(
  [
    { type: "pd_op.data", outputs: ["x"] },
    {
      type: "pd_op.conv2d",
      inputs: ["x"],
      outputs: ["a"],
      layer: "/Net/Block_1/Sub/Conv2D",
      kernel: ["conv2d", "ONEDNN", "NCHW", "float32"],
      mark: "added",
      made: 2,
    },
    {
      type: "pd_op.conv2d",
      inputs: ["a"],
      outputs: ["b"],
      layer: "/Net/Block_1/Conv2D",
      kernel: ["conv2d", "CPU", "NCHW", "float32"],
      made: 1,
    },
    { type: "pd_op.argmax", inputs: ["b"], outputs: ["c"], layer: "/Net/Block_2", mark: "altered" },
    { type: "pd_op.fetch", inputs: ["c"], layer: "/Net", mark: "removed" },
  ],
  { x: "float32[1]", a: "float32[1]", b: "float32[1]", c: "int64[1]" },
);

const counts = (categories: Category[]) => categories.map(({ label, count }) => [label, count]);

function ofTypes(types: Record<string, number>): Scene {
  const ops = Object.entries(types).flatMap(([type, count]) => Array<OpDescription>(count).fill({ type }));
  return sceneOf(ops);
}

describe("colours by what ops are", () => {
  it.each([
    [
      "type",
      [["pd_op.conv2d", 2], ["pd_op.argmax", 1], ["pd_op.data", 1], ["pd_op.fetch", 1]],
      [2, 0, 0, 1, 3],
    ],
    ["layer", [["/Net/Block_1", 2], ["/Net", 1], ["/Net/Block_2", 1]], [-1, 0, 0, 2, 1]],
    ["backend", [["CPU", 1], ["ONEDNN", 1]], [-1, 1, 0, -1, -1]],
    ["dtype", [["float32", 3], ["int64", 2]], [0, 0, 0, 1, 1]],
    ["mark", [["unchanged", 2], ["added", 1], ["altered", 1], ["removed", 1]], [0, 1, 0, 2, 3]],
    ["pass", [["model as loaded", 3], ["stage 1: fold", 1], ["stage 2: fuse", 1]], [0, 2, 1, 0, 0]],
  ] as const)("by %s", (by, categories, ofOp) => {
    const found = colouring(net, by, { passes: [null, "fold", "fuse"] });
    expect(found.kind).toBe("categories");
    expect(counts(found.categories)).toEqual(categories);
    expect([...found.ofOp]).toEqual(ofOp);
    expect(found.valueOf(1)).toBeNull();
  });

  it("says on hovering what an op is, also where it is among the others", () => {
    expect(colouring(net, "type").text(1)).toBe("op type: pd_op.conv2d");
    expect(colouring(net, "backend").text(0)).toBe("backend: none");
    expect(colouring(net, "pass").text(1)).toBe("made by: stage 2");
  });

  it("shows the most frequent and gathers the rest in grey", () => {
    const frequent = (at: number) => [`t${String(at).padStart(2, "0")}`, 14 - at] as const;
    const scene = ofTypes(Object.fromEntries(Array.from({ length: 14 }, (_, at) => frequent(at))));
    const { categories, ofOp, text, colourOf } = colouring(scene, "type");
    expect(categories).toHaveLength(11);
    expect(counts(categories)[0]).toEqual(["t00", 14]);
    expect(counts(categories)[10]).toEqual(["other (4)", 4 + 3 + 2 + 1]);
    expect(new Set(categories.map(({ colour }) => colour)).size).toBe(11);
    expect(ofOp[scene.count - 1]).toBe(10);
    expect(text(scene.count - 1)).toBe("op type: t13");
    const { dark, darkInk } = categories[10]!;
    expect(colourOf(scene.count - 1, true)).toEqual({ fill: dark, ink: darkInk });
  });

  it("keeps the colour of a type from stage to stage, though there are more of another now", () => {
    const before = colouring(ofTypes({ conv: 5, relu: 4, bn: 3 }), "type");
    const after = colouring(ofTypes({ relu: 9, fused: 7, conv: 2 }), "type", { keep: before });
    const colours = (of: typeof before) => new Map(of.categories.map(({ label, colour }) => [label, colour]));
    expect(after.categories.map(({ label }) => label)).toEqual(["relu", "fused", "conv"]);
    expect(colours(after).get("conv")).toBe(colours(before).get("conv"));
    expect(colours(after).get("relu")).toBe(colours(before).get("relu"));
    expect(new Set(colours(after).values()).size).toBe(3);
  });

  it("has none for a graph without what is asked for", () => {
    const bare = sceneOf([{ type: "pd_op.a" }]);
    for (const by of ["backend", "dtype", "layer", "overlay:latency", "unheard of"]) {
      const found = colouring(bare, by);
      expect(found).toMatchObject({ kind: "none", categories: [] });
      expect([...found.ofOp]).toEqual([-1]);
      expect(found.colourOf(0, false)).toBeNull();
      expect(found.text(0)).toContain("none");
    }
    expect(colouring(sceneOf([]), "type").kind).toBe("none");
  });

  it("shows hostile names as text that can do nothing", () => {
    const scene = sceneOf(hostileNames.map((type) => ({ type, layer: `/${type}` })));
    for (const by of ["type", "layer", "mark"]) {
      const found = colouring(scene, by);
      for (const { label } of found.categories) expect(label).not.toMatch(/[\p{Cc}\u202a-\u202e]/u);
      for (const { label } of found.categories) expect(label.length).toBeLessThan(90);
      for (let op = 0; op < scene.count; op++) expect(found.text(op).length).toBeLessThan(120);
    }
  });
});

describe("the colours themselves", () => {
  const many = colouring(sceneOf("abcdefghijkl".split("").map((type) => ({ type }))), "type");
  const marked = colouring(net, "mark");
  const contrast = (a: string, b: string) => {
    const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number];
    return (high + 0.05) / (low + 0.05);
  };
  const inks: Record<string, string> = { "#111": "#111111", "#fff": "#ffffff" };

  it("let the letters on them be read", () => {
    for (const { colour, ink, dark, darkInk } of [...many.categories, ...marked.categories]) {
      expect(contrast(colour, inks[ink]!), colour).toBeGreaterThanOrEqual(4.5);
      expect(contrast(dark, inks[darkInk]!), dark).toBeGreaterThanOrEqual(4.5);
      expect(contrast(dark, "#111111"), `${dark} on a dark page`).toBeGreaterThanOrEqual(2.9);
    }
    expect(inkOn("#ffffff")).toBe("#111");
    expect(inkOn("#000000")).toBe("#fff");
  });

  it("stay apart for every kind of colour vision", () => {
    for (const theme of ["colour", "dark"] as const) {
      for (const { categories } of [many, marked]) {
        const shades = categories.map((category) => category[theme]);
        for (const [at, a] of shades.entries())
          for (const b of shades.slice(at + 1)) {
            expect(apart(a, b), `${theme}: ${a} and ${b}`).toBeGreaterThan(5);
          }
      }
    }
  });

  it("grow evenly lighter or darker along a scale", () => {
    const { scale } = colouring(net, "overlay:n", overlay([0, 1, 2, 3, 4]));
    for (const dark of [false, true]) {
      const lights = Array.from({ length: 11 }, (_, at) => Math.cbrt(luminance(scale!.barAt(at / 10, dark))));
      const grows = lights.slice(1).map((light, at) => (light - lights[at]!) * (dark ? 1 : -1));
      for (const step of grows) expect(step).toBeGreaterThan(0.02);
      for (const step of grows) expect(step).toBeLessThan(0.12);
    }
  });
});

function overlay(values: number[], name = "n", unit = "ms") {
  return { overlays: [{ name, unit, values: Float64Array.from(values) }] };
}

function scaleOf(values: number[]): Scale {
  const found = colouring(sceneOf(values.map(() => ({ type: "a" }))), "overlay:n", overlay(values));
  expect(found.kind).toBe("scale");
  return found.scale!;
}

describe("colours by a number", () => {
  it("go from the smallest to the largest, with round numbers at the legend", () => {
    const scale = scaleOf([3, 10, NaN, 5]);
    expect(scale).toMatchObject({ min: 3, max: 10, logarithmic: false, label: "n (ms)" });
    expect(scale.mid).toBeUndefined();
    expect(scale.ticks).toEqual([
      { at: 1 / 7, label: "4" },
      { at: 3 / 7, label: "6" },
      { at: 5 / 7, label: "8" },
      { at: 1, label: "10" },
    ]);
    expect([3, 6.5, 10, 99, -99].map((value) => scale.place(value))).toEqual([0, 0.5, 1, 1, 0]);
    expect(scale.colourAt(10, true)).toBe("#fee838");
    expect(scale.colourAt(10, false)).toBe("#00224e");
    expect(scale.colourAt(3, true)).toBe("#00224e");
  });

  it("are centred at 0 where there are numbers on both sides", () => {
    const scale = scaleOf([-1, 4, 0]);
    expect(scale).toMatchObject({ min: -4, max: 4, mid: 0 });
    expect([-4, 0, 4].map((value) => scale.place(value))).toEqual([0, 0.5, 1]);
    expect(scale.ticks.map(({ label }) => label)).toEqual(["-4", "-2", "0", "2", "4"]);
    const [red, , blue] = [1, 3, 5].map((at) => parseInt(scale.colourAt(4, false).slice(at, at + 2), 16));
    expect(red!).toBeGreaterThan(blue! + 50);
    expect(luminance(scale.colourAt(0, false))).toBeGreaterThan(0.85);
    expect(luminance(scale.colourAt(0, true))).toBeLessThan(0.05);
  });

  it("are logarithmic over more than three decades, and say so", () => {
    const scale = scaleOf([0, 1e-6, 1e-2, 1]);
    expect(scale).toMatchObject({ min: 1e-6, max: 1, logarithmic: true, label: "n (ms, logarithmic)" });
    expect(scale.place(1e-3)).toBeCloseTo(0.5);
    expect(scale.place(0)).toBe(0);
    expect(scale.ticks.map(({ label }) => label)).toEqual(["1e-6", "1e-4", "0.01", "1"]);
    expect(scaleOf([1, 1000]).logarithmic).toBe(false);
    expect(scaleOf([-1, 1e6]).logarithmic).toBe(false);
  });

  it("give the number with its unit", () => {
    const found = colouring(net, "overlay:latency", overlay([0.1 + 0.2, NaN, Infinity], "latency"));
    expect(found.text(0)).toBe("latency: 0.3 ms");
    expect(found.text(1)).toBe("latency: no number");
    expect(found.text(2)).toBe("latency: Infinity ms");
    expect(found.text(4)).toBe("latency: no number");
    expect([0, 1, 2, 4].map(found.valueOf)).toEqual([0.1 + 0.2, null, Infinity, null]);
    expect(found.colourOf(1, false)).toBeNull();
    expect([...found.ofOp]).toEqual([-1, -1, -1, -1, -1]);
  });

  it.each([
    [[5]],
    [[0]],
    [[-3, -2]],
    [[-Infinity, 1, 2]],
    [[Infinity, 1]],
    [[-Number.MAX_VALUE, Number.MAX_VALUE]],
    [[0, 5e-324]],
    [[5e-324, Number.MAX_VALUE]],
    [[1e16, 1e16 + 2]],
    [[-1e-320, 1e300]],
    [[0.1, 0.1 + Number.EPSILON]],
  ])("have a place, a colour and ticks for %j", (values) => {
    const scale = scaleOf(values);
    expect(scale.ticks.length).toBeGreaterThan(0);
    expect(scale.ticks.length).toBeLessThan(14);
    for (const { at, label } of scale.ticks) {
      expect(at).toBeGreaterThanOrEqual(0);
      expect(at).toBeLessThanOrEqual(1);
      expect(label).toMatch(/^-?\d/);
    }
    for (const value of [...values, NaN, Infinity, -Infinity, 0]) {
      expect(scale.place(value)).toBeGreaterThanOrEqual(0);
      expect(scale.colourAt(value, true)).toMatch(/^#[0-9a-f]{6}$/);
      expect(scale.colourAt(value, false)).toMatch(/^#[0-9a-f]{6}$/);
    }
  });

  it("are none where no number is one, with what there is on hovering", () => {
    const found = colouring(net, "overlay:n", overlay([NaN, Infinity]));
    expect(found.kind).toBe("none");
    expect(found.text(1)).toBe("n: Infinity ms");
  });

  it("take names and units as hostile as they come", () => {
    for (const name of hostileNames) {
      const found = colouring(net, `overlay:${name}`, overlay([1, 2], name, name));
      expect(found.kind).toBe("scale");
      expect(found.scale!.label).not.toMatch(/[\p{Cc}\u202a-\u202e]/u);
      expect(found.text(0).length).toBeLessThan(200);
    }
  });
});

/**
 * How far two colours are from each other in OKLab, times 100, for the kind of colour vision that tells them
 * apart least: normal, or one simulated after Machado, Oliveira and Fernandes (2009) at full severity.
 */
function apart(a: string, b: string): number {
  const visions = [
    [1, 0, 0, 0, 1, 0, 0, 0, 1],
    [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998],
    [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.01182, 0.04294, 0.968881],
    [1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.3039],
  ];
  const toCones = [
    0.4122214708, 0.5363325363, 0.0514459929, 0.2119034982, 0.6806995451, 0.1073969566, 0.0883024619,
    0.2817188376, 0.6299787005,
  ];
  const toLab = [
    0.2104542553, 0.793617785, -0.0040720468, 1.9779984951, -2.428592205, 0.4505937099, 0.0259040371,
    0.7827717662, -0.808675766,
  ];
  const times = (matrix: number[], of: number[]) =>
    [0, 3, 6].map((row) => of.reduce((sum, part, at) => sum + part * matrix[row + at]!, 0));
  const seen = (colour: string, vision: number[]) => {
    const linear = [1, 3, 5].map((at) => {
      const share = parseInt(colour.slice(at, at + 2), 16) / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    const shown = times(vision, linear).map((part) => Math.min(1, Math.max(0, part)));
    return times(toLab, times(toCones, shown).map(Math.cbrt));
  };
  const distances = visions.map((vision) => {
    const [from, to] = [seen(a, vision), seen(b, vision)];
    return 100 * Math.hypot(...from.map((part, at) => part - to[at]!));
  });
  return Math.min(...distances);
}
