import type { ColumnSetView } from '@vivace/columns';
import { serveWorker, Transferred, workerArgument } from '@vivace/kernel';
import { encodeChunk } from './encode-chunk.ts';
import type { RowRange } from './plan-chunks.ts';

// The thread that encodes rows of heads for queriers, so that neither writes nor cuts wait for it.

const { seed } = workerArgument() as { seed: number };

serveWorker(
  new Map<string, (argument: never) => unknown>([
    [
      'encode',
      ({ view, ranges }: { view: ColumnSetView; ranges: readonly RowRange[] }) => {
        const chunks = ranges.map((range) => encodeChunk(view, range, seed));
        return new Transferred(
          chunks,
          chunks.flatMap((chunk) => (chunk === undefined ? [] : [chunk.bytes.buffer as ArrayBuffer])),
        );
      },
    ],
  ]),
);
