/** What the explorer says of a graph: what changed, where ops come from, what was found, colours, values. */
import { afterEach, describe, expect, it } from "vitest";
import type { LineageDocument } from "../src/graph/document";
import { stubBoxes } from "../src/graph/painter";
import type { GraphViewTraits, OverlayTrait } from "../src/types";
import { explore, type Explorer, frames, pack, stages, until } from "./explorer";
import { one, press, unmountAll } from "./mock";
import { documentOf, lineageOf, type OpDescription, type ValueDescription } from "./scenes";

afterEach(unmountAll);

const cpu = (name: string): [string, string, string, string] => [name, "CPU", "NCHW", "float32"];
const net: OpDescription[] = [
  { type: "pd_op.data", outputs: ["x"] },
  { type: "pd_op.conv2d", inputs: ["x", "w0"], outputs: ["a"], layer: "/Net/Conv2D_0", kernel: cpu("conv2d") },
  { type: "pd_op.batch_norm_", inputs: ["a", "m"], outputs: ["b"], layer: "/Net/BatchNorm" },
  { type: "pd_op.relu", inputs: ["b"], outputs: ["c"], layer: "/Net/ReLU", kernel: cpu("relu") },
  { type: "pd_op.conv2d", inputs: ["c", "w1"], outputs: ["d"], layer: "/Net/Conv2D_1", kernel: ["conv2d", "GPU", "NHWC", "float16"] },
  { type: "pd_op.add", inputs: ["c", "d"], outputs: ["e"] },
  { type: "pd_op.fetch", inputs: ["e"] },
];
const values: Record<string, ValueDescription> = {
  x: "float32[1x3x8x8]",
  a: "float32[1x8x8x8]",
  d: "float16[1x8x8x8]",
  w0: { dtype: "float32", shape: "8x3x3x3", parameter: true, name: "conv_0.w" },
  w1: { dtype: "float32", shape: "8x8x3x3", parameter: true, name: "conv_1.w" },
  m: { dtype: "float32", shape: "8", parameter: true, name: "bn_0.mean" },
};
const fused: OpDescription[] = [
  net[0]!,
  { ...net[1]!, type: "pd_op.fused_conv2d", outputs: ["b"], key: 20, mark: "added", made: 2 },
  { ...net[3]!, key: 3, mark: "altered", alteration: ["attribute axis: 1 → 2"] },
  ...net.slice(4).map((op, at) => ({ ...op, key: 4 + at })),
  { ...net[1]!, key: 1, index: 1, mark: "removed", outputs: ["a2"] },
  { ...net[2]!, key: 2, index: 2, mark: "removed", inputs: ["a2", "m"], outputs: ["b2"] },
];
const before = () => ({ ...documentOf(net, values), stage: 0, against: "before" });
const changed = (stage = 2) => ({ ...documentOf(fused, values), stage, against: "before" });
const history: LineageDocument = lineageOf(
  ["map_op_pass", "conv_bn_fuse_pass", "delete_dropout_pass"],
  [
    ...net.map(({ type, layer }) => ({ type, ...(layer === undefined ? {} : { layer }) })),
    ...Array.from({ length: 13 }, () => ({ type: "pd_op.none", born: 9 })),
    { type: "pd_op.fused_conv2d", layer: "/Net/Conv2D_0", born: 2 },
  ],
  [{ stage: 2, how: "fused", into: 20, from: [1, 2] }],
);
const latency: OverlayTrait = { name: "latency", unit: "ms", combine: "sum", keys: [1, 2, 3, 4], values: [0.25, 1, NaN, 4] };
const title = (explorer: Explorer) => one(explorer.panel, "h3").textContent;
const counter = (explorer: Explorer) => one(explorer.el, ".pwb-counter").textContent;
const found = (explorer: Explorer) => one(explorer.el, ".pwb-found").textContent;
/** The part of the canvas a node takes, with what stands around it. */
const around = (explorer: Explorer, what: number | string, more = 9) => {
  const { x, y, width, height } = explorer.boxOf(what);
  return { x: x - more, y: y - more, width: width + 2 * more, height: height + 2 * more };
};

describe("from stage to stage", () => {
  const places = (explorer: Explorer) =>
    new Map([0, 3, 4, 5, 6].map((key) => [key, [explorer.picture.x[explorer.node(key)]!, explorer.picture.y[explorer.node(key)]!]]));

  it("what stays keeps its place and the view does not move", async () => {
    const explorer = await explore(before(), { stages });
    explorer.press("+", "+", "ArrowDown");
    await frames();
    const [kept, offset, zoom] = [places(explorer), { ...explorer.camera.offset }, explorer.camera.zoom];
    explorer.model.set("stage", 2);
    await explorer.send(changed());
    expect(places(explorer)).toEqual(kept);
    expect(explorer.picture.find("op 20")).toBeGreaterThanOrEqual(0);
    expect([explorer.camera.offset, explorer.camera.zoom]).toEqual([offset, zoom]);
    explorer.model.set("stage", 0);
    await explorer.send(before());
    expect(places(explorer)).toEqual(kept);
    expect([explorer.camera.offset, explorer.camera.zoom]).toEqual([offset, zoom]);
  });

  it("marks by colour what came, what went and what differs", async () => {
    const explorer = await explore(changed(), { stages });
    const marks = (key: number) => explorer.picture.visible.nodes[explorer.node(key)]!.mark;
    expect([0, 20, 1, 3].map(marks)).toEqual([0, 1, 2, 3]);
    const look = (name: string) => {
      const probe = document.createElement("span");
      probe.className = name;
      one(explorer.el, ".pwb-graph").append(probe);
      const canvas = new OffscreenCanvas(1, 1).getContext("2d")!;
      canvas.fillStyle = getComputedStyle(probe).color;
      canvas.fillRect(0, 0, 1, 1);
      probe.remove();
      return `rgb(${[...canvas.getImageData(0, 0, 1, 1).data.slice(0, 3)].join(",")})`;
    };
    expect(look("pwb-added")).toMatch(/rgb/);
    const side = (key: number) => {
      const { x, y, width, height } = explorer.boxOf(key);
      return { x: x + width - 2, y: y + 6, width: 4, height: height - 12 };
    };
    const added = explorer.pixelsOf(look("pwb-added"), side(20));
    const removed = explorer.pixelsOf(look("pwb-removed"), side(1));
    expect(added).toBeGreaterThan(15);
    expect(removed).toBeGreaterThan(5);
    expect(explorer.pixelsOf(look("pwb-altered"), around(explorer, 3))).toBeGreaterThan(100);
    expect(explorer.pixelsOf(look("pwb-added"), around(explorer, 6))).toBe(0);
  });

  it("lets what did not change step back", async () => {
    const explorer = await explore(changed(), { stages });
    const edge = (key: number) => {
      const { x, y, height } = explorer.boxOf(key);
      return explorer.pixel({ x: x + 6, y: y + height / 2 })[0];
    };
    const [same, other] = [edge(0), edge(20)];
    explorer.check("fade");
    await frames(3);
    expect(explorer.model.get("fade")).toBe(true);
    expect(edge(0)).toBeGreaterThan(same);
    expect(edge(20)).toBe(other);
    explorer.model.set("fade", false);
    await frames(3);
    expect(edge(0)).toBe(same);
    expect(one<HTMLInputElement>(explorer.el, "input[type=checkbox]").checked).toBe(false);
  });

  it("lists what changed in a table, and goes to a row's op", async () => {
    const explorer = await explore(changed(), { stages });
    const table = one(explorer.el, ".pwb-changes");
    expect(one(table, "summary").textContent).toBe("4 changed ops as a table");
    one(table, "summary").click();
    const rows = [...table.querySelectorAll("tbody tr")].map((row) => [...row.querySelectorAll("td")].map((cell) => cell.textContent));
    expect(rows.map(([mark, op]) => `${mark} ${op}`)).toEqual(
      ["+ added fused_conv2d #1", "~ altered relu #2", "− removed conv2d #1", "− removed batch_norm_ #2"],
    );
    expect(rows[1]![3]).toBe("attribute axis: 1 → 2");
    explorer.button("batch_norm_ #2", table).click();
    expect(explorer.model.get("selection_before")).toEqual([2]);
    expect(explorer.rows("Op")).toContainEqual(["Number", "2 in the graph before"]);
  });

  it("says how many changed, or that nothing did", async () => {
    const explorer = await explore(before(), { stages });
    expect(counter(explorer)).toBe("no changes");
    expect(explorer.button("Next change").disabled).toBe(true);
    await explorer.send(changed(), { stage: 2 });
    expect(counter(explorer)).toBe("4");
    await explorer.send({ ...before(), stage: 2, against: "none" }, { against: "none" });
    expect(one(explorer.el, "[aria-label=Changes]").hidden).toBe(false);
    expect(explorer.list("Compared with").checkVisibility()).toBe(true);
    expect(counter(explorer)).toBe("");
  });

  it("compares with what is chosen, also from another trace", async () => {
    const other = [{ index: 0, pass: null, changed: false }, { index: 4, pass: "other_pass", changed: true }];
    const explorer = await explore(changed(), { stages, other_stages: other });
    const options = [...explorer.list("Compared with").options].map((option) => option.textContent);
    expect(options).toEqual([
      "against: before the pass",
      "against: nothing",
      "against: 0 model as loaded",
      "against: 1 map_op_pass",
      "against: 2 conv_bn_fuse_pass •",
      "against: 3 delete_dropout_pass •",
      "against the other trace: 0 model as loaded",
      "against the other trace: 4 other_pass •",
    ]);
    explorer.choose("Compared with", "other:4");
    expect(explorer.model.get("against")).toBe("other:4");
    explorer.model.set("against", "3");
    expect(explorer.list("Compared with").value).toBe("3");
  });

  it("shows the stages only where they are to be chosen here", async () => {
    const explorer = await explore(changed(), { stages, choose_stage: false, note: "4 ops changed", title: "digits" });
    expect(explorer.list("Stage").checkVisibility()).toBe(false);
    expect(one(explorer.el, ".pwb-title").textContent).toBe("digits");
    expect(one(explorer.el, ".pwb-note").textContent).toBe("4 ops changed");
    explorer.model.update({ choose_stage: true, message: "the dump of stage 3 is missing" });
    expect(explorer.list("Stage").checkVisibility()).toBe(true);
    expect(explorer.list("Stage").value).toBe("2");
    expect(explorer.status).toBe("the dump of stage 3 is missing");
    explorer.model.update({ message: "", busy: true, stage: 3 });
    expect(explorer.status).toBe("reading the graph …");
  });
});

describe("provenance", () => {
  const shown = async (document: ReturnType<typeof before>, more: Partial<GraphViewTraits> = {}) =>
    explore(document, { stages, lineage: await pack(history), ...more });

  it("says what a fused op stands for, and leads there", async () => {
    const without = await shown({ ...documentOf(fused.slice(0, 6), values), stage: 3, against: "before" }, { stage: 3 });
    without.click(20);
    await until("the history", () => without.rows("Stands for").length > 0);
    expect(without.rows("Stands for")).toEqual([["conv2d", "/Net/Conv2D_0"], ["batch_norm_", "/Net/BatchNorm"]]);
    expect(without.rows("Op")).toContainEqual(["Made by", "stage 2: conv_bn_fuse_pass"]);
    without.button("/Net/BatchNorm", without.panel).click();
    expect(without.model.get("stage")).toBe(0);
    expect(without.model.get("selection")).toEqual([1]);
    await without.send(before());
    expect(title(without)).toBe("batch_norm_ #2");
    expect(without.model.get("selection")).toEqual([2]);
    expect(without.isInSight(2)).toBe(true);
  });

  it("leads to an op of this graph without another stage", async () => {
    const explorer = await shown(changed());
    explorer.click(20);
    await until("the history", () => explorer.rows("Stands for").length > 0);
    explorer.button("/Net/BatchNorm", explorer.panel).click();
    expect(explorer.model.get("stage")).toBe(2);
    expect(explorer.model.get("selection_before")).toEqual([2]);
  });

  it("says where an original op went", async () => {
    const explorer = await shown(before());
    explorer.click(2);
    await until("the history", () => explorer.rows("Went to").length > 0);
    expect(explorer.rows("Went to")).toEqual([["stage 2: conv_bn_fuse_pass", "fused into fused_conv2d in /Net/Conv2D_0"]]);
  });

  it("arrives in the stage it leads to, also through a closed block", async () => {
    const explorer = await shown(before(), { mode: "layers", open_blocks: ["/Net", "/Net/BatchNorm"] });
    explorer.click(2);
    await until("the history", () => explorer.rows("Went to").length > 0);
    explorer.button("fused into fused_conv2d in /Net/Conv2D_0", explorer.panel).click();
    expect([explorer.model.get("stage"), explorer.model.get("against")]).toEqual([2, "before"]);
    await explorer.send(changed());
    await until("the block opened", () => explorer.picture.find("op 20") >= 0);
    await frames(3);
    expect(title(explorer)).toBe("fused_conv2d #1");
    expect(explorer.isInSight(20)).toBe(true);
  });

  it("forgets where it was going when another stage is chosen", async () => {
    const explorer = await shown(before());
    explorer.click(2);
    await until("the history", () => explorer.rows("Went to").length > 0);
    explorer.button("fused into fused_conv2d in /Net/Conv2D_0", explorer.panel).click();
    explorer.choose("Stage", "3");
    await explorer.send(changed(3));
    expect(explorer.model.get("selection")).toEqual([]);
    expect(explorer.model.get("selection_before")).toEqual([2]);
  });

  it("says so when the history is damaged, and shows the graph all the same", async () => {
    const explorer = await explore(before(), { lineage: await pack({ version: 1, strings: [] }) });
    await until("words", () => explorer.status.startsWith("The history of the ops cannot be read: "));
    expect(explorer.titles).toContain("relu");
  });
});

describe("the search", () => {
  it("marks what it finds and tells Python", async () => {
    const explorer = await explore(before());
    explorer.press("/");
    explorer.type("type:conv");
    await until("found", () => found(explorer) === "2");
    expect(explorer.model.get("found")).toEqual([1, 4]);
    expect(explorer.model.get("query")).toBe("type:conv");
    await frames();
    const mark = "rgb(179,22,143)";
    expect(explorer.pixelsOf(mark, around(explorer, 4))).toBeGreaterThan(200);
    expect(explorer.pixelsOf(mark, around(explorer, 5))).toBe(0);
    explorer.type("");
    await until("nothing", () => found(explorer) === "");
    expect(explorer.model.get("found")).toEqual([]);
  });

  it("steps through what it found, at once after typing too", async () => {
    const explorer = await explore(before());
    explorer.type("conv");
    press(explorer.search, "Enter");
    expect([title(explorer), found(explorer)]).toEqual(["conv2d #1", "1 of 2"]);
    press(explorer.search, "Enter");
    expect([title(explorer), found(explorer)]).toEqual(["conv2d #4", "2 of 2"]);
    press(explorer.search, "Enter", { shiftKey: true });
    expect(title(explorer)).toBe("conv2d #1");
    explorer.button("Previous found").click();
    expect(found(explorer)).toBe("2 of 2");
    explorer.button("Next found").click();
    expect(found(explorer)).toBe("1 of 2");
    press(explorer.search, "Escape");
    await until("nothing", () => found(explorer) === "");
    expect(explorer.search.value).toBe("");
  });

  it("says what is wrong with a query in one line", async () => {
    const explorer = await explore(before());
    explorer.type("type:/conv[/");
    await until("a line", () => explorer.search.ariaInvalid === "true");
    expect(found(explorer)).toMatch(/^.{5,200}$/);
    press(explorer.search, "Enter");
    expect(explorer.model.get("selection")).toEqual([]);
    explorer.type("nowhere");
    await until("none", () => found(explorer) === "none");
    expect(explorer.search.ariaInvalid).toBe("false");
  });

  it("takes a query from Python, and keeps it for the next graph", async () => {
    const explorer = await explore(before(), { query: "relu" });
    expect([explorer.search.value, found(explorer)]).toEqual(["relu", "1"]);
    explorer.model.set("query", "mark:changed");
    expect([explorer.search.value, found(explorer)]).toEqual(["mark:changed", "none"]);
    await explorer.send(changed(), { stage: 2 });
    expect(found(explorer)).toBe("4");
    expect(explorer.model.get("found")).toEqual([1, 2]);
  });

  it("opens the block that hides what it steps to", async () => {
    const explorer = await explore(before(), { mode: "layers", open_blocks: ["/Net"] });
    explorer.type("type:batch_norm");
    await explorer.drawn(() => press(explorer.search, "Enter"));
    await frames(3);
    expect(explorer.isInSight(2)).toBe(true);
  });
});

describe("colours", () => {
  const legend = (explorer: Explorer) => one(explorer.el, ".pwb-legend");
  const categories = (explorer: Explorer) =>
    [...legend(explorer).querySelectorAll(".pwb-category")].map((entry) => [...entry.querySelectorAll("span")].slice(1).map((part) => part.textContent).join(" "));

  it.each([
    ["type", ["pd_op.conv2d 2", "pd_op.add 1", "pd_op.relu 1"]],
    ["backend", ["CPU 2", "GPU 1"]],
    ["dtype", ["float32 ", "float16 1"]],
    ["layer", ["Conv2D_0 1", "ReLU 1"]],
    ["pass", ["model as loaded 5", "conv_bn_fuse_pass 1"]],
  ])("by %s have a legend that counts", async (by, expected) => {
    const explorer = await explore(by === "pass" ? { ...documentOf(fused.slice(0, 6), values), stage: 2, against: "before" } : before(), { stages });
    explorer.choose("Colour by", by);
    await frames();
    expect(explorer.model.get("colour_by")).toBe(by);
    for (const entry of expected) expect(categories(explorer).join("\n")).toContain(entry);
    explorer.choose("Colour by", "mark");
    expect(legend(explorer).hidden).toBe(true);
  });

  it("fill the boxes: ops of one type alike, those of another not", async () => {
    const explorer = await explore(before(), { colour_by: "type" });
    const fill = (key: number) => {
      const { x, y, height } = explorer.boxOf(key);
      return explorer.pixel({ x: x + 6, y: y + height / 2 });
    };
    expect(fill(1)).toEqual(fill(4));
    expect(fill(1)).not.toEqual(fill(3));
    const swatch = one(legend(explorer), ".pwb-swatch").style.background;
    expect(swatch).toBe(`rgb(${fill(1).join(", ")})`);
    explorer.model.set("colour_by", "mark");
    await frames(3);
    expect(fill(1)).toEqual(fill(3));
  });

  it("by a number have a scale, and the number on hover and in the panel", async () => {
    const explorer = await explore(before(), { overlays: [latency], colour_by: "overlay:latency" });
    expect(legend(explorer).textContent).toContain("latency (ms)");
    expect(legend(explorer).querySelectorAll(".pwb-ticks span").length).toBeGreaterThan(1);
    explorer.hover(2);
    expect(explorer.tip.textContent).toContain("1 ms");
    explorer.hover(4);
    expect(explorer.tip.textContent).toContain("4 ms");
    const fill = (key: number) => {
      const { x, y, height } = explorer.boxOf(key);
      return explorer.pixel({ x: x + 6, y: y + height / 2 }).join();
    };
    expect(fill(1)).not.toBe(fill(4));
    expect(fill(3)).toBe(fill(0));
    explorer.click(4);
    expect(explorer.rows("Shown")).toEqual([["", "latency: 4 ms"]]);
    explorer.choose("Colour by", "type");
    expect(explorer.rows("Shown")).toEqual([]);
  });

  it("by a number keep their whole legend in sight beside the panel of a narrow cell", async () => {
    const wide = { ...latency, values: [200_000, 400_000, NaN, 900_000] };
    const explorer = await explore(before(), { overlays: [wide], colour_by: "overlay:latency" });
    explorer.el.style.width = "600px";
    explorer.click(4);
    await frames();
    const { right } = legend(explorer).getBoundingClientRect();
    const ticks = [...legend(explorer).querySelectorAll(".pwb-ticks span")].map((tick) => tick.getBoundingClientRect());
    const shown = ticks.filter(({ width }) => width > 0);
    expect(shown.length).toBeGreaterThan(1);
    expect(shown.at(-1)!.right).toBeLessThan(right);
    expect(one(legend(explorer), ".pwb-scale").getBoundingClientRect().right).toBeLessThan(right);
    shown.slice(1).forEach((tick, at) => expect(tick.left).toBeGreaterThan(shown[at]!.right));
  });

  it("by a number of many digits show the same few everywhere", async () => {
    const measured = { ...latency, keys: [1, 4], values: [0.06454599999999999, 0.06454599999999999] };
    const explorer = await explore(before(), { overlays: [measured], colour_by: "overlay:latency" });
    expect(one(legend(explorer), ".pwb-ticks").textContent).toBe("0.06455");
    explorer.hover(4);
    expect(explorer.tip.textContent).toContain("latency: 0.06455 ms\n");
    explorer.click(4);
    expect(explorer.rows("Shown")).toEqual([["", "latency: 0.06455 ms"]]);
    const layers: Partial<GraphViewTraits> = { mode: "layers", open_blocks: ["/none"] };
    const closed = await explore(before(), { overlays: [measured], colour_by: "overlay:latency", ...layers });
    closed.hover("/Net");
    expect(closed.tip.textContent).toContain("latency: 0.1291 ms (sum)");
  });

  it("of a closed block are what its ops have together, which its tip says", async () => {
    const explorer = await explore(before(), { overlays: [latency], colour_by: "overlay:latency", mode: "layers", open_blocks: ["/none"] });
    explorer.hover("/Net");
    expect(explorer.tip.textContent).toContain("5.25 ms");
    explorer.model.set("overlays", [{ ...latency, combine: "max" }]);
    explorer.hover("/Net");
    expect(explorer.tip.textContent).toContain("4 ms");
  });

  it.each([
    ["of numbers that are none", { ...latency, values: [NaN, NaN, NaN, NaN] }],
    ["without ops", { ...latency, keys: [], values: [] }],
    ["of ops that are not here", { ...latency, keys: [900], values: [1] }],
  ])("by an overlay %s say that there is nothing", async (_, overlay) => {
    const explorer = await explore(before(), { overlays: [overlay], colour_by: "overlay:latency" });
    expect(legend(explorer).textContent).toContain("nothing to colour here");
    explorer.hover(1);
    expect(explorer.tip.textContent).toContain("conv2d #1");
  });

  it("by an overlay that is gone say so as well", async () => {
    const explorer = await explore(before(), { overlays: [latency], colour_by: "overlay:latency" });
    explorer.model.set("overlays", []);
    await frames();
    expect(legend(explorer).textContent).toContain("nothing to colour here");
  });
});

describe("a part alone", () => {
  const chain = () =>
    documentOf(Array.from({ length: 12 }, (_, op) => ({ type: `t.${op}`, inputs: op > 0 ? [`v${op - 1}`] : [], outputs: [`v${op}`] })));
  const alone = (explorer: Explorer) => one(explorer.el, ".pwb-alone");

  it("grows by one edge at each press, and ends with show all and Escape", async () => {
    const explorer = await explore(chain());
    explorer.click(5);
    await explorer.drawn(() => explorer.button("around (1)").click());
    expect(explorer.model.get("only")).toEqual([4, 5, 6]);
    expect(explorer.titles).toEqual(["4", "5", "6"]);
    expect(alone(explorer).textContent).toContain("3 of 12 ops alone");
    expect(explorer.isInSight(5)).toBe(true);
    await explorer.drawn(() => explorer.button("around (2)").click());
    expect(explorer.model.get("only")).toEqual([3, 4, 5, 6, 7]);
    await explorer.drawn(() => explorer.button("show all", alone(explorer)).click());
    expect(explorer.model.get("only")).toEqual([]);
    expect(explorer.titles).toHaveLength(12);
    await explorer.drawn(() => explorer.button("around (1)").click());
    await explorer.drawn(() => explorer.press("Escape"));
    expect(explorer.titles).toHaveLength(12);
    expect(explorer.model.get("selection")).toEqual([5]);
  });

  it("is what an op needs, what needs it, and what lies between two", async () => {
    const explorer = await explore(chain());
    explorer.click(5);
    await explorer.drawn(() => explorer.button("upstream").click());
    expect(explorer.model.get("only")).toEqual([0, 1, 2, 3, 4, 5]);
    await explorer.drawn(() => explorer.button("downstream").click());
    expect(explorer.model.get("only")).toEqual([5, 6, 7, 8, 9, 10, 11]);
    await explorer.drawn(() => explorer.button("show all", explorer.panel).click());
    explorer.click(2, { shiftKey: true });
    await explorer.drawn(() => explorer.button("between").click());
    expect(explorer.model.get("only")).toEqual([2, 3, 4, 5]);
  });

  it("says so where no path leads from one to the other, and shows the graph as it was", async () => {
    const explorer = await explore(documentOf([{ type: "a", outputs: ["x"] }, { type: "b", outputs: ["y"] }]));
    explorer.click(0);
    explorer.click(1, { shiftKey: true });
    explorer.button("between").click();
    await frames(3);
    expect(explorer.status).toBe("No path leads from one to the other.");
    expect(explorer.titles).toEqual(["a", "b"]);
    expect(Number.isFinite(explorer.camera.offset.x)).toBe(true);
  });

  it("comes from Python too, and goes when something outside is asked for", async () => {
    const explorer = await explore(chain(), { only: [1, 2] });
    expect(explorer.titles).toEqual(["1", "2"]);
    await explorer.drawn(() => explorer.model.set("only", [7, 8, 9]));
    expect(explorer.titles).toEqual(["7", "8", "9"]);
    await explorer.drawn(() => explorer.model.set("selection", [3]));
    expect(explorer.titles).toHaveLength(12);
    expect(explorer.model.get("only")).toEqual([]);
    await frames(3);
    expect(explorer.isInSight(3)).toBe(true);
    expect(alone(explorer).hidden).toBe(true);
  });
});

describe("parameters and hubs", () => {
  it("parameters are nodes when wanted; a click on one selects its reader", async () => {
    const explorer = await explore(before());
    expect(explorer.titles).not.toContain("conv_0.w");
    one(explorer.el, ".pwb-menu summary").click();
    await explorer.drawn(() => explorer.check("parameters as nodes"));
    expect(explorer.model.get("show_parameters")).toBe(true);
    expect(explorer.titles).toEqual(expect.arrayContaining(["conv_0.w", "conv_1.w", "bn_0.mean"]));
    explorer.press("f");
    explorer.click("parameter conv_1.w");
    expect(explorer.model.get("selection")).toEqual([4]);
    await explorer.drawn(() => explorer.model.set("show_parameters", false));
    expect(explorer.titles).not.toContain("conv_0.w");
  });

  const masked = () =>
    documentOf([
      { type: "t.mask", outputs: ["mask"] },
      ...Array.from({ length: 36 }, (_, op) => ({ type: "t.layer", inputs: ["mask", ...(op > 0 ? [`v${op}`] : [])], outputs: [`v${op + 1}`] })),
    ]);

  it("what 36 read is named at both ends, and a click on a name leads to the other", async () => {
    const explorer = await explore(masked());
    expect(explorer.picture.stubs.map(({ label, to }) => [label, to.length])).toEqual([["mask", 36]]);
    const texts = (key: number) => stubBoxes(explorer.picture, explorer.node(key)).map(({ text }) => text);
    expect([texts(0), texts(30)]).toEqual([["mask → 36 uses"], ["▾ mask"]]);
    explorer.model.set("selection", [30]);
    await frames(3);
    const { x, y, width } = explorer.boxOf(30);
    explorer.click({ x: x + width / 2, y: y - 10 * explorer.camera.zoom });
    expect(explorer.model.get("selection")).toEqual([0]);
    await frames(3);
    expect(explorer.isInSight(0)).toBe(true);
    explorer.press("Escape");
    const mask = explorer.boxOf(0);
    explorer.click({ x: mask.x + mask.width / 2, y: mask.y + mask.height + 11 * explorer.camera.zoom });
    expect(explorer.model.get("selection")).toEqual([0]);
  });

  it("lights up at all its readers when it is selected", async () => {
    const explorer = await explore(masked());
    explorer.camera.zoomTo(1.1, explorer.placeOf(0));
    const lit = () => explorer.pixelsOf("rgb(25,118,210)", { ...around(explorer, 3, 0), y: explorer.boxOf(3).y - 18, height: 16 });
    expect(lit()).toBe(0);
    explorer.click(0);
    await frames(3);
    expect(lit()).toBeGreaterThan(10);
  });
});

describe("the values of a parameter", () => {
  const ask = async () => {
    const explorer = await explore(before());
    explorer.click(1);
    const link = () => one<HTMLButtonElement>(explorer.panel, '[aria-label="Values of conv_0.w"]');
    return { explorer, link, place: () => one(explorer.panel, ".pwb-values") };
  };

  it("are asked for once, and shown as bars and numbers", async () => {
    const { explorer, link, place } = await ask();
    link().click();
    link().click();
    expect(explorer.model.sent).toEqual([{ ask: "histogram", name: "conv_0.w" }]);
    expect(place().textContent).toBe("reading …");
    const numbers = { count: 216, finite: 215, min: -1, max: 2, mean: 0.1, std: 0.5, zeros: 3, counts: [5, 0, 10], edges: [-1, 0, 1, 2] };
    explorer.model.receive({ answer: "histogram", name: "another", ...numbers });
    explorer.model.receive({ answer: "something else" });
    expect(place().textContent).toBe("reading …");
    explorer.model.receive({ answer: "histogram", name: "conv_0.w", ...numbers });
    const bars = [...place().querySelectorAll("rect")].map((bar) => Number(bar.getAttribute("height")));
    expect(bars[0]! * 2).toBeCloseTo(bars[2]!);
    expect(bars[1]).toBe(0);
    expect(one(place(), "svg").ariaLabel).toContain("Histogram of 216 values");
    expect(place().textContent).toContain("min -1, max 2, mean 0.1, std 0.5, 3 zeros, 1 not finite");
  });

  it("say what Python cannot do, and may be asked for again", async () => {
    const { explorer, link, place } = await ask();
    link().click();
    explorer.model.receive({ answer: "histogram", name: "conv_0.w", error: "this graph has no model file" });
    expect(place().textContent).toBe("this graph has no model file");
    link().click();
    expect(explorer.model.sent).toHaveLength(2);
  });

  it("need a kernel", async () => {
    const { explorer, link, place } = await ask();
    explorer.model.offline = true;
    link().click();
    expect(place().textContent).toBe("needs a running kernel");
  });
});
