/** One level in rows: its connected parts are laid out one by one and put together compactly. */
import { orderRows } from "./order";
import { gaps, placeRows } from "./place";
import { parts } from "./rank";
import { type Level, type Rows, rowsOf } from "./rows";

export interface Placed {
  /** Top left corners, from 0,0. */
  x: Float64Array;
  y: Float64Array;
  width: number;
  height: number;
  /**
   * Inner points of edge e from its first end to its second: pairs from `2 * bendAt[e]` to `2 * bendAt[e +
   * 1]`.
   */
  bendAt: Int32Array;
  bends: Float64Array;
  /** How far down all went to make room above what had places. */
  rise?: number;
}

interface Part {
  members: Int32Array;
  edges: Int32Array;
  width: number;
  height: number;
  x: number;
  y: number;
}

/** The parts with their nodes and edges. What has a port is one part: it reaches from border to border. */
function split(level: Level): Part[] {
  const { count, edges, port } = level;
  let pairs = edges;
  const ports: number[] = [];
  for (let v = 0; v < count; v++) if (port[v]) ports.push(v);
  if (ports.length > 1) {
    pairs = new Int32Array(edges.length + 2 * (ports.length - 1));
    pairs.set(edges);
    for (let i = 1; i < ports.length; i++) pairs.set([ports[0]!, ports[i]!], edges.length + 2 * (i - 1));
  }
  const { part, count: partCount } = parts(count, pairs);
  const nodes = new Int32Array(partCount);
  const lines = new Int32Array(partCount);
  for (let v = 0; v < count; v++) nodes[part[v]!]! += 1;
  for (let p = 0; p < edges.length; p += 2) lines[part[edges[p]!]!]! += 1;
  const found = Array.from(nodes, (length, p) => ({
    members: new Int32Array(length),
    edges: new Int32Array(lines[p]!),
    width: 0,
    height: 0,
    x: 0,
    y: 0,
  }));
  nodes.fill(0);
  lines.fill(0);
  for (let v = 0; v < count; v++) {
    const p = part[v]!;
    found[p]!.members[nodes[p]!++] = v;
  }
  for (let e = 0; 2 * e < edges.length; e++) {
    const p = part[edges[2 * e]!]!;
    found[p]!.edges[lines[p]!++] = e;
  }
  return found;
}

/** The part on its own, with numbers of its own. */
function extract(level: Level, part: Part, local: Int32Array): Level {
  const { members, edges } = part;
  const count = members.length;
  members.forEach((v, i) => (local[v] = i));
  const pick = <T extends Float64Array | Int32Array | Uint8Array>(from: T, to: T): T => {
    for (let i = 0; i < count; i++) to[i] = from[members[i]!]!;
    return to;
  };
  const ends = new Int32Array(2 * edges.length);
  const shift = new Float64Array(2 * edges.length);
  for (let i = 0; i < edges.length; i++)
    for (const side of [0, 1]) {
      ends[2 * i + side] = local[level.edges[2 * edges[i]! + side]!]!;
      shift[2 * i + side] = level.shift[2 * edges[i]! + side]!;
    }
  return {
    count,
    width: pick(level.width, new Float64Array(count)),
    height: pick(level.height, new Float64Array(count)),
    rank: pick(level.rank, new Int32Array(count)),
    port: pick(level.port, new Uint8Array(count)),
    edges: ends,
    shift,
    hint: level.hint && pick(level.hint, new Float64Array(count)),
  };
}

/** Ports stand in rows of their own, above and below all others. */
function withPortRows(level: Level): void {
  let last = 0;
  let above = 0;
  for (let v = 0; v < level.count; v++)
    if (level.port[v] === 1) above = 1;
    else if (level.port[v] === 0) last = Math.max(last, level.rank[v]!);
  for (let v = 0; v < level.count; v++) {
    if (level.port[v] === 1) level.rank[v] = 0;
    else if (level.port[v] === 2) level.rank[v] = last + above + 1;
    else level.rank[v]! += above;
  }
}

/** Middles of the rows downwards, their heights, and that of all; more room where many lines pass aslant. */
function rowMiddles(level: Level, rows: Rows, middle: Float64Array) {
  const rowCount = rows.at.length - 1;
  const tall = new Float64Array(rowCount);
  const aslant = new Float64Array(rowCount);
  const ports = new Uint8Array(rowCount);
  for (let v = 0; v < level.count; v++) {
    const r = level.rank[v]!;
    tall[r] = Math.max(tall[r]!, level.height[v]!);
    ports[r] = Math.max(ports[r]!, level.port[v]!);
  }
  for (let p = 0; p < rows.links.length; p += 2) {
    const [u, v] = [rows.links[p]!, rows.links[p + 1]!];
    const slant = middle[u]! + rows.shift[p]! - middle[v]! - rows.shift[p + 1]!;
    if (Math.abs(slant) > 60) aslant[rows.row[u]!]! += 1;
  }
  const down = new Float64Array(rowCount);
  let y = 0;
  for (let r = 0; r < rowCount; r++) {
    down[r] = y + tall[r]! / 2;
    y += tall[r]!;
    if (r + 1 === rowCount) break;
    const border = ports[r] === 1 || ports[r + 1] === 2;
    y += (border ? gaps.row / 2 : gaps.row) + Math.min(44, 3 * Math.max(0, aslant[r]! - 3));
  }
  return { down, tall, height: y };
}

/** Rows of parts, tall ones first, about as wide as `across`; returns the extent. */
function shelves(list: Part[], across: number): { width: number; height: number } {
  const gap = gaps.node;
  let [x, y, tall, width] = [0, 0, 0, 0];
  for (const part of list) {
    if (x > 0 && x + part.width > across) {
      y += tall + gap;
      x = tall = 0;
    }
    part.x = x;
    part.y = y;
    x += part.width + gap;
    tall = Math.max(tall, part.height);
    width = Math.max(width, x - gap);
  }
  return { width, height: y + tall };
}

/** Gives every part its place; returns the extent. */
function pack(list: Part[], ported: Part | undefined): { width: number; height: number } {
  const gap = gaps.node;
  const area = (part: Part) => (part.width + gap) * (part.height + gap);
  const whole = list.reduce((sum, part) => sum + area(part), 0);
  let main = ported;
  if (!main) {
    const largest = list.reduce((best, part) => (area(part) > area(best) ? part : best), list[0]!);
    if (2 * area(largest) > whole) main = largest;
  }
  const rest = list.filter((part) => part !== main);
  rest.sort((a, b) => b.height - a.height);
  const widest = rest.reduce((most, part) => Math.max(most, part.width), 0);
  const square = Math.max(widest, Math.sqrt(1.6 * (whole - (main ? area(main) : 0))));
  if (!main) return shelves(rest, square);
  if (rest.length === 0) return { width: main.width, height: main.height };
  const beside = ported !== undefined || main.height > main.width;
  const extent = shelves(rest, beside ? square : Math.max(widest, main.width));
  for (const part of rest) {
    if (beside) part.x += main.width + 2 * gap;
    else part.y += main.height + 2 * gap;
  }
  return beside
    ? { width: main.width + 2 * gap + extent.width, height: Math.max(main.height, extent.height) }
    : { width: Math.max(main.width, extent.width), height: main.height + 2 * gap + extent.height };
}

/** The points in opposite order. */
function turn(points: number[]): void {
  points.reverse();
  for (let i = 0; i < points.length; i += 2) [points[i], points[i + 1]] = [points[i + 1]!, points[i]!];
}

export function layered(level: Level): Placed {
  const { count } = level;
  const x = new Float64Array(count);
  const y = new Float64Array(count);
  const edgeCount = level.edges.length >> 1;
  const local = new Int32Array(count);
  const bendsOf: number[][] = new Array<number[]>(edgeCount);
  const list = split(level);
  let ported: Part | undefined;
  for (const part of list) {
    const first = part.members[0]!;
    if (part.members.length === 1) {
      part.width = level.width[first]!;
      part.height = level.height[first]!;
      continue;
    }
    const own = extract(level, part, local);
    if (own.port.some((side) => side > 0)) {
      ported = part;
      withPortRows(own);
    }
    const rows = rowsOf(own);
    orderRows(rows);
    const { middle, width } = placeRows(rows);
    const { down, tall, height } = rowMiddles(own, rows, middle);
    part.width = width;
    part.height = height;
    part.members.forEach((v, i) => {
      x[v] = middle[i]! - own.width[i]! / 2;
      y[v] = down[own.rank[i]!]! - own.height[i]! / 2;
    });
    part.edges.forEach((e, i) => {
      const [from, to] = [rows.bendAt[i]!, rows.bendAt[i + 1]!];
      const points: number[] = [];
      const turned = own.rank[own.edges[2 * i]!]! > own.rank[own.edges[2 * i + 1]!]!;
      // Straight past the whole row, aslant only between rows.
      for (let bend = from; bend < to; bend++) {
        const r = rows.row[bend]!;
        points.push(middle[bend]!, down[r]! - tall[r]! / 2, middle[bend]!, down[r]! + tall[r]! / 2);
      }
      if (turned) turn(points);
      bendsOf[e] = points;
    });
  }
  const extent = count > 0 ? pack(list, ported) : { width: 0, height: 0 };
  const bendAt = new Int32Array(edgeCount + 1);
  for (const part of list) {
    for (const v of part.members) {
      x[v]! += part.x;
      y[v]! += part.y;
    }
    for (const e of part.edges) bendAt[e + 1] = bendsOf[e]!.length >> 1;
  }
  for (let e = 0; e < edgeCount; e++) bendAt[e + 1]! += bendAt[e]!;
  const bends = new Float64Array(2 * bendAt[edgeCount]!);
  for (const part of list)
    for (const e of part.edges)
      bendsOf[e]!.forEach((value, i) => {
        bends[2 * bendAt[e]! + i] = value + (i % 2 === 0 ? part.x : part.y);
      });
  return { x, y, ...extent, bendAt, bends };
}
