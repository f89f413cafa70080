import type { ColumnSetView } from '@vivace/columns';
import { concatBytes, serveWorker, Transferred, workerArgument } from '@vivace/kernel';
import type { CutOptions } from './block-cutter.ts';
import { type BlockShape, cutBlocks } from './cut.ts';

// The cutter's thread: one generation at a time.

const shape = workerArgument() as BlockShape;

serveWorker(
  new Map<string, (argument: never) => unknown>([
    [
      'cut',
      ({ view, options }: { view: ColumnSetView; options: CutOptions }) => {
        const blocks = cutBlocks(view, options, shape);
        // Compressed pages lie in buffers of Node's own pool, which cannot be handed over: one copy an object can.
        for (const { objects } of blocks) for (const object of objects) object.parts = [concatBytes(object.parts)];
        const buffers = blocks.flatMap(({ objects }) => objects.flatMap(({ parts }) => parts.map(bufferOf)));
        return new Transferred(blocks, buffers);
      },
    ],
  ]),
);

function bufferOf(part: Uint8Array): ArrayBuffer {
  return part.buffer as ArrayBuffer;
}
