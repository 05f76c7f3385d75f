/** One by one through what was found or has changed: from either end, and around it. */
import type { Picture } from "./picture";

/** The place after `at`, which is -1 before the first step. */
export function stepped(at: number, direction: 1 | -1, total: number): number {
  return at < 0 && direction < 0 ? total - 1 : (at + direction + total) % total;
}

export class ChangeSteps {
  /** Which of the picture's changes a person is at, or -1. */
  at = -1;

  /** Goes on to a change and gives its node, or -1 where nothing has changed. */
  step({ changes }: Picture, direction: 1 | -1): number {
    if (changes.length === 0) return -1;
    this.at = stepped(this.at, direction, changes.length);
    return changes[this.at]!;
  }

  /** Into another picture of the same graph: before the changes in a block that was opened. */
  carryOver(picture: Picture, old: Picture | null): void {
    const key = this.at < 0 ? undefined : old?.visible.nodes[old.changes[this.at]!]?.key;
    const node = key === undefined ? -1 : picture.find(key);
    this.at = node < 0 ? -1 : picture.changes.indexOf(node);
    if (node >= 0 && this.at < 0)
      this.at = picture.changes.findIndex((change) => picture.y[change]! >= picture.y[node]!) - 1;
  }
}
