import { compareResends, type EncodedSpans } from '@vivace/columns';
import { bytesToHex, compareBytes } from '@vivace/kernel';
import type { Field } from '@vivace/traceql';
import type { BatchRows } from './batch-rows.ts';
import { eventScopeOf } from './conjunction.ts';
import { TraceRows } from './trace-rows.ts';
import { valueKey } from './value.ts';

/** Spans of one trace in one batch. */
export interface Part {
  rows: BatchRows;
  trace: number;
  /** The part's spans whole. */
  encode: () => Promise<EncodedSpans | undefined>;
}

interface Candidate {
  part: Part;
  row: number;
}

/**
 * Makes one trace of its parts: each span once, by the rule of resends, in canonical order. Versions of a span that
 * end at the same time and do not differ in `fields` and in what facts are made of are as good as each other; for
 * others the whole spans are compared. Of `all` fields nothing is known to be the same.
 */
export async function mergeParts(
  traceId: Uint8Array,
  parts: readonly Part[],
  fields: readonly Field[] | 'all',
): Promise<TraceRows> {
  const chosen = new Map<string, Candidate>();
  for (const part of parts) {
    const { batch } = part.rows;
    const first = batch.traceFirst();
    const order = batch.order();
    for (let at = first[part.trace] as number; at < (first[part.trace + 1] as number); at++) {
      const row = order === undefined ? at : (order[at] as number);
      const candidate = { part, row };
      const key = `${bytesToHex(part.rows.spanIdOf(row))} ${part.rows.startOf(row)} ${batch.kind()[row]}`;
      const other = chosen.get(key);
      if (other === undefined || (await isBetter(candidate, other, fields))) chosen.set(key, candidate);
    }
  }
  const sorted = [...chosen.values()].sort(compareCandidates);
  return new TraceRows(
    () => traceId,
    sorted.map(({ part }) => part.rows),
    Int32Array.from(sorted, ({ row }) => row),
  );
}

async function isBetter(a: Candidate, b: Candidate, fields: readonly Field[] | 'all'): Promise<boolean> {
  const endA = a.part.rows.endOf(a.row);
  const endB = b.part.rows.endOf(b.row);
  if (endA !== endB) return endA > endB;
  if (fields !== 'all' && fingerprint(a, fields) === fingerprint(b, fields)) return false;
  const [encodedA, encodedB] = await Promise.all([a.part.encode(), b.part.encode()]);
  const indexA = encodedA === undefined ? -1 : indexOf(encodedA, a);
  const indexB = encodedB === undefined ? -1 : indexOf(encodedB, b);
  if (encodedA === undefined || encodedB === undefined || indexA < 0 || indexB < 0) return false;
  return compareResends(encodedA, indexA, encodedB, indexB) > 0;
}

/** What of a span a query can see. */
function fingerprint({ part: { rows }, row }: Candidate, fields: readonly Field[]): string {
  const facts = [
    bytesToHex(rows.batch.parentIds().slice(8 * row, 8 * row + 8)),
    rows.batch.status()[row],
    rows.nameOf(row),
    rows.service(row),
  ];
  const values = fields.map((field) => {
    if (eventScopeOf(field) === undefined) return valueKey(rows.valueOf(row, field));
    // One by one, because conditions are judged on single events.
    return rows.eventsOf(row, field).map((event) => valueKey(rows.eventValue(event, row, field)));
  });
  return JSON.stringify([facts, values]);
}

function indexOf(spans: EncodedSpans, { part: { rows }, row }: Candidate): number {
  const { batch } = rows;
  const id = rows.spanIdOf(row);
  for (let i = 0; i < spans.count; i++) {
    if (spans.kinds[i] !== batch.kind()[row]) continue;
    if (spans.starts[2 * i] !== batch.start()[2 * row] || spans.starts[2 * i + 1] !== batch.start()[2 * row + 1])
      continue;
    if (compareBytes(spans.spanIds.subarray(8 * i, 8 * i + 8), id) === 0) return i;
  }
  return -1;
}

function compareCandidates(a: Candidate, b: Candidate): number {
  const startA = a.part.rows.startOf(a.row);
  const startB = b.part.rows.startOf(b.row);
  if (startA !== startB) return startA < startB ? -1 : 1;
  return (
    compareBytes(a.part.rows.spanIdOf(a.row), b.part.rows.spanIdOf(b.row)) ||
    (a.part.rows.batch.kind()[a.row] as number) - (b.part.rows.batch.kind()[b.row] as number)
  );
}
