/** The graph explorer in use: what it shows, how it is moved about in, and what it tells Python. */
import { afterEach, describe, expect, it } from "vitest";
import { render } from "../src/graph_view";
import { explore, Explorer, frames, pack, stages, traits, until } from "./explorer";
import { mount, one, press, unmountAll } from "./mock";
import { documentOf, type OpDescription } from "./scenes";

afterEach(unmountAll);

/** A branch and its sum, in two blocks. */
const net: OpDescription[] = [
  { type: "pd_op.data", outputs: ["x"] },
  { type: "pd_op.conv2d", inputs: ["x", "w0"], outputs: ["a"], layer: "/Net/Block_0/Conv2D", attrs: { strides: [2, 2] } },
  { type: "pd_op.batch_norm_", inputs: ["a", "m"], outputs: ["b"], layer: "/Net/Block_0/BatchNorm" },
  { type: "pd_op.relu", inputs: ["b"], outputs: ["c"], layer: "/Net/Block_0" },
  { type: "pd_op.conv2d", inputs: ["c", "w1"], outputs: ["d"], layer: "/Net/Block_1/Conv2D" },
  { type: "pd_op.relu", inputs: ["d"], outputs: ["e"], layer: "/Net/Block_1" },
  { type: "pd_op.add", inputs: ["c", "e"], outputs: ["f"], layer: "/Net" },
  { type: "pd_op.fetch", inputs: ["f"] },
];
const values = {
  x: "float32[1x3x8x8]",
  w0: { dtype: "float32", shape: "8x3x3x3", parameter: true, name: "conv_0.w" },
  w1: { dtype: "float32", shape: "8x8x3x3", parameter: true, name: "conv_1.w" },
  m: { dtype: "float32", shape: "8", parameter: true, name: "bn_0.mean" },
};
/** Conv and norm are one, relu is altered, the norm is gone. */
const fused: OpDescription[] = [
  net[0]!,
  { ...net[1]!, type: "pd_op.fused_conv2d", outputs: ["b"], key: 20, mark: "added", made: 2 },
  { ...net[3]!, key: 3, mark: "altered", alteration: ["attribute axis: 1 → 2"] },
  ...net.slice(4).map((op, at) => ({ ...op, key: 4 + at })),
  { ...net[1]!, key: 1, index: 1, mark: "removed", outputs: ["a2"] },
  { ...net[2]!, key: 2, index: 2, mark: "removed", inputs: ["a2", "m"], outputs: ["b2"] },
];
const flat = () => documentOf(net, values);
const changed = () => ({ ...documentOf(fused, values), stage: 2, against: "before" });
/** A chain long enough to be moved about in. */
const chain = (count: number, more: (op: number) => Partial<OpDescription> = () => ({})) =>
  documentOf(
    Array.from({ length: count }, (_, op) => ({
      type: `pd_op.op_${op % 7}`,
      inputs: op > 0 ? [`v${op - 1}`] : [],
      outputs: [`v${op}`],
      ...more(op),
    })),
  );
const looped = (more: Partial<OpDescription> = {}) =>
  documentOf([
    { type: "pd_op.data", outputs: ["x"] },
    { type: "pd_op.while", inputs: ["x"], outputs: ["y"], ...more },
    { type: "pd_op.add", inputs: ["x"], outputs: ["p"], parent: 1, ...more },
    { type: "pd_op.relu", inputs: ["p"], outputs: ["q"], parent: 1, ...more },
    { type: "pd_op.if", inputs: ["y"], outputs: ["z"] },
    { type: "pd_op.exp", inputs: ["y"], outputs: ["r"], parent: 4, region: 0 },
    { type: "pd_op.log", inputs: ["y"], outputs: ["s"], parent: 4, region: 1 },
    { type: "pd_op.fetch", inputs: ["z"] },
  ]);

describe("the first picture", () => {
  it("has a small graph as a whole in the pane, and every op of it", async () => {
    const { picture, camera, words, canvas } = await explore(flat(), { title: "net" });
    expect(picture.visible.nodes.map(({ title }) => title)).toEqual(
      ["data", "conv2d", "batch_norm_", "relu", "conv2d", "relu", "add", "fetch"],
    );
    const { seen } = camera;
    expect(seen.x).toBeLessThanOrEqual(0);
    expect(seen.y).toBeLessThanOrEqual(0);
    expect(seen.x + seen.width).toBeGreaterThanOrEqual(picture.totalWidth);
    expect(seen.y + seen.height).toBeGreaterThanOrEqual(picture.totalHeight);
    expect(words).toBe("");
    expect(canvas.ariaLabel).toContain("net: 8 ops");
  });

  it("begins at the top of a large one, large enough to read", async () => {
    const explorer = await explore(chain(140));
    expect(explorer.camera.zoom).toBeGreaterThanOrEqual(0.75);
    expect(explorer.isInSight(0)).toBe(true);
    expect(explorer.isInSight(139)).toBe(false);
  });

  it("is drawn: the box of an op has its colours, the paper beside it has none", async () => {
    const explorer = await explore(flat());
    const { x, y, width, height } = explorer.boxOf(0);
    expect(explorer.pixel({ x: x + 6, y: y + height / 2 })).not.toEqual(explorer.pixel({ x: x + width + 60, y }));
    expect(performance.getEntriesByName("pwb-painted").length).toBeGreaterThan(0);
  });

  it("says so when there is no graph, and when the graph has no op", async () => {
    const empty = await explore(null);
    expect(empty.words).toBe("No graph to show yet.");
    const none = new Explorer(mount(render, traits({ document: await pack({ ...documentOf([]), stage: 0, against: "before" }) })));
    await until("words", () => none.words !== "No graph to show yet.");
    expect(none.words).toBe("This graph has no ops.");
    await none.send(flat());
    expect(none.words).toBe("");
    expect(none.isInSight(0)).toBe(true);
  });

  it("goes when Python takes the graph away, with the table of its changes", async () => {
    const explorer = await explore(changed(), { stages, stage: 2 });
    expect(one(explorer.el, ".pwb-changes").hidden).toBe(false);
    explorer.model.set("document", new DataView(new ArrayBuffer(0)));
    await frames();
    expect(explorer.words).toBe("No graph to show yet.");
    expect(one(explorer.el, ".pwb-changes").hidden).toBe(true);
  });

  it.each([
    ["of another release", () => pack({ ...documentOf(net), version: 2 })],
    ["that is not packed", () => Promise.resolve(new DataView(new Uint8Array([1, 2, 3]).buffer))],
    ["cut short", async () => new DataView((await pack(flat())).buffer, 0, 40)],
    ["without columns", () => pack({ version: 1 })],
    ["that is a number", () => pack([1])],
  ])("says in one line what is wrong with a graph %s, and keeps the one it has", async (_, bytes) => {
    const fresh = new Explorer(mount(render, traits({ document: await bytes() })));
    await until("words", () => fresh.words.startsWith("The graph cannot be read: "));
    expect(fresh.words.length).toBeLessThan(200);
    const explorer = await explore(flat());
    explorer.model.set("document", await bytes());
    await until("a line", () => explorer.status.startsWith("The graph cannot be read: "));
    expect(explorer.titles).toContain("batch_norm_");
    await explorer.send(changed());
    expect(explorer.status).toBe("");
  });

  it("is placed when a view that was hidden is shown, and takes the theme when it joins the page late", async () => {
    const el = document.createElement("div");
    el.style.display = "none";
    document.body.append(el);
    const state = traits({ document: await pack({ ...chain(60), stage: 0, against: "before" }) });
    const { model } = mount(() => () => undefined, state);
    const unmount = render({ model, el });
    await until("a picture", () => el.graphView!.picture !== null);
    await frames();
    el.style.display = "";
    el.style.width = "700px";
    await frames(4);
    const explorer = new Explorer({ el, model, unmount });
    expect(explorer.camera.pane.width).toBeGreaterThan(300);
    expect(explorer.isInSight(0)).toBe(true);
    const { x, y } = explorer.boxOf(0);
    expect(explorer.pixelsOf("rgb(255,255,255)", { x: 0, y: 0, width: x, height: y + 20 })).toBeGreaterThan(100);
    unmount();
    el.remove();
  });

  it("has its colours when it is made before it stands in the page", async () => {
    const el = document.createElement("div");
    const { model } = mount(() => () => undefined, traits({ document: await pack({ ...flat(), stage: 0, against: "before" }) }));
    const unmount = render({ model, el });
    await frames(3);
    document.body.append(el);
    const explorer = new Explorer({ el, model, unmount });
    await explorer.shown();
    await frames(3);
    expect(explorer.pixel({ x: 2, y: 2 })).toEqual([255, 255, 255]);
    expect(explorer.isInSight(0)).toBe(true);
    unmount();
    el.remove();
  });
});

describe("flat and by layer", () => {
  it("shows few ops flat and many by layer, and either when told to", async () => {
    const layers = (op: number) => ({ layer: op < 100 ? "/A" : "/B" });
    const few = await explore(chain(20, layers));
    expect(few.titles).toHaveLength(20);
    const many = await explore(chain(200, layers));
    expect(many.titles).toEqual(["A", "B"]);
    expect(many.button("Layers").ariaPressed).toBe("true");
    await many.drawn(() => many.button("Flat").click());
    expect(many.titles).toHaveLength(200);
    expect(many.model.get("mode")).toBe("flat");
    await many.drawn(() => many.press("l"));
    expect(many.titles).toEqual(["A", "B"]);
    expect(many.model.get("mode")).toBe("layers");
    await many.drawn(() => many.model.set("mode", "flat"));
    expect(many.button("Flat").ariaPressed).toBe("true");
  });

  it("offers no layers where there are none", async () => {
    const explorer = await explore(chain(3));
    expect(explorer.button("Layers").disabled).toBe(true);
  });

  it("says in a closed block how many ops it holds, and marks what changed in it", async () => {
    const explorer = await explore(changed(), { mode: "layers", open_blocks: ["/Net"], stages });
    const block = explorer.picture.visible.nodes[explorer.node("/Net/Block_0")]!;
    expect(block.detail).toBe("2 ops, +1 −2 ~1");
    expect(block.mark).toBe(3);
    expect(explorer.picture.visible.nodes[explorer.node("/Net/Block_1")]!.mark).toBe(0);
  });

  it("opens the block that is all of a model by itself", async () => {
    const explorer = await explore(flat(), { mode: "layers" });
    expect(explorer.model.get("open_blocks")).toEqual(["/Net"]);
    expect(explorer.titles).toContain("Block_1");
  });

  it.each(["double click", "Enter", "the panel's button"])("opens and closes a block in its place by %s", async (way) => {
    const explorer = await explore(flat(), { mode: "layers", open_blocks: ["/Net"] });
    const toggle = async () =>
      explorer.drawn(async () => {
        if (way === "double click") explorer.doubleClick("/Net/Block_0");
        else explorer.click("/Net/Block_0");
        await frames();
        if (way === "double click") return;
        if (way === "Enter") explorer.press("Enter");
        else explorer.button(explorer.picture.visible.nodes[explorer.node("/Net/Block_0")]!.open ? "close" : "open").click();
      });
    const before = explorer.boxOf("/Net/Block_0");
    await toggle();
    expect(explorer.model.get("open_blocks")).toEqual(["/Net", "/Net/Block_0"]);
    expect(explorer.titles).toContain("Conv2D");
    const open = explorer.boxOf("/Net/Block_0");
    expect(open.x).toBeCloseTo(before.x, 1);
    expect(open.y).toBeCloseTo(before.y, 1);
    expect(open.height).toBeGreaterThan(before.height);
    await toggle();
    expect(explorer.model.get("open_blocks")).toEqual(["/Net"]);
    expect(explorer.titles).not.toContain("Conv2D");
    const closed = explorer.boxOf("/Net/Block_0");
    expect([closed.x, closed.y]).toEqual([expect.closeTo(before.x, 1), expect.closeTo(before.y, 1)]);
  });

  it("opens blocks that Python names", async () => {
    const explorer = await explore(flat(), { mode: "layers", open_blocks: ["/Net"] });
    await explorer.drawn(() => explorer.model.set("open_blocks", ["/Net", "/Net/Block_1", "/Net/Block_1/Conv2D"]));
    expect(explorer.titles.filter((title) => title === "conv2d")).toHaveLength(1);
  });

  it("tells of a selected block: what it is, what it holds, how many are alike", async () => {
    const explorer = await explore(flat(), { mode: "layers", open_blocks: ["/Net"] });
    explorer.click("/Net/Block_0");
    await frames();
    expect(explorer.rows("Block")).toEqual([
      ["layer", "/Net/Block_0"],
      ["ops", "3"],
      ["alike in this graph", "Block ×2"],
    ]);
    expect(explorer.rows("Ops in it").sort()).toEqual([["batch_norm_", "1"], ["conv2d", "1"], ["relu", "1"]]);
    expect(explorer.model.get("selection")).toEqual([]);
    expect(explorer.spoken).toContain("Block_0");
  });

  it("gathers repeated siblings in one block", async () => {
    const layer = (op: number) => ({ layer: `/Net/Many/Block_${op}` });
    const document = chain(8, layer);
    const group = document.blocks.path.findIndex((path) => document.strings[path] === "/Net/Many");
    document.blocks.name[group] = document.strings.push("Block ×8") - 1;
    document.blocks.repeat[group] = 8;
    const explorer = await explore(document, { mode: "layers", open_blocks: ["/Net"] });
    expect(explorer.titles).toEqual(["Net", "Block ×8"]);
    await explorer.drawn(() => explorer.doubleClick("/Net/Many"));
    expect(explorer.titles.filter((title) => /^Block_\d$/.test(title))).toHaveLength(8);
  });
});

describe("sub-blocks of ops", () => {
  const inside = (explorer: Explorer, inner: number, outer: number | string) => {
    const [a, b] = [explorer.boxOf(inner), explorer.boxOf(outer)];
    return a.x >= b.x && a.y >= b.y && a.x + a.width <= b.x + b.width && a.y + a.height <= b.y + b.height;
  };

  it("stand within their op: a frame for each side of an if", async () => {
    const explorer = await explore(looped());
    expect(inside(explorer, 2, 1) && inside(explorer, 3, 1)).toBe(true);
    expect(explorer.titles).toEqual(expect.arrayContaining(["true", "false"]));
    expect(inside(explorer, 5, "region 4 0") && inside(explorer, 6, "region 4 1")).toBe(true);
    expect(inside(explorer, 6, "region 4 0")).toBe(false);
  });

  it("close and open with their op", async () => {
    const explorer = await explore(looped());
    const before = explorer.boxOf(1);
    await explorer.drawn(() => explorer.doubleClick(1));
    expect(explorer.titles).not.toContain("relu");
    expect(explorer.boxOf(1).y).toBeCloseTo(before.y, 1);
    await explorer.drawn(() => explorer.button("open").click());
    expect(explorer.titles).toContain("relu");
    explorer.click("region 4 1");
    expect(explorer.model.get("selection")).toEqual([4]);
    await explorer.drawn(() => explorer.press("Enter"));
    expect(explorer.titles).not.toContain("log");
  });

  it("open where what was asked for is in them, also within a closed block", async () => {
    const explorer = await explore(looped());
    await explorer.drawn(() => explorer.doubleClick(1));
    await explorer.drawn(() => explorer.model.set("selection", [3]));
    expect(explorer.isInSight(3)).toBe(true);
    const layered = await explore(looped({ layer: "/Loop/Inner" }), { mode: "layers", open_blocks: ["/none"] });
    expect(layered.titles).not.toContain("while");
    await layered.drawn(() => layered.model.set("selection", [3]));
    await frames(3);
    expect(layered.isInSight(3)).toBe(true);
  });
});

describe("the selection", () => {
  it("is what is clicked: in the trait, in the panel, for the screen reader", async () => {
    const explorer = await explore(flat());
    explorer.click(1);
    await frames();
    expect(explorer.model.get("selection")).toEqual([1]);
    expect(explorer.model.saves).toBeGreaterThan(0);
    expect(one(explorer.panel, "h3").textContent).toBe("conv2d #1");
    expect(explorer.rows("Op")).toContainEqual(["Layer", "/Net/Block_0/Conv2D"]);
    expect(explorer.rows("Attributes")).toEqual([["strides", "[2,2]"]]);
    expect(explorer.rows("Inputs")).toEqual([["x", "float32[1x3x8x8] from data #0"]]);
    expect(explorer.rows("Parameters")[0]).toEqual(["conv_0.w", "float32[8x3x3x3], 216 elements, 864 bytes"]);
    expect(explorer.spoken).toBe(
      "Selected conv2d number 1, in /Net/Block_0/Conv2D, reads x float32 1 by 3 by 8 by 8 and conv_0.w float32 8 by 3 by 3 by 3, writes a.",
    );
    const { x, y, width, height } = explorer.boxOf(1);
    const around = { x: x - 5, y: y - 5, width: width + 10, height: height + 10 };
    expect(explorer.pixelsOf("rgb(25,118,210)", around)).toBeGreaterThan(40);
  });

  it("grows and shrinks with Shift, ends with a click on nothing and with Escape", async () => {
    const explorer = await explore(flat());
    explorer.click(1);
    explorer.click(3, { shiftKey: true });
    explorer.click(5, { ctrlKey: true });
    expect(explorer.model.get("selection")).toEqual([1, 3, 5]);
    expect(one(explorer.panel, "h3").textContent).toBe("3 ops, the first: conv2d #1");
    explorer.click(3, { shiftKey: true });
    expect(explorer.model.get("selection")).toEqual([1, 5]);
    explorer.click({ x: 3, y: 3 });
    expect(explorer.model.get("selection")).toEqual([]);
    expect(explorer.panel.hidden).toBe(true);
    expect(explorer.spoken).toBe("Nothing selected");
    explorer.click(2);
    explorer.press("Escape");
    expect(explorer.model.get("selection")).toEqual([]);
  });

  it("leads along the edges from the panel", async () => {
    const explorer = await explore(flat());
    explorer.click(1);
    explorer.button("to batch_norm_ #2", explorer.panel).click();
    expect(explorer.model.get("selection")).toEqual([2]);
    explorer.button("from conv2d #1", explorer.panel).click();
    expect(explorer.model.get("selection")).toEqual([1]);
  });

  it("from Python is shown and brought into sight, opening the blocks that hide it", async () => {
    const explorer = await explore(chain(140));
    explorer.model.set("selection", [130]);
    await frames(3);
    expect(explorer.isInSight(130)).toBe(true);
    expect(one(explorer.panel, "h3").textContent).toBe("op_4 #130");
    expect(explorer.model.saves).toBe(1);
    const layered = await explore(flat(), { mode: "layers", open_blocks: ["/Net"] });
    await layered.drawn(() => layered.model.set("selection", [1]));
    expect(layered.model.get("open_blocks")).toEqual(expect.arrayContaining(["/Net", "/Net/Block_0", "/Net/Block_0/Conv2D"]));
    expect(layered.isInSight(1)).toBe(true);
  });

  it("that comes with the first graph is shown, in whatever block it is", async () => {
    const explorer = await explore(flat(), { mode: "layers", open_blocks: ["/Net"], selection: [4] });
    await until("the block open", () => explorer.titles.includes("conv2d"));
    await frames(3);
    expect(explorer.isInSight(4)).toBe(true);
    expect(explorer.model.get("selection")).toEqual([4]);
  });

  it("given together with a stage waits for the graph of that stage", async () => {
    const explorer = await explore(flat(), { stages });
    explorer.click(4);
    explorer.model.update({ stage: 2, selection: [2] });
    await frames();
    expect(one(explorer.panel, "h3").textContent).toBe("conv2d #4");
    await explorer.send(changed());
    expect(one(explorer.panel, "h3").textContent).toBe("relu #2");
    expect(explorer.model.get("selection")).toEqual([2]);
    expect(explorer.isInSight(3)).toBe(true);
  });

  it("given while another graph of the same stage is read is of that graph", async () => {
    const explorer = await explore(flat());
    const other = await pack({ ...chain(12), stage: 0, against: "before" });
    await explorer.drawn(() => {
      explorer.model.set("document", other);
      explorer.model.set("selection", [10]);
    });
    await frames(3);
    expect(one(explorer.panel, "h3").textContent).toBe("op_3 #10");
    expect(explorer.model.get("selection")).toEqual([10]);
  });

  it("made while a graph is on its way is kept by key, not by number", async () => {
    const explorer = await explore(flat(), { stages });
    explorer.model.update({ stage: 2, selection: [2] });
    explorer.click(5);
    await explorer.send(changed());
    expect(one(explorer.panel, "h3").textContent).toBe("relu #4");
    expect(explorer.model.get("selection")).toEqual([4]);
  });

  it("stays with its ops from stage to stage; those that are gone are of the graph before", async () => {
    const explorer = await explore(flat(), { stages });
    explorer.click(2);
    explorer.click(6, { shiftKey: true });
    explorer.model.set("stage", 2);
    await explorer.send(changed());
    expect(explorer.model.get("selection")).toEqual([5]);
    expect(explorer.model.get("selection_before")).toEqual([2]);
    explorer.model.update({ selection: [], selection_before: [1] });
    await frames();
    expect(explorer.rows("Op")).toContainEqual(["Change", "removed"]);
  });
});

describe("walking by key", () => {
  it("follows the edges from what is selected, and the row to the side", async () => {
    const explorer = await explore(flat());
    explorer.click(0);
    explorer.press("ArrowDown");
    expect(explorer.model.get("selection")).toEqual([1]);
    explorer.press("ArrowDown", "ArrowDown", "ArrowUp");
    expect(explorer.model.get("selection")).toEqual([2]);
    const fork = await explore(
      documentOf([
        { type: "a", outputs: ["x"] },
        { type: "left", inputs: ["x"], outputs: ["l"] },
        { type: "right", inputs: ["x"], outputs: ["r"] },
      ]),
    );
    const [left, right] = fork.boxOf(1).x < fork.boxOf(2).x ? [1, 2] : [2, 1];
    fork.click(left);
    fork.press("ArrowRight");
    expect(fork.model.get("selection")).toEqual([right]);
    fork.press("ArrowLeft");
    expect(fork.model.get("selection")).toEqual([left]);
  });

  it("goes on from a closed block to the next", async () => {
    const explorer = await explore(flat(), { mode: "layers", open_blocks: ["/Net"] });
    explorer.click(0);
    explorer.press("ArrowDown");
    expect(one(explorer.panel, "h3").textContent).toBe("Block_0");
    explorer.press("ArrowDown");
    expect(one(explorer.panel, "h3").textContent).toMatch(/Block_1|add/);
    explorer.press("ArrowUp", "ArrowUp");
    expect(one(explorer.panel, "h3").textContent).toBe("data #0");
  });

  it("pans where nothing is selected", async () => {
    const explorer = await explore(chain(140));
    const { camera, picture } = explorer;
    const keys = (...all: string[]) => explorer.press(...all);
    const before = { ...camera.offset };
    keys("ArrowDown", "ArrowDown", "ArrowLeft");
    expect(camera.offset).toEqual({ x: before.x + 60, y: before.y - 120 });
    keys("PageDown");
    expect(camera.offset.y).toBeCloseTo(before.y - 120 - camera.pane.height * 0.9);
    keys("PageUp");
    expect(camera.offset.y).toBeCloseTo(before.y - 120);
    keys("End");
    expect(camera.seen.y + camera.seen.height).toBeGreaterThanOrEqual(picture.totalHeight);
    expect(camera.seen.y).toBeLessThan(picture.totalHeight - camera.seen.height / 2);
    keys("Home");
    expect(camera.toScreen({ x: 0, y: 0 }).y).toBeGreaterThanOrEqual(0);
    expect(camera.toScreen({ x: 0, y: 0 }).y).toBeLessThan(60);
  });

  it("goes through the changes from top to bottom and round", async () => {
    const explorer = await explore(changed(), { stages, stage: 2 });
    const { picture } = explorer;
    const titles = picture.changes.map((node) => picture.visible.nodes[node]!.title);
    expect([...titles].sort()).toEqual(["batch_norm_", "conv2d", "fused_conv2d", "relu"]);
    const tops = picture.changes.map((node) => picture.y[node]!);
    expect(tops).toEqual([...tops].sort((a, b) => a - b));
    const seen = titles.map(() => {
      explorer.press("n");
      return one(explorer.panel, "h3").textContent.split(" ")[0];
    });
    expect(seen).toEqual(titles);
    expect(one(explorer.el, ".pwb-counter").textContent).toBe("4 of 4");
    explorer.press("n");
    expect(one(explorer.el, ".pwb-counter").textContent).toBe("1 of 4");
    explorer.press("p");
    expect(one(explorer.panel, "h3").textContent).toContain(titles[3]);
    explorer.button("Next change").click();
    expect(one(explorer.el, ".pwb-counter").textContent).toBe("1 of 4");
  });

  it("goes on into a changed block that was opened", async () => {
    const ops = [{ ...fused[0]!, mark: "altered" as const }, ...fused.slice(1)];
    const document = { ...documentOf(ops, values), stage: 2, against: "before" };
    const explorer = await explore(document, { mode: "layers", open_blocks: ["/Net"], stages });
    explorer.press("n", "n");
    expect(one(explorer.panel, "h3").textContent).toBe("Block_0");
    expect(one(explorer.el, ".pwb-counter").textContent).toBe("2 of 2");
    await explorer.drawn(() => explorer.press("Enter"));
    explorer.press("n");
    expect(one(explorer.el, ".pwb-counter").textContent).toMatch(/^2 of [3-5]/);
  });

  it("steps through the stages that changed something", async () => {
    const explorer = await explore(flat(), { stages });
    explorer.press("]");
    expect(explorer.model.get("stage")).toBe(2);
    explorer.press("]");
    explorer.press("]");
    expect(explorer.model.get("stage")).toBe(3);
    explorer.button("Stage before").click();
    expect(explorer.model.get("stage")).toBe(2);
    explorer.press("[");
    expect(explorer.model.get("stage")).toBe(0);
    explorer.choose("Stage", "1");
    expect(explorer.model.get("stage")).toBe(1);
  });

  it("leaves keys alone while a person types", async () => {
    const explorer = await explore(changed(), { stages, stage: 2 });
    explorer.press("/");
    expect(document.activeElement).toBe(explorer.search);
    press(explorer.search, "n");
    press(explorer.search, "]");
    expect(explorer.model.get("selection")).toEqual([]);
    expect(explorer.model.get("stage")).toBe(2);
  });
});
