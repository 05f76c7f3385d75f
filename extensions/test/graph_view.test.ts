import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { readDrawing } from "../src/drawing";
import { pngBlob, standaloneSvg } from "../src/export";
import { render } from "../src/graph_view";
import type { GraphViewTraits } from "../src/types";
import { mount, one, press, unmountAll } from "./mock";

/** A chain of ops; `marks` gives some of them a class. */
function chain(
  length: number,
  marks: Record<number, string> = {},
  label = (i: number) => `conv2d ${i}`,
): string {
  const lines = ['digraph { node [shape=box style="rounded" fontname="Helvetica" fontsize=10]'];
  for (let i = 0; i < length; i += 1) {
    const mark = marks[i] ? ` ${marks[i]}` : "";
    const text = JSON.stringify(label(i));
    lines.push(`n${i} [id="op${i}" class="op${mark}" label=${text} tooltip=${JSON.stringify(`tip ${i}`)}]`);
    if (i) lines.push(`n${i - 1} -> n${i}`);
  }
  return `${lines.join("\n")}\n}`;
}

/** Enough long edges to keep Graphviz busy for minutes. */
function endless(): string {
  const lines = ["digraph {"];
  for (let i = 0; i < 900; i += 1)
    for (let k = 1; k < 8; k += 1) lines.push(`n${i} -> n${(i * k * 7 + k * 131) % 900}`);
  return `${lines.join("\n")}\n}`;
}

function show(more: Partial<GraphViewTraits> = {}) {
  const shown = mount(render, {
    before: chain(6, { 2: "removed", 3: "removed" }),
    after: chain(5, { 2: "added" }),
    before_title: "map_op_pass",
    after_title: "fuse_pass",
    note: "",
    too_large: "",
    table: [],
    selected: "",
    theme: "",
    height: 300,
    time_limit: 10,
    ...more,
  });
  const pane = (side: string) => one(shown.el, `.pwb-pane[data-side="${side}"]`);
  const canvas = (side: string) => one(pane(side), ".pwb-canvas");
  const node = (side: string, id: string) => one<SVGGElement>(pane(side), `.node[data-id="${id}"]`);
  const transform = (side: string) => one(pane(side), ".pwb-viewport").getAttribute("transform");
  const drawn = (side = "after", count = 1) =>
    expect
      .poll(() => pane(side).querySelectorAll(".node").length, { timeout: 10_000 })
      .toBeGreaterThanOrEqual(count);
  const button = (label: string) => one<HTMLButtonElement>(shown.el, `button[aria-label^="${label}"]`);
  return { ...shown, pane, canvas, node, transform, drawn, button };
}

const outlined = (root: ParentNode) =>
  [...root.querySelectorAll<SVGElement>(".node.pwb-selected")].map(({ dataset }) => dataset.id);

beforeEach(() => {
  document.body.dataset.jpThemeLight = "true";
});
afterEach(() => {
  unmountAll();
  delete document.body.dataset.jpThemeLight;
});

describe("drawing", () => {
  it("shows both graphs with their marks, in form and words", async () => {
    const { el, pane, node, drawn } = show({ note: "20 matches" });
    await drawn();
    expect(pane("before").querySelectorAll(".node")).toHaveLength(6);
    expect(pane("after").querySelectorAll(".node")).toHaveLength(5);
    expect(pane("before").textContent).toContain("− 2 removed");
    expect(pane("after").textContent).toContain("+ 1 added");
    expect(node("after", "op2").querySelector(".pwb-badge")).not.toBeNull();
    expect(node("after", "op1").querySelector(".pwb-badge")).toBeNull();
    expect(node("after", "op1").querySelector("title")?.textContent).toBe("tip 1");
    expect(one(pane("after"), '[role="img"]').getAttribute("aria-label")).toBe(
      "fuse_pass: graph with 5 nodes, 1 added",
    );
    expect(one(el, ".pwb-note").textContent).toBe("20 matches");
    // The sheet is transparent: nothing white is left behind the nodes.
    expect(pane("after").querySelector(".graph > polygon")).toBeNull();
  });

  it("shows one graph alone, and follows new traits", async () => {
    const { model, pane, drawn } = show({ before: "" });
    await drawn();
    expect(pane("before").hidden).toBe(true);
    model.update({ before: chain(4), after: chain(9), after_title: "next" });
    await drawn("after", 9);
    expect(pane("before").hidden).toBe(false);
    expect(pane("after").textContent).toContain("next");
  });

  it("keeps the place when the graph changes a little", async () => {
    const { model, transform, drawn, canvas } = show({ after: chain(20, { 2: "added" }), height: 200 });
    await drawn("after", 20);
    press(canvas("after"), "ArrowDown");
    press(canvas("after"), "+");
    const [after, before] = [transform("after"), transform("before")];
    model.set("after", chain(21));
    await drawn("after", 21);
    expect(transform("after")).toBe(after);
    expect(transform("before")).toBe(before);
  });

  it("brings a change into view when none is there", async () => {
    const { el, model, transform, drawn } = show({ after: chain(40, { 2: "added" }), before: "", height: 200 });
    await drawn();
    const start = transform("after");
    model.set("after", chain(40, { 37: "added" }));
    await expect.poll(() => transform("after")).not.toBe(start);
    const canvas = one(el, ".pwb-pane[data-side=after] .pwb-canvas").getBoundingClientRect();
    const added = one(el, ".pwb-pane[data-side=after] .node.added").getBoundingClientRect();
    expect(added.top).toBeGreaterThanOrEqual(canvas.top);
    expect(added.bottom).toBeLessThanOrEqual(canvas.bottom);
  });

  it("keeps the place of a pane that was away for a stage", async () => {
    const first = chain(20, { 2: "removed" });
    const { model, pane, transform, drawn, canvas } = show({ before: first, height: 200 });
    await drawn();
    press(canvas("before"), "+");
    press(canvas("before"), "ArrowDown");
    const start = transform("before");
    model.set("before", "");
    await expect.poll(() => pane("before").hidden).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 50));
    model.set("before", first);
    await drawn("before", 20);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(transform("before")).toBe(start);
  });

  it("waits for a place on the page before it fits", async () => {
    const { el, transform, drawn } = show({ before: "" });
    el.style.display = "none";
    await drawn();
    el.style.display = "";
    await expect.poll(() => transform("after")).toMatch(/scale\(1\./);
  });
});

it("leaves room for a label in whatever sans-serif", async () => {
  const wide = chain(1, {}, () => "params: conv2d_0.w_0 [64x64x3x3], conv2d_0.b_0 [64]");
  const { node, drawn } = show({ before: "", after: wide.replace('"Helvetica"', '"sans-serif"') });
  await drawn();
  const [box, text] = ["path", "text"].map((part) => one<SVGGElement>(node("after", "op0"), part).getBBox());
  expect(text!.width).toBeLessThan(box!.width - 6);
});

it("shows the sign once where the label starts with it", async () => {
  const { node, drawn } = show({ before: "", after: chain(3, { 1: "added" }, () => "+ conv2d") });
  await drawn();
  expect(node("after", "op1").querySelector("text")?.textContent).toBe("conv2d");
  expect(node("after", "op0").querySelector("text")?.textContent).toBe("+ conv2d");
});

describe("zoom and pan", () => {
  const scale = (text: string | null) => Number(text?.match(/scale\(([\d.]+)\)/)?.[1]);

  it("zooms both panes together by button and key", async () => {
    const { transform, drawn, button, canvas } = show();
    await drawn();
    const start = scale(transform("after"));
    button("Zoom in").click();
    expect(scale(transform("after"))).toBeCloseTo(start * 1.25, 3);
    expect(scale(transform("before"))).toBeCloseTo(start * 1.25, 3);
    press(canvas("before"), "1");
    expect(scale(transform("after"))).toBeCloseTo(4 / 3, 3);
    button("Show the whole").click();
    expect(scale(transform("after"))).toBeLessThan(4 / 3);
  });

  it("leaves the wheel to the page unless Ctrl is held or the graph has the focus", async () => {
    const { transform, drawn, canvas } = show();
    await drawn();
    const wheel = (ctrlKey: boolean) =>
      canvas("after").dispatchEvent(
        new WheelEvent("wheel", { deltaY: -100, ctrlKey, bubbles: true, cancelable: true }),
      );
    const start = transform("after");
    expect(wheel(false)).toBe(true);
    expect(transform("after")).toBe(start);
    expect(wheel(true)).toBe(false);
    expect(scale(transform("after"))).toBeGreaterThan(scale(start));
    canvas("after").focus();
    expect(wheel(false)).toBe(false);
  });

  it("moves by drag without selecting", async () => {
    const { model, transform, drawn, canvas, node } = show();
    await drawn();
    const [start, other] = [transform("after"), transform("before")];
    const pointer = (type: string, x: number) =>
      node("after", "op2").dispatchEvent(
        new PointerEvent(type, { clientX: x, clientY: 100, buttons: 1, bubbles: true, pointerId: 1 }),
      );
    canvas("after").setPointerCapture = () => {};
    pointer("pointerdown", 100);
    pointer("pointermove", 130);
    pointer("pointerup", 130);
    node("after", "op2").dispatchEvent(new MouseEvent("click", { bubbles: true }));
    expect(transform("after")).not.toBe(start);
    expect(transform("before")).toBe(other);
    expect(model.get("selected")).toBe("");
  });
});

describe("selection and changes", () => {
  it("selects by click, tells it, and clears with Escape", async () => {
    const { el, model, node, pane, drawn, canvas } = show();
    await drawn();
    node("before", "op3").dispatchEvent(new MouseEvent("click", { bubbles: true }));
    expect(model.get("selected")).toBe("before:op3");
    expect(model.saves).toBeGreaterThan(0);
    expect(outlined(el)).toEqual(["op3"]);
    expect(pane("before").querySelectorAll(".edge.pwb-near")).toHaveLength(2);
    expect(one(el, '[aria-live="polite"]').textContent).toContain("conv2d 3, removed");
    press(canvas("before"), "Escape");
    expect(model.get("selected")).toBe("");
    expect(outlined(el)).toEqual([]);
  });

  it("follows the trait, and forgets it when another graph comes", async () => {
    const { el, model, drawn } = show();
    await drawn();
    model.set("selected", "after:op4");
    expect(outlined(el)).toEqual(["op4"]);
    model.set("after", chain(7));
    await drawn("after", 7);
    expect(model.get("selected")).toBe("");
    model.update({ after: chain(8), selected: "after:op6" });
    await drawn("after", 8);
    expect(outlined(el)).toEqual(["op6"]);
  });

  it("goes through the changes of both panes with n, p and the buttons", async () => {
    const { el, model, pane, drawn, canvas, button } = show();
    await drawn();
    expect(one(el, ".pwb-counter").textContent).toBe("2 changes");
    press(canvas("after"), "n");
    expect(one(el, ".pwb-counter").textContent).toBe("1 of 2 changes");
    expect(outlined(pane("before"))).toEqual(["op2"]);
    expect(outlined(pane("after"))).toEqual(["op2"]);
    expect(model.get("selected")).toBe("before:op2");
    button("Next change").click();
    expect(outlined(pane("before"))).toEqual(["op3"]);
    press(canvas("after"), "p");
    press(canvas("after"), "p");
    expect(one(el, ".pwb-counter").textContent).toBe("2 of 2 changes");
    press(button("Zoom in"), "n");
    expect(one(el, ".pwb-counter").textContent).toBe("1 of 2 changes");
    expect(press(canvas("after"), "x")).toBe(true);
  });
});

describe("what comes from a model file", () => {
  it("stays text", async () => {
    const hostile = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>]]>&"';
    const { el, pane, drawn } = show({
      before: "",
      after: chain(2, {}, () => hostile),
      after_title: hostile,
    });
    await drawn();
    expect(el.querySelector("img, script, foreignObject, a, image")).toBeNull();
    expect(pane("after").querySelector(".node text")?.textContent).toBe(hostile);
    expect("hacked" in window).toBe(false);
  });

  it("loses scripts, handlers, links and styles in the drawing itself", () => {
    const { content } =
      readDrawing(`<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"
      viewBox="0 0 10 10" onload="x()"><g class="graph" transform="translate(4 6)"><script>x()</script>
      <foreignObject><body xmlns="http://www.w3.org/1999/xhtml"/></foreignObject><image href="http://h/x.png"/>
      <style>*{}</style><animate/><use xlink:href="http://h/x.svg#y"/>
      <g id="op0" class="node op added jp-Dialog" onclick="x()" style="position:fixed"><title>n0</title>
      <a xlink:href="javascript:x()" xlink:title="tip"><path d="M0,0C1,1 2,2 3,3" fill="url(http://h/)"/></a></g></g></svg>`);
    const html = content.outerHTML;
    for (const word of [
      "script",
      "foreign",
      "image",
      "style",
      "href",
      "onclick",
      "onload",
      "url(",
      "jp-",
      "animate",
      "use",
    ])
      expect(html).not.toContain(word);
    expect(content.querySelector(".node title")?.textContent).toBe("tip");
    expect(content.querySelector<SVGElement>(".node")?.dataset).toMatchObject({ id: "op0", name: "n0" });
  });

  it("says in words what Graphviz does not accept, and goes on", async () => {
    const { el, model, drawn } = show({ before: "", after: "digraph { a -> " });
    await expect.poll(() => one(el, ".pwb-words").textContent).toContain("syntax error");
    model.set("after", chain(3));
    await drawn("after", 3);
    expect(one(el, ".pwb-words").hidden).toBe(true);
    model.set("before", "no graph");
    await expect
      .poll(() => one(el, '[data-side="before"] .pwb-notice').textContent)
      .toContain("could not draw");
    expect(one(el, '[data-side="after"]').querySelectorAll(".node")).toHaveLength(3);
  });
});

describe("when there is no drawing", () => {
  const table = [
    { sign: "added", type: "fused_conv2d", name: "c1", inputs: ["x", "w"], outputs: "y" },
    { sign: "removed", type: "conv2d", name: "<b>", inputs: "x", outputs: [] },
  ];

  it("gives the reason and the table", async () => {
    const { el, model, drawn } = show({ too_large: "10,000 ops are too many to draw.", table });
    expect(one(el, ".pwb-words").textContent).toBe("10,000 ops are too many to draw.");
    expect(one(el, ".pwb-stage").hidden).toBe(true);
    expect(one<HTMLDetailsElement>(el, "details.pwb-changes").open).toBe(true);
    const cells = [...el.querySelectorAll("tbody td")].map((cell) => cell.textContent);
    expect(cells).toEqual([
      "+ added",
      "fused_conv2d",
      "c1",
      "x, w",
      "y",
      "− removed",
      "conv2d",
      "<b>",
      "x",
      "",
    ]);
    model.set("too_large", "");
    await drawn();
    expect(one(el, ".pwb-stage").hidden).toBe(false);
  });

  it("stops a drawing that takes too long, and draws the next", async () => {
    const { el, model, drawn } = show({ before: "", after: endless(), time_limit: 1.5, table });
    await expect
      .poll(() => one(el, ".pwb-words").textContent, { timeout: 8_000 })
      .toContain("within 1.5 seconds");
    expect(el.querySelectorAll("tbody tr")).toHaveLength(2);
    model.update({ after: chain(4), time_limit: 10 });
    await drawn("after", 4);
  });

  it("gives up a drawing nobody waits for any more", async () => {
    const { model, drawn } = show({ before: "", after: endless() });
    await new Promise((resolve) => setTimeout(resolve, 300));
    const start = performance.now();
    model.set("after", chain(4));
    await drawn("after", 4);
    expect(performance.now() - start).toBeLessThan(5_000);
  });

  it("shows long tables in part first", () => {
    const rows = Array.from({ length: 450 }, (_, i) => ({ ...table[0]!, name: `c${i}` }));
    const { el } = show({ too_large: "Too large.", table: rows });
    expect(el.querySelectorAll("tbody tr")).toHaveLength(200);
    one<HTMLButtonElement>(el, ".pwb-more").click();
    expect(el.querySelectorAll("tbody tr")).toHaveLength(450);
  });
});

it("tells the theme and follows it", async () => {
  const { model } = show();
  expect(model.get("theme")).toBe("light");
  document.body.dataset.jpThemeLight = "false";
  await expect.poll(() => model.get("theme")).toBe("dark");
});

it("writes a drawing that stands alone", async () => {
  const { el, pane, drawn } = show({ before: "" });
  await drawn();
  const shown = readDrawing(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 80 60"><g class="graph"/></svg>',
  );
  shown.content = one<SVGGElement>(pane("after"), "g.graph");
  const svg = standaloneSvg(shown, getComputedStyle(one(el, ".pwb")).backgroundColor);
  const text = new XMLSerializer().serializeToString(svg);
  expect(text).toContain('id="op2"');
  expect(text).toMatch(/fill="rgb\(/);
  expect(text).not.toMatch(/var\(|color-mix|data-id/);
  const png = await pngBlob(svg, shown.size);
  const picture = await createImageBitmap(png);
  expect([picture.width, picture.height]).toEqual([213, 160]);
});

it("keeps its drawing without a kernel and cleans up", async () => {
  const { el, model, node, drawn, unmount } = show();
  await drawn();
  model.offline = true;
  const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
  node("after", "op1").dispatchEvent(new MouseEvent("click", { bubbles: true }));
  expect(warn).toHaveBeenCalled();
  warn.mockRestore();
  expect(outlined(el)).toEqual(["op1"]);
  unmount();
  expect(el.childElementCount).toBe(0);
  expect(model.listeners).toBe(0);
  document.body.dataset.jpThemeLight = "false";
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(model.get("theme")).toBe("light");
});
