import { seededRandom, utf8Encode } from '@vivace/kernel';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeBlock } from '../encode-block.ts';
import { SECTION_NAMES, type SectionName } from '../layout.ts';
import { mergeStored } from '../testing/merge-stored.ts';
import { arbitrarySpan, blockOrder, buildSet, storeBlock, type TestSpan } from '../testing.ts';
import { type BlockClaim, type VerifyResult, verifyBlock } from './verify-block.ts';

const random = seededRandom(5);
/** Several row groups, one trace that has some of its own, every kind of column. */
const spans = Array.from({ length: 700 }, (_, i): TestSpan => {
  const trace = i % 3 === 0 ? 7 : i % 40;
  return {
    traceId: trace === 3 ? '5'.padStart(32, '0') : `${trace}`.padStart(32, '7'),
    spanId: `${i + 1}`.padStart(16, '0'),
    ...(i >= 60 && { parentId: `${i % 2 === 0 ? (i % 60) + 1 : 9_000_000 + i}`.padStart(16, '0') }),
    start: 1_760_000_000_000_000_000n + BigInt(random.u32()),
    end: i % 20 === 0 ? 5n : 1_760_000_010_000_000_000n + BigInt(random.u32()),
    name: `op ${i % 7}`,
    kind: i % 6,
    status: i % 3,
    resource: utf8Encode(`\x0a\x17\x0a\x15\x0a\x0cservice.name\x12\x05\x0a\x03s-${i % 4}`),
    scope: utf8Encode(`\x0a\x05\x0a\x03l${i % 10}b`),
    attributes: [
      ['text', `value ${i % 30}`],
      ['unique', `u${random.u32()}`],
      ['int', BigInt(i * i)],
      ['double', i / 3],
      ['bool', i % 3 === 0],
    ],
    ...(i % 9 === 0 && { overflow: Uint8Array.of(0x50, i % 100), statusMessage: 'failed', traceState: 'a=b' }),
    events:
      i % 4 === 0 ? [{ name: 'e', time: BigInt(i), attributes: [['k', `v${i}`]] }, { link: 'cd'.repeat(24) }] : [],
  };
});

interface Stored {
  claim: BlockClaim;
  objects: Map<string, Uint8Array>;
}

function store(of: readonly TestSpan[], singleObjectMaxBytes?: number): Stored {
  const set = buildSet(of);
  const block = encodeBlock(set, blockOrder(set), { rowGroupRows: 150, pageRows: 32 });
  const { place, objects } = storeBlock(block, singleObjectMaxBytes);
  const { rows, traces, minStart, maxEnd, filterBytes } = block;
  return { claim: { ...place, rows, traces, minStart, maxEnd, filterBytes }, objects };
}

function verify({ claim, objects }: Stored): Promise<VerifyResult> {
  const bytesOf = (object: string) => objects.get(object) as Uint8Array;
  return verifyBlock({
    claim,
    readRange: async (object, offset, length) => bytesOf(object).slice(offset, offset + length),
    objectBytes: async (object) => bytesOf(object).length,
  });
}

/** The block with one byte of a section changed. */
function flip({ claim, objects }: Stored, section: SectionName, share: number, mask: number): Stored {
  const { object, offset, length } = claim.sections[section];
  const bytes = (objects.get(object) as Uint8Array).slice();
  const at = offset + Math.floor(share * length);
  bytes[at] = (bytes[at] as number) ^ mask;
  return { claim, objects: new Map([...objects, [object, bytes]]) };
}

const stored = store(spans, 0);
const whole = store(spans);

describe('a whole block', () => {
  test('has nothing wrong, and every byte of it is read once', async () => {
    for (const block of [stored, whole]) {
      const result = await verify(block);
      expect(result.findings).toEqual([]);
      const bytes = [...block.objects.values()].reduce((sum, { length }) => sum + length, 0);
      expect(result.bytes).toBe(bytes);
      expect(result.pages).toBeGreaterThan(200);
    }
  });

  test('has nothing wrong whatever its spans are', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(arbitrarySpan, { minLength: 1, maxLength: 60 }), async (list) => {
        fc.pre(list.some(({ dead }) => dead !== true));
        expect((await verify(store(list))).findings).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});

test('a block that was merged has nothing wrong, whatever it was merged from', { timeout: 120_000 }, async () => {
  const placed = fc.array(fc.tuple(arbitrarySpan, fc.nat(2)), { minLength: 1, maxLength: 60 });
  const shape = fc.record({ rowGroupRows: fc.integer({ min: 1, max: 60 }), pageRows: fc.integer({ min: 1, max: 20 }) });
  await fc.assert(
    fc.asyncProperty(placed, shape, async (list, options) => {
      const stores = [0, 1, 2].flatMap((number) => {
        const set = buildSet(list.filter(([, block]) => block === number).map(([span]) => span));
        const order = blockOrder(set);
        return order.length === 0 ? [] : [storeBlock(encodeBlock(set, order, { rowGroupRows: 9, pageRows: 3 }))];
      });
      fc.pre(stores.length > 0);
      for (const { encoded, store: merged } of (await mergeStored(stores, options)).merged) {
        const { rows, traces, minStart, maxEnd, filterBytes } = encoded;
        const claim = { ...merged.place, rows, traces, minStart, maxEnd, filterBytes };
        expect((await verify({ claim, objects: merged.objects })).findings).toEqual([]);
      }
    }),
    { numRuns: 100 },
  );
});

describe('a flipped bit', () => {
  test.each(SECTION_NAMES)(
    'anywhere in %s is found',
    async (section) => {
      await fc.assert(
        fc.asyncProperty(
          fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
          fc.integer({ min: 1, max: 255 }),
          async (share, mask) => {
            const { findings } = await verify(flip(stored, section, share, mask));
            expect(findings.length).toBeGreaterThan(0);
            expect(findings.some((finding) => finding.section === section)).toBe(true);
          },
        ),
        { numRuns: 100 },
      );
    },
    120_000,
  );
});

describe('a block that says of itself what is not so', () => {
  const found = async (block: Stored) =>
    (await verify(block)).findings.map(({ section, what }) => `${section}: ${what}`);

  test('rows out of order', async () => {
    const set = buildSet(spans);
    const order = blockOrder(set);
    const at = order.findIndex((row, i) => i > 0 && set.trace[row] === set.trace[order[i - 1] as number]);
    [order[at - 1], order[at]] = [order[at] as number, order[at - 1] as number];
    const block = encodeBlock(set, order, { rowGroupRows: 150 });
    const { place, objects } = storeBlock(block);
    const { rows, traces, minStart, maxEnd, filterBytes } = block;
    const claim = { ...place, rows, traces, minStart, maxEnd, filterBytes };
    expect(await found({ claim, objects })).toContainEqual(expect.stringMatching(/^spans: rows are out of order/));
  });

  test('a filter of other spans', async () => {
    const other = store(
      spans.map((span) => ({ ...span, attributes: [['text', 'something else']] })),
      0,
    );
    const filter = other.objects.get('filter') as Uint8Array;
    const claim = {
      ...stored.claim,
      filterBytes: filter.length,
      sections: { ...stored.claim.sections, filter: { object: 'filter', offset: 0, length: filter.length } },
    };
    const objects = new Map([...stored.objects, ['filter', filter]]);
    expect(await found({ claim, objects })).toEqual([
      expect.stringMatching(/^filter: the filter does not have a value/),
    ]);
  });

  test('a table of traces of other spans', async () => {
    const other = store(
      spans.map((span) => ({ ...span, status: 2 })),
      0,
    );
    const objects = new Map(stored.objects);
    for (const name of ['spans.parquet', 'index']) objects.set(name, other.objects.get(name) as Uint8Array);
    const claim = { ...other.claim, sections: { ...other.claim.sections, traces: stored.claim.sections.traces } };
    expect((await found({ claim, objects })).some((line) => line.startsWith('traces: '))).toBe(true);
  });

  test('an entry with other numbers', async () => {
    const claim = { ...stored.claim, rows: 1, traces: 2, minStart: 3n, filterBytes: 4 };
    expect(await found({ ...stored, claim })).toEqual([
      'entry: rows is 1, and in the index 700',
      expect.stringMatching(/^entry: traces is 2/),
      expect.stringMatching(/^entry: minStart is 3/),
      expect.stringMatching(/^entry: filterBytes is 4/),
    ]);
  });

  test('objects that are too long or too short', async () => {
    const longer = new Map(whole.objects);
    longer.set('block', Buffer.concat([whole.objects.get('block') as Uint8Array, Uint8Array.of(0)]));
    expect(await found({ ...whole, objects: longer })).toEqual([expect.stringMatching(/^index: the object block has/)]);
    for (const name of ['spans.parquet', 'filter', 'index']) {
      const shorter = new Map(stored.objects);
      shorter.set(name, (stored.objects.get(name) as Uint8Array).slice(0, -1));
      expect((await found({ ...stored, objects: shorter })).length).toBeGreaterThan(0);
    }
  });
});
