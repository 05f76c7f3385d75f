/** Pan and zoom. Screen = graph × zoom + offset, in px of the page. */
import { type Box, type Point, type Size, zoomedAt } from "../viewport";

const margin = 14;
const closest = 1.1;
const legible = 0.75;
export const largestZoom = 6;

export class Camera {
  zoom = 1;
  offset: Point = { x: 0, y: 0 };
  /** Size of what is looked at, and of the window. */
  graph: Size = { width: 1, height: 1 };
  pane: Size = { width: 0, height: 0 };

  get smallestZoom(): number {
    return Math.min(0.05, this.wholeZoom);
  }

  private get wholeZoom(): number {
    const across = (this.pane.width - 2 * margin) / Math.max(1, this.graph.width);
    const down = (this.pane.height - 2 * margin) / Math.max(1, this.graph.height);
    return Math.max(1e-5, Math.min(across, down, closest));
  }

  /** The part of the graph that is seen. */
  get seen(): Box {
    return {
      x: -this.offset.x / this.zoom,
      y: -this.offset.y / this.zoom,
      width: this.pane.width / this.zoom,
      height: this.pane.height / this.zoom,
    };
  }

  toGraph({ x, y }: Point): Point {
    return { x: (x - this.offset.x) / this.zoom, y: (y - this.offset.y) / this.zoom };
  }

  toScreen({ x, y }: Point): Point {
    return { x: x * this.zoom + this.offset.x, y: y * this.zoom + this.offset.y };
  }

  move(dx: number, dy: number): void {
    this.place({ x: this.offset.x + dx, y: this.offset.y + dy });
  }

  zoomTo(zoom: number, at: Point = { x: this.pane.width / 2, y: this.pane.height / 2 }): void {
    const to = Math.min(largestZoom, Math.max(this.smallestZoom, zoom));
    const offset = zoomedAt(this.offset, at, this.zoom, to);
    this.zoom = to;
    this.place(offset);
  }

  /** The whole graph, however small it gets. */
  fitAll(): void {
    this.zoom = this.wholeZoom;
    this.place({
      x: (this.pane.width - this.graph.width * this.zoom) / 2,
      y: (this.pane.height - this.graph.height * this.zoom) / 2,
    });
  }

  /** The whole of a small graph, of a large one as much as can be read. */
  fitLegible(): void {
    this.fitAll();
    if (this.zoom < legible) this.zoom = legible;
  }

  /** Puts a box of the graph into the middle; a graph that fits stays centred as a whole. */
  centre(box: Box): void {
    const along = (start: number, length: number, whole: number, room: number) => {
      if (whole * this.zoom <= room - 2 * margin) return (room - whole * this.zoom) / 2;
      const wanted = room / 2 - (start + length / 2) * this.zoom;
      return Math.min(margin + 10, Math.max(room - margin - whole * this.zoom, wanted));
    };
    this.place({
      x: along(box.x, box.width, this.graph.width, this.pane.width),
      y: along(box.y, box.height, this.graph.height, this.pane.height),
    });
  }

  /** Whether a box of the graph is wholly seen. */
  sees({ x, y, width, height }: Box): boolean {
    const { seen } = this;
    const across = x >= seen.x && x + width <= seen.x + seen.width;
    return across && y >= seen.y && y + height <= seen.y + seen.height;
  }

  /** Moves as little as is needed to see a box of the graph. */
  reveal({ x, y, width, height }: Box): void {
    const { x: left, y: top } = this.toScreen({ x, y });
    const needed = (start: number, length: number, room: number) =>
      Math.min(0, room - margin - start - length) + Math.max(0, margin - start);
    this.move(needed(left, width * this.zoom, this.pane.width), needed(top, height * this.zoom, this.pane.height));
  }

  /** Keeps at least a corner of the graph in sight. */
  private place({ x, y }: Point): void {
    const hold = (value: number, length: number, room: number) => {
      const rest = Math.min(48, room / 2);
      return Math.min(room - rest, Math.max(rest - length * this.zoom, value));
    };
    this.offset = {
      x: hold(x, this.graph.width, this.pane.width),
      y: hold(y, this.graph.height, this.pane.height),
    };
  }
}
