/** Where the members of ordered rows stand: straight chains, symmetric branches, no overlap. */
import type { Rows } from "./rows";

/**
 * Free room between two nodes of a row, between a node and a line beside it, between two lines, between rows.
 */
export const gaps = { node: 24, line: 14, lines: 10, row: 44 };

/** What must lie between the middles of two neighbours in a row. */
function separation(rows: Rows, left: number, right: number): number {
  const bends = (left >= rows.nodes ? 1 : 0) + (right >= rows.nodes ? 1 : 0);
  const gap = bends === 0 ? gaps.node : bends === 1 ? gaps.line : gaps.lines;
  return (rows.width[left]! + rows.width[right]!) / 2 + gap;
}

class Placement {
  readonly middle: Float64Array;
  private readonly wanted: Float64Array;
  private readonly pull: Float64Array;
  /** Of two members where one has half the pull of the other, the stronger one gets what it wants. */
  private readonly strength: Uint8Array;
  private readonly values: number[] = [];
  private readonly weights: number[] = [];
  private readonly start: Int32Array;
  private readonly mean: Float64Array;
  private readonly mass: Float64Array;
  private readonly offset: Float64Array;
  private readonly free: Float64Array;
  private readonly member: Int32Array;

  constructor(private readonly rows: Rows) {
    const { size, at, order } = rows;
    this.middle = new Float64Array(size);
    this.wanted = new Float64Array(size);
    this.pull = new Float64Array(size);
    this.start = new Int32Array(size + 1);
    this.mean = new Float64Array(size);
    this.mass = new Float64Array(size);
    this.offset = new Float64Array(size);
    this.free = new Float64Array(size);
    this.member = new Int32Array(size);
    this.strength = new Uint8Array(size);
    for (let r = 0; r + 1 < at.length; r++) {
      let x = 0;
      for (let i = at[r]!; i < at[r + 1]!; i++) {
        if (i > at[r]!) x += separation(rows, order[i - 1]!, order[i]!);
        this.middle[order[i]!] = x;
      }
      for (let i = at[r]!; i < at[r + 1]!; i++) this.middle[order[i]!]! -= x / 2;
    }
  }

  /** Where v would be straight above or below its neighbours: their weighted median. */
  private want(v: number, up: boolean, down: boolean): void {
    const { above, below, links, shift, weight } = this.rows;
    const { values, weights, middle } = this;
    values.length = weights.length = 0;
    let total = 0;
    let heaviest = 0;
    for (let side = up ? 0 : 1; side < (down ? 2 : 1); side++) {
      const { at, ends } = side === 0 ? above : below;
      for (let slot = at[v]!; slot < at[v + 1]!; slot++) {
        const link = ends[slot]!;
        const p = 2 * link + side;
        const value = middle[links[p]!]! + shift[p]! - shift[p ^ 1]!;
        const w = weight[link]!;
        total += w;
        heaviest = Math.max(heaviest, w);
        let i = values.length;
        for (; i > 0 && values[i - 1]! > value; i--) {
          values[i] = values[i - 1]!;
          weights[i] = weights[i - 1]!;
        }
        values[i] = value;
        weights[i] = w;
      }
    }
    if (total === 0) {
      this.wanted[v] = middle[v]!;
      this.pull[v] = 1;
      this.strength[v] = 0;
      return;
    }
    let sum = 0;
    let i = 0;
    while (sum + weights[i]! < total / 2) sum += weights[i++]!;
    const tie = sum + weights[i]! === total / 2;
    this.wanted[v] = tie ? (values[i]! + values[i + 1]!) / 2 : values[i]!;
    this.pull[v] = heaviest;
    this.strength[v] = 1 + Math.floor(Math.log2(heaviest));
  }

  /**
   * One row as near to what its members want as the separations permit. With the separations taken off, the
   * places must only not decrease; the strongest members are placed first, and weaker ones between them.
   */
  private settle(r: number): void {
    const { at, order } = this.rows;
    const { wanted, strength, offset, free, middle } = this;
    const [from, to] = [at[r]!, at[r + 1]!];
    let [across, strongest] = [0, 0];
    for (let i = from; i < to; i++) {
      const v = order[i]!;
      if (i > from) across += separation(this.rows, order[i - 1]!, v);
      offset[i] = across;
      free[i] = wanted[v]! - across;
      strongest = Math.max(strongest, strength[v]!);
    }
    for (let level = strongest; level >= 0; level--) {
      let low = -Infinity;
      let first = from;
      for (let i = from; i <= to; i++) {
        if (i < to && strength[order[i]!]! <= level) continue;
        const high = i < to ? free[i]! : Infinity;
        this.pool(first, i, level, low, high);
        low = high;
        first = i + 1;
      }
    }
    for (let i = from; i < to; i++) middle[order[i]!] = free[i]! + offset[i]!;
  }

  /**
   * Members of the given strength, from `first` to before `end`, do not decrease (pool adjacent violators).
   */
  private pool(first: number, end: number, level: number, low: number, high: number): void {
    const { order } = this.rows;
    const { strength, pull, free, member, start, mean, mass } = this;
    let pools = 0;
    let count = 0;
    for (let i = first; i < end; i++) {
      const v = order[i]!;
      if (strength[v] !== level) continue;
      start[pools] = count;
      member[count++] = i;
      mean[pools] = free[i]!;
      mass[pools] = pull[v]!;
      for (; pools > 0 && mean[pools - 1]! > mean[pools]!; pools--) {
        const both = mass[pools - 1]! + mass[pools]!;
        mean[pools - 1] = (mean[pools - 1]! * mass[pools - 1]! + mean[pools]! * mass[pools]!) / both;
        mass[pools - 1] = both;
      }
      pools++;
    }
    start[pools] = count;
    for (let p = 0; p < pools; p++) {
      const value = Math.min(high, Math.max(low, mean[p]!));
      for (let k = start[p]!; k < start[p + 1]!; k++) free[member[k]!] = value;
    }
  }

  sweep(downwards: boolean, up: boolean, down: boolean): void {
    const { at, order } = this.rows;
    const rowCount = at.length - 1;
    for (let step = 0; step < rowCount; step++) {
      const r = downwards ? step : rowCount - 1 - step;
      for (let i = at[r]!; i < at[r + 1]!; i++) this.want(order[i]!, up, down);
      this.settle(r);
    }
  }

  /** Gives the bends of every edge as few different places as the gaps they pass through permit. */
  straighten(): void {
    const { bendAt, at, order, place, row, links, shift } = this.rows;
    const { middle } = this;
    let link = 0;
    for (let e = 0; e + 1 < bendAt.length; e++) {
      const [from, to] = [bendAt[e]!, bendAt[e + 1]!];
      const first = 2 * link;
      link += to - from + 1;
      const last = 2 * link - 1;
      const source = middle[links[first]!]! + shift[first]!;
      const target = middle[links[last]!]! + shift[last]!;
      for (let run = from; run < to;) {
        let low = -Infinity;
        let high = Infinity;
        let end = run;
        for (; end < to; end++) {
          const i = at[row[end]!]! + place[end]!;
          let [l, h] = [-Infinity, Infinity];
          if (i > at[row[end]!]!) l = middle[order[i - 1]!]! + separation(this.rows, order[i - 1]!, end);
          if (i + 1 < at[row[end]! + 1]!)
            h = middle[order[i + 1]!]! - separation(this.rows, end, order[i + 1]!);
          // What has no room at all stays where it is.
          if (l > h) l = h = middle[end]!;
          if (Math.max(l, low) > Math.min(h, high)) break;
          low = Math.max(l, low);
          high = Math.min(h, high);
        }
        let wanted = run > from ? middle[run - 1]! : 0;
        if (run === from) wanted = end === to ? (source + target) / 2 : middle[end]!;
        const x = Math.min(high, Math.max(low, wanted));
        for (; run < end; run++) middle[run] = x;
      }
    }
  }
}

/** The middles across of all members; the leftmost edge of any is at 0. Also how wide it all is. */
export function placeRows(rows: Rows): { middle: Float64Array; width: number } {
  const placement = new Placement(rows);
  const rounds = rows.size > 4000 ? 2 : 6;
  for (let round = 0; round < rounds; round++) {
    placement.sweep(true, true, false);
    placement.sweep(false, false, true);
  }
  placement.sweep(true, true, true);
  placement.sweep(false, true, true);
  placement.straighten();
  const { middle } = placement;
  let left = Infinity;
  let right = -Infinity;
  for (let v = 0; v < rows.size; v++) {
    // Whole pixels: what is nearly straight becomes straight.
    middle[v] = Math.round(middle[v]!);
    left = Math.min(left, middle[v]! - rows.width[v]! / 2);
    right = Math.max(right, middle[v]! + rows.width[v]! / 2);
  }
  left = Math.floor(left);
  for (let v = 0; v < rows.size; v++) middle[v]! -= left;
  return { middle, width: right - left };
}
