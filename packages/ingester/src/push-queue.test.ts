import { VivaceError } from '@vivace/kernel';
import { expect, test } from 'vitest';
import type { HeadBuilder, HeadRequest, PushReply } from './head-builder.ts';
import { PushQueue } from './push-queue.ts';

/** A builder that answers when it is told to. */
function setUp() {
  const calls: { requests: readonly HeadRequest[]; answer: (failure?: Error) => Promise<void> }[] = [];
  const builder: Pick<HeadBuilder, 'push'> = {
    push: (requests) =>
      new Promise((resolve, reject) => {
        const answer = async (failure?: Error) => {
          if (failure) reject(failure);
          else resolve(replyTo(requests));
          await settled();
        };
        calls.push({ requests, answer });
      }),
  };
  const events: string[] = [];
  const queue = new PushQueue(builder as HeadBuilder, () => events.push('reply'));
  const push = (name: string, onAccept: () => void = () => undefined) =>
    queue.push({
      head: name,
      bytes: new Uint8Array(),
      accept: () => {
        onAccept();
        events.push(`accept ${name}`);
      },
      fail: (error) => events.push(`fail ${name}: ${(error as VivaceError).code}`),
    });
  return { calls, events, push };
}

function replyTo(requests: readonly HeadRequest[]): PushReply {
  return { outcomes: requests.map(() => ({ accepted: 1, rejected: 0, reason: undefined })), sizes: [], size: 0 };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));
const headsOf = (requests: readonly HeadRequest[]) => requests.map(({ head }) => head);

test('two batches are on their way, and what comes meanwhile goes together in the next', async () => {
  const { calls, events, push } = setUp();
  for (const name of ['a', 'b', 'c', 'd']) push(name);
  expect(calls.map(({ requests }) => headsOf(requests))).toEqual([['a'], ['b']]);
  await calls[0]?.answer();
  expect(headsOf(calls[2]?.requests ?? [])).toEqual(['c', 'd']);
  await calls[1]?.answer();
  await calls[2]?.answer();
  expect(events).toEqual(['accept a', 'reply', 'accept b', 'reply', 'accept c', 'accept d', 'reply']);
});

test('a batch that fails is told to its senders, and the next one goes on', async () => {
  const { calls, events, push } = setUp();
  for (const name of ['a', 'b', 'c']) push(name);
  await calls[0]?.answer(new VivaceError('unavailable', 'gone', 'gone'));
  await calls[1]?.answer();
  await calls[2]?.answer();
  expect(events).toEqual(['fail a: gone', 'accept b', 'reply', 'accept c', 'reply']);
});

test('a request that cannot be taken keeps no other from its answer', async () => {
  const { calls, events, push } = setUp();
  for (const name of ['x', 'y', 'a']) push(name);
  push('b', () => {
    throw new VivaceError('invalid', 'tenant-character', 'no');
  });
  push('c');
  for (let i = 0; i < 3; i++) await calls[i]?.answer();
  expect(events.slice(4)).toEqual(['accept a', 'fail b: tenant-character', 'accept c', 'reply']);
  push('d');
  await calls[3]?.answer();
  expect(events).toContain('accept d');
});
