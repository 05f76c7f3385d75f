/** Asks the worker for layouts; a newer question takes the place of the one under way. */
import { reason } from "../dom";
import source from "./layout.worker.ts?inline";
import type { LayoutInput, LayoutOutput } from "./layout/index";
import type { Question } from "./layout.worker";

export type Answer =
  | { kind: "done"; output: LayoutOutput; ms: number }
  | { kind: "error"; message: string }
  | { kind: "superseded" };

interface Reply {
  round: number;
  output?: LayoutOutput;
  ms?: number;
  error?: string;
}

export class LayoutEngine {
  private worker: Worker | undefined;
  private round = 0;
  private settle: ((answer: Answer) => void) | undefined;

  async layout(input: LayoutInput): Promise<Answer> {
    // A layout takes well under a second: one that is no longer wanted is worth stopping only when it is long.
    if (this.settle) {
      this.settle({ kind: "superseded" });
      this.stop();
    }
    this.round += 1;
    let worker: Worker;
    try {
      worker = this.worker ??= this.start();
    } catch (error) {
      // A page may forbid workers.
      return { kind: "error", message: reason(error) };
    }
    const question: Question = { round: this.round, input };
    return new Promise((resolve) => {
      this.settle = resolve;
      worker.postMessage(question);
    });
  }

  dispose(): void {
    this.settle?.({ kind: "superseded" });
    this.settle = undefined;
    this.stop();
  }

  private stop(): void {
    this.worker?.terminate();
    this.worker = undefined;
  }

  private start(): Worker {
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const worker = new Worker(url);
    URL.revokeObjectURL(url);
    worker.onmessage = ({ data }: MessageEvent<Reply>) => {
      if (data.round !== this.round) return;
      if (data.output) this.answer({ kind: "done", output: data.output, ms: data.ms ?? 0 });
      else this.answer({ kind: "error", message: data.error ?? "the layout gave nothing" });
    };
    worker.onerror = (event) => {
      event.preventDefault();
      this.stop();
      this.answer({ kind: "error", message: event.message || "the layout stopped" });
    };
    return worker;
  }

  private answer(answer: Answer): void {
    const { settle } = this;
    this.settle = undefined;
    settle?.(answer);
  }
}
