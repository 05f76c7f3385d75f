import { describe, expect, it } from "vitest";
import {
  bytesOf,
  describeOp,
  elementsOf,
  opAsText,
  opTitle,
  type Section,
  showable,
  spoken,
} from "../src/graph/describe";
import { Lineage, parseLineage } from "../src/graph/lineage";
import { hostileNames, lineageOf, type OpDescription, sceneOf, seeded } from "./scenes";

/** conv (0) and batch_norm (1) became fused (3) in stage 2; relu (2) joined it in stage 3 and that is 4. */
const lineage = new Lineage(
  lineageOf(
    ["fold", "conv_bn_fuse_pass", "act_fuse_pass", "lower"],
    [
      { type: "pd_op.conv2d", layer: "/Net/Conv2D" },
      { type: "pd_op.batch_norm_", layer: "/Net/BatchNorm2D" },
      { type: "pd_op.relu" },
      { type: "pd_op.fused_conv", born: 2 },
      { type: "onednn_op.fused", born: 3 },
      { type: "pd_op.dropout" },
      { type: "pd_op.full", born: 1 },
    ],
    [
      { stage: 1, how: "dropped", into: -1, from: [5] },
      { stage: 2, how: "fused", into: 3, from: [0, 1] },
      { stage: 3, how: "fused", into: 4, from: [2, 3] },
    ],
  ),
);

describe("lineage", () => {
  it("knows what an op stands for, through all stages", () => {
    expect(lineage.origins(4)).toEqual([0, 1, 2]);
    expect(lineage.origins(3)).toEqual([0, 1]);
    expect(lineage.origins(0)).toEqual([0]);
    expect(lineage.origins(6)).toEqual([]);
    expect(lineage.origins(99)).toEqual([]);
  });

  it("knows where an op went, to the end", () => {
    expect(lineage.fate(0)).toEqual([
      { stage: 2, pass: "conv_bn_fuse_pass", how: "fused", into: 3 },
      { stage: 3, pass: "act_fuse_pass", how: "fused", into: 4 },
    ]);
    expect(lineage.fate(5)).toEqual([{ stage: 1, pass: "fold", how: "dropped", into: -1 }]);
    expect(lineage.fate(4)).toEqual([]);
    expect(lineage.madeBy(4)).toEqual({ stage: 3, pass: "act_fuse_pass" });
    expect(lineage.madeBy(0)).toEqual({ stage: 0, pass: null });
    expect(lineage.label(0)).toBe("conv2d in /Net/Conv2D");
    expect(lineage.label(4)).toBe("fused");
    expect(lineage.label(99)).toBe("unknown op");
  });

  it("lets an op that took in others stand for itself, too, and for no more than it was at the time", () => {
    const document = lineageOf(
      ["a", "b", "c"],
      [{ type: "conv" }, { type: "bn" }, { type: "relu" }, { type: "copy", born: 2 }],
      [
        { stage: 1, how: "fused", into: 0, from: [0, 1] },
        { stage: 2, how: "replaced", into: 3, from: [0] },
        { stage: 3, how: "fused", into: 0, from: [0, 2] },
      ],
    );
    const found = new Lineage(document);
    expect(found.origins(0)).toEqual([0, 1, 2]);
    expect(found.origins(3)).toEqual([0, 1]);
    expect(found.fate(2)).toEqual([{ stage: 3, pass: "c", how: "fused", into: 0 }]);
    expect(found.fate(1).map(({ into }) => into)).toEqual([0, 3]);
  });

  it("does not take what was computed ahead for a part of the op that reads it", () => {
    const document = lineageOf(
      ["constant_folding_pass", "fuse"],
      [{ type: "scale" }, { type: "conv" }, { type: "add" }, { type: "fused", born: 2 }],
      [
        { stage: 1, how: "folded", into: 1, from: [0] },
        { stage: 1, how: "folded", into: 2, from: [0] },
        { stage: 2, how: "fused", into: 3, from: [1, 2] },
      ],
    );
    const found = new Lineage(document);
    expect(found.origins(3)).toEqual([1, 2]);
    expect(found.fate(0).map(({ how, into }) => [how, into])).toEqual([["folded", 1], ["folded", 2]]);
  });

  it("follows the op that gives the result where others came with it, also one that was there before", () => {
    const document = lineageOf(
      ["lower", "fuse"],
      [{ type: "conv" }, { type: "bn" }, { type: "transfer", born: 1 }, { type: "fused", born: 2 }],
      [
        { stage: 1, how: "fused", into: 0, from: [0, 1] },
        { stage: 1, how: "fused", into: 2, from: [0, 1] },
        { stage: 2, how: "replaced", into: 3, from: [0] },
      ],
    );
    const found = new Lineage(document);
    expect(found.fate(1).map(({ into }) => into)).toEqual([0, 3]);
    expect(found.fate(0).map(({ into }) => into)).toEqual([0, 3]);
    expect(found.origins(2)).toEqual([0, 1]);
    expect(found.origins(3)).toEqual([0, 1]);
  });

  it("comes to an end where events go round in circles, and on chains of 100,000", () => {
    const round = lineageOf(
      ["a"],
      [{ type: "x" }, { type: "y" }],
      [
        { stage: 1, how: "fused", into: 1, from: [0] },
        { stage: 1, how: "fused", into: 0, from: [1] },
      ],
    );
    expect(new Lineage(round).origins(0)).toEqual([0, 1]);
    expect(new Lineage(round).fate(0)).toHaveLength(2);
    expect(new Lineage(round).fate(1)).toHaveLength(1);
    const count = 100_000;
    const long = lineageOf(
      Array.from({ length: count }, (_, at) => `p${at}`),
      Array.from({ length: count + 1 }, (_, born) => ({ type: "x", born })),
      Array.from({ length: count }, (_, at) => ({ stage: at + 1, how: "fused", into: at + 1, from: [at] })),
    );
    expect(new Lineage(long).origins(count)).toEqual([0]);
    expect(new Lineage(long).fate(0)).toHaveLength(count);
  });

  it("finds every origin whose fate leads to an op, on random histories", () => {
    const random = seeded(5);
    for (let round = 0; round < 50; round++) {
      const keys = Array.from({ length: 8 }, () => ({ type: "x", born: 0 }));
      let alive = keys.map((_, key) => key);
      const events: { stage: number; how: string; into: number; from: number[] }[] = [];
      const holds = new Map(alive.map((key) => [key, new Set([key])]));
      for (let stage = 1; stage <= 5; stage++) {
        const from = alive.filter(() => random() < 0.4);
        if (from.length === 0) continue;
        alive = alive.filter((key) => !from.includes(key));
        const gone = random() < 0.2;
        const into = gone ? -1 : keys.push({ type: "y", born: stage }) - 1;
        events.push({ stage, how: gone ? "dropped" : "fused", into, from });
        if (gone) continue;
        alive.push(into);
        holds.set(into, new Set(from.flatMap((key) => [...holds.get(key)!])));
      }
      const found = new Lineage(lineageOf(["a", "b", "c", "d", "e"], keys, events));
      for (const [key, parts] of holds) {
        expect(found.origins(key)).toEqual([...parts].sort((a, b) => a - b));
        for (const part of parts) {
          if (part !== key) expect(found.fate(part).map(({ into }) => into)).toContain(key);
        }
      }
    }
  });

  it("reads what it knows and says in one line what it does not", () => {
    const document = lineageOf([], [{ type: "x" }], []);
    expect(parseLineage(JSON.stringify(document)).origins(0)).toEqual([0]);
    expect(parseLineage(document).label(0)).toBe("x");
    expect(() => parseLineage({ ...document, version: 2 })).toThrow(/version 2.*run the cell again/);
    expect(() => parseLineage("{")).toThrow(/not JSON/);
    expect(() => parseLineage({ ...document, keys: { type: [], layer: [], born: [1] } })).toThrow(/damaged/);
    expect(() => parseLineage({ version: 1 })).toThrow(/damaged/);
    for (const nothing of [null, undefined, 3, "3"]) {
      expect(() => parseLineage(nothing)).toThrow(/no JSON object/);
    }
  });
});

const net = sceneOf(
  [
    { type: "pd_op.data", outputs: ["image"], key: 7 },
    {
      type: "onednn_op.fused",
      key: 4,
      index: 12,
      inputs: ["image", "w"],
      outputs: ["features"],
      layer: "/Net/Conv2D",
      attrs: { strides: [2, 2], fuse: "relu", axis: -1, long: "y".repeat(500) },
      kernel: ["conv2d", "ONEDNN", "NCHW", "float32"],
      mark: "altered",
      made: 3,
      alteration: ["strides: [1, 1] → [2, 2]"],
    },
    { type: "pd_op.relu", key: 2, inputs: ["features"], outputs: ["r"], mark: "removed", index: 3 },
    { type: "pd_op.while", key: 8, inputs: ["features"] },
    { type: "pd_op.add", key: 9, inputs: ["n"], outputs: ["n"], parent: 3 },
  ],
  {
    image: "float32[-1x3x8x8]",
    w: { dtype: "bfloat16", shape: "64x3x7x7", parameter: true, name: "conv.w_0" },
    features: "float32[1x64x4x4]",
    n: "int64[]",
  },
);

function rowsOf(sections: Section[], title: string) {
  return sections.find((section) => section.title === title)?.rows ?? [];
}

describe("what is known of an op", () => {
  const sections = describeOp(net, 1, lineage);

  it("has everything, under its title, and no empty sections", () => {
    expect(sections.map(({ title }) => title)).toEqual([
      "Op",
      "What changed",
      "Stands for",
      "Inputs",
      "Outputs",
      "Parameters",
      "Kernel",
      "Attributes",
    ]);
    expect(rowsOf(sections, "Op")).toEqual([
      { label: "Type", value: "onednn_op.fused" },
      { label: "Number", value: "12" },
      { label: "Layer", value: "/Net/Conv2D" },
      { label: "Change", value: "altered" },
      { label: "Made by", value: "stage 3: act_fuse_pass" },
    ]);
    expect(rowsOf(sections, "Inputs")).toEqual([
      { label: "image", value: "float32[-1x3x8x8] from data #0", op: 0 },
    ]);
    expect(rowsOf(sections, "Outputs")).toEqual([
      { label: "features", value: "float32[1x64x4x4] to relu #3", op: 2 },
      { label: "features", value: "float32[1x64x4x4] to while #3", op: 3 },
    ]);
    expect(rowsOf(sections, "Parameters")).toEqual([
      { label: "conv.w_0", value: "bfloat16[64x3x7x7], 9,408 elements, 18,816 bytes" },
    ]);
    const kernel = rowsOf(sections, "Kernel").map(({ value }) => value);
    expect(kernel).toEqual(["conv2d", "ONEDNN", "NCHW", "float32"]);
    expect(rowsOf(sections, "What changed")).toEqual([{ label: "", value: "strides: [1, 1] → [2, 2]" }]);
    expect(rowsOf(sections, "Stands for")).toEqual([
      { label: "conv2d", value: "/Net/Conv2D", elsewhere: { stage: 0, key: 0 } },
      { label: "batch_norm_", value: "/Net/BatchNorm2D", elsewhere: { stage: 0, key: 1 } },
      { label: "relu", value: "#2", op: 2 },
    ]);
  });

  it("sorts attributes and shortens long ones, the whole kept", () => {
    const rows = rowsOf(sections, "Attributes");
    expect(rows.map(({ label }) => label)).toEqual(["axis", "fuse", "long", "strides"]);
    expect(rows.map(({ value }) => value.length <= 160)).toEqual([true, true, true, true]);
    expect(rows[2]!.full).toBe(`"${"y".repeat(500)}"`);
    expect(rows[3]).toEqual({ label: "strides", value: "[2,2]" });
  });

  it("says where an op went, and that a removed one is of the graph before", () => {
    const removed = describeOp(net, 2, lineage);
    expect(rowsOf(removed, "Op")).toContainEqual({ label: "Number", value: "3 in the graph before" });
    expect(rowsOf(removed, "Op")).toContainEqual({ label: "Made by", value: "model as loaded" });
    expect(rowsOf(removed, "Went to")).toEqual([
      { label: "stage 3: act_fuse_pass", value: "fused into fused", op: 1 },
    ]);
    expect(rowsOf(removed, "Stands for")).toEqual([]);
  });

  it("leads from an op in a sub-block to the op that has it", () => {
    const inner = rowsOf(describeOp(net, 4, null), "Op");
    expect(inner).toContainEqual({ label: "In a block of", value: "while #3", op: 3 });
  });

  it("counts the readers of a hub it does not list", () => {
    const readers = Array.from({ length: 1000 }, () => ({ type: "add", inputs: ["mask"] }));
    const scene = sceneOf([{ type: "a", outputs: ["mask"] }, ...readers]);
    const rows = rowsOf(describeOp(scene, 0, null), "Outputs");
    expect(rows).toHaveLength(21);
    expect(rows[20]).toEqual({ label: "mask", value: "and 980 more readers" });
  });

  it("copies as lines with tabs, in full", () => {
    const text = opAsText(sections);
    expect(text).toContain("Op\tType\tonednn_op.fused\n");
    expect(text).toContain(`Attributes\tlong\t"${"y".repeat(500)}"\n`);
    for (const line of text.slice(0, -1).split("\n")) expect(line.split("\t")).toHaveLength(3);
  });

  it("speaks one sentence", () => {
    expect(spoken(net, 1)).toBe(
      "fused number 12, in /Net/Conv2D, altered, " +
        "reads image float32 any by 3 by 8 by 8 and conv.w_0 bfloat16 64 by 3 by 7 by 7, " +
        "writes features float32 1 by 64 by 4 by 4.",
    );
    expect(spoken(net, 0)).toBe("data number 0, writes image float32 any by 3 by 8 by 8.");
    expect(spoken(net, 4)).toBe("add number 4, reads n int64 scalar, writes n int64 scalar.");
    const wide = sceneOf([{ type: "concat", inputs: "abcdefgh".split("") }]);
    expect(spoken(wide, 0)).toBe("concat number 0, reads a, b, c, d, e, f and 2 more.");
    expect(opTitle(net, 1)).toBe("fused #12");
  });

  it("knows sizes, and says nothing where there is none", () => {
    const dtypes = ["bool", "uint8", "float8_e4m3fn", "bfloat16", "int64", "complex128", "pstring", ""];
    expect(dtypes.map(bytesOf)).toEqual([1, 1, 1, 2, 8, 16, undefined, undefined]);
    const shapes = ["", "0x3", "2x3x4", "-1x3", "99999999x99999999x9", "?"];
    expect(shapes.map(elementsOf)).toEqual([1, 0, 24, undefined, undefined, undefined]);
  });

  it("bears attributes that are no JSON object", () => {
    const scene = sceneOf([{ type: "a" }]);
    for (const broken of ['{"x": NaN}', "null", "3", ""]) {
      scene.document.attrs[0] = broken;
      expect(rowsOf(describeOp(scene, 0, null), "Attributes")).toEqual([]);
    }
  });
});

describe("names as they may be shown", () => {
  it("keeps ordinary ones as they are", () => {
    for (const name of ["conv2d", "模型/卷积 ①", "Ünïcödé", "<b>", "", "a b"]) expect(showable(name)).toBe(name);
  });

  it("shows in their place what would not be seen", () => {
    expect(showable("a\nb\tc\0")).toBe("a�b�c�");
    expect(showable("\u202egpj.exe\u202c")).toBe("�gpj.exe�");
    expect(showable("\u2066\u2067\u2068\u2069\u200e\u200f\u061c")).toBe("�������");
    expect(showable("a\u200bb\ufeff\u00ad\u2028")).toBe("a�b���");
    expect(showable("\ud800x\udc00")).toBe("�x�");
    expect(showable("😀")).toBe("😀");
    expect(showable("\u{e0041}")).toBe("�");
    expect(showable("\u3164")).toBe("�");
  });

  it("isolates right-to-left letters", () => {
    expect(showable("עברית")).toBe("\u2068עברית\u2069");
    expect(showable("x العربية")).toBe("\u2068x العربية\u2069");
  });

  it("shortens, and never within a character", () => {
    expect(showable("abcdef", 6)).toBe("abcdef");
    expect(showable("abcdefg", 6)).toBe("abcde…");
    expect(showable("ab😀cdef", 4)).toBe("ab…");
    expect(showable("ab😀cdef", 5)).toBe("ab😀…");
    expect(showable("abc", 1)).toBe("…");
    expect(showable("abc", 0)).toBe("");
    expect(showable("x".repeat(100_000), 50)).toHaveLength(50);
  });

  it("gives well-formed text of one line for any code points", () => {
    const random = seeded(11);
    const names = Array.from({ length: 300 }, () =>
      String.fromCharCode(...Array.from({ length: 30 }, () => Math.floor(random() ** 2 * 0x10000))),
    );
    for (const name of [...names, ...hostileNames]) {
      const shown = showable(name, 20);
      expect(shown.length).toBeLessThanOrEqual(22);
      expect(() => encodeURIComponent(shown)).not.toThrow();
      expect(shown.replace(/^\u2068|\u2069$/g, "")).not.toMatch(
        /[\p{Cc}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/u,
      );
    }
  });

  it("are the only ones in anything said of an op", () => {
    const ops = hostileNames.map((name, at): OpDescription => {
      const kernel: OpDescription["kernel"] = [name, name, name, name];
      const attrs = { [name]: name, list: [name] };
      const parent = at % 2 ? { parent: at - 1 } : {};
      const op = { type: name, layer: name, inputs: [name], outputs: [`${name}!`], alteration: [name] };
      return { ...op, attrs, kernel, ...parent };
    });
    const hostile = (name: string) => ({ dtype: name, shape: name, parameter: true });
    const values = Object.fromEntries(hostileNames.map((name) => [name, hostile(name)]));
    const scene = sceneOf(ops, values);
    const keys = hostileNames.map((type) => ({ type, layer: type }));
    const events = hostileNames.map((how, key) => ({ stage: 1, how, into: key % 5, from: [key, key + 1] }));
    const past = new Lineage(lineageOf([hostileNames[7]!], keys, events));
    for (let op = 0; op < scene.count; op++) {
      const sections = describeOp(scene, op, past);
      for (const { label, value, full } of sections.flatMap(({ rows }) => rows)) {
        for (const text of [label, value, full ?? ""]) {
          expect(text).not.toMatch(/[\p{Cc}\u202a-\u202e\u200b\u2067]/u);
          expect(() => encodeURIComponent(text)).not.toThrow();
        }
        expect(label.length).toBeLessThan(210);
        expect(value.length).toBeLessThan(300);
      }
      expect(spoken(scene, op).length).toBeLessThan(1200);
      expect(opTitle(scene, op).length).toBeLessThan(80);
    }
  });
});
