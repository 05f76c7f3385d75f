/** The canvas: shows a picture through a camera, and tells what the mouse, the fingers and the keys ask for. */
import { type Cleanup, h } from "../dom";
import type { Box, Point } from "../viewport";
import { Camera } from "./camera";
import { boxesBelow, type Highlight, levelOf, type Look, Painter, stubBoxes } from "./painter";
import type { Picture } from "./picture";
import { CanvasSurface } from "./surface";

export interface BoardEvents {
  /** A click: on a node, or -1 on none; `more` with Shift or Ctrl held. */
  clicked(node: number, more: boolean): void;
  /** A click on a stub leads to the other end. */
  followed(stub: number, from: number): void;
  doubleClicked(node: number): void;
  hovered(node: number, at: Point): void;
  /** The view moved or was zoomed by a person. */
  moved(): void;
  resized(): void;
  key(event: KeyboardEvent): boolean;
}

/** How often a picture is tried again while there is no room for it. */
const patience = 20;
/** A narrower pane has no room for a map. */
const mapLeast = 480;
const mapWidth = 110;
const mapHeight = 150;
/** No image of the whole has a longer side. */
const overviewMost = 4096;
/** A hair shows nothing: a long strip is drawn at least so wide from far away. */
const stripLeast = 20;

export class Board {
  readonly element: HTMLElement;
  readonly canvas: HTMLCanvasElement;
  readonly camera = new Camera();
  readonly map: HTMLCanvasElement;
  private readonly context: CanvasRenderingContext2D;
  private readonly mapContext: CanvasRenderingContext2D;
  private picture: Picture | null = null;
  private look: Look | null = null;
  private highlight: Highlight | null = null;
  private overview: { image: HTMLCanvasElement; scale: number } | null = null;
  private mapImage: HTMLCanvasElement | null = null;
  private frame = 0;
  private patience = patience;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private afterPaint: (() => void)[] = [];
  /** Script time of the last frame, ms: what the benchmark reads. */
  paintMs = 0;
  mapWanted = true;

  constructor(
    private readonly events: BoardEvents,
    private readonly cleanup: Cleanup,
  ) {
    this.canvas = h("canvas", { class: "pwb-board", tabindex: 0, role: "application" });
    this.map = h("canvas", { class: "pwb-map", "aria-hidden": "true", title: "The whole graph: click or drag to go there" });
    this.element = h("div", { class: "pwb-board-room" }, this.canvas, this.map);
    this.context = this.canvas.getContext("2d", { alpha: false })!;
    this.mapContext = this.map.getContext("2d")!;
    this.listen();
    this.listenToMap();
    cleanup.add(() => {
      cancelAnimationFrame(this.frame);
      clearTimeout(this.retry);
    });
  }

  show(picture: Picture | null): void {
    this.picture = picture;
    if (picture) this.camera.graph = { width: picture.totalWidth, height: picture.totalHeight };
    this.forgetImages();
  }

  /** Another look or other highlights; `deep` when colours of the overview changed, too. */
  dress(look: Look, highlight: Highlight, deep = true): void {
    this.look = look;
    this.highlight = highlight;
    if (deep) this.forgetImages();
    this.redraw();
  }

  redraw(): void {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.paint();
    });
  }

  /** Calls `task` when the next picture is on screen. */
  painted(task: () => void): void {
    this.afterPaint.push(task);
    this.redraw();
  }

  /** Takes the size from the page; false while the view is hidden. */
  measure(): boolean {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (width === 0 || height === 0) return false;
    this.camera.pane = { width, height };
    return true;
  }

  private forgetImages(): void {
    this.overview = null;
    this.mapImage = null;
  }

  // Drawing

  private paint(): void {
    const { picture, look, highlight, camera } = this;
    if (!look) return;
    if (!this.measure()) {
      // While a notebook changes its theme the view may have no size for a moment, of which no observer tells.
      if (this.patience-- > 0) this.retry = setTimeout(() => this.redraw(), 100);
      return;
    }
    this.patience = patience;
    const start = performance.now();
    const { width, height } = camera.pane;
    const ratio = window.devicePixelRatio || 1;
    this.fit(this.canvas, width, height, ratio);
    const { context } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.globalAlpha = 1;
    context.fillStyle = look.background;
    context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    if (picture && highlight) {
      const painter = new Painter(picture, look, highlight);
      const { zoom, offset } = camera;
      const level = levelOf(zoom);
      const scale = zoom * ratio;
      context.setTransform(scale, 0, 0, scale, offset.x * ratio, offset.y * ratio);
      const image = level === "far" ? this.farImage(painter, ratio) : null;
      if (image) {
        const wide = Math.max(image.image.width / image.scale, stripLeast / zoom);
        const left = (picture.totalWidth - wide) / 2;
        context.drawImage(image.image, left, 0, wide, image.image.height / image.scale);
        const surface = new CanvasSurface(context);
        painter.marks(surface, zoom);
      } else painter.paint(new CanvasSurface(context), camera.seen, zoom, level);
      this.paintMap(painter, look, ratio);
    }
    this.paintMs = performance.now() - start;
    const waiting = this.afterPaint.splice(0);
    for (const task of waiting) task();
  }

  private fit(canvas: HTMLCanvasElement, width: number, height: number, ratio: number): void {
    const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high });
  }

  /** From far away thousands of nodes are a pixel each: they are drawn once for each doubling of the zoom. */
  private farImage(painter: Painter, ratio: number): { image: HTMLCanvasElement; scale: number } | null {
    const { picture, camera } = this;
    if (!picture) return null;
    const scale = 2 ** Math.ceil(Math.log2(camera.zoom * ratio));
    // Where the image would be too large, few enough nodes are in sight to draw them.
    if (scale * Math.max(picture.totalHeight, picture.totalWidth) > overviewMost) return null;
    if (this.overview?.scale === scale) return this.overview;
    const image = h("canvas", {
      width: Math.max(1, Math.ceil(picture.totalWidth * scale)),
      height: Math.max(1, Math.ceil(picture.totalHeight * scale)),
    });
    const context = image.getContext("2d");
    if (!context) return null;
    painter.overview(new CanvasSurface(context), scale, scale);
    this.overview = { image, scale };
    return this.overview;
  }

  private paintMap(painter: Painter, look: Look, ratio: number): void {
    const { picture, camera, map } = this;
    if (!picture) return;
    const { seen } = camera;
    const whole = seen.width >= picture.totalWidth && seen.height >= picture.totalHeight;
    map.hidden = whole || !this.mapWanted || camera.pane.width < mapLeast;
    if (map.hidden) return;
    const { width, height, scaleX, scaleY } = this.mapSize(picture);
    map.style.width = `${width}px`;
    map.style.height = `${height}px`;
    this.fit(map, width, height, ratio);
    if (!this.mapImage || this.mapImage.width !== map.width) {
      this.mapImage = h("canvas", { width: map.width, height: map.height });
      const context = this.mapImage.getContext("2d");
      if (context) painter.overview(new CanvasSurface(context), scaleX * ratio, scaleY * ratio);
    }
    const { mapContext: context } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = look.background;
    context.fillRect(0, 0, map.width, map.height);
    context.drawImage(this.mapImage, 0, 0);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.strokeStyle = look.accent;
    context.lineWidth = 1.5;
    const at = [seen.x * scaleX, seen.y * scaleY, seen.width * scaleX, seen.height * scaleY] as const;
    context.strokeRect(at[0], at[1], Math.max(3, at[2]), Math.max(3, at[3]));
  }

  /** A long strip is shown wider than it is, since a hair shows nothing. */
  private mapSize(picture: Picture): { width: number; height: number; scaleX: number; scaleY: number } {
    const room = Math.min(mapHeight, this.camera.pane.height * 0.6);
    const scale = Math.min(mapWidth / picture.totalWidth, room / picture.totalHeight);
    const width = Math.max(Math.min(36, mapWidth), picture.totalWidth * scale);
    const height = Math.max(24, picture.totalHeight * scale);
    return { width, height, scaleX: width / picture.totalWidth, scaleY: height / picture.totalHeight };
  }

  // What a person does

  nodeAt(at: Point): number {
    if (!this.picture) return -1;
    const { x, y } = this.camera.toGraph(at);
    return this.picture.nodeAt(x, y);
  }

  private stubAt(at: Point): { stub: number; node: number } | null {
    const { picture, camera } = this;
    if (!picture || camera.zoom < boxesBelow) return null;
    const { x, y } = camera.toGraph(at);
    for (const node of picture.nodesIn({ x: x - 200, y: y - 40, width: 400, height: 80 }))
      for (const { at: stub, box } of stubBoxes(picture, node))
        if (x >= box.x && x <= box.x + box.width && y >= box.y && y <= box.y + box.height) return { stub, node };
    return null;
  }

  private pointOf(event: MouseEvent): Point {
    const frame = this.canvas.getBoundingClientRect();
    return { x: event.clientX - frame.left, y: event.clientY - frame.top };
  }

  private listen(): void {
    const { canvas, camera, cleanup, events } = this;
    const fingers = new Map<number, Point>();
    let start: Point | null = null;
    let dragged = false;

    cleanup.listen<PointerEvent>(canvas, "pointerdown", (event) => {
      if (event.button !== 0) return;
      fingers.set(event.pointerId, this.pointOf(event));
      if (fingers.size === 1) dragged = false;
      start = this.pointOf(event);
    });
    cleanup.listen<PointerEvent>(canvas, "pointermove", (event) => {
      const at = this.pointOf(event);
      const before = fingers.get(event.pointerId);
      if (!before || (event.pointerType === "mouse" && !(event.buttons & 1))) {
        fingers.delete(event.pointerId);
        events.hovered(this.nodeAt(at), at);
        return;
      }
      if (!dragged && start && Math.hypot(at.x - start.x, at.y - start.y) < 4) return;
      if (!dragged) {
        dragged = true;
        canvas.setPointerCapture(event.pointerId);
        canvas.classList.add("pwb-dragging");
        events.hovered(-1, at);
      }
      const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
      if (other) {
        const apart = (one: Point) => Math.max(1, Math.hypot(one.x - other.x, one.y - other.y));
        camera.zoomTo((camera.zoom * apart(at)) / apart(before), other);
      } else camera.move(at.x - before.x, at.y - before.y);
      fingers.set(event.pointerId, at);
      events.moved();
      this.redraw();
    });
    const end = (event: PointerEvent) => {
      fingers.delete(event.pointerId);
      if (fingers.size === 0) canvas.classList.remove("pwb-dragging");
    };
    cleanup.listen(canvas, "pointerup", end);
    cleanup.listen(canvas, "pointercancel", end);
    cleanup.listen<PointerEvent>(canvas, "pointerleave", (event) => events.hovered(-1, this.pointOf(event)));
    cleanup.listen<MouseEvent>(canvas, "click", (event) => {
      canvas.focus({ preventScroll: true });
      if (dragged) return;
      const at = this.pointOf(event);
      const stub = this.stubAt(at);
      if (stub) events.followed(stub.stub, stub.node);
      else events.clicked(this.nodeAt(at), event.shiftKey || event.ctrlKey || event.metaKey);
    });
    cleanup.listen<MouseEvent>(canvas, "dblclick", (event) => {
      const node = this.nodeAt(this.pointOf(event));
      if (node >= 0) events.doubleClicked(node);
    });

    // The page keeps its wheel, unless Ctrl is held or the person is working in this graph.
    cleanup.listen<WheelEvent>(
      canvas,
      "wheel",
      (event) => {
        const pinch = event.ctrlKey || event.metaKey;
        if (!this.picture || !(pinch || canvas.matches(":focus"))) return;
        event.preventDefault();
        const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
        const [dx, dy] = [event.deltaX * lines, event.deltaY * lines];
        // A touchpad gives small steps, also sideways: two fingers pan. A mouse wheel zooms.
        const touchpad = !pinch && event.deltaMode === 0 && (dx !== 0 || !Number.isInteger(dy) || Math.abs(dy) < 50);
        if (event.shiftKey && !pinch) camera.move(-(dx || dy), 0);
        else if (touchpad) camera.move(-dx, -dy);
        else {
          const delta = Math.max(-120, Math.min(120, dy));
          camera.zoomTo(camera.zoom * Math.exp(-delta * (pinch ? 0.006 : 0.002)), this.pointOf(event));
        }
        events.moved();
        this.redraw();
      },
      { passive: false },
    );

    cleanup.listen<KeyboardEvent>(canvas, "keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (!this.events.key(event)) return;
      event.preventDefault();
      event.stopPropagation();
    });

    const observer = new ResizeObserver(() => events.resized());
    observer.observe(this.element);
    cleanup.add(() => observer.disconnect());
  }

  private listenToMap(): void {
    const go = (event: PointerEvent) => {
      if (!this.picture) return;
      const frame = this.map.getBoundingClientRect();
      const { scaleX, scaleY } = this.mapSize(this.picture);
      const at: Box = { x: (event.clientX - frame.left) / scaleX, y: (event.clientY - frame.top) / scaleY, width: 0, height: 0 };
      this.camera.centre(at);
      this.events.moved();
      this.redraw();
    };
    this.cleanup.listen<PointerEvent>(this.map, "pointerdown", (event) => {
      this.map.setPointerCapture(event.pointerId);
      go(event);
    });
    this.cleanup.listen<PointerEvent>(this.map, "pointermove", (event) => {
      if (event.buttons & 1) go(event);
    });
  }
}
