/** Arithmetic of pan and zoom, apart from the page. Screen = graph × zoom + offset. */

export interface Size {
  width: number;
  height: number;
}

export interface Box extends Size {
  x: number;
  y: number;
}

export interface Point {
  x: number;
  y: number;
}

/** Points to pixels: at this zoom a 10-point label is 10 points high. */
export const actualSize = 4 / 3;
export const minZoom = 0.02;
export const maxZoom = 8;
const margin = 12;
/** A view that chooses its zoom itself goes no closer: the neighbourhood says more than larger letters. */
const closest = 1.1;
/** Below this, a first drawing would show specks: rather show a part of it. */
const legible = 0.4;
/** A long chain shown whole would be a hair: from here on it is shown in part. */
const recognisable = 0.08;
/** Letters smaller than this are dust. */
export const far = 0.25;

export function clampZoom(zoom: number): number {
  return Math.min(maxZoom, Math.max(minZoom, zoom));
}

export function zoomToFit(graph: Size, pane: Size, what: "width" | "all"): number {
  const across = (pane.width - 2 * margin) / Math.max(graph.width, 1);
  const down = (pane.height - 2 * margin) / Math.max(graph.height, 1);
  const zoom = what === "width" ? Math.max(across, legible) : Math.max(Math.min(across, down), recognisable);
  return clampZoom(Math.min(zoom, closest));
}

/** The offset at which `box` is in the middle of the pane; a graph that fits is centred as a whole. */
export function centred(box: Box, graph: Size, pane: Size, zoom: number): Point {
  const along = (start: number, length: number, whole: number, room: number) => {
    if (whole * zoom <= room - 2 * margin) return (room - whole * zoom) / 2;
    const wanted = room / 2 - (start + length / 2) * zoom;
    return Math.min(margin, Math.max(room - margin - whole * zoom, wanted));
  };
  return {
    x: along(box.x, box.width, graph.width, pane.width),
    y: along(box.y, box.height, graph.height, pane.height),
  };
}

/** The offset after a zoom that leaves what is under `at` where it is. */
export function zoomedAt(offset: Point, at: Point, from: number, to: number): Point {
  const ratio = to / from;
  return { x: at.x - (at.x - offset.x) * ratio, y: at.y - (at.y - offset.y) * ratio };
}

/** Keeps at least a corner of the graph in sight. */
export function heldInSight(offset: Point, graph: Size, pane: Size, zoom: number): Point {
  const hold = (value: number, length: number, room: number) => {
    const rest = Math.min(48, room / 2);
    return Math.min(room - rest, Math.max(rest - length * zoom, value));
  };
  return { x: hold(offset.x, graph.width, pane.width), y: hold(offset.y, graph.height, pane.height) };
}

/** Whether another graph is so much larger or smaller that the old view of it says nothing. */
export function muchDifferent(old: Size, next: Size): boolean {
  const far = (a: number, b: number) => Math.max(a, b) / Math.max(1, Math.min(a, b)) > 1.8;
  return far(old.width, next.width) || far(old.height, next.height);
}
