import { type BlockReader, createBlockCache, encodeBlock, openBlock } from '@vivace/block';
import { blockOrder, buildSet, type StoredBlock, storeBlock, type TestSpan } from '@vivace/block/testing';
import { parse, parseField } from '@vivace/traceql';
import { describe, expect, test } from 'vitest';
import type { Filter } from '../needs.ts';
import { blockSource, headSource, type Source } from '../source.ts';
import { SourceFailure } from '../source-failure.ts';
import { INTRINSIC_TAGS } from './intrinsics.ts';
import { tagValues } from './tag-values.ts';
import { tags } from './tags.ts';

const options = { signal: new AbortController().signal, breathe: async () => undefined };

const SPANS: TestSpan[] = Array.from({ length: 400 }, (_, i) => ({
  traceId: (i + 1).toString(16).padStart(32, 'a'),
  spanId: (i + 1).toString(16).padStart(16, '0'),
  start: 1_760_000_000_000_000_000n + BigInt(i),
  end: 1_760_000_000_000_001_000n + BigInt(i),
  name: `operation ${i % 3}`,
  kind: 1 + (i % 2),
  status: i === 399 ? 2 : 0,
  attributes: [
    ['route', `/${i % 7}`],
    ['count', BigInt(i % 11)],
    // Too many for the summary.
    ['id', `${'x'.repeat(200)} ${i}`],
    ...(i === 399 ? ([['rare', true]] as [string, boolean][]) : []),
  ],
}));

function stored(spans: readonly TestSpan[] = SPANS): { store: StoredBlock; reader: BlockReader; source: Source } {
  const set = buildSet([...spans]);
  const store = storeBlock(encodeBlock(set, blockOrder(set), { rowGroupRows: 100 }), 0);
  const reader = openBlock({ ...store, cache: createBlockCache({ maxBytes: 1 << 24 }) });
  return { store, reader, source: blockSource(reader) };
}

function filterOf(text: string): Filter {
  return parse(text).pipeline.stages[0] as Filter;
}

function objectsRead({ reads }: StoredBlock): string[] {
  return [...new Set(reads.map(({ object }) => object))].sort();
}

const texts = (values: readonly object[]) => values.map((value) => ('value' in value ? value.value : undefined));

describe('lists of tags', () => {
  test('without a filter come from the index of a block', async () => {
    const { store, source } = stored();
    const { scopes, inspectedSpans } = await tags([source], { scope: 'span', filter: undefined, limit: 0 }, options);
    expect(scopes).toEqual([{ name: 'span', tags: ['count', 'id', 'rare', 'route'] }]);
    expect(inspectedSpans).toBe(0);
    expect(objectsRead(store)).toEqual(['index']);
    const request = { field: parseField('.route'), filter: undefined, limit: 0 };
    const { values, truncated } = await tagValues([source], request, options);
    expect(texts(values)).toEqual(['/0', '/1', '/2', '/3', '/4', '/5', '/6']);
    expect(truncated).toBe(false);
    const names = await tagValues([source], { ...request, field: parseField('name') }, options);
    expect(texts(names.values)).toEqual(['operation 0', 'operation 1', 'operation 2']);
    expect(objectsRead(store)).toEqual(['index']);
  });

  test('read columns where the summary has not all values', async () => {
    const { store, source } = stored();
    const request = { field: parseField('span.id'), filter: undefined, limit: 0 };
    expect((await tagValues([source], request, options)).values).toHaveLength(400);
    expect(objectsRead(store)).toEqual(['index', 'spans.parquet']);
  });

  test('with a filter are of the spans that match, and limits cut them', async () => {
    const { source } = stored();
    const filter = filterOf('{ name = "operation 1" && span.route = "/2" }');
    const all = await tags([source], { scope: undefined, filter, limit: 0 }, options);
    expect(all.scopes).toEqual([
      { name: 'span', tags: ['count', 'id', 'route'] },
      { name: 'intrinsic', tags: INTRINSIC_TAGS },
    ]);
    const some = await tags([source], { scope: undefined, filter, limit: 2 }, options);
    expect(some.scopes.map((one) => one.tags.length)).toEqual([2, INTRINSIC_TAGS.length]);
    const field = parseField('span.route');
    expect(texts((await tagValues([source], { field, filter, limit: 0 }, options)).values)).toEqual(['/2']);
    const counts = await tagValues([source], { field: parseField('.count'), filter, limit: 3 }, options);
    expect(texts(counts.values)).toEqual([0n, 1n, 2n]);
  });

  test('with a filter read attributes only where a span matches, and nothing where none can', async () => {
    const { store, source } = stored();
    const filter = filterOf('{ status = error }');
    await tags([source], { scope: 'span', filter, limit: 0 }, options);
    const bytesRead = (await source.batches(options.signal)).map((batch) => batch.bytesRead).sort((x, y) => x - y);
    // One batch has the one span that matches: of the others only the status is read.
    expect(bytesRead[2]).toBeLessThan((bytesRead[3] as number) / 10);
    store.reads.length = 0;
    const none = await tags([source], { scope: 'span', filter: filterOf('{ span.route = "/99" }'), limit: 0 }, options);
    expect(none.scopes).toEqual([]);
    expect(none.inspectedSpans).toBe(0);
    expect(objectsRead(store)).not.toContain('spans.parquet');
  });

  test('stop when they are full', async () => {
    const spans = SPANS.map((span, i): TestSpan => ({ ...span, attributes: [['id', `${i} ${'y'.repeat(9000)}`]] }));
    const request = { field: parseField('span.id'), filter: undefined, limit: 0 };
    for (const source of [stored(spans).source, headSource('head', buildSet([...spans]))]) {
      const { values, truncated } = await tagValues([source], request, options);
      expect(truncated).toBe(true);
      expect(values.length).toBeGreaterThan(50);
      expect(values.length).toBeLessThan(150);
    }
    const keys = SPANS.map((span, i): TestSpan => ({ ...span, attributes: [[`${i} ${'k'.repeat(9000)}`, 'v']] }));
    const result = await tags([stored(keys).source], { scope: 'span', filter: undefined, limit: 0 }, options);
    expect(result.truncated).toBe(true);
  });

  test('of durations, ids and places in the tree are empty, of statuses and kinds complete', async () => {
    const { store, source } = stored();
    const valuesOf = async (field: string) =>
      texts((await tagValues([source], { field: parseField(field), filter: undefined, limit: 0 }, options)).values);
    for (const field of ['duration', 'trace:id', 'span:id', 'nestedSetLeft', 'event:timeSinceStart', 'link:spanID']) {
      expect(await valuesOf(field)).toEqual([]);
    }
    expect(await valuesOf('status')).toEqual(['error', 'ok', 'unset']);
    expect(await valuesOf('kind')).toEqual(['client', 'consumer', 'internal', 'producer', 'server', 'unspecified']);
    expect(store.reads).toEqual([]);
  });

  test('name the source that cannot be read', async () => {
    const { store, source } = stored();
    const broken = openBlock({
      ...store,
      place: { ...store.place, id: 'broken' },
      readRange: async () => {
        throw new Error('gone');
      },
      cache: createBlockCache({ maxBytes: 1 << 20 }),
    });
    const asked = tags([source, blockSource(broken)], { scope: undefined, filter: undefined, limit: 0 }, options);
    await expect(asked).rejects.toBeInstanceOf(SourceFailure);
    await expect(asked).rejects.toMatchObject({ source: 'broken' });
  });

  test('end when they are aborted', async () => {
    const { source } = stored();
    const aborted = { ...options, signal: AbortSignal.abort(new Error('enough')) };
    const request = { field: parseField('span.route'), filter: filterOf('{ kind = server }'), limit: 0 };
    await expect(tagValues([source], request, aborted)).rejects.toThrow('enough');
  });
});
