import type { Schema } from './message.ts';
import { messageToProto } from './message-proto.ts';
import { PACKET_BYTES } from './search-stream.ts';
import type { StreamCall } from './stream-call.ts';
import { givenTags, givenTagValues } from './stream-requests.ts';
import { metadataMetrics, plainTagValues, typedTagValues } from './tag-answer.ts';
import { findTags, findTagValues, tagNames } from './tags.ts';
import { TAG_VALUES_RESPONSE, TAG_VALUES_V2_RESPONSE, TAGS_RESPONSE, TAGS_V2_RESPONSE } from './tempopb.ts';

/** `SearchTags` and `SearchTagsV2`: one message. */
export async function streamTags(call: StreamCall, version: 1 | 2): Promise<void> {
  const request = givenTags(call.request, version, call.nowMs);
  const answer = await findTags(call.engine, request, call.signal);
  const metrics = metadataMetrics(answer.stats);
  const leftOut =
    version === 1
      ? await sendFitting(call, TAGS_RESPONSE, tagNames(request, answer), (names) => ({ tagNames: names, metrics }))
      : await sendFitting(
          call,
          TAGS_V2_RESPONSE,
          answer.scopes.flatMap(({ name, tags }) => tags.map((tag) => ({ name, tag }))),
          (named) => ({ scopes: scopesOf(named), metrics }),
        );
  call.finish(answer.problems, leftOut ?? answer.cut);
}

/** `SearchTagValues` and `SearchTagValuesV2`: one message. */
export async function streamTagValues(call: StreamCall, version: 1 | 2): Promise<void> {
  const request = givenTagValues(call.request, version, call.nowMs);
  const { values, stats, problems, cut } = await findTagValues(call.engine, request, call.signal);
  const metrics = metadataMetrics(stats);
  const leftOut =
    version === 1
      ? await sendFitting(call, TAG_VALUES_RESPONSE, plainTagValues(values), (tagValues) => ({ tagValues, metrics }))
      : await sendFitting(call, TAG_VALUES_V2_RESPONSE, typedTagValues(values), (tagValues) => ({
          tagValues,
          metrics,
        }));
  call.finish(problems, leftOut ?? cut);
}

/**
 * Sends one message of as many items as fit: a client may take the last message for the whole. Returns what was
 * left out.
 */
async function sendFitting<T extends object, I>(
  call: StreamCall,
  schema: Schema<T>,
  items: readonly I[],
  messageOf: (items: readonly I[]) => T,
): Promise<string | undefined> {
  let count = items.length;
  let message = messageToProto(schema, messageOf(items));
  while (message.length > PACKET_BYTES && count > 0) {
    count >>= 1;
    message = messageToProto(schema, messageOf(items.slice(0, count)));
  }
  await call.send(message);
  return count === items.length
    ? undefined
    : `only the first ${count} of ${items.length} fit in a message: set a filter`;
}

function scopesOf(named: readonly { name: string; tag: string }[]): { name: string; tags: string[] }[] {
  const scopes = new Map<string, string[]>();
  for (const { name, tag } of named) {
    const tags = scopes.get(name);
    if (tags === undefined) scopes.set(name, [tag]);
    else tags.push(tag);
  }
  return [...scopes].map(([name, tags]) => ({ name, tags }));
}
