/** A level around what stays: kept nodes have their old places, new ones go between them. */
import type { Placed } from "./layered";
import { gaps } from "./place";
import { adjacency, type Adjacency } from "./rank";
import type { Level } from "./rows";
import { Spots } from "./spots";

/** Free room kept around a new node. */
const margin = { x: 16, y: 2 };
/** Room above and below a new node: at least, so that one fits between two rows, and where there is enough. */
const gap = 2;
const ease = 24;

interface Neighbours {
  before: Adjacency;
  after: Adjacency;
}

/** The edges that lead down by their ranks, without those to ports. */
function neighbours(level: Level): Neighbours {
  const { count, edges, rank, port } = level;
  const pairs: number[] = [];
  for (let p = 0; p < edges.length; p += 2) {
    const [u, v] = [edges[p]!, edges[p + 1]!];
    if (!port[u] && !port[v] && rank[u]! < rank[v]!) pairs.push(u, v);
  }
  const list = Int32Array.from(pairs);
  return { before: adjacency(count, list, 1), after: adjacency(count, list, 0) };
}

/**
 * Lays out a level in which nodes have places (NaN: a node without one); null if what has one overlaps. Where
 * a gap is too low for what is new in it, all that stands below goes down together.
 */
export function stay(
  level: Level,
  places: { x: Float64Array; y: Float64Array; wish: Uint8Array },
): Placed | null {
  const { count, width, height, rank, port } = level;
  const x = places.x.slice();
  const y = places.y.slice();
  const kept: number[] = [];
  const fresh: number[] = [];
  const wishing: number[] = [];
  for (let v = 0; v < count; v++) {
    if (port[v]) continue;
    if (Number.isNaN(x[v]!)) fresh.push(v);
    else if (places.wish[v]) wishing.push(v);
    else kept.push(v);
  }
  const before = new Spots(x, y, width, height);
  for (const v of kept) {
    if (before.taken(x[v]!, y[v]!, width[v]!, height[v]!)) return null;
    before.add(v);
  }
  for (const v of wishing) {
    if (x[v]! < 0 || y[v]! < 0 || before.taken(x[v]!, y[v]!, width[v]!, height[v]!)) {
      x[v] = y[v] = NaN;
      fresh.push(v);
      continue;
    }
    kept.push(v);
    before.add(v);
  }
  const near = neighbours(level);
  fresh.sort((a, b) => rank[a]! - rank[b]! || a - b);
  let spots = before;
  if (makeRoom(level, near, kept, y)) {
    spots = new Spots(x, y, width, height);
    for (const v of kept) spots.add(v);
  }
  placeFresh(level, near, fresh, x, y, spots);
  let rise = 0;
  for (const v of fresh) rise = Math.max(rise, -y[v]!);
  if (rise > 0) {
    for (let v = 0; v < count; v++) y[v]! += rise;
    spots = new Spots(x, y, width, height);
    for (let v = 0; v < count; v++) if (!port[v]) spots.add(v);
  }

  let right = 0;
  let bottom = 0;
  for (let v = 0; v < count; v++) {
    if (port[v]) continue;
    right = Math.max(right, x[v]! + width[v]!);
    bottom = Math.max(bottom, y[v]! + height[v]!);
  }
  placePorts(level, x, y, right, bottom);
  const { bendAt, bends, reach } = lines(level, x, y, spots);
  return { x, y, width: Math.max(right, reach), height: bottom, bendAt, bends, rise };
}

/** Moves down what has too little room above it for new nodes; returns whether anything moved. */
function makeRoom(level: Level, { before }: Neighbours, kept: readonly number[], y: Float64Array): boolean {
  const { count, height, rank, port } = level;
  const byTop = kept.slice().sort((a, b) => y[a]! - y[b]! || a - b);
  const done = new Uint8Array(count);
  /** The least top of a new node. */
  const least = new Float64Array(count);
  let moved = 0;
  for (const v of byTop) {
    // New nodes that lead to v, from the first on.
    const found: number[] = [];
    const look = (w: number) => {
      for (let slot = before.at[w]!; slot < before.at[w + 1]!; slot++) {
        const u = before.ends[slot]!;
        if (done[u] || port[u] || !Number.isNaN(y[u]!)) continue;
        done[u] = 1;
        found.push(u);
      }
    };
    look(v);
    for (let i = 0; i < found.length; i++) look(found[i]!);
    found.sort((a, b) => rank[a]! - rank[b]!);
    // One node fits between two rows as they are; where room has to be made, it is made for reading, too.
    const room = found.length > 1 ? gap + ease : gap;
    const floor = (w: number, onlyNew: boolean) => {
      // What hangs on nothing that stays needs no room: it may reach up beyond the top.
      let top = -Infinity;
      for (let slot = before.at[w]!; slot < before.at[w + 1]!; slot++) {
        const u = before.ends[slot]!;
        const isNew = Number.isNaN(y[u]!);
        // What stands below v already cannot be above it: that edge leads upwards.
        if (!done[u] || (onlyNew && !isNew)) continue;
        top = Math.max(top, (isNew ? least[u]! : y[u]!) + height[u]! + room);
      }
      return top;
    };
    for (const w of found) least[w] = floor(w, false);
    moved = Math.max(moved, floor(v, true) - y[v]!);
    y[v]! += moved;
    done[v] = 1;
  }
  return moved > 0;
}

/** Gives new nodes places from the first rank on, each at the free spot nearest to its neighbours. */
function placeFresh(
  level: Level,
  { before, after }: Neighbours,
  fresh: readonly number[],
  x: Float64Array,
  y: Float64Array,
  spots: Spots,
): void {
  const { count, width, height } = level;
  const least = new Float64Array(count).fill(-Infinity);
  for (const v of fresh)
    for (let slot = before.at[v]!; slot < before.at[v + 1]!; slot++) {
      const u = before.ends[slot]!;
      least[v] = Math.max(least[v]!, (Number.isNaN(y[u]!) ? least[u]! : y[u]!) + height[u]! + gap);
    }
  /** The largest top, with ease below where there is room for it; and without. */
  const most = new Float64Array(count).fill(Infinity);
  const utmost = new Float64Array(count).fill(Infinity);
  /** New nodes in a row from here on, this one included. */
  const ahead = new Int32Array(count).fill(1);
  /** Middle of what a node leads to. */
  const towards = new Float64Array(count).fill(NaN);
  const middles: number[] = [];
  for (let i = fresh.length - 1; i >= 0; i--) {
    const v = fresh[i]!;
    middles.length = 0;
    for (let slot = after.at[v]!; slot < after.at[v + 1]!; slot++) {
      const w = after.ends[slot]!;
      const isNew = Number.isNaN(y[w]!);
      const tight = (isNew ? most[w]! : y[w]!) - gap - height[v]!;
      const limit = tight - ease >= least[v]! ? tight - ease : tight;
      if (limit >= least[v]! - 0.01) {
        most[v] = Math.min(most[v]!, limit);
        utmost[v] = Math.min(utmost[v]!, tight);
      }
      if (isNew) ahead[v] = Math.max(ahead[v]!, ahead[w]! + 1);
      const middle = isNew ? towards[w]! : x[w]! + width[w]! / 2;
      if (!Number.isNaN(middle)) middles.push(middle);
    }
    towards[v] = median(middles);
  }
  let right = 0;
  for (let v = 0; v < count; v++) if (!Number.isNaN(x[v]!)) right = Math.max(right, x[v]! + width[v]!);
  for (const v of fresh) {
    let top = -Infinity;
    middles.length = 0;
    for (let slot = before.at[v]!; slot < before.at[v + 1]!; slot++) {
      const u = before.ends[slot]!;
      top = Math.max(top, y[u]! + height[u]! + gap);
      middles.push(x[u]! + width[u]! / 2);
    }
    const first = middles.length === 0;
    if (!Number.isNaN(towards[v]!)) middles.push(towards[v]!);
    if (top === -Infinity && most[v] === Infinity) top = 0;
    const bottom = Math.max(top, most[v]!);
    const wanted = middles.length === 0 ? right + margin.x : Math.max(0, median(middles) - width[v]! / 2);
    // A constant stands just above its user, what follows something just below it, what is between in
    // between.
    // In the next row where there is one, so that another node fits in above it and below.
    const between = top + Math.min(gaps.row - gap, Math.max(0, utmost[v]! - top) / (ahead[v]! + 1));
    const best = bottom === Infinity ? top + ease : first ? bottom : between;
    const tries = [best];
    if (bottom < Infinity && first) tries.push(bottom - 40, bottom - 80);
    else if (bottom < Infinity) tries.push(top, bottom, (top + bottom) / 2);
    let least = Infinity;
    for (const at of tries) {
      const left = Math.ceil(spots.nearest(wanted, at, width[v]!, height[v]!, margin));
      const cost = Math.abs(left - wanted) + 0.3 * Math.abs(at - best);
      if (cost >= least) continue;
      least = cost;
      x[v] = left;
      y[v] = at;
    }
    spots.add(v);
  }
}

function median(values: number[]): number {
  if (values.length === 0) return NaN;
  values.sort((a, b) => a - b);
  return (values[(values.length - 1) >> 1]! + values[values.length >> 1]!) / 2;
}

/**
 * Ports in the upper border stand above what they lead to, those in the lower one below where they come from.
 */
function placePorts(level: Level, x: Float64Array, y: Float64Array, right: number, bottom: number): void {
  const { count, edges, shift, width, port } = level;
  const ends = new Map<number, number[]>();
  for (let p = 0; p < edges.length; p++) {
    const v = edges[p]!;
    const other = edges[p ^ 1]!;
    if (!port[v] || port[other]) continue;
    if (!ends.has(v)) ends.set(v, []);
    ends.get(v)!.push(x[other]! + width[other]! / 2 + shift[p ^ 1]!);
  }
  for (let v = 0; v < count; v++) {
    if (!port[v]) continue;
    const middle = median(ends.get(v) ?? []);
    x[v] = Math.min(right, Math.max(0, Number.isNaN(middle) ? right / 2 : middle));
    y[v] = port[v] === 1 ? 0 : bottom;
  }
}

/**
 * The way of every edge around what stands between its ends: straight down beside it, then on to the target.
 */
function lines(level: Level, x: Float64Array, y: Float64Array, spots: Spots) {
  const { edges, shift, width, height, port } = level;
  const edgeCount = edges.length >> 1;
  const bendAt = new Int32Array(edgeCount + 1);
  const bends: number[] = [];
  let reach = 0;
  for (let e = 0; e < edgeCount; e++) {
    const [u, v] = [edges[2 * e]!, edges[2 * e + 1]!];
    let atX = x[u]! + width[u]! / 2 + shift[2 * e]!;
    let atY = y[u]! + (port[u] ? 0 : height[u]!);
    const [toX, toY] = [x[v]! + width[v]! / 2 + shift[2 * e + 1]!, y[v]!];
    // From here on straight to the target.
    const end = toY - 12;
    const turn = (px: number, py: number) => {
      bends.push(px, py);
      [atX, atY] = [px, py];
      reach = Math.max(reach, px);
    };
    for (let steps = 0; steps < 60 && atY < end; steps++) {
      let block = spots.inTheWay(atX, atY, toX, toY, u, v);
      if (block < 0) break;
      const aim = steps === 0 ? toX : atX;
      if (steps > 0) block = spots.inTheWay(atX, atY, atX, end, u, v);
      if (block < 0) {
        turn(atX, end);
        break;
      }
      const [left, right] = [x[block]! - 11, x[block]! + width[block]! + 11];
      const enter = Math.max(atY, Math.min(end, y[block]! - 8));
      const crossing = atX + (aim - atX) * ((enter - atY) / Math.max(1, toY - atY));
      const side = left >= 0 && crossing - left < right - crossing ? left : right;
      turn(side, enter);
      turn(side, Math.max(enter, Math.min(end, y[block]! + height[block]! + 8)));
    }
    // What had to step aside again further down does so at once where it can.
    for (let p = bends.length - 4; p >= 2 * bendAt[e]! + 2; p -= 2) {
      if (bends[p - 2] === bends[p] || bends[p - 1] === bends[p + 1]) continue;
      if (p - 4 < 2 * bendAt[e]! || bends[p - 4] !== bends[p - 2]) continue;
      if (spots.inTheWay(bends[p]!, bends[p - 3]!, bends[p]!, bends[p + 1]!, u, v) >= 0) continue;
      bends[p - 2] = bends[p - 4] = bends[p]!;
    }
    bendAt[e + 1] = bends.length >> 1;
  }
  return { bendAt, bends: Float64Array.from(bends), reach };
}
