/** Files and text, themes, names that mean harm, large graphs, several views, and the page without a kernel. */
import { Graphviz } from "@hpcc-js/wasm-graphviz";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { GraphDocument } from "../src/graph/document";
import { page, render } from "../src/graph_view";
import type { GraphViewTraits } from "../src/types";
import { explore, Explorer, frames, pack, stages, traits, until } from "./explorer";
import { mount, one, press, unmountAll } from "./mock";
import { documentOf, hostileNames, lineageOf, type OpDescription, seeded } from "./scenes";

afterEach(() => {
  unmountAll();
  vi.restoreAllMocks();
});

const chain = (count: number, more: (op: number) => Partial<OpDescription> = () => ({})) =>
  documentOf(
    Array.from({ length: count }, (_, op) => ({
      type: `pd_op.op_${op % 7}`,
      inputs: op > 0 ? [`v${op - 1}`] : [],
      outputs: [`v${op}`],
      ...more(op),
    })),
  );
const marked = () =>
  documentOf([
    { type: "pd_op.data", outputs: ["x"], layer: "/In" },
    { type: "pd_op.conv2d", inputs: ["x"], outputs: ["y"], layer: "/Net/Conv", mark: "added" },
    { type: "pd_op.relu", inputs: ["y"], outputs: ["z"], layer: "/Net", mark: "removed" },
  ]);

/** What the view saves, instead of a download. */
function saved(): { name: string; blob: Blob }[] {
  const files: { name: string; blob: Blob }[] = [];
  const blobs = new Map<string, Blob>();
  const make = URL.createObjectURL.bind(URL);
  vi.spyOn(URL, "createObjectURL").mockImplementation((source) => {
    const url = make(source);
    blobs.set(url, source as Blob);
    return url;
  });
  vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(function (this: HTMLAnchorElement) {
    files.push({ name: this.download, blob: blobs.get(this.href)! });
  });
  return files;
}

async function save(explorer: Explorer, words: string, files: ReturnType<typeof saved>): Promise<{ name: string; text: string; blob: Blob }> {
  const before = files.length;
  explorer.button(words).click();
  await until("a file", () => files.length > before);
  const { name, blob } = files[before]!;
  return { name, blob, text: await blob.text() };
}

function svgOf(text: string): Document {
  const parsed = new DOMParser().parseFromString(text, "image/svg+xml");
  expect(parsed.querySelector("parsererror")?.textContent).toBeUndefined();
  return parsed;
}

describe("saving", () => {
  it("writes an SVG with the names as text, named after what is shown", async () => {
    const files = saved();
    const explorer = await explore(marked(), { title: "my net", stages, stage: 2 });
    explorer.click(0);
    const { name, text } = await save(explorer, "Save SVG drawing", files);
    expect(name).toBe("my_net_2_conv_bn_fuse_pass.svg");
    const svg = svgOf(text);
    const words = [...svg.querySelectorAll("text")].map((one) => one.textContent);
    expect(words).toEqual(expect.arrayContaining(["data", "conv2d", "relu", "+", "−"]));
    expect(Number(svg.documentElement.getAttribute("width"))).toBeGreaterThan(explorer.picture.totalWidth);
    expect(svg.querySelector("script, foreignObject, image")).toBeNull();
    // What is gone is a ghost: its box alone has dashes.
    expect(svg.querySelectorAll("rect[stroke-dasharray]")).toHaveLength(1);
    const image = new Image();
    image.src = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
    await image.decode();
    expect(image.width).toBe(Math.round(Number(svg.documentElement.getAttribute("width"))));
  });

  it("writes a PNG of the whole graph, twice as large", async () => {
    const files = saved();
    const explorer = await explore(marked());
    explorer.press("+", "+");
    const { name, blob } = await save(explorer, "Save PNG picture", files);
    expect([name, blob.type]).toEqual(["graph.png", "image/png"]);
    const image = await createImageBitmap(blob);
    expect(image.width).toBe(Math.round(2 * (explorer.picture.totalWidth + 48)));
    expect(image.height).toBe(Math.round(2 * (explorer.picture.totalHeight + 48)));
  });

  it("writes a PNG of what is seen where the whole is too large", async () => {
    const files = saved();
    const explorer = await explore(chain(1500));
    const { blob } = await save(explorer, "Save PNG picture", files);
    const image = await createImageBitmap(blob);
    const { seen } = explorer.camera;
    expect(image.width / image.height).toBeCloseTo(seen.width / seen.height, 1);
  });

  it("writes a DOT that Graphviz reads: blocks as clusters, changes marked", async () => {
    const files = saved();
    const explorer = await explore(marked(), { mode: "layers", open_blocks: ["/In", "/Net"] });
    const { name, text } = await save(explorer, "Save DOT text", files);
    expect(name).toBe("graph.dot");
    const svg = svgOf((await Graphviz.load()).dot(text));
    expect(svg.querySelectorAll(".cluster")).toHaveLength(2);
    const words = [...svg.querySelectorAll("text")].map((one) => one.textContent).join(" ");
    for (const word of ["data", "Conv", "relu", "1 op, +1"]) expect(words).toContain(word);
    expect(svg.querySelectorAll(".removed")).toHaveLength(1);
  });

  it("copies as text from the menu, or says how else", async () => {
    const explorer = await explore(marked());
    const write = vi.spyOn(navigator.clipboard, "writeText").mockResolvedValue();
    explorer.button("Copy as text").click();
    expect(write.mock.calls[0]![0].split("\n")).toEqual([
      "data number 0, in /In, writes x.",
      "conv2d number 1, in /Net/Conv, added, reads x, writes y.",
      "relu number 2, in /Net, removed, reads y, writes z.",
    ]);
    await until("a word of it", () => explorer.spoken === "Copied");
    write.mockRejectedValue(new Error("no"));
    explorer.click(1);
    explorer.button("copy", explorer.panel).click();
    await until("words", () => explorer.status.includes("press Ctrl+C"));
    expect(write.mock.calls[1]![0]).toContain("Op\tType\tpd_op.conv2d");
  });
});

describe("light and dark", () => {
  const theme = (light: boolean) => (document.body.dataset.jpThemeLight = String(light));
  const style = document.createElement("style");
  style.textContent =
    'body[data-jp-theme-light="false"] { --jp-layout-color1: #111; --jp-ui-font-color1: #eee; } body[data-jp-theme-light="true"] { --jp-layout-color1: #fff; }';
  beforeEach(() => document.head.append(style));
  afterEach(() => {
    delete document.body.dataset.jpThemeLight;
    style.remove();
  });

  it("follow the page, in the drawing, the trait and the legend", async () => {
    theme(true);
    const explorer = await explore(marked(), { colour_by: "type" });
    expect(explorer.model.get("theme")).toBe("light");
    expect(explorer.pixel({ x: 3, y: 3 })).toEqual([255, 255, 255]);
    theme(false);
    await until("dark", () => explorer.model.get("theme") === "dark");
    await frames(3);
    expect(explorer.pixel({ x: 3, y: 3 })).toEqual([17, 17, 17]);
    theme(true);
    await until("light", () => explorer.model.get("theme") === "light");
    await frames(3);
    expect(explorer.pixel({ x: 3, y: 3 })).toEqual([255, 255, 255]);
  });
});

describe("names that mean harm", () => {
  const attack = [...hostileNames, "<img src=x onerror=\"window.harmed=1\">", "</text><script>window.harmed=1</script>", "]]><svg onload=window.harmed=1>"];
  const graph = (): GraphDocument =>
    documentOf(
      attack.map((name, at) => ({
        type: name,
        inputs: at > 0 ? [attack[at - 1]!] : [],
        outputs: [name],
        layer: `/Net/${name.slice(0, 300)}`,
        attrs: { [name.slice(0, 200)]: name },
        kernel: [name, name, name, name],
        mark: (["none", "added", "removed", "altered"] as const)[at % 4]!,
        alteration: [name],
      })),
      Object.fromEntries(attack.map((name) => [name, { dtype: name, shape: name, parameter: name.length === 4 }])),
    );
  const harmed = () => (window as { harmed?: number }).harmed;
  const strange = "script, img, iframe, object, embed, svg:not(.pwb-histogram), a, b, form";

  it("run nowhere: not in the drawing, the panel, the tip, the table, the lists", async () => {
    const alert = vi.spyOn(window, "alert").mockImplementation(() => undefined);
    const overlays = attack.slice(0, 8).map((name) => ({ name, unit: name, combine: "sum" as const, keys: [1, 2], values: [1, 2] }));
    const passes = attack.map((pass, index) => ({ index, pass, changed: true }));
    const history = lineageOf(attack, attack.map((type) => ({ type, layer: type })), [{ stage: 1, how: attack[2]!, into: 3, from: [2, 4] }]);
    const more: Partial<GraphViewTraits> = { overlays, stages: passes, other_stages: passes, lineage: await pack(history) };
    const explorer = await explore(graph(), { ...more, title: attack[2]!, note: attack[3]!, message: attack[2]! });
    await frames(3);
    for (const key of [2, 3, attack.length - 3, attack.length - 1]) {
      explorer.model.set("selection", [key]);
      explorer.model.set("selection_before", [key]);
      await frames(2);
      explorer.hover(key);
      expect(explorer.panel.hidden).toBe(false);
      expect(explorer.tip.textContent.length).toBeLessThan(1000);
    }
    for (const by of ["type", "layer", "backend", "dtype", `overlay:${attack[2]!}`]) {
      explorer.choose("Colour by", by);
      await frames(1);
    }
    one(explorer.el, ".pwb-changes summary").click();
    for (const query of attack.slice(0, 29)) explorer.model.set("query", query);
    expect(explorer.el.querySelector(strange)).toBeNull();
    expect(explorer.panel.textContent).toContain("window.harmed");
    await explorer.drawn(() => explorer.model.set("mode", "layers"));
    await frames(2);
    expect(explorer.el.querySelector(strange)).toBeNull();
    expect([harmed(), alert.mock.calls.length]).toEqual([undefined, 0]);
  });

  it("run nowhere in what is saved and copied, and break none of it", async () => {
    const files = saved();
    for (const mode of ["flat", "layers"] as const) {
      const explorer = await explore(graph(), { mode, open_blocks: ["/Net"], show_parameters: true, title: "../../<b>.exe\u0000" });
      const { name, text } = await save(explorer, "Save SVG drawing", files);
      expect(name).toBe("b_.exe.svg");
      const svg = svgOf(text);
      const names = new Set([...svg.querySelectorAll("*")].map(({ localName }) => localName));
      expect([...names].sort()).toEqual(["g", "path", "rect", "svg", "text"]);
      expect([...svg.querySelectorAll("*")].flatMap((one) => one.getAttributeNames()).filter((one) => one.startsWith("on"))).toEqual([]);
      const dot = await save(explorer, "Save DOT text", files);
      const drawn = (await Graphviz.load()).dot(dot.text);
      expect(drawn).not.toMatch(/<(script|img)/);
      expect(dot.text.split("\n").filter((line) => line.includes("->"))).toHaveLength(
        explorer.picture.visible.edges.length / 2 + explorer.picture.visible.hubs.reduce((sum, { to }) => sum + to.length, 0),
      );
      const write = vi.spyOn(navigator.clipboard, "writeText").mockResolvedValue();
      explorer.button("Copy as text").click();
      expect(write.mock.calls[0]![0].split("\n")).toHaveLength(attack.length);
      explorer.unmount();
    }
    expect(harmed()).toBeUndefined();
  });
});

describe("several views, and the end of one", () => {
  it("do not disturb each other", async () => {
    const one = await explore(chain(30));
    const other = await explore(chain(30), { mode: "flat" });
    const before = { ...other.camera.offset };
    one.click(3);
    one.press("+", "ArrowDown");
    one.model.update({ query: "op_1", fade: true, stages, stage: 0 });
    await frames(2);
    expect(other.camera.offset).toEqual(before);
    expect([other.model.get("selection"), other.search.value, other.panel.hidden]).toEqual([[], "", true]);
    one.unmount();
    other.click(2);
    expect(other.model.get("selection")).toEqual([2]);
    await other.send(chain(12));
    expect(other.titles).toHaveLength(12);
  });

  it("leave nothing behind: no listener, no worker, no element, also while drawing", async () => {
    const workers: Worker[] = [];
    const ended = vi.spyOn(Worker.prototype, "terminate");
    const post = vi.spyOn(Worker.prototype, "postMessage").mockImplementation(function (this: Worker) {
      workers.push(this);
    });
    const { el, model, unmount } = mount(render, traits({ document: await pack({ ...chain(30), stage: 0, against: "before" }) }));
    expect(model.listeners).toBeGreaterThan(20);
    await until("a question to the worker", () => workers.length > 0);
    unmount();
    expect(model.listeners).toBe(0);
    expect(ended.mock.instances).toContain(workers[0]);
    expect(el.childElementCount).toBe(0);
    expect(el.graphView).toBeUndefined();
    post.mockRestore();
    const explorer = await explore(chain(30));
    explorer.unmount();
    explorer.model.update({ mode: "layers", selection: [3], document: await pack(chain(4)) });
    document.body.dataset.jpThemeLight = "false";
    window.dispatchEvent(new Event("resize"));
    await frames(3);
    delete document.body.dataset.jpThemeLight;
    expect(explorer.model.get("theme")).toBe("light");
    expect(explorer.model.listeners).toBe(0);
  });

  it("go on without a kernel", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const explorer = await explore(chain(10));
    explorer.model.offline = true;
    explorer.click(3);
    await explorer.drawn(() => explorer.press("l"));
    explorer.type("op_1");
    press(explorer.search, "Enter");
    expect(one(explorer.panel, "h3").textContent).toBe("op_1 #1");
    expect(warn).toHaveBeenCalled();
  });

  it("say so where the page forbids workers", async () => {
    vi.spyOn(window, "Worker").mockImplementation(function () {
      throw new Error("blocked by the page");
    });
    const explorer = new Explorer(mount(render, traits({ document: await pack({ ...chain(4), stage: 0, against: "before" }) })));
    await until("words", () => explorer.status.startsWith("The graph cannot be laid out: "));
    expect(explorer.status).toContain("blocked by the page");
  });
});

describe("sizes", () => {
  it("keep the middle where it is when the view gets narrower, and the canvas sharp", async () => {
    const explorer = await explore(chain(60));
    const { camera } = explorer;
    const centre = () => camera.toGraph({ x: camera.pane.width / 2, y: 0 }).x;
    const before = centre();
    explorer.el.style.width = "500px";
    await until("narrower", () => camera.pane.width < 520);
    await frames(2);
    expect(centre()).toBeCloseTo(before, 0);
    expect(explorer.canvas.width).toBe(Math.round(explorer.canvas.clientWidth * devicePixelRatio));
    const place = { ...camera.offset };
    explorer.el.style.display = "none";
    await frames(3);
    explorer.el.style.display = "";
    await frames(3);
    expect(camera.offset).toEqual(place);
    explorer.model.set("height", 300);
    await until("lower", () => camera.pane.height === 300);
  });

  it("fit 10,000 ops into the pane, and draw them", async () => {
    const explorer = await explore(chain(10_000), { mode: "flat" });
    expect(explorer.camera.zoom).toBeGreaterThanOrEqual(0.75);
    explorer.press("f");
    await frames(3);
    const { seen, pane } = explorer.camera;
    expect(seen.y <= 0 && seen.y + seen.height >= explorer.picture.totalHeight).toBe(true);
    expect(seen.x <= 0 && seen.x + seen.width >= explorer.picture.totalWidth).toBe(true);
    const paper = explorer.pixelsOf("rgb(255,255,255)", { x: 0, y: 0, ...pane });
    expect(pane.width * pane.height - paper).toBeGreaterThan(300);
    explorer.model.set("selection", [9_000]);
    await frames(3);
    expect(explorer.isInSight(9000)).toBe(true);
    expect(explorer.camera.zoom).toBeGreaterThanOrEqual(0.35);
  });

  it("show 20,000 ops that all read one mask", async () => {
    const explorer = await explore(
      documentOf([
        { type: "mask", outputs: ["mask"] },
        ...Array.from({ length: 20_000 }, (_, op) => ({ type: "layer", inputs: [`v${op}`, "mask"], outputs: [`v${op + 1}`] })),
      ]),
      { mode: "flat" },
    );
    expect(explorer.picture.count).toBe(20_001);
    expect(explorer.picture.stubs[0]!.to).toHaveLength(20_000);
    explorer.click(0);
    await frames(3);
    expect(explorer.rows("Outputs").at(-1)).toEqual(["mask", "and 19,980 more readers"]);
  });

  it("show the last of many graphs that come at once", async () => {
    const explorer = await explore(chain(10));
    const random = seeded(4);
    const sizes = [...Array.from({ length: 8 }, () => 100 + Math.floor(2000 * random())), 7];
    const packed = await Promise.all(sizes.map((size) => pack({ ...chain(size), stage: 0, against: "before" })));
    for (const document of packed) {
      explorer.model.set("document", document);
      if (random() < 0.5) await frames(1);
    }
    await until("the last graph", () => explorer.picture.count === 7);
    await frames(10);
    expect(explorer.picture.count).toBe(7);
  });

  it("take no click for an op of the next graph while that is laid out", async () => {
    const explorer = await explore(chain(10));
    const asked = vi.spyOn(Worker.prototype, "postMessage").mockImplementation(() => undefined);
    const keys = Array.from({ length: 8 }, (_, op) => ({ type: `next.${op}`, key: 100 + op }));
    explorer.model.set("document", await pack({ ...documentOf(keys), stage: 0, against: "before" }));
    await until("the layout asked for", () => asked.mock.calls.length > 0);
    explorer.click(3);
    explorer.press("n", "ArrowDown", "Enter");
    explorer.hover(4);
    await frames();
    expect(explorer.model.get("selection")).toEqual([]);
    expect(explorer.tip.hidden).toBe(true);
  });

  it("say nothing of a damaged graph when a whole one came after it", async () => {
    const explorer = await explore(chain(4));
    // It takes long to find out that the end is missing.
    const { buffer } = await pack({ ...chain(30_000), stage: 0, against: "before" });
    const damaged = new DataView(buffer, 0, buffer.byteLength - 50);
    const whole = await pack({ ...chain(6), stage: 0, against: "before" });
    await explorer.drawn(() => {
      explorer.model.set("document", damaged);
      explorer.model.set("document", whole);
    });
    await frames(20);
    expect([explorer.status, explorer.picture.count]).toEqual(["", 6]);
  });

  it("show a graph that comes while a person changes the view", async () => {
    const explorer = await explore(chain(10, () => ({ layer: "/A" })));
    const next = await pack({ ...chain(25, () => ({ layer: "/A" })), stage: 0, against: "before" });
    explorer.model.set("document", next);
    explorer.press("l");
    await until("the new graph", () => explorer.view.scene!.count === 25);
    await until("its picture", () => explorer.picture.scene.count === 25);
    expect(explorer.button("Layers").ariaPressed).toBe("true");
  });
});

describe("the page without a kernel", () => {
  const base64 = async (document: object) => {
    const { buffer } = await pack(document);
    return btoa(String.fromCharCode(...new Uint8Array(buffer)));
  };

  it("has every stage it was saved with, and says so where one is missing", async () => {
    const el = document.createElement("div");
    document.body.append(el);
    const state = traits({ stages, stage: 2 });
    const documents = {
      "2 before": await base64({ ...chain(5), stage: 2, against: "before" }),
      "3 before": await base64({ ...chain(8), stage: 3, against: "before" }),
    };
    page(el, { state, documents, lineage: "" });
    const view = el.graphView!;
    await until("a picture", () => view.picture?.count === 5);
    const choose = (label: string, value: string) => {
      const list = one<HTMLSelectElement>(el, `select[aria-label="${label}"]`);
      list.value = value;
      list.dispatchEvent(new Event("change", { bubbles: true }));
    };
    press(view.board.canvas, "]");
    await until("the next stage", () => view.picture?.count === 8);
    choose("Compared with", "0");
    expect(one(el, ".pwb-status").textContent).toBe("this page was saved without stage 3 against 0");
    expect(view.picture?.count).toBe(8);
    choose("Compared with", "before");
    expect(one(el, ".pwb-status").textContent).toBe("");
    choose("Stage", "2");
    await until("the stage before", () => view.picture?.count === 5);
    view.dispose();
    el.remove();
  });
});
