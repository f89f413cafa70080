import type { Field, Kind, Status } from '@vivace/traceql';
import type { Value } from '../value.ts';

/** The intrinsics that lists of tags name, sorted: those that clients offer to complete. */
export const INTRINSIC_TAGS: readonly string[] = [
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

const STATUSES: readonly Status[] = ['error', 'ok', 'unset'];
const KINDS: readonly Kind[] = ['client', 'consumer', 'internal', 'producer', 'server', 'unspecified'];

/**
 * Values that are known without looking: all statuses and kinds, and none of what nearly every span or trace has one
 * of its own (durations, ids, places in the tree). Undefined where the values of spans are listed.
 */
export function knownValues(field: Field): Value[] | undefined {
  if (field.kind === 'attribute') return undefined;
  switch (field.name) {
    case 'span:status':
      return STATUSES.map((value) => ({ type: 'status', value }));
    case 'span:kind':
      return KINDS.map((value) => ({ type: 'kind', value }));
    case 'span:name':
    case 'span:statusMessage':
    case 'trace:rootName':
    case 'trace:rootService':
    case 'event:name':
    case 'instrumentation:name':
    case 'instrumentation:version':
      return undefined;
    default:
      return [];
  }
}
