/** Drives the graph explorer as a person does: looks for things on the screen, clicks, drags, presses keys. */
import type { GraphDocument, LineageDocument } from "../src/graph/document";
import type { GraphView } from "../src/graph/view";
import { render } from "../src/graph_view";
import type { GraphStage, GraphViewTraits } from "../src/types";
import type { Box, Point } from "../src/viewport";
import { mount, type MockModel, one, press } from "./mock";

export const nothing = new DataView(new ArrayBuffer(0));

/** As Python packs: zlib-compressed JSON. */
export async function pack(document: GraphDocument | LineageDocument | object): Promise<DataView> {
  const stream = new Blob([JSON.stringify(document)]).stream().pipeThrough(new CompressionStream("deflate"));
  return new DataView(await new Response(stream).arrayBuffer());
}

export const stages: GraphStage[] = [
  { index: 0, pass: null, changed: false },
  { index: 1, pass: "map_op_pass", changed: false },
  { index: 2, pass: "conv_bn_fuse_pass", changed: true },
  { index: 3, pass: "delete_dropout_pass", changed: true },
];

export function traits(more: Partial<GraphViewTraits> = {}): GraphViewTraits {
  return {
    document: nothing,
    lineage: nothing,
    shown: {},
    stages: [],
    other_stages: [],
    stage: 0,
    against: "before",
    selection: [],
    selection_before: [],
    query: "",
    found: [],
    only: [],
    mode: "auto",
    open_blocks: [],
    colour_by: "mark",
    overlays: [],
    fade: false,
    show_parameters: false,
    title: "",
    note: "",
    message: "",
    busy: false,
    choose_stage: true,
    theme: "",
    height: 520,
    still: "",
    ...more,
  };
}

/** A view that shows `document`; of stage 0 against the stage before, unless the document says otherwise. */
export async function explore(document: GraphDocument | null, more: Partial<GraphViewTraits> = {}): Promise<Explorer> {
  const given = document && { stage: 0, against: "before", ...document };
  const state = traits({ ...(given ? { document: await pack(given), stage: given.stage } : {}), ...more });
  const explorer = new Explorer(mount(render, state));
  if (document) await explorer.shown();
  return explorer;
}

export async function frames(count = 2): Promise<void> {
  for (let at = 0; at < count; at++) await new Promise((resolve) => requestAnimationFrame(resolve));
}

/** Waits until something is so; says what it waited for when it does not come. */
export async function until(what: string, is: () => boolean, within = 5_000): Promise<void> {
  const end = performance.now() + within;
  while (!is()) {
    if (performance.now() > end) throw new Error(`waited in vain: ${what}`);
    await frames(1);
  }
}

export class Explorer {
  readonly el: HTMLElement;
  readonly model: MockModel<GraphViewTraits>;
  readonly view: GraphView;
  readonly unmount: () => void;

  constructor({ el, model, unmount }: { el: HTMLElement; model: MockModel<GraphViewTraits>; unmount: () => void }) {
    this.el = el;
    this.model = model;
    this.unmount = unmount;
    this.view = el.graphView!;
  }

  get canvas(): HTMLCanvasElement {
    return this.view.board.canvas;
  }

  get map(): HTMLCanvasElement {
    return this.view.board.map;
  }

  get camera() {
    return this.view.board.camera;
  }

  get picture() {
    return this.view.picture!;
  }

  get panel(): HTMLElement {
    return one(this.el, ".pwb-panel");
  }

  get tip(): HTMLElement {
    return one(this.el, ".pwb-tip");
  }

  get status(): string {
    return one(this.el, ".pwb-status").textContent;
  }

  get words(): string {
    const words = one(this.el, ".pwb-words");
    return words.hidden ? "" : words.textContent;
  }

  get spoken(): string {
    return one(this.el, "[aria-live=polite]").textContent;
  }

  get search(): HTMLInputElement {
    return one<HTMLInputElement>(this.el, ".pwb-search");
  }

  get titles(): string[] {
    return this.picture.visible.nodes.map(({ title }) => title);
  }

  /** Once there is a picture and it is on the screen. */
  async shown(): Promise<void> {
    await until("a first picture", () => this.view.picture !== null);
    await frames();
  }

  /** Does something that makes another picture, and waits for it. */
  async drawn(task: () => unknown): Promise<void> {
    const before = this.view.picture;
    await task();
    await until("another picture", () => this.view.picture !== before);
    await frames(3);
  }

  async send(document: GraphDocument, more: Partial<GraphViewTraits> = {}): Promise<void> {
    const bytes = await pack({ stage: this.model.get("stage"), against: this.model.get("against"), ...document });
    await this.drawn(() => this.model.update({ ...more, document: bytes }));
  }

  /** The node of an op by its key in the document, or of a block by its path. */
  node(what: number | string): number {
    const found = this.picture.find(typeof what === "number" ? `op ${what}` : what.startsWith("/") ? `block ${what}` : what);
    if (found < 0) throw new Error(`no node ${what} among ${this.titles.join(", ")}`);
    return found;
  }

  /** Where a node is on the canvas. */
  boxOf(what: number | string): Box {
    const { x, y, width, height } = this.picture.box(this.node(what));
    const corner = this.camera.toScreen({ x, y });
    return { ...corner, width: width * this.camera.zoom, height: height * this.camera.zoom };
  }

  /** The middle of a closed node, the title of an open one: where a person clicks it. */
  placeOf(what: number | string): Point {
    const { x, y, width, height } = this.boxOf(what);
    if (this.picture.visible.nodes[this.node(what)]!.open) return { x: x + 10, y: y + 8 };
    return { x: x + width / 2, y: y + height / 2 };
  }

  isInSight(what: number | string): boolean {
    const { x, y } = this.placeOf(what);
    const { width, height } = this.camera.pane;
    return x >= 0 && y >= 0 && x <= width && y <= height;
  }

  onPage({ x, y }: Point): Point {
    const frame = this.canvas.getBoundingClientRect();
    return { x: frame.left + x, y: frame.top + y };
  }

  click(what: number | string | Point, more: MouseEventInit = {}): void {
    const place = typeof what === "object" ? what : this.placeOf(what);
    const { x, y } = this.onPage(place);
    const common = { bubbles: true, cancelable: true, clientX: x, clientY: y, button: 0, ...more };
    const pointer = { ...common, pointerId: 1, pointerType: "mouse", isPrimary: true };
    this.canvas.dispatchEvent(new PointerEvent("pointermove", { ...pointer, buttons: 0 }));
    this.canvas.dispatchEvent(new PointerEvent("pointerdown", { ...pointer, buttons: 1 }));
    this.canvas.dispatchEvent(new PointerEvent("pointerup", { ...pointer, buttons: 0 }));
    this.canvas.dispatchEvent(new MouseEvent("click", common));
  }

  doubleClick(what: number | string): void {
    const place = this.placeOf(what);
    const { x, y } = this.onPage(place);
    this.click(place);
    this.click(place);
    this.canvas.dispatchEvent(new MouseEvent("dblclick", { bubbles: true, clientX: x, clientY: y }));
  }

  hover(what: number | string): void {
    const { x, y } = this.onPage(this.placeOf(what));
    const pointer = { pointerId: 1, pointerType: "mouse", clientX: x, clientY: y, buttons: 0, bubbles: true };
    this.canvas.dispatchEvent(new PointerEvent("pointermove", pointer));
  }

  wheel(deltaY: number, at: Point, more: WheelEventInit = {}): boolean {
    const { x, y } = this.onPage(at);
    const event = new WheelEvent("wheel", { bubbles: true, cancelable: true, deltaY, clientX: x, clientY: y, ...more });
    return this.canvas.dispatchEvent(event);
  }

  /** A key on the canvas, which gets the focus. */
  press(...keys: string[]): void {
    this.canvas.focus();
    for (const key of keys) press(this.canvas, key);
  }

  /** A button by its words, or by what it is called where it has only a sign. */
  button(name: string, within: ParentNode = this.el): HTMLButtonElement {
    const all = [...within.querySelectorAll<HTMLButtonElement>("button")];
    const found = all.find((one) => one.textContent === name) ?? all.find((one) => one.ariaLabel?.startsWith(name));
    if (!found) throw new Error(`no button ${name} among ${all.map((one) => one.textContent).join(", ")}`);
    return found;
  }

  list(label: string): HTMLSelectElement {
    return one<HTMLSelectElement>(this.el, `select[aria-label="${label}"]`);
  }

  choose(label: string, value: string): void {
    const list = this.list(label);
    list.value = value;
    if (list.value !== value) throw new Error(`no ${value} in ${label}`);
    list.dispatchEvent(new Event("change", { bubbles: true }));
  }

  check(words: string): void {
    const label = [...this.el.querySelectorAll("label")].find((one) => one.textContent.includes(words))!;
    one<HTMLInputElement>(label, "input").click();
  }

  type(text: string): void {
    this.search.value = text;
    this.search.dispatchEvent(new Event("input", { bubbles: true }));
  }

  /** The rows of a section of the panel: label and value. */
  rows(section: string): [string, string][] {
    const found = [...this.panel.querySelectorAll("section")].find((one) => one.querySelector("h4")!.textContent === section);
    const values = [...(found?.querySelectorAll("dd") ?? [])];
    return values.map((value) => [value.previousElementSibling!.textContent, value.textContent]);
  }

  /** The colour of one pixel of the canvas. */
  pixel(at: Point): [number, number, number] {
    const ratio = this.canvas.width / this.canvas.clientWidth;
    const context = this.canvas.getContext("2d")!;
    const [red, green, blue] = context.getImageData(Math.round(at.x * ratio), Math.round(at.y * ratio), 1, 1).data;
    return [red!, green!, blue!];
  }

  /** How many pixels of a part of the canvas are nearly of a colour such as `rgb(1,2,3)`. */
  pixelsOf(colour: string, part: Box): number {
    const [red, green, blue] = colour.match(/\d+/g)!.map(Number) as [number, number, number];
    const ratio = this.canvas.width / this.canvas.clientWidth;
    const at = [part.x, part.y, part.width, part.height].map((one) => Math.round(one * ratio)) as [number, number, number, number];
    const { data } = this.canvas.getContext("2d")!.getImageData(...at);
    let count = 0;
    for (let one = 0; one < data.length; one += 4) {
      const far = Math.abs(data[one]! - red) + Math.abs(data[one + 1]! - green) + Math.abs(data[one + 2]! - blue);
      if (far < 24) count += 1;
    }
    return count;
  }
}
