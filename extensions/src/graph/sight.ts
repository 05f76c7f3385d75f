/** Where on the picture a person looks: at first, after a move of theirs, and when another picture takes its place. */
import type { Box, Point } from "../viewport";
import type { Board } from "./board";
import type { Picture } from "./picture";
import type { Tip } from "./tip";
import type { Toolbar } from "./toolbar";

/** What is brought into sight smaller than this is made readable. */
const tellable = 0.35;
const readable = 0.8;

export class Sight {
  /** Whether the next picture is looked at from where one begins. */
  afresh = true;
  private roomWidth = 0;

  constructor(
    private readonly board: Board,
    private readonly toolbar: Toolbar,
    private readonly tip: Tip,
  ) {}

  // As a person moves it

  pan(dx: number, dy: number): void {
    this.board.camera.move(dx, dy);
    this.moved();
    this.board.redraw();
  }

  /** By nearly what is seen. */
  page(direction: 1 | -1): void {
    this.pan(0, -direction * this.board.camera.pane.height * 0.9);
  }

  toTop(): void {
    this.toHeight(0);
  }

  toEnd(): void {
    this.toHeight(this.board.camera.graph.height);
  }

  private toHeight(y: number): void {
    const { camera } = this.board;
    camera.centre({ x: camera.seen.x, width: camera.seen.width, y, height: 0 });
    this.pan(0, 0);
  }

  zoom(factor: number): void {
    this.board.camera.zoomTo(this.board.camera.zoom * factor);
    this.moved();
    this.board.redraw();
  }

  actualSize(): void {
    this.zoom(1 / this.board.camera.zoom);
  }

  fit(): void {
    this.board.camera.fitAll();
    this.moved();
    this.board.redraw();
  }

  /** What was under the pointer is elsewhere now. */
  moved(): void {
    this.tip.hide();
    this.showZoom();
  }

  showZoom(): void {
    this.toolbar.setZoom(this.board.camera.zoom);
  }

  // As what is shown asks for it

  /** Brings a box of the picture into sight, large enough to read. */
  bring(box: Box): void {
    this.enlarge();
    if (!this.board.camera.sees(box)) this.board.camera.centre(box);
    this.showZoom();
    this.board.redraw();
  }

  /** The same, and into the middle. */
  centre(box: Box): void {
    this.enlarge();
    this.board.camera.centre(box);
    this.showZoom();
    this.board.redraw();
  }

  private enlarge(): void {
    const { camera } = this.board;
    if (camera.zoom < tellable) camera.zoomTo(readable);
  }

  /** The beginning of a picture: the node selected, the first change, or the top. It waits while there is no room. */
  begin(picture: Picture | null, selected: number | undefined): void {
    const { board } = this;
    this.afresh = !picture || picture.count === 0 || !board.measure();
    if (!picture || this.afresh) return;
    board.camera.fitLegible();
    const first = selected ?? picture.changes[0];
    board.camera.centre(picture.box(first === undefined || first < 0 ? picture.top() : first));
  }

  /** From one picture to the next a node stays where it is on the screen, or else the whole stays, which may rise. */
  follow(picture: Picture, old: Picture | null, held: string, rise: number): void {
    const { camera } = this.board;
    const from = held && old ? this.onScreen(old, held) : null;
    if (!from) {
      camera.move(0, -rise * camera.zoom);
      return;
    }
    const to = this.onScreen(picture, held);
    if (to) camera.move(from.x - to.x, from.y - to.y);
  }

  /** Of what stays, the key of what is nearest to the middle of the screen: where things move it holds the eye. */
  middleOf(old: Picture, next: Picture): string {
    const { seen } = this.board.camera;
    let best = "";
    let least = Infinity;
    for (const node of old.nodesIn(seen)) {
      const { key, open } = old.visible.nodes[node]!;
      const away = Math.hypot(
        old.x[node]! + old.width[node]! / 2 - seen.x - seen.width / 2,
        old.y[node]! + old.height[node]! / 2 - seen.y - seen.height / 2,
      );
      if (open || away >= least || next.find(key) < 0) continue;
      best = key;
      least = away;
    }
    return best;
  }

  private onScreen(picture: Picture, key: string): Point | null {
    const node = picture.find(key);
    return node < 0 ? null : this.board.camera.toScreen({ x: picture.x[node]!, y: picture.y[node]! });
  }

  /** In a room of another width the middle stays; with the panel beside it all stays, under the pointer that opened it. */
  widened(roomWidth: number): void {
    const wider = this.roomWidth > 0 ? roomWidth - this.roomWidth : 0;
    this.roomWidth = roomWidth;
    if (!this.afresh) this.board.camera.move(wider / 2, 0);
  }
}
