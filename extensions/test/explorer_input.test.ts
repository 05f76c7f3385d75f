/** Mouse, wheel, fingers and keys as the browser itself gives them, and what they do to the view. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { cdp, userEvent } from "vitest/browser";
import type { Point } from "../src/viewport";
import { explore, type Explorer, frames, until } from "./explorer";
import { one, unmountAll } from "./mock";
import { documentOf } from "./scenes";

afterEach(unmountAll);

interface Session {
  send(method: string, parameters: object): Promise<unknown>;
}
const session = () => cdp() as unknown as Session;

/** From a place in this frame to one in the page that holds it. */
function outside({ x, y }: Point): Point {
  const frame = window.frameElement!.getBoundingClientRect();
  const scale = frame.width / window.innerWidth;
  return { x: frame.left + x * scale, y: frame.top + y * scale };
}

async function mouse(type: string, at: Point, more: object = {}): Promise<void> {
  await session().send("Input.dispatchMouseEvent", { type, ...outside(at), ...more });
}

async function realClick(at: Point, count = 1): Promise<void> {
  const button = { button: "left", clickCount: count };
  await mouse("mouseMoved", at);
  await mouse("mousePressed", at, { ...button, buttons: 1 });
  await mouse("mouseReleased", at, button);
}

async function drag(from: Point, to: Point): Promise<void> {
  await mouse("mouseMoved", from);
  await mouse("mousePressed", from, { button: "left", buttons: 1, clickCount: 1 });
  for (const part of [0.1, 0.5, 1])
    await mouse("mouseMoved", { x: from.x + (to.x - from.x) * part, y: from.y + (to.y - from.y) * part }, { button: "left", buttons: 1 });
  await mouse("mouseReleased", to, { button: "left", clickCount: 1 });
  await frames();
}

async function touch(type: string, points: Point[]): Promise<void> {
  await session().send("Input.dispatchTouchEvent", { type, touchPoints: points.map((point, id) => ({ ...outside(point), id })) });
}

const chain = (count: number) =>
  documentOf(
    Array.from({ length: count }, (_, op) => ({
      type: `pd_op.op_${op}`,
      inputs: op > 0 ? [`v${op - 1}`] : [],
      outputs: [`v${op}`],
      layer: "/A",
    })),
  );
const middle = (explorer: Explorer) => ({ x: explorer.camera.pane.width / 2, y: explorer.camera.pane.height / 2 });
const plain = ({ camera }: Explorer) => ({ ...camera.offset, zoom: camera.zoom });

describe("the mouse", () => {
  it("selects what is under it, and opens it with a double click", async () => {
    const explorer = await explore(chain(6), { mode: "layers", open_blocks: ["/none"] });
    expect(explorer.titles).toEqual(["A"]);
    const at = explorer.onPage(explorer.placeOf("/A"));
    await explorer.drawn(async () => {
      await realClick(at);
      await realClick(at, 2);
    });
    expect(explorer.titles).toContain("op_3");
    await realClick(explorer.onPage(explorer.placeOf(2)));
    expect(explorer.model.get("selection")).toEqual([2]);
    expect(document.activeElement).toBe(explorer.canvas);
  });

  it("pans by dragging, which selects nothing", async () => {
    const explorer = await explore(chain(100));
    const before = plain(explorer);
    const at = explorer.onPage(explorer.placeOf(3));
    await drag(at, { x: at.x - 70, y: at.y - 40 });
    expect(plain(explorer)).toEqual({ x: before.x - 70, y: before.y - 40, zoom: before.zoom });
    expect(explorer.model.get("selection")).toEqual([]);
    await realClick(explorer.onPage(explorer.placeOf(3)));
    expect(explorer.model.get("selection")).toEqual([3]);
  });

  it("goes on dragging outside the canvas, and never loses the graph", async () => {
    const explorer = await explore(chain(100));
    const at = explorer.onPage(middle(explorer));
    await drag(at, { x: at.x + 5, y: 790 });
    await drag(at, { x: 2, y: 790 });
    await drag(at, { x: 2, y: 790 });
    const { seen } = explorer.camera;
    expect(seen.y).toBeGreaterThan(-seen.height);
    expect(seen.x).toBeLessThan(explorer.picture.totalWidth);
  });

  it("shows what is under it in a tip, and puts it away on leaving", async () => {
    const explorer = await explore(chain(6));
    await mouse("mouseMoved", explorer.onPage(explorer.placeOf(4)));
    await until("a tip", () => !explorer.tip.hidden);
    expect(explorer.tip.textContent).toContain("op_4 #4");
    await mouse("mouseMoved", { x: 2, y: 2 });
    await until("no tip", () => explorer.tip.hidden);
  });

  it("moves the view on the small map, by a click and by dragging", async () => {
    const explorer = await explore(chain(140));
    expect(explorer.map.hidden).toBe(false);
    const frame = explorer.map.getBoundingClientRect();
    const down = (part: number) => ({ x: frame.left + frame.width / 2, y: frame.top + frame.height * part });
    const seen = () => (explorer.camera.seen.y + explorer.camera.seen.height / 2) / explorer.picture.totalHeight;
    await realClick(down(0.5));
    expect(seen()).toBeCloseTo(0.5, 1);
    await drag(down(0.5), down(0.8));
    expect(seen()).toBeCloseTo(0.8, 1);
    await explorer.drawn(() => explorer.model.set("mode", "flat"));
    explorer.press("f");
    await frames();
    expect(explorer.map.hidden).toBe(true);
  });
});

describe("the wheel", () => {
  const wheel = (explorer: Explorer, at: Point, deltaY: number, more: object = {}) =>
    mouse("mouseWheel", explorer.onPage(at), { deltaX: 0, deltaY, ...more });
  const control = { modifiers: 2 };

  it("belongs to the page, until Ctrl is held or a person works in the graph", async () => {
    const explorer = await explore(chain(100));
    const before = plain(explorer);
    await wheel(explorer, middle(explorer), 120);
    await frames(4);
    expect(plain(explorer)).toEqual(before);
    await wheel(explorer, middle(explorer), -120, control);
    await until("a zoom", () => explorer.camera.zoom > before.zoom);
    await realClick(explorer.onPage({ x: 4, y: 4 }));
    const then = explorer.camera.zoom;
    await wheel(explorer, middle(explorer), 120);
    await until("a zoom back", () => explorer.camera.zoom < then);
  });

  it("zooms at the pointer", async () => {
    const explorer = await explore(chain(100));
    // Events are at whole pixels of the page.
    const place = explorer.onPage(explorer.placeOf(3));
    const corner = explorer.onPage({ x: 0, y: 0 });
    const at = { x: Math.round(place.x) - corner.x, y: Math.round(place.y) - corner.y };
    const under = explorer.camera.toGraph(at);
    await wheel(explorer, at, -120, control);
    await until("a zoom", () => explorer.camera.zoom > 1.2);
    const now = explorer.camera.toScreen(under);
    expect([now.x, now.y]).toEqual([expect.closeTo(at.x, 0), expect.closeTo(at.y, 0)]);
    expect(one(explorer.el, ".pwb-percent").textContent).toBe(`${Math.round(explorer.camera.zoom * 100)}%`);
  });

  it("pans with the small steps of a touchpad, sideways with Shift", async () => {
    const explorer = await explore(chain(100));
    explorer.canvas.focus();
    const before = plain(explorer);
    await wheel(explorer, middle(explorer), 30);
    await until("a move", () => explorer.camera.offset.y !== before.y);
    expect(plain(explorer)).toEqual({ ...before, y: before.y - 30 });
    await wheel(explorer, middle(explorer), 10, { deltaX: 20 });
    await until("a move", () => explorer.camera.offset.x !== before.x);
    expect(plain(explorer)).toEqual({ ...before, x: before.x - 20, y: before.y - 40 });
    explorer.wheel(40, middle(explorer), { shiftKey: true });
    expect(plain(explorer)).toEqual({ ...before, x: before.x - 60, y: before.y - 40 });
  });
});

describe("fingers", () => {
  // Without, the browser makes no taps of touches.
  const hasFingers = (enabled: boolean) => session().send("Emulation.setTouchEmulationEnabled", { enabled });
  beforeAll(() => hasFingers(true));
  afterAll(() => hasFingers(false));

  it("zoom where they spread, pan where one moves", async () => {
    const explorer = await explore(chain(100));
    const { x, y } = explorer.onPage(middle(explorer));
    const before = plain(explorer);
    await touch("touchStart", [{ x: x - 20, y }]);
    await touch("touchStart", [{ x: x - 20, y }, { x: x + 20, y }]);
    for (const apart of [30, 50, 60]) await touch("touchMove", [{ x: x - 20, y }, { x: x + apart, y }]);
    await touch("touchEnd", []);
    await until("a zoom", () => explorer.camera.zoom > 1.4 * before.zoom);
    expect(explorer.model.get("selection")).toEqual([]);
    const then = plain(explorer);
    await touch("touchStart", [{ x, y }]);
    await touch("touchMove", [{ x, y: y - 40 }]);
    await touch("touchMove", [{ x, y: y - 80 }]);
    await touch("touchEnd", []);
    await until("a move", () => explorer.camera.offset.y < then.y - 40);
    expect(explorer.camera.zoom).toBe(then.zoom);
  });

  it("select with a tap", async () => {
    const explorer = await explore(chain(6));
    const at = explorer.onPage(explorer.placeOf(2));
    // On a busy machine a tap may take so long that it is a long press.
    for (let tries = 0; tries < 5 && explorer.model.get("selection").length === 0; tries++) {
      await touch("touchStart", [at]);
      await touch("touchEnd", []);
      await frames(20);
    }
    expect(explorer.model.get("selection")).toEqual([2]);
  });
});

describe("zoom by button and key", () => {
  it("zooms in and out around the middle, to actual size, and to all of it", async () => {
    const explorer = await explore(chain(100));
    const { camera } = explorer;
    const before = camera.zoom;
    const centre = () => camera.toGraph(middle(explorer)).y;
    explorer.press("PageDown", "PageDown");
    const at = centre();
    explorer.button("+").click();
    expect(camera.zoom).toBeCloseTo(before * 1.25);
    expect(centre()).toBeCloseTo(at);
    explorer.press("+");
    expect(camera.zoom).toBeCloseTo(before * 1.25 ** 2);
    explorer.button("−").click();
    explorer.press("-", "-");
    expect(camera.zoom).toBeCloseTo(before / 1.25);
    expect(centre()).toBeCloseTo(at);
    explorer.button("1:1").click();
    expect(camera.zoom).toBe(1);
    expect(one(explorer.el, ".pwb-percent").textContent).toBe("100%");
    explorer.press("+", "1");
    expect(camera.zoom).toBe(1);
    for (const fit of [() => explorer.button("Fit").click(), () => explorer.press("f"), () => explorer.press("0")]) {
      explorer.press("+", "+");
      fit();
      const { seen } = camera;
      expect(seen.x <= 0 && seen.y <= 0).toBe(true);
      expect(seen.x + seen.width >= explorer.picture.totalWidth && seen.y + seen.height >= explorer.picture.totalHeight).toBe(true);
    }
  });

  it("stops at six times, and at the whole", async () => {
    const explorer = await explore(chain(100));
    const { camera } = explorer;
    explorer.press(...Array<string>(20).fill("+"));
    expect(camera.zoom).toBe(6);
    explorer.press(...Array<string>(60).fill("-"));
    expect(camera.zoom).toBe(camera.smallestZoom);
  });
});

describe("Ctrl+C in the drawing", () => {
  it("copies what is selected, or the graph as a list", async () => {
    const explorer = await explore(chain(6));
    const copied: string[] = [];
    const hear = (event: ClipboardEvent) => copied.push(event.clipboardData!.getData("text/plain"));
    window.addEventListener("copy", hear);
    try {
      await realClick(explorer.onPage(explorer.placeOf(2)));
      await userEvent.keyboard("{Control>}c{/Control}");
      await until("a copy", () => copied.length > 0);
      expect(copied[0]).toMatch(/^op_2 #2\nOp\tType\tpd_op\.op_2\n/);
      explorer.press("Escape");
      await userEvent.keyboard("{Control>}c{/Control}");
      await until("another copy", () => copied.length > 1);
      expect(copied[1]!.split("\n")).toHaveLength(6);
    } finally {
      window.removeEventListener("copy", hear);
    }
  });
});
