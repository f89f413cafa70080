import { type BlockReader, createBlockCache, encodeBlock, layoutObjects, openBlock } from '@vivace/block';
import { Columnizer, ColumnSet, type ColumnSetView, encodeSpans, mergeTrace, sortedRows } from '@vivace/columns';
import { concatBytes, hexToBytes } from '@vivace/kernel';
import { ProtoReader, WIRE_BYTES } from '@vivace/otlp';
import { createDataset } from './dataset.ts';
import type { DatasetOptions } from './dataset-options.ts';
import { type Machine, machineFacts } from './machine.ts';
import { measureQueries } from './micro-queries.ts';
import type { BenchOptions } from './options.ts';
import type { SpanFacts } from './span-facts.ts';
import { median } from './statistics.ts';
import type { Truth } from './truth.ts';

/** One part of the way of a span, alone, on one thread. */
interface MicroFigure {
  name: string;
  /** What is counted: spans for most, traces for lookups. */
  unit: 'spans/s' | 'traces/s' | 'queries/s' | 'bytes/span';
  values: number[];
}

const LIMITS = { maxAttributeBytes: 1 << 20, maxTraceBytes: 1 << 30 };
const CACHE_BYTES = 1 << 30;
/** As many columns as the server allows a table by default. */
const MAX_COLUMNS = 512;
const SEED = 7;

/** Times each part on the same spans, `runs` times. */
export async function runMicro(options: BenchOptions): Promise<{ table: string; json: string }> {
  const figures = new Map<string, MicroFigure>();
  for (let run = 0; run < options.runs; run++) {
    await measureParts({ ...options.dataset, startMs: 1_763_700_000_000 }, (name, unit, value) => {
      const figure = figures.get(name) ?? { name, unit, values: [] };
      figure.values.push(value);
      figures.set(name, figure);
    });
  }
  const machine = machineFacts();
  const all = [...figures.values()];
  return { table: renderTable(all, machine, options), json: renderJson(all, machine, options) };
}

type Note = (name: string, unit: MicroFigure['unit'], value: number) => void;

/** Throws where a part gives a wrong number of spans: a figure of wrong work says nothing. */
export async function measureParts(options: DatasetOptions, note: Note): Promise<void> {
  const { truth, requests } = createDataset({ ...options, facts: true });
  const timed = <T>(name: string, work: () => T): T => {
    const started = performance.now();
    const result = work();
    note(name, 'spans/s', (truth.spans / (performance.now() - started)) * 1000);
    return result;
  };
  const bodies = timed('make the data', () => [...requests].map(({ bytes }) => bytes));
  check(
    'scan',
    truth,
    timed('scan', () => bodies.reduce((sum, body) => sum + scan(body), 0)),
  );
  const set = timed('columnise', () => columnise(bodies));
  const order = timed('cut: sort', () => sortedRows(set.view()));
  check('sort', truth, order.length);
  const encoded = timed('encode a block', () => encodeBlock(set.view(), order));
  const stored = layoutObjects(encoded);
  const bytes = stored.objects.flatMap(({ parts }) => parts).reduce((sum, { length }) => sum + length, 0);
  note('block', 'bytes/span', bytes / truth.spans);
  const block = () => openStored(stored);
  await measureReads(block, truth, note);
  const split = [0, 1].map((half) => {
    const part = columnise(bodies.filter((_, at) => at % 2 === half)).view();
    return layoutObjects(encodeBlock(part, sortedRows(part)));
  });
  const blocks = { whole: block(), halves: () => split.map((half) => openStored(half)) };
  await measureQueries(blocks, truth, truth.facts as SpanFacts, note);
}

let opened = 0;

/** A reader with an id and a cache of its own over a block in memory. */
function openStored({ objects, sections }: ReturnType<typeof layoutObjects>): BlockReader {
  const bytes = new Map(objects.map(({ name, parts }) => [name, concatBytes(parts)]));
  return openBlock({
    place: { id: `bench-${opened++}`, sections },
    cache: createBlockCache({ maxBytes: CACHE_BYTES }),
    readRange: async (object, offset, length) => (bytes.get(object) as Uint8Array).subarray(offset, offset + length),
  });
}

/** A whole block decoded, and traces by id from memory: the first of a fresh reader, and all with a warm cache. */
async function measureReads(block: () => BlockReader, truth: Truth, note: Note): Promise<void> {
  const whole = block();
  const started = performance.now();
  const { groups } = (await whole.index()).spans;
  let spans = 0;
  for (let group = 0; group < groups.length; group++) spans += (await whole.readGroup(group)).spanCount;
  note('decode a block', 'spans/s', (spans / (performance.now() - started)) * 1000);
  check('decode', truth, spans);
  const warm = block();
  const ids = truth.sample
    .slice(0, 200)
    .map(({ traceId, spans: sent }) => ({ id: hexToBytes(traceId), spans: sent.size }));
  // The first pass fills the cache and is the cold figure: a fresh reader, bytes in memory.
  for (const name of ['trace by id, first pass', 'trace by id, second pass']) {
    const begun = performance.now();
    for (const { id, spans: wanted } of ids) {
      const view = await warm.readTrace(id);
      if (view === undefined || answer(view).length === 0 || view.spanCount !== wanted) {
        throw new Error(`${name}: ${view?.spanCount ?? 0} of ${wanted} spans`);
      }
    }
    note(name, 'traces/s', (ids.length / (performance.now() - begun)) * 1000);
  }
}

function answer(view: ColumnSetView): Uint8Array {
  const rows = Int32Array.from({ length: view.spanCount }, (_, row) => row);
  return mergeTrace([encodeSpans(view, rows)], { maxBytes: LIMITS.maxTraceBytes }).bytes;
}

function columnise(bodies: readonly Uint8Array[]): ColumnSet {
  const set = new ColumnSet({ seed: SEED, maxColumns: MAX_COLUMNS });
  const columnizer = new Columnizer(set, LIMITS);
  for (const body of bodies) columnizer.add(body);
  return set;
}

/** Fields (number << 3 | wire type) that hold messages, by depth: down to a span's attributes, events and links. */
const INNER: readonly ReadonlySet<number>[] = [
  new Set([0x0a]),
  new Set([0x12]),
  new Set([0x12]),
  new Set([0x4a, 0x5a, 0x6a, 0x7a]),
];
const SPAN_DEPTH = 3;

/** Reads every tag and length down to attributes and keeps nothing: what columnising cannot be faster than. */
function scan(body: Uint8Array): number {
  return walk(new ProtoReader(body), 0);
}

function walk(reader: ProtoReader, depth: number): number {
  let spans = depth === SPAN_DEPTH ? 1 : 0;
  while (reader.at < reader.end) {
    const tag = reader.tag();
    if ((tag & 7) === WIRE_BYTES && INNER[depth]?.has(tag)) {
      const outerEnd = reader.end;
      reader.end = reader.length() + reader.at;
      spans += walk(reader, depth + 1);
      reader.end = outerEnd;
    } else reader.skip(tag & 7);
  }
  return spans;
}

function check(part: string, truth: Truth, spans: number): void {
  if (spans !== truth.spans) throw new Error(`${part}: ${spans} of ${truth.spans} spans`);
}

function renderTable(all: readonly MicroFigure[], machine: Machine, { dataset, scenario }: BenchOptions): string {
  const digits = (unit: string) => (unit === 'bytes/span' ? 2 : 0);
  const lines = all.map(({ name, unit, values }) => {
    const value = median(values).toLocaleString('en', {
      minimumFractionDigits: digits(unit),
      maximumFractionDigits: digits(unit),
    });
    return `${name.padEnd(26)} ${value.padStart(12)}  ${unit}`;
  });
  const head = `${machine.cpu}, Node ${machine.node}; ${scenario}, ${dataset.spans} spans, one thread, medians`;
  return `${head}\n\n${lines.join('\n')}\n`;
}

function renderJson(all: readonly MicroFigure[], machine: Machine, { dataset, scenario }: BenchOptions): string {
  const figures = all.map((figure) => ({ ...figure, median: median(figure.values) }));
  return `${JSON.stringify({ machine, scenario, dataset, figures }, null, 2)}\n`;
}
