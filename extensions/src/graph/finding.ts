/** The search: what a person types, what it finds, and which of that they are at. */
import { type Cleanup, debounce } from "../dom";
import type { Scene } from "./scene";
import { parseQuery, search, searchNote } from "./search";
import { stepped } from "./stepping";
import type { Toolbar } from "./toolbar";
import type { Traits } from "./traits";

/** Searching starts when a person stops typing. */
const typingMs = 120;

export class Finding {
  /** Places of ops in the scene; null where nothing is searched for. */
  ops: readonly number[] | null = null;
  private at = -1;
  private readonly later: ReturnType<typeof debounce>;

  /** `due` is called when a person has typed: it is to call `search`. */
  constructor(
    private readonly traits: Traits,
    private readonly toolbar: Toolbar,
    due: () => void,
    cleanup: Cleanup,
  ) {
    this.later = debounce(due, typingMs);
    cleanup.add(this.later.cancel);
  }

  typed(query: string): void {
    this.traits.tell({ query });
    this.later();
  }

  /** Gives why nothing can be found, if so. */
  search(scene: Scene | null): string {
    const { toolbar, traits } = this;
    const text = traits.get("query");
    toolbar.setQuery(text);
    this.at = -1;
    this.ops = null;
    let problem = "";
    if (scene && text.trim()) {
      const query = parseQuery(text);
      if ("error" in query) problem = query.error;
      else {
        this.ops = [...search(scene, query)];
        problem = this.ops.length === 0 ? (searchNote(scene, query) ?? "") : "";
      }
    }
    toolbar.setFound(-1, this.ops?.length ?? null, problem);
    const found = scene?.indicesOf(this.ops ?? [], false) ?? [];
    const known = traits.get("found");
    if (found.length !== known.length || found.some((op, at) => op !== known[at])) traits.tell({ found });
    return problem;
  }

  /** Goes on to an op that was found, or gives -1. */
  step(direction: 1 | -1): number {
    this.later.flush();
    const { ops } = this;
    if (!ops || ops.length === 0) return -1;
    this.at = stepped(this.at, direction, ops.length);
    this.toolbar.setFound(this.at, ops.length, "");
    return ops[this.at]!;
  }
}
