/** Reads what Python packed: zlib-compressed JSON. */
import type { GraphDocument, LineageDocument } from "./document";

export async function unpack<T extends GraphDocument | LineageDocument>(bytes: DataView): Promise<T> {
  // A view of a part of a buffer stays one: the rest belongs to somebody else.
  const part = new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
  const stream = new Blob([part]).stream().pipeThrough(new DecompressionStream("deflate"));
  const found = (await new Response(stream).json()) as T;
  if ((found.version as number) !== 1) throw new Error("this graph was written by another release: show it again from Python");
  return found;
}
