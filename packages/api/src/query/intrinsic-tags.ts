import type { AnswerValue } from '@vivace/block-query';
import type { Field, Intrinsic, Kind, Status } from '@vivace/traceql';

/** The names that the list of tags has besides what is stored, as Tempo lists them. */
export const INTRINSIC_TAGS = [
  'duration',
  'event:name',
  'event:timeSinceStart',
  'instrumentation:name',
  'instrumentation:version',
  'kind',
  'link:spanID',
  'link:traceID',
  'name',
  'rootName',
  'rootServiceName',
  'span:duration',
  'span:id',
  'span:kind',
  'span:name',
  'span:parentID',
  'span:status',
  'span:statusMessage',
  'status',
  'statusMessage',
  'trace:duration',
  'trace:id',
  'trace:rootName',
  'trace:rootService',
  'traceDuration',
];

const STATUSES: Status[] = ['error', 'ok', 'unset'];
const KINDS: Kind[] = ['client', 'consumer', 'internal', 'producer', 'server', 'unspecified'];

/** Every span has its own: a list of them would help nobody. */
const UNLISTED: readonly Intrinsic[] = [
  'span:duration',
  'trace:duration',
  'event:timeSinceStart',
  'span:id',
  'span:parentID',
  'trace:id',
  'link:traceID',
  'link:spanID',
  'span:childCount',
  'nestedSetLeft',
  'nestedSetRight',
  'nestedSetParent',
];

/** Values that are known without looking; undefined where the stored ones are meant. */
export function knownValues(field: Field): AnswerValue[] | undefined {
  if (field.kind === 'attribute') return undefined;
  if (field.name === 'span:status') return STATUSES.map((value) => ({ type: 'status', value }));
  if (field.name === 'span:kind') return KINDS.map((value) => ({ type: 'kind', value }));
  return UNLISTED.includes(field.name) ? [] : undefined;
}
