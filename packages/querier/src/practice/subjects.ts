import { type BlockReader, batchesOf, type CodedValues } from '@vivace/block';
import { utf8Decode } from '@vivace/kernel';
import { printStatic } from '@vivace/traceql';

/** What a block has that questions can be about. */
export interface PracticeSubjects {
  services: string[];
  names: string[];
  /** String attributes of spans with one of their values, those that have the most values first. */
  texts: { key: string; value: string }[];
  /** Fields that have more than one value and not too many, as queries write them: those of the fewest first. */
  labels: string[];
  /** Integer attributes of spans with one of their values, those of the most spans first. */
  numbers: { key: string; value: bigint }[];
  /** 16 bytes each. */
  traceIds: Uint8Array[];
}

/** Questions take turns among so many of a kind. */
const MAX_OF_A_KIND = 4;
const MAX_TRACES = 24;
/** More values would make series by the thousand. */
const MAX_LABEL_VALUES = 200;
/** Longer values are no practice for anything. */
const MAX_TEXT_BYTES = 200;

/** Looks into the summary of a block and the first of its batches; undefined: it has no spans. */
export async function practiceSubjects(reader: BlockReader): Promise<PracticeSubjects | undefined> {
  const [run] = batchesOf(await reader.index());
  if (run === undefined) return undefined;
  const { attributes } = await reader.readSummary();
  const listed = (scope: string, key: string): string[] =>
    attributes
      .filter((one) => one.scope === scope && one.key === key && one.type === 'string')
      .flatMap(({ values }) => values.map(({ bytes }) => bytes))
      .filter(isShort)
      .slice(0, MAX_OF_A_KIND)
      .map((bytes) => utf8Decode(bytes));
  const ofSpans = attributes.filter(({ scope }) => scope === 'span');
  const texts = ofSpans
    .filter(({ type }) => type === 'string')
    // None are listed where there are too many.
    .sort((a, b) => (b.values.length || b.total) - (a.values.length || a.total));
  const numbers = ofSpans.filter(({ type }) => type === 'int').sort((a, b) => b.total - a.total);
  const keys = spreadOver(texts.map(({ key }) => key));
  const intKeys = numbers.slice(0, MAX_OF_A_KIND).map(({ key }) => key);
  const columns = await reader.readRun(run);
  const none = {
    fields: new Set<never>(),
    keys: new Set<string>(),
    eventFields: new Set<never>(),
    eventKeys: new Set<string>(),
  };
  await columns.fetch({ ...none, fields: new Set(['traceIds']), keys: new Set([...keys, ...intKeys]) });
  const valueOf = (key: string, type: CodedValues['type']): Uint8Array | undefined => {
    const column = columns.attributes(key).find((one) => one.type === type);
    if (column === undefined || column.dictionary.count === 0) return undefined;
    const { bytes, offsets, count } = column.dictionary;
    const middle = count >>> 1;
    return bytes.subarray(offsets[middle], offsets[middle + 1]);
  };
  const ids = columns.traceIds();
  const traces = Math.min(MAX_TRACES, columns.traceCount);
  const step = Math.floor(columns.traceCount / Math.max(1, traces));
  return {
    services: listed('resource', 'service.name'),
    names: listed('intrinsic', 'name'),
    texts: keys.flatMap((key) => {
      const value = valueOf(key, 'string');
      return value === undefined || !isShort(value) ? [] : [{ key, value: utf8Decode(value) }];
    }),
    labels: spreadOver(
      attributes
        .filter((one) => one.type === 'string' && !one.truncated && isFew(one.values.length))
        .sort((a, b) => a.values.length - b.values.length)
        .flatMap(({ scope, key }) => {
          if (scope === 'intrinsic') return key === 'name' ? [key] : [];
          return scope === 'span' || scope === 'resource' ? [`${scope}.${quotedName(key)}`] : [];
        }),
    ),
    numbers: intKeys.flatMap((key) => {
      const value = valueOf(key, 'int');
      return value === undefined ? [] : [{ key, value: Buffer.from(value).readBigInt64LE() }];
    }),
    traceIds: Array.from({ length: traces }, (_, i) => ids.slice(16 * i * step, 16 * i * step + 16)),
  };
}

/** The name of an attribute as it stands in a query, behind its scope. */
export function quotedName(key: string): string {
  return printStatic({ type: 'string', value: key });
}

function isFew(values: number): boolean {
  return values > 1 && values <= MAX_LABEL_VALUES;
}

function isShort(bytes: Uint8Array): boolean {
  return bytes.length > 0 && bytes.length <= MAX_TEXT_BYTES;
}

/** The first, the last, and some between them. */
function spreadOver(keys: readonly string[]): string[] {
  if (keys.length <= MAX_OF_A_KIND) return [...keys];
  const last = keys.length - 1;
  return Array.from({ length: MAX_OF_A_KIND }, (_, i) => keys[Math.round((i * last) / (MAX_OF_A_KIND - 1))] as string);
}
