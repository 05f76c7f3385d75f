import { describe, expect, it } from "vitest";
import {
  allDown,
  allUp,
  between,
  type Direction,
  neighbourhood,
  neighbours,
} from "../src/graph/neighbourhood";
import type { Scene } from "../src/graph/scene";
import { type OpDescription, sceneOf, seeded } from "./scenes";

/**
 * 0 feed → 1 conv → 2 relu → 4 add → 5 fetch
 *              └──→ 3 pool ──┘
 */
const diamond = sceneOf(
  [
    { type: "feed", outputs: ["x"] },
    { type: "conv", inputs: ["x", "w"], outputs: ["y"] },
    { type: "relu", inputs: ["y"], outputs: ["a"] },
    { type: "pool", inputs: ["y"], outputs: ["b"] },
    { type: "add", inputs: ["a", "b"], outputs: ["c"] },
    { type: "fetch", inputs: ["c"] },
  ],
  { w: { parameter: true } },
);

describe("the neighbourhood of ops", () => {
  it.each([
    [[2], 0, "both", [2]],
    [[2], 1, "both", [1, 2, 4]],
    [[2], 1, "up", [1, 2]],
    [[2], 1, "down", [2, 4]],
    [[2], 2, "both", [0, 1, 2, 3, 4, 5]],
    [[2], 2, "up", [0, 1, 2]],
    [[0, 5], 1, "both", [0, 1, 4, 5]],
    [[2], Infinity, "up", [0, 1, 2]],
    [[], 3, "both", []],
    [[2], -1, "both", [2]],
    [[2], NaN, "both", [2]],
    [[-1, 99, 2, 2], 1, "up", [1, 2]],
  ] as const)("%j, %d hops, %s", (ops, hops, direction, expected) => {
    expect([...neighbourhood(diamond, ops, hops, direction)]).toEqual(expected);
  });

  it("goes all the way up and down", () => {
    expect([...allUp(diamond, [4])]).toEqual([0, 1, 2, 3, 4]);
    expect([...allDown(diamond, [3])]).toEqual([3, 4, 5]);
  });

  it("finds what lies between two, in either order, and nothing where no path leads", () => {
    expect([...between(diamond, 1, 4)]).toEqual([1, 2, 3, 4]);
    expect([...between(diamond, 4, 1)]).toEqual([1, 2, 3, 4]);
    expect([...between(diamond, 0, 2)]).toEqual([0, 1, 2]);
    expect([...between(diamond, 2, 3)]).toEqual([]);
    expect([...between(diamond, 3, 3)]).toEqual([3]);
    expect([...between(diamond, -1, 3)]).toEqual([]);
  });

  it("names both ends of every edge, and every value that has one end only", () => {
    const { inputs, outputs } = neighbours(diamond, 1);
    const named = ({ value, op }: { value: number; op: number }) => [diamond.valueName(value), op];
    expect(inputs.map(named)).toEqual([["x", 0], ["w", -1]]);
    expect(outputs.map(named)).toEqual([["y", 2], ["y", 3]]);
    expect(neighbours(sceneOf([{ type: "a", outputs: ["x"] }]), 0).outputs).toEqual([{ value: 0, op: -1 }]);
    const twice = sceneOf([{ type: "a", outputs: ["x"] }, { type: "mul", inputs: ["x", "x"] }]);
    expect(neighbours(twice, 0).outputs).toEqual([{ value: 0, op: 1 }]);
    expect(neighbours(twice, 1).inputs).toHaveLength(2);
  });

  it("keeps writers of one variable apart", () => {
    const scene = sceneOf(
      [
        { type: "fill", outputs: ["i"] },
        { type: "print", inputs: ["i"] },
        { type: "increment", inputs: ["i"], outputs: ["i"] },
        { type: "less_than", inputs: ["i"], outputs: ["end"] },
      ],
      {},
      "program",
    );
    expect([...neighbourhood(scene, [0], 1, "down")]).toEqual([0, 1, 2]);
    expect(neighbours(scene, 0).outputs.map(({ op }) => op)).toEqual([1, 2]);
    expect(neighbours(scene, 2).outputs.map(({ op }) => op)).toEqual([3]);
    expect([...between(scene, 0, 3)]).toEqual([0, 2, 3]);
  });

  it("takes an op with sub-blocks as next to what is in them", () => {
    const scene = sceneOf([
      { type: "data", outputs: ["x"] },
      { type: "while", inputs: ["x"], outputs: ["y"] },
      { type: "add", outputs: ["z"], parent: 1 },
      { type: "relu", inputs: ["z"], outputs: ["r"], parent: 1 },
      { type: "fetch", inputs: ["y"] },
    ]);
    expect([...neighbourhood(scene, [1], 1, "down")]).toEqual([1, 2, 3, 4]);
    expect([...allUp(scene, [2])]).toEqual([0, 1, 2, 3]);
    expect([...between(scene, 0, 4)]).toEqual([0, 1, 2, 3, 4]);
  });

  it("goes along a chain of 100,000 ops", () => {
    const count = 100_000;
    const relu = (at: number) => ({ type: "relu", inputs: [`v${at}`], outputs: [`v${at + 1}`] });
    const chain = sceneOf(Array.from({ length: count }, (_, at) => relu(at)));
    expect(allDown(chain, [0])).toHaveLength(count);
    expect([...between(chain, count - 1, count - 3)]).toEqual([count - 3, count - 2, count - 1]);
    expect(neighbourhood(chain, [count / 2], 10, "both")).toHaveLength(21);
  });
});

/** How many hops from each op to each, by Floyd and Warshall. */
function distances(scene: Scene, direction: Direction): number[][] {
  const all = Array.from({ length: scene.count }, (_, op) => op);
  const hops = all.map((a) => all.map((b) => (a === b ? 0 : Infinity)));
  const join = (a: number, b: number) => (hops[a]![b] = Math.min(hops[a]![b]!, 1));
  for (const op of all) {
    for (const source of scene.sourcesOf(op)) {
      if (source >= 0 && direction !== "up") join(source, op);
      if (source >= 0 && direction !== "down") join(op, source);
    }
    if (scene.parent[op]! >= 0) {
      join(op, scene.parent[op]!);
      join(scene.parent[op]!, op);
    }
  }
  for (const k of all)
    for (const a of all)
      for (const b of all) hops[a]![b] = Math.min(hops[a]![b]!, hops[a]![k]! + hops[k]![b]!);
  return hops;
}

it("agrees with the transitive closure on random graphs", () => {
  const random = seeded(3);
  const below = (limit: number) => Math.floor(random() * limit);
  for (let round = 0; round < 40; round++) {
    const count = 1 + below(25);
    const variables = 1 + below(30);
    const ops = Array.from({ length: count }, (_, at): OpDescription => {
      const inputs = Array.from({ length: below(3) }, () => `v${below(variables)}`);
      const op = { type: "op", inputs, outputs: [`v${below(variables)}`] };
      return at > 0 && random() < 0.15 ? { ...op, parent: below(at) } : op;
    });
    const scene = sceneOf(ops, {}, "program");
    const down = distances(scene, "down");
    const all = Array.from({ length: count }, (_, op) => op);
    for (const direction of ["both", "up", "down"] as const) {
      const hops = distances(scene, direction);
      for (const limit of [1, 2, 3, Infinity]) {
        const from = [below(count), below(count)];
        const within = (far: number) => far <= limit && far < Infinity;
        const near = all.filter((op) => from.some((start) => within(hops[start]![op]!)));
        expect([...neighbourhood(scene, from, limit, direction)]).toEqual(near);
      }
    }
    const [a, b] = [below(count), below(count)];
    const through = (from: number, to: number, op: number) => down[from]![op]! + down[op]![to]! < Infinity;
    expect([...between(scene, a, b)]).toEqual(all.filter((op) => through(a, b, op) || through(b, a, op)));
  }
});
