import { SECTION_NAMES } from '@vivace/block';
import { seededRandom, uuidV7 } from '@vivace/kernel';
import { blockKey } from '@vivace/manifest';
import { createMemoryStore } from '@vivace/object-store';
import { createCountingStore, createFaultyStore } from '@vivace/object-store/testing';
import { expect, test } from 'vitest';
import { BlockOutput } from './block-output.ts';

const MIB = 1024 * 1024;
const random = seededRandom(4);

function setUp(singleObjectMaxBytes: number) {
  const faulty = createFaultyStore(createMemoryStore());
  const store = createCountingStore(faulty);
  const id = uuidV7(1_790_000_000_000, random);
  const signal = new AbortController().signal;
  return { store, faulty, id, output: new BlockOutput({ store, tenant: 'one', id, singleObjectMaxBytes, signal }) };
}

/** Some pieces of every section, as a merge makes them. */
async function fill(output: BlockOutput, bytes: number) {
  const sections = new Map(SECTION_NAMES.map((name) => [name, [] as Uint8Array[]]));
  for (const name of [...SECTION_NAMES, ...SECTION_NAMES]) {
    const piece = random.bytes(16);
    const whole = new Uint8Array(name === 'spans' ? bytes : 100).fill(piece[0] as number);
    sections.get(name)?.push(whole.slice());
    await output.write(name, whole);
  }
  return sections;
}

test('a small block is one object', async () => {
  const { store, id, output } = setUp(MIB);
  const written = await fill(output, 1000);
  const sections = await output.finish();
  expect(store.counts).toMatchObject({ puts: 1, uploads: 0 });
  const { bytes } = await store.get(blockKey('one', id, 'block'));
  for (const name of SECTION_NAMES) {
    const { object, offset, length } = sections[name];
    expect(object).toBe('block');
    expect(Buffer.from(bytes.subarray(offset, offset + length)).equals(Buffer.concat(written.get(name) ?? []))).toBe(
      true,
    );
  }
});

test('a larger one is an object a section, and what is long goes in pieces as it comes', async () => {
  const { store, id, output } = setUp(MIB);
  const written = await fill(output, 20 * MIB);
  expect(store.counts).toMatchObject({ uploads: 1, pieces: 2 });
  const sections = await output.finish();
  expect(store.counts).toMatchObject({ puts: 5, uploads: 1, pieces: 2 });
  for (const name of SECTION_NAMES) {
    const { object, offset, length } = sections[name];
    const { bytes, size } = await store.get(blockKey('one', id, object));
    expect([offset, length]).toEqual([0, size]);
    expect(Buffer.from(bytes).equals(Buffer.concat(written.get(name) ?? []))).toBe(true);
  }
});

test('one that is given up leaves nothing', async () => {
  const { store, faulty, output } = setUp(0);
  await fill(output, 9 * MIB);
  faulty.plan = ({ operation, number }) =>
    operation === 'put' && number > 3 ? { kind: 'refused', answer: '503' } : undefined;
  await expect(output.finish()).rejects.toMatchObject({ kind: 'unavailable' });
  faulty.plan = () => undefined;
  await output.abort();
  expect((await store.list('')).objects).toEqual([]);
});

test('what cannot be written fails the write, and those after it', async () => {
  const { faulty, output } = setUp(0);
  faulty.down = true;
  await expect(output.write('spans', new Uint8Array(9 * MIB))).rejects.toMatchObject({ kind: 'unavailable' });
  faulty.down = false;
  await expect(output.write('events', new Uint8Array(9))).rejects.toMatchObject({ kind: 'unavailable' });
  await output.abort();
});
