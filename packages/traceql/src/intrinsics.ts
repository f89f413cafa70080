import type { Intrinsic, Kind, Status } from './ast.ts';

export type StaticType = 'nil' | 'int' | 'float' | 'string' | 'bool' | 'duration' | 'status' | 'kind';

/** Every intrinsic: its type, and how it is written without a scope where that is possible. */
const TABLE: readonly (readonly [Intrinsic, StaticType, string | undefined])[] = [
  ['span:duration', 'duration', 'duration'],
  ['span:name', 'string', 'name'],
  ['span:status', 'status', 'status'],
  ['span:statusMessage', 'string', 'statusMessage'],
  ['span:kind', 'kind', 'kind'],
  ['span:id', 'string', undefined],
  ['span:parentID', 'string', undefined],
  ['span:childCount', 'int', undefined],
  ['trace:id', 'string', undefined],
  ['trace:duration', 'duration', 'traceDuration'],
  ['trace:rootName', 'string', 'rootName'],
  ['trace:rootService', 'string', 'rootServiceName'],
  ['event:name', 'string', undefined],
  ['event:timeSinceStart', 'duration', undefined],
  ['link:traceID', 'string', undefined],
  ['link:spanID', 'string', undefined],
  ['instrumentation:name', 'string', undefined],
  ['instrumentation:version', 'string', undefined],
  ['nestedSetLeft', 'int', 'nestedSetLeft'],
  ['nestedSetRight', 'int', 'nestedSetRight'],
  ['nestedSetParent', 'int', 'nestedSetParent'],
];

const BY_TEXT: ReadonlyMap<string, Intrinsic> = new Map(
  TABLE.flatMap(([name, , short]) => [name, ...(short === undefined ? [] : [short])].map((text) => [text, name])),
);
const TYPES: ReadonlyMap<Intrinsic, StaticType> = new Map(TABLE.map(([name, type]) => [name, type]));

/** The intrinsic that is written so: `duration`, `span:duration`. */
export function intrinsicOf(text: string): Intrinsic | undefined {
  return BY_TEXT.get(text);
}

/** Every way to write an intrinsic. */
export const INTRINSIC_TEXTS: ReadonlyMap<string, Intrinsic> = BY_TEXT;

export function intrinsicType(name: Intrinsic): StaticType {
  return TYPES.get(name) ?? 'nil';
}

export const STATUSES: readonly Status[] = ['error', 'ok', 'unset'];
export const KINDS: readonly Kind[] = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'];

/** Words with a meaning somewhere in a query; another one is an unknown identifier. */
export const KEYWORDS: ReadonlySet<string> = new Set([
  'true',
  'false',
  'nil',
  'minInt',
  'maxInt',
  'rootService',
  'parent',
  ...STATUSES,
  ...KINDS,
  ...TABLE.map(([name, , short]) => short ?? name.slice(name.indexOf(':') + 1)),
  'count',
  'avg',
  'max',
  'min',
  'sum',
  'by',
  'coalesce',
  'select',
  'with',
  'rate',
  'count_over_time',
  'min_over_time',
  'max_over_time',
  'avg_over_time',
  'sum_over_time',
  'quantile_over_time',
  'histogram_over_time',
  'compare',
  'topk',
  'bottomk',
]);
