import { Columnizer, ColumnSet } from '@vivace/columns';
import { dataError } from '@vivace/kernel';
import { encodeTraces } from '@vivace/otlp/testing';
import { parse } from '@vivace/traceql';
import { expect, test } from 'vitest';
import { search } from './search.ts';
import { headSource, type Source } from './source.ts';
import { SourceFailure } from './source-failure.ts';

/** A source with one version of a span; versions end at the same time. */
function version(id: string, name: string): Source {
  const set = new ColumnSet({ seed: 3, maxColumns: 10 });
  const span = {
    traceId: Buffer.alloc(16, 1),
    spanId: Buffer.alloc(8, 1),
    name,
    startTimeUnixNano: '1',
    endTimeUnixNano: '2',
  };
  const request = encodeTraces({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] });
  new Columnizer(set, { maxAttributeBytes: 1 << 20, maxTraceBytes: 1 << 20 }).add(request);
  return headSource(id, set.view());
}

const request = {
  query: parse('{ name =~ "a.*" }'),
  startUnixNano: undefined,
  endUnixNano: undefined,
  limit: 20,
  spansPerSpanset: 0,
  after: undefined,
};
const options = { signal: new AbortController().signal, breathe: async () => undefined };

test('of two versions of a span that end together one is chosen by the whole span', async () => {
  const names = await Promise.all(
    [
      [version('one', 'ab'), version('two', 'ac')],
      [version('two', 'ac'), version('one', 'ab')],
    ].map(async (sources) => (await search(sources, request, options)).traces[0]?.spansets[0]?.spans),
  );
  expect(names[0]).toHaveLength(1);
  expect(names[1]).toEqual(names[0]);
});

test('a source whose spans cannot be read whole, where that decides, fails alone', async () => {
  const damaged: Source = {
    ...version('two', 'ac'),
    encodeTrace: async () => {
      throw dataError('block-page', 'the checksum of a page of a block does not match');
    },
  };
  const failure = await search([version('one', 'ab'), damaged], request, options).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(SourceFailure);
  expect(failure).toMatchObject({ source: 'two', cause: { kind: 'data', code: 'block-page' } });
});
