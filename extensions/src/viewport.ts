/** Places and sizes, in px of the screen or of the graph. */

export interface Size {
  width: number;
  height: number;
}

export interface Point {
  x: number;
  y: number;
}

export interface Box extends Size, Point {}

/** The offset after a zoom that leaves what is under `at` where it is. */
export function zoomedAt(offset: Point, at: Point, from: number, to: number): Point {
  const ratio = to / from;
  return { x: at.x - (at.x - offset.x) * ratio, y: at.y - (at.y - offset.y) * ratio };
}
