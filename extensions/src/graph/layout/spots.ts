/** What stands where: finds free room beside what is placed, and what is in the way of a line. */

const stripe = 64;

export class Spots {
  /** Per stripe of the height: what reaches into it, by left edge. */
  private readonly stripes = new Map<number, number[]>();
  private readonly found: number[] = [];
  private widest = 0;

  constructor(
    private readonly x: Float64Array,
    private readonly y: Float64Array,
    private readonly width: Float64Array,
    private readonly height: Float64Array,
  ) {}

  /** The first entry of a stripe whose left edge is not before `left`. */
  private firstFrom(entries: readonly number[], left: number): number {
    let low = 0;
    let high = entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.x[entries[middle]!]! < left) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  add(v: number): void {
    const last = Math.floor((this.y[v]! + this.height[v]!) / stripe);
    for (let s = Math.floor(this.y[v]! / stripe); s <= last; s++) {
      let entries = this.stripes.get(s);
      if (!entries) this.stripes.set(s, (entries = []));
      entries.splice(this.firstFrom(entries, this.x[v]!), 0, v);
    }
    this.widest = Math.max(this.widest, this.width[v]!);
  }

  /** Everything that reaches into a box, some of it more than once; good until the next call. */
  private within(left: number, top: number, right: number, bottom: number): readonly number[] {
    const { found } = this;
    found.length = 0;
    const last = Math.floor(bottom / stripe);
    for (let s = Math.floor(top / stripe); s <= last; s++) {
      const entries = this.stripes.get(s);
      if (!entries) continue;
      for (let i = this.firstFrom(entries, left - this.widest); i < entries.length; i++) {
        const v = entries[i]!;
        if (this.x[v]! >= right) break;
        if (this.x[v]! + this.width[v]! <= left || this.y[v]! >= bottom) continue;
        if (this.y[v]! + this.height[v]! > top) found.push(v);
      }
    }
    return found;
  }

  /** Whether a box is taken. */
  taken(left: number, top: number, width: number, height: number): boolean {
    return this.within(left, top, left + width, top + height).length > 0;
  }

  /** The left edge nearest to `wanted`, not below 0, at which a box of this size keeps its margins. */
  nearest(
    wanted: number,
    top: number,
    width: number,
    height: number,
    margin: { x: number; y: number },
  ): number {
    for (let reach = 800; ; reach *= 4) {
      const blocked: [number, number][] = [];
      const [from, to] = [wanted - reach, wanted + width + reach];
      for (const v of this.within(from, top - margin.y, to, top + height + margin.y))
        blocked.push([this.x[v]! - margin.x - width, this.x[v]! + this.width[v]! + margin.x]);
      blocked.sort((a, b) => a[0] - b[0]);
      let [left, right] = [wanted, wanted];
      for (let i = 0; i < blocked.length;) {
        const l = blocked[i]![0];
        let r = blocked[i]![1];
        for (i++; i < blocked.length && blocked[i]![0] < r; i++) r = Math.max(r, blocked[i]![1]);
        if (l < wanted && wanted < r) [left, right] = [l, r];
      }
      const best = left >= 0 && wanted - left <= right - wanted ? left : right;
      if (Math.abs(best - wanted) < reach - width - margin.x - this.widest || reach > 1e7) return best;
    }
  }

  /** The highest of what a line from (x0, y0) down to (x1, y1) passes through, apart from its ends; or -1. */
  inTheWay(x0: number, y0: number, x1: number, y1: number, a: number, b: number): number {
    const margin = 5;
    const slope = (x1 - x0) / Math.max(1e-9, y1 - y0);
    // Stripe by stripe: a slanting line meets little of the box around it.
    for (let top = y0; top < y1;) {
      const bottom = Math.min(y1, (Math.floor(top / stripe) + 1) * stripe);
      const [l, r] = [x0 + (top - y0) * slope, x0 + (bottom - y0) * slope];
      let first = -1;
      for (const v of this.within(Math.min(l, r) - margin, top, Math.max(l, r) + margin, bottom)) {
        if (v === a || v === b) continue;
        const enter = x0 + (Math.max(top, this.y[v]!) - y0) * slope;
        const leave = x0 + (Math.min(bottom, this.y[v]! + this.height[v]!) - y0) * slope;
        const [near, far] = [this.x[v]! - margin, this.x[v]! + this.width[v]! + margin];
        if (Math.max(enter, leave) <= near || Math.min(enter, leave) >= far) continue;
        if (first < 0 || this.y[v]! < this.y[first]!) first = v;
      }
      if (first >= 0) return first;
      top = bottom;
    }
    return -1;
  }
}
