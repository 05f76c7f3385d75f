/** The traits, as the page uses them: it tells Python what a person does, and hears only what Python sets. */
import { type Cleanup, save } from "../dom";
import type { GraphViewTraits, Model } from "../types";

export class Traits {
  /** Whether the page itself is setting traits: what it hears of then it knows. */
  private telling = false;

  constructor(
    private readonly model: Model<GraphViewTraits>,
    private readonly cleanup: Cleanup,
  ) {}

  get<K extends keyof GraphViewTraits>(name: K): GraphViewTraits[K] {
    return this.model.get(name);
  }

  tell(values: Partial<GraphViewTraits>): void {
    this.telling = true;
    for (const [name, value] of Object.entries(values) as [keyof GraphViewTraits, never][])
      this.model.set(name, value);
    this.telling = false;
    save(this.model);
  }

  on(names: (keyof GraphViewTraits)[], task: () => void): void {
    this.cleanup.observe(this.model, names, () => {
      if (!this.telling) task();
    });
  }
}
