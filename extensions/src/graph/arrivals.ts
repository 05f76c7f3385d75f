/** Graphs and their history as Python sends them: unpacked one after the other, the latest counts. */
import { type Cleanup, reason } from "../dom";
import type { GraphDocument, LineageDocument } from "./document";
import { unpack } from "./documents";
import { type Lineage, parseLineage } from "./lineage";
import { Scene } from "./scene";
import type { Traits } from "./traits";

export interface ArrivalEvents {
  /** Another graph is there, in place of an old one. */
  graph(scene: Scene, old: Scene | null): void;
  noGraph(): void;
  history(): void;
  problem(words: string): void;
}

export class Arrivals {
  scene: Scene | null = null;
  lineage: Lineage | null = null;
  /** Why the history of the ops cannot be read. */
  historyProblem = "";
  /** The lineage comes with a graph: where its new ops belong is known only when both are read. */
  private lineageRead: Promise<void> = Promise.resolve();
  /** A new document makes the one that is being unpacked void. */
  private round = 0;
  private reading = false;

  constructor(
    private readonly traits: Traits,
    private readonly events: ArrivalEvents,
    cleanup: Cleanup,
  ) {
    cleanup.add(() => (this.round += 1));
  }

  /** Whether the graph that Python's traits speak of has arrived. */
  get upToDate(): boolean {
    const document = this.scene?.document;
    const { traits } = this;
    return !this.reading && document?.stage === traits.get("stage") && document.against === traits.get("against");
  }

  async takeGraph(): Promise<void> {
    const bytes = this.traits.get("document");
    const shown = this.traits.get("shown");
    this.round += 1;
    const { round } = this;
    if (bytes.byteLength === 0) {
      this.reading = false;
      this.scene = null;
      this.events.noGraph();
      return;
    }
    performance.mark("pwb-document");
    this.reading = true;
    let scene: Scene;
    try {
      // A stage that changed nothing has the document of one before it.
      scene = new Scene({ ...(await unpack<GraphDocument>(bytes)), ...shown });
    } catch (error) {
      if (round !== this.round) return;
      this.reading = false;
      this.events.problem(`The graph cannot be read: ${reason(error)}.`);
      return;
    }
    await this.lineageRead;
    if (round !== this.round) return;
    this.reading = false;
    const old = this.scene;
    this.scene = scene;
    this.events.graph(scene, old);
  }

  takeLineage(): void {
    this.lineageRead = this.readLineage();
  }

  private async readLineage(): Promise<void> {
    const bytes = this.traits.get("lineage");
    if (bytes.byteLength === 0) {
      this.lineage = null;
      return;
    }
    try {
      this.lineage = parseLineage(await unpack<LineageDocument>(bytes));
      this.historyProblem = "";
    } catch (error) {
      this.historyProblem = `The history of the ops cannot be read: ${reason(error)}.`;
    }
    this.events.history();
  }
}
