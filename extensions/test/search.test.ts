import { describe, expect, it } from "vitest";
import type { Scene } from "../src/graph/scene";
import { parseQuery, regexReach, search, searchNote } from "../src/graph/search";
import { hostileNames, type OpDescription, sceneOf, seeded } from "./scenes";

const net = sceneOf(
  [
    { type: "pd_op.data", outputs: ["image"] },
    {
      type: "pd_op.conv2d",
      inputs: ["image", "conv.w_0"],
      outputs: ["features"],
      layer: "/ResNet/Conv2D",
      attrs: { strides: [2, 2], padding_algorithm: "EXPLICIT", groups: 1, epsilon: 1e-5, axis: -1 },
      kernel: ["conv2d", "ONEDNN", "NCHW", "float32"],
    },
    {
      type: "pd_op.batch_norm_",
      inputs: ["features"],
      outputs: ["normed"],
      layer: "/ResNet/BatchNorm2D",
      attrs: { epsilon: 1e-5, is_test: true },
      mark: "removed",
      index: 2,
    },
    {
      type: "pd_op.fused_conv2d_add_act",
      inputs: ["features"],
      outputs: ["out put"],
      layer: "/ResNet/Block_1/Conv2D",
      attrs: { strides: [12, 1], fuse: "a b" },
      mark: "added",
      made: 3,
    },
    { type: "pd_op.argmax", inputs: ["out put"], outputs: ["best"], mark: "altered", index: 2 },
  ],
  {
    image: "float32[-1x3x224x224]",
    "conv.w_0": { dtype: "float32", shape: "64x3x7x7", parameter: true },
    features: "float32[-1x64x112x56]",
    normed: "bfloat16[164x561]",
    best: "int64[]",
  },
);

function found(text: string, scene: Scene = net): number[] {
  const query = parseQuery(text);
  if ("error" in query) throw new Error(query.error);
  return [...search(scene, query)];
}

function wrong(text: string): string {
  const query = parseQuery(text);
  return "error" in query ? query.error : "";
}

describe("search", () => {
  it("looks for every word in type, layer, values and kernel, whatever the case", () => {
    expect(found("CONV2D")).toEqual([1, 3]);
    expect(found("conv2d block_1")).toEqual([3]);
    expect(found("conv.w_0")).toEqual([1]);
    expect(found("features")).toEqual([1, 2, 3]);
    expect(found("onednn")).toEqual([]);
    expect(found("")).toEqual([0, 1, 2, 3, 4]);
    expect(found("   ")).toEqual([0, 1, 2, 3, 4]);
  });

  it.each([
    ["type:conv", [1, 3]],
    ["TYPE:Conv", [1, 3]],
    ["name:conv", [1, 3]],
    ["name:normed", [2]],
    ["layer:/ResNet/Block", [3]],
    ["layer:/ResNet/Conv2D", [1]],
    ["kernel:conv", [1]],
    ["backend:onednn", [1]],
    ["attr:epsilon", [1, 2]],
    ["attr:EPSILON", [1, 2]],
    ["attr:eps", []],
    ["attr:/eps/", [1, 2]],
    ["attr:strides=2", [1]],
    ["attr:strides=1", [3]],
    ["attr:strides=[2,2]", [1]],
    ['attr:strides="[12, 1]"', [3]],
    ["attr:axis=1", []],
    ["attr:axis=-1", [1]],
    ["attr:groups=1.0", [1]],
    ["attr:epsilon=1e-05", [1, 2]],
    ["attr:is_test=true", [2]],
    ["attr:padding_algorithm=explicit", [1]],
    ["attr:padding_algorithm=/^.EXPL/", [1]],
    ['attr:fuse="a b"', [3]],
    ["attr:fuse=", [3]],
    ["shape:64", [1, 2, 3]],
    ["shape:64x56", []],
    ["shape:64x112x56", [1, 2, 3]],
    ["shape:64x?x56", [1, 2, 3]],
    ["shape:64,*,56", [1, 2, 3]],
    ["shape:[64×3×7×7]", [1]],
    ["shape:64x", [1, 2, 3]],
    ["shape:-1x3", [0, 1]],
    ["shape:?x?x?x?x?", []],
    ["dtype:float32", [0, 1, 2, 3]],
    ["dtype:f32 -type:data", [1, 2, 3]],
    ["dtype:i64", [4]],
    ["dtype:bf16", [2]],
    ["dtype:float16", []],
    ["dtype:int", [4]],
    ["mark:added", [3]],
    ["mark:removed", [2]],
    ["mark:altered", [4]],
    ["mark:changed", [2, 3, 4]],
    ["mark:unchanged", [0, 1]],
    ["pass:3", [3]],
    ["op:2", [2, 4]],
    ["-type:conv", [0, 2, 4]],
    ["!type:conv -mark:changed", [0]],
    ['"out put"', [3, 4]],
    ['-"out put" resnet', [1, 2]],
    ['name:"out put" type:max', [4]],
    ['"type:conv"', []],
    ["/conv\\dd/", [1, 3]],
    ["/CONV/", []],
    ["/CONV/i", [1, 3]],
    ["type:/^pd_op\\.(conv|arg)/", [1, 4]],
    ["layer:/Block_\\d+/", [3]],
    ["/out put$/", [3, 4]],
    ["-/e/ ", []],
    ["-", []],
  ] as const)("%s", (text, ops) => {
    expect(found(text)).toEqual(ops);
  });

  it("takes the path of a layer for what it is, not for a regex", () => {
    expect(found("/ResNet/Conv2D")).toEqual([1]);
    expect(found("/ResNet/")).toEqual([1, 2, 3]);
    expect(found("/ResNet")).toEqual([1, 2, 3]);
  });

  it("says in one line what is wrong and what to do", () => {
    expect(wrong("foo:bar")).toBe(
      "no field 'foo': use type, name, layer, attr, shape, dtype, kernel, backend, mark, pass, op, " +
        "or put the word in quotes",
    );
    expect(wrong("type:")).toBe("type: needs more: use type:conv");
    expect(wrong("attr:")).toMatch(/attr:strides/);
    expect(wrong("attr:=2")).toMatch(/attr:strides/);
    expect(wrong("mark:new")).toBe(
      "mark: does not take 'new': use added, removed, altered, changed, unchanged",
    );
    expect(wrong("pass:fuse")).toMatch(/pass:3/);
    expect(wrong("op:-1")).toMatch(/op:12/);
    expect(wrong("shape:64xfoo")).toMatch(/shape:64x56/);
    expect(wrong("shape:/6/")).toMatch(/no regex/);
    expect(wrong('"open')).toMatch(/quote/);
    expect(wrong("/conv(/")).toMatch(/no regex \(unterminated group\)/);
    expect(wrong("/conv[/")).toMatch(/no regex/);
    expect(wrong(`/${"x".repeat(100_000)}/`)).toMatch(/^\/x{39}…\/ is no regex/);
    expect(wrong("type:/a/g")).toMatch(/no flag 'g'/);
    for (const text of hostileNames) expect(wrong(`${text}:x ${text}`)).not.toMatch(/\n|\u202e/);
  });

  it("refuses regexes that backtrack without end, and lets those that do not", () => {
    for (const source of ["(a+)+b", "(a|a)*b", "((a*))*", "(?:x?y?)+", "(a+){20}", "([ab]*c?)*"]) {
      expect(wrong(`/${source}/`), source).toMatch(/may never end/);
    }
    for (const source of ["conv.*_\\d+", "(conv|bn)_", "(ab)+", "[(a+)]+", "\\(a+\\)+", "a(?:b|c)?d"]) {
      expect(wrong(`/${source}/`), source).toBe("");
    }
  });

  it("runs a regex over the beginning of a long text only, and says so", () => {
    const long = sceneOf([{ type: "pd_op.a", layer: `/${"x".repeat(regexReach)}END` }]);
    const query = parseQuery("/END/");
    if ("error" in query) throw new Error(query.error);
    expect([...search(long, query)]).toEqual([]);
    expect(searchNote(long, query)).toMatch(/first 2,000 characters/);
    expect(searchNote(net, query)).toBeNull();
    expect(found("end", long)).toEqual([0]);
  });

  it("finds hostile names by themselves and breaks on none", () => {
    const scene = sceneOf(
      hostileNames.map((name, at) => ({
        type: name,
        layer: `/${name}`,
        outputs: [`${at}`],
        attrs: { [name]: name },
      })),
    );
    for (const [at, name] of hostileNames.entries()) {
      for (const before of ["", "type:", "attr:", `attr:${name}=`, "-", "shape:", "/", "type:/"]) {
        const query = parseQuery(`${before}${name}${before.endsWith("/") ? "/" : ""}`);
        if (!("error" in query)) search(scene, query);
      }
      if (name && !name.includes('"')) expect(found(`type:"${name}"`, scene)).toContain(at);
    }
  });

  it("does not trip over attributes that are no JSON", () => {
    const scene = sceneOf([{ type: "pd_op.a" }, { type: "pd_op.b", attrs: { axis: 1 } }]);
    scene.document.attrs[0] = '{"axis": NaN}';
    expect(found("attr:axis", scene)).toEqual([1]);
  });
});

/** The same question asked op by op, without tables. */
function naive(scene: Scene, words: { field: string; text: string; negated: boolean }[]): number[] {
  return Array.from({ length: scene.count }, (_, op) => op).filter((op) =>
    words.every(({ field, text, negated }) => {
      const values = [...scene.inputsOf(op), ...scene.outputsOf(op)];
      const has = (of: string) => of.toLowerCase().includes(text.toLowerCase());
      const named = values.some((value) => has(scene.valueName(value)));
      const padded = (shape: string) => `x${shape}x`;
      const answers: Record<string, () => boolean> = {
        "": () => has(scene.type(op)) || has(scene.layer(op)) || named || has(scene.kernel(op)?.name ?? "\0"),
        "type:": () => has(scene.type(op)),
        "layer:": () => has(scene.layer(op)),
        "name:": () => named || has(scene.layer(op)),
        "kernel:": () => has(scene.kernel(op)?.name ?? "\0"),
        "attr:": () => Object.keys(scene.attrs(op)).includes(text),
        "shape:": () => values.some((value) => padded(scene.shape(value)).includes(padded(text))),
        "dtype:": () => values.some((value) => scene.dtype(value).startsWith(text)),
        "pass:": () => scene.made[op] === Number(text),
      };
      return answers[field]!() !== negated;
    }),
  );
}

it("answers random questions about random graphs as asking op by op does", () => {
  const random = seeded(7);
  const one = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)]!;
  const words: Record<string, readonly string[]> = {
    "": ["conv", "Relu", "v1", "a", "Block_2"],
    "type:": ["conv", "add", "PD_OP", "zzz"],
    "layer:": ["/A", "block_1", "/b/Block_2"],
    "name:": ["v1", "v22", "A"],
    "kernel:": ["conv", "u"],
    "attr:": ["axis", "strides"],
    "shape:": ["8", "8x4", "1x8", "4x4"],
    "dtype:": ["float32", "int", "float"],
    "pass:": ["0", "1", "2"],
  };
  for (let round = 0; round < 60; round++) {
    const count = 1 + Math.floor(random() * 40);
    const ops = Array.from({ length: count }, (_, at): OpDescription => {
      const type = one(["conv2d", "relu", "add", "matmul"]);
      return {
        type: `pd_op.${type}`,
        inputs: Array.from({ length: Math.floor(random() * 3) }, () => `v${Math.floor(random() * (at + 1))}`),
        outputs: [`v${at + 1}`],
        made: Math.floor(random() * 3),
        attrs: one([{}, { axis: 1 }, { strides: [2], axis: 0 }]),
        ...(random() < 0.8 && { layer: `/${one(["A", "B"])}/Block_${Math.floor(random() * 3)}` }),
        ...(random() < 0.5 && { kernel: [type, "CPU", "NCHW", "float32"] }),
      };
    });
    const shapes = Array.from({ length: count + 1 }, (_, at) => [
      `v${at}`,
      `${one(["float32", "int64", "float16"])}[${one(["1x8x4", "8", "48x4x4", "-1x8x44"])}]`,
    ]);
    const scene = sceneOf(ops, Object.fromEntries(shapes) as Record<string, string>);
    for (let question = 0; question < 20; question++) {
      const asked = Array.from({ length: 1 + Math.floor(random() * 3) }, () => {
        const field = one(Object.keys(words));
        return { field, text: one(words[field]!), negated: random() < 0.3 };
      });
      const text = asked.map((word) => `${word.negated ? "-" : ""}${word.field}${word.text}`).join(" ");
      expect(found(text, scene), text).toEqual(naive(scene, asked));
    }
  }
});
