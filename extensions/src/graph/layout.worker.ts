/** Lays graphs out off the page's main thread. */
import { layout, type LayoutInput } from "./layout/index";

export interface Question {
  round: number;
  input: LayoutInput;
}

self.onmessage = ({ data }: MessageEvent<Question>) => {
  try {
    const start = performance.now();
    const output = layout(data.input);
    const buffers = [output.x, output.y, output.width, output.height, output.routeAt, output.route, output.long];
    self.postMessage(
      { round: data.round, output, ms: performance.now() - start },
      { transfer: buffers.map(({ buffer }) => buffer) },
    );
  } catch (error) {
    self.postMessage({ round: data.round, error: error instanceof Error ? error.message : String(error) });
  }
};
