/** The order from left to right within the rows: few crossings. */
import type { Rows } from "./rows";

/** Up to this many members the effort of looking for a better order is worth it. */
const small = 2500;

/** Sorts `members[from] … members[to - 1]` by their keys, equal ones as they stood. */
function sortBy(members: Int32Array, from: number, to: number, key: Float64Array): void {
  if (to - from > 40) {
    members.subarray(from, to).set(Array.from(members.subarray(from, to)).sort((a, b) => key[a]! - key[b]!));
    return;
  }
  for (let i = from + 1; i < to; i++) {
    const member = members[i]!;
    const value = key[member]!;
    let j = i;
    for (; j > from && key[members[j - 1]!]! > value; j--) members[j] = members[j - 1]!;
    members[j] = member;
  }
}

class Ordering {
  /** Where along its node a link is fastened, from 0 to 1; laid out like `links`. */
  private readonly along: Float64Array;
  private readonly key: Float64Array;
  private readonly scratch: Int32Array;
  private readonly rowCount: number;
  private readonly tree: Int32Array;
  /** Sorted places of the neighbours above and below, for the row at work. */
  private readonly near: [Float64Array, Float64Array];
  private readonly grain: number;

  constructor(private readonly rows: Rows) {
    const { links, shift, width, size } = rows;
    this.along = new Float64Array(links.length).fill(0.5);
    let fastened = false;
    for (let p = 0; p < links.length; p++)
      if (shift[p] !== 0) {
        this.along[p] = Math.min(0.99, Math.max(0.01, 0.5 + shift[p]! / Math.max(1, width[links[p]!]!)));
        fastened = true;
      }
    this.grain = fastened ? 16 : 1;
    this.key = new Float64Array(size);
    this.scratch = new Int32Array(size);
    this.rowCount = rows.at.length - 1;
    let widest = 0;
    for (let r = 0; r < this.rowCount; r++) widest = Math.max(widest, rows.at[r + 1]! - rows.at[r]!);
    this.tree = new Int32Array(widest * this.grain + 1);
    this.near = [new Float64Array(links.length >> 1), new Float64Array(links.length >> 1)];
  }

  private number(): void {
    const { at, order, place } = this.rows;
    for (let r = 0; r < this.rowCount; r++)
      for (let i = at[r]!; i < at[r + 1]!; i++) place[order[i]!] = i - at[r]!;
  }

  /** What belongs together stands together: depth first from the first row down, or from the last row up. */
  start(down: boolean): void {
    const { size, row, at, order, above, below, links } = this.rows;
    const seen = new Uint8Array(size);
    const next = at.slice(0, this.rowCount);
    const stack: number[] = [];
    const onward = down ? below : above;
    const back = down ? above : below;
    const visit = (root: number) => {
      stack.push(root);
      while (stack.length > 0) {
        const v = stack.pop()!;
        if (seen[v]) continue;
        seen[v] = 1;
        order[next[row[v]!]!++] = v;
        for (const { at: slots, ends } of [back, onward])
          for (let slot = slots[v + 1]! - 1; slot >= slots[v]!; slot--) {
            const link = ends[slot]!;
            const w = links[2 * link] === v ? links[2 * link + 1]! : links[2 * link]!;
            if (!seen[w]) stack.push(w);
          }
      }
    };
    const step = down ? 1 : -1;
    const byRow = Array.from({ length: this.rowCount }, () => [] as number[]);
    for (let v = 0; v < size; v++) byRow[row[v]!]!.push(v);
    for (let r = down ? 0 : this.rowCount - 1; r >= 0 && r < this.rowCount; r += step)
      for (const v of byRow[r]!) if (!seen[v]) visit(v);
    this.number();
  }

  /** The order of before; what is new starts between its neighbours. */
  startFrom(hint: Float64Array): void {
    const { size, row, at, order, above, below, links } = this.rows;
    const { key } = this;
    key.set(hint);
    const missing: number[] = [];
    for (let v = 0; v < size; v++) if (Number.isNaN(key[v]!)) missing.push(v);
    missing.sort((a, b) => row[a]! - row[b]! || a - b);
    for (const pass of [missing, missing.slice().reverse()])
      for (const v of pass) {
        if (!Number.isNaN(key[v]!)) continue;
        let sum = 0;
        let known = 0;
        for (const { at: slots, ends } of [above, below])
          for (let slot = slots[v]!; slot < slots[v + 1]!; slot++) {
            const link = ends[slot]!;
            const value = key[links[2 * link] === v ? links[2 * link + 1]! : links[2 * link]!]!;
            if (Number.isNaN(value)) continue;
            sum += value;
            known++;
          }
        if (known > 0) key[v] = sum / known;
      }
    for (const v of missing) if (Number.isNaN(key[v]!)) key[v] = 0;
    const next = at.slice(0, this.rowCount);
    for (let v = 0; v < size; v++) order[next[row[v]!]!++] = v;
    for (let r = 0; r < this.rowCount; r++) sortBy(order, at[r]!, at[r + 1]!, key);
    this.number();
  }

  /** Every row by the mean places of its neighbours in the row before (down) or after. */
  sweep(down: boolean, equalTurned: boolean): void {
    const { at, order, place, above, below, links } = this.rows;
    const { key, scratch, along } = this;
    const near = down ? above : below;
    const side = down ? 0 : 1;
    for (let step = 1; step < this.rowCount; step++) {
      const r = down ? step : this.rowCount - 1 - step;
      const [from, to] = [at[r]!, at[r + 1]!];
      let movable = 0;
      for (let i = from; i < to; i++) {
        const v = order[i]!;
        const [first, end] = [near.at[v]!, near.at[v + 1]!];
        if (first === end) continue;
        let sum = 0;
        for (let slot = first; slot < end; slot++) {
          const p = 2 * near.ends[slot]! + side;
          sum += place[links[p]!]! + along[p]!;
        }
        key[v] = sum / (end - first);
        scratch[movable++] = v;
      }
      if (equalTurned) scratch.subarray(0, movable).reverse();
      sortBy(scratch, 0, movable, key);
      // What has no neighbour there keeps its place among the others.
      for (let i = from, taken = 0; i < to; i++) {
        const v = order[i]!;
        if (near.at[v] !== near.at[v + 1]) order[i] = scratch[taken++]!;
        place[order[i]!] = i - from;
      }
    }
  }

  /** Swaps neighbours while that removes crossings; on request once also where it makes no difference. */
  transpose(equalToo: boolean): void {
    const { at, order, place } = this.rows;
    for (let round = 0, better = true; better && round < 8; round++) {
      better = false;
      for (let r = 0; r < this.rowCount; r++) {
        const [from, to] = [at[r]!, at[r + 1]!];
        if (to - from < 2) continue;
        for (let i = from; i < to; i++) this.gather(order[i]!);
        for (let again = true, times = 0; again && times < 8; times++) {
          again = false;
          for (let i = from + 1; i < to; i++) {
            const [u, v] = [order[i - 1]!, order[i]!];
            const gain = this.between(u, v) - this.between(v, u);
            if (gain < 0 || (gain === 0 && !(equalToo && round === 0 && times === 0))) continue;
            order[i - 1] = v;
            order[i] = u;
            if (gain > 0) again = better = true;
          }
        }
        for (let i = from; i < to; i++) place[order[i]!] = i - from;
      }
    }
  }

  /** The places of v's neighbours, sorted. */
  private gather(v: number): void {
    const { above, below, links, place } = this.rows;
    for (const side of [0, 1] as const) {
      const { at, ends } = side === 0 ? above : below;
      const near = this.near[side];
      for (let slot = at[v]!; slot < at[v + 1]!; slot++) {
        const p = 2 * ends[slot]! + side;
        const value = place[links[p]!]! + this.along[p]!;
        let i = slot;
        for (; i > at[v]! && near[i - 1]! > value; i--) near[i] = near[i - 1]!;
        near[i] = value;
      }
    }
  }

  /** Crossings between the links of two members of a row if u stands left of v. */
  private between(u: number, v: number): number {
    let crossings = 0;
    for (const side of [0, 1] as const) {
      const { at } = side === 0 ? this.rows.above : this.rows.below;
      const near = this.near[side];
      let lower = at[v]!;
      for (let slot = at[u]!; slot < at[u + 1]!; slot++) {
        while (lower < at[v + 1]! && near[lower]! < near[slot]!) lower++;
        crossings += lower - at[v]!;
      }
    }
    return crossings;
  }

  /** Crossings in all, with a tree of counts over the places below. */
  crossings(): number {
    const { at, order, place, below, links } = this.rows;
    const { tree, grain, along } = this;
    let crossings = 0;
    const pairs: [number, number][] = [];
    for (let r = 0; r + 1 < this.rowCount; r++) {
      const length = (at[r + 2]! - at[r + 1]!) * grain;
      tree.fill(0, 0, length + 1);
      let seen = 0;
      for (let i = at[r]!; i < at[r + 1]!; i++) {
        const v = order[i]!;
        pairs.length = 0;
        for (let slot = below.at[v]!; slot < below.at[v + 1]!; slot++) {
          const p = 2 * below.ends[slot]!;
          pairs.push([along[p]!, place[links[p + 1]!]! * grain + Math.floor(along[p + 1]! * grain)]);
        }
        if (pairs.length > 1) pairs.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
        for (const [, spot] of pairs) {
          let upTo = 0;
          for (let k = spot + 1; k > 0; k &= k - 1) upTo += tree[k]!;
          crossings += seen - upTo;
          for (let k = spot + 1; k <= length; k += k & -k) tree[k]! += 1;
          seen++;
        }
      }
    }
    return crossings;
  }
}

/** Fills in `order` and `place`. */
export function orderRows(rows: Rows): void {
  const ordering = new Ordering(rows);
  const { hint } = rows;
  if (rows.size > small) {
    if (hint) ordering.startFrom(hint);
    else ordering.start(true);
    for (let sweep = 0; sweep < 4; sweep++) ordering.sweep(sweep % 2 === 0, false);
    return;
  }
  let best = Infinity;
  let kept = rows.order.slice();
  const look = () => {
    const crossings = ordering.crossings();
    if (crossings < best) {
      best = crossings;
      kept = rows.order.slice();
      return true;
    }
    return false;
  };
  const sweeps = Math.min(24, 8 + Math.floor(40_000 / rows.size));
  for (const start of hint ? ["hint"] : ["down", "up"]) {
    if (best === 0) break;
    if (start === "hint") ordering.startFrom(hint!);
    else ordering.start(start === "down");
    look();
    for (let sweep = 0, idle = 0; sweep < sweeps && idle < 12 && best > 0; sweep++) {
      ordering.sweep((sweep % 2 === 0) === (start !== "up"), sweep % 4 > 1);
      ordering.transpose(sweep % 4 > 1);
      idle = look() ? 0 : idle + 1;
    }
  }
  rows.order.set(kept);
  for (let r = 0; r + 1 < rows.at.length; r++)
    for (let i = rows.at[r]!; i < rows.at[r + 1]!; i++) rows.place[rows.order[i]!] = i - rows.at[r]!;
}
