import { serveWorker, systemClock, workerArgument } from '@vivace/kernel';
import type { HeadRequest, PushReply } from './head-builder.ts';
import { Heads, type HeadsOptions } from './heads.ts';

// The builder's thread: scans requests into heads and answers by-id lookups from them, one call after another.

/** What is not used again by then goes back to the system. */
const TRIM_AFTER_MS = 30_000;
let isTrimming = false;

const heads = new Heads(workerArgument() as HeadsOptions);

serveWorker(
  new Map<string, (argument: never) => unknown>([
    [
      'push',
      (requests: readonly HeadRequest[]): PushReply => {
        const outcomes = requests.map(({ head, bytes, acknowledged }) => heads.push(head, bytes, acknowledged));
        trimLater();
        const touched = new Set(requests.map(({ head }) => head));
        return { outcomes, sizes: [...touched].map((head) => [head, heads.sizeOf(head)]), size: heads.size };
      },
    ],
    ['seal', (head: string) => heads.seal(head)],
    [
      'drop',
      (generation: number) => {
        heads.drop(generation);
        trimLater();
        return heads.size;
      },
    ],
    ['views', (names: readonly string[]) => heads.views(names)],
    ['trace', ({ heads: names, id }: { heads: readonly string[]; id: Uint8Array }) => heads.trace(names, id)],
  ]),
);

function trimLater(): void {
  if (isTrimming) return;
  isTrimming = true;
  systemClock.after(TRIM_AFTER_MS, () => {
    isTrimming = false;
    heads.trim();
  });
}
