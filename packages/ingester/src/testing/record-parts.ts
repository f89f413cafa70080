import type { ColumnSetView, EncodedSpans } from '@vivace/columns';
import type { Clock, Random } from '@vivace/kernel';
import { blockContent, decodeRecord, encodeBlock } from '@vivace/manifest/testing';
import type { BlockCutter } from '../block-cutter.ts';
import type { HeadBuilder, PushReply } from '../head-builder.ts';

/*
 * Builder and cutter of the model: a request is one record, a number; a head is a list of them. So cheap that
 * thousands of seeds run, with every answer at a time that the seed decides.
 */

export interface RecordPartsOptions {
  clock: Clock;
  random: Random;
}

/** What `view` of a generation and `parts` of a head's answer really are in the model. */
interface Records {
  generation: number;
  records: readonly number[];
}

export function recordsOf(part: EncodedSpans): readonly number[] {
  return (part as unknown as Records).records;
}

export function generationOf(view: ColumnSetView): number {
  return (view as unknown as Records).generation;
}

/** Every record counts as one byte. */
export function createRecordHeads({ clock, random }: RecordPartsOptions): HeadBuilder {
  const open = new Map<string, number[]>();
  const sealed = new Map<number, { head: string; records: number[] }>();
  let generations = 0;
  let last: Promise<unknown> = Promise.resolve();
  const inOrder = <T>(work: () => T): Promise<T> => {
    const done = last.then(() => clock.sleep(random.u32() % 20)).then(work);
    last = done.catch(() => undefined);
    return done;
  };
  const size = () => {
    let sum = 0;
    for (const records of open.values()) sum += records.length;
    for (const { records } of sealed.values()) sum += records.length;
    return sum;
  };
  return {
    push: (requests) =>
      inOrder((): PushReply => {
        for (const { head, bytes } of requests) {
          const records = open.get(head) ?? [];
          const record = decodeRecord(bytes);
          // The rule of resends.
          if (!records.includes(record)) records.push(record);
          open.set(head, records);
        }
        const touched = [...new Set(requests.map(({ head }) => head))];
        return {
          outcomes: requests.map(() => ({ accepted: 1, rejected: 0, reason: undefined })),
          sizes: touched.map((head) => [head, open.get(head)?.length ?? 0]),
          size: size(),
        };
      }),
    seal: (head) =>
      inOrder(() => {
        const records = open.get(head);
        if (records === undefined) return undefined;
        open.delete(head);
        const generation = ++generations;
        sealed.set(generation, { head, records });
        const view: Records = { generation, records };
        return { generation, view: view as unknown as ColumnSetView, rows: records.length };
      }),
    drop: (generation) =>
      inOrder(() => {
        sealed.delete(generation);
        return size();
      }),
    trace: (heads) =>
      inOrder(() => {
        const lists = [...sealed.values()].filter(({ head }) => heads.includes(head)).map(({ records }) => records);
        for (const head of heads) lists.push(open.get(head) ?? []);
        return [{ generation: 0, records: lists.flat() } as unknown as EncodedSpans];
      }),
    // Records are no column sets, so nothing can query them.
    views: () => inOrder(() => []),
    stop: async () => undefined,
  };
}

export function createRecordCutter({ clock, random }: RecordPartsOptions): BlockCutter {
  return {
    cut: async (view) => {
      // At times so long that a late commit of the process before comes in between.
      await clock.sleep(random.u32() % (random.u32() % 4 === 0 ? 60_000 : 50));
      const { records } = view as unknown as Records;
      if (records.length === 0) return [];
      const bytes = encodeBlock(records);
      return [{ content: blockContent(bytes, records.length), objects: [{ name: 'block', parts: [bytes] }] }];
    },
    stop: async () => undefined,
  };
}
