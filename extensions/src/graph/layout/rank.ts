/** Which row each node of one level stands in: edges lead from a row to a later one. */

/** Neighbours of node v: `ends[at[v]] … ends[at[v + 1] - 1]`, in the order of the pairs. */
export interface Adjacency {
  at: Int32Array;
  ends: Int32Array;
}

/** The entry `side` of each pair leads to the other entry. */
export function adjacency(count: number, pairs: Int32Array, side: 0 | 1): Adjacency {
  const at = new Int32Array(count + 1);
  for (let p = side; p < pairs.length; p += 2) at[pairs[p]! + 1]! += 1;
  for (let v = 0; v < count; v++) at[v + 1]! += at[v]!;
  const next = at.slice(0, count);
  const ends = new Int32Array(pairs.length >> 1);
  for (let p = 0; p < pairs.length; p += 2) ends[next[pairs[p + side]!]!++] = pairs[p + 1 - side]!;
  return { at, ends };
}

/**
 * The pairs with those turned round that close a cycle, found depth first from the sources. No self-edges.
 */
function withoutCycles(count: number, pairs: Int32Array): Int32Array {
  const { at, ends } = adjacency(count, pairs, 0);
  const incoming = new Int32Array(count);
  for (const end of ends) incoming[end]! += 1;
  const state = new Uint8Array(count); // 0 not seen, 1 on the path, 2 left behind
  const next = at.slice(0, count);
  const path = new Int32Array(count);
  const turned = new Uint8Array(ends.length);
  const visit = (root: number) => {
    let depth = 0;
    path[depth++] = root;
    state[root] = 1;
    while (depth > 0) {
      const v = path[depth - 1]!;
      if (next[v]! === at[v + 1]!) {
        state[v] = 2;
        depth--;
        continue;
      }
      const slot = next[v]!++;
      const w = ends[slot]!;
      if (state[w] === 1) turned[slot] = 1;
      else if (state[w] === 0) {
        state[w] = 1;
        path[depth++] = w;
      }
    }
  };
  for (let v = 0; v < count; v++) if (incoming[v] === 0) visit(v);
  for (let v = 0; v < count; v++) if (state[v] === 0) visit(v);
  if (!turned.includes(1)) return pairs;
  const result = new Int32Array(pairs.length);
  for (let v = 0, p = 0; v < count; v++)
    for (let slot = at[v]!; slot < at[v + 1]!; slot++, p += 2) {
      result[p + turned[slot]!] = v;
      result[p + 1 - turned[slot]!] = ends[slot]!;
    }
  return result;
}

/**
 * Rows from 0 in every connected part. As far up as the edges permit, but what hangs on its users (a
 * constant, a mask and what is made of it) stands next to the first of them.
 */
export function rankNodes(count: number, edges: Int32Array): Int32Array {
  const pairs = withoutCycles(count, edges);
  const into = adjacency(count, pairs, 1);
  const out = adjacency(count, pairs, 0);
  const rank = new Int32Array(count);
  const sorted = new Int32Array(count);
  const waiting = new Int32Array(count);
  let found = 0;
  for (let v = 0; v < count; v++) {
    waiting[v] = into.at[v + 1]! - into.at[v]!;
    if (waiting[v] === 0) sorted[found++] = v;
  }
  for (let done = 0; done < found; done++) {
    const v = sorted[done]!;
    for (let slot = out.at[v]!; slot < out.at[v + 1]!; slot++) {
      const w = out.ends[slot]!;
      if (rank[w]! <= rank[v]!) rank[w] = rank[v]! + 1;
      if (--waiting[w]! === 0) sorted[found++] = w;
    }
  }

  const users = (v: number) => out.at[v + 1]! - out.at[v]!;
  const firstUser = (v: number) => {
    let first = Infinity;
    for (let slot = out.at[v]!; slot < out.at[v + 1]!; slot++) first = Math.min(first, rank[out.ends[slot]!]!);
    return first;
  };
  // How far down each could go without anything that ends the graph going down.
  const lowest = rank.slice();
  for (let done = count - 1; done >= 0; done--) {
    const v = sorted[done]!;
    if (users(v) === 0) continue;
    lowest[v] = 0x7fffffff;
    for (let slot = out.at[v]!; slot < out.at[v + 1]!; slot++)
      lowest[v] = Math.min(lowest[v], lowest[out.ends[slot]!]! - 1);
  }
  // What comes from a source that cannot move is where it belongs; all else may hang on its users.
  const fixed = new Uint8Array(count);
  // How many edges get longer when v goes down together with what may follow it.
  const drag = new Int32Array(count);
  for (const v of sorted) {
    if (into.at[v] === into.at[v + 1]) fixed[v] = lowest[v] === rank[v] ? 1 : 0;
    for (let slot = into.at[v]!; slot < into.at[v + 1]!; slot++) {
      const from = into.ends[slot]!;
      if (!fixed[from]) continue;
      fixed[v] = 1;
      drag[v]! += users(from) === 1 ? Math.min(1, drag[from]!) : 1;
    }
  }
  for (let done = count - 1; done >= 0; done--) {
    const v = sorted[done]!;
    if (users(v) > 0 && (!fixed[v] || drag[v]! < users(v))) rank[v] = Math.max(rank[v]!, firstUser(v) - 1);
  }
  return fromZero(count, pairs, rank);
}

/** The connected part each node belongs to, numbered by its first node. */
export function parts(count: number, pairs: Int32Array): { part: Int32Array; count: number } {
  const leader = Int32Array.from({ length: count }, (_, v) => v);
  const find = (v: number) => {
    while (leader[v]! !== v) {
      leader[v] = leader[leader[v]!]!;
      v = leader[v]!;
    }
    return v;
  };
  for (let p = 0; p < pairs.length; p += 2) {
    const a = find(pairs[p]!);
    const b = find(pairs[p + 1]!);
    if (a < b) leader[b] = a;
    else leader[a] = b;
  }
  const part = new Int32Array(count);
  let found = 0;
  for (let v = 0; v < count; v++) part[v] = leader[v] === v ? found++ : part[find(v)]!;
  return { part, count: found };
}

function fromZero(count: number, pairs: Int32Array, rank: Int32Array): Int32Array {
  const found = parts(count, pairs);
  const top = new Int32Array(found.count).fill(0x7fffffff);
  for (let v = 0; v < count; v++) top[found.part[v]!] = Math.min(top[found.part[v]!]!, rank[v]!);
  for (let v = 0; v < count; v++) rank[v]! -= top[found.part[v]!]!;
  return rank;
}
