import type { Question, ResultOf } from '@vivace/block-query';
import { JSON_TYPE } from '../accept.ts';
import { bodyResponse } from '../body.ts';
import { renderTraceV1 } from '../trace-answer.ts';
import { messageToJson } from './message-json.ts';
import { metricsPieces } from './metrics-routes.ts';
import { NOTHING_READ } from './nothing-read.ts';
import { searchPieces } from './search-routes.ts';
import { metadataMetrics, typedTagValues } from './tag-answer.ts';
import { TAG_VALUES_V2_RESPONSE, TAGS_V2_RESPONSE } from './tempopb.ts';

type Answer =
  | { [Kind in Question['kind']]: { kind: Kind; result: ResultOf[Kind] } }[Question['kind']]
  | { kind: 'trace'; trace: Uint8Array };

/** Writes an answer as HTTP would have it, for nobody: so that the code that writes is compiled before somebody waits. */
export async function practiseWriting(answer: Answer): Promise<void> {
  await bodyResponse(piecesOf(answer), {
    contentType: JSON_TYPE,
    acceptEncoding: 'gzip',
    headersOnly: false,
    direct: true,
    onError: () => undefined,
  });
}

function piecesOf(answer: Answer): Iterable<Uint8Array> {
  if (answer.kind === 'trace') return renderTraceV1(answer.trace);
  const { kind, result } = answer;
  const rest = { stats: NOTHING_READ, problems: [] };
  const metrics = metadataMetrics(NOTHING_READ);
  switch (kind) {
    case 'search':
      return searchPieces({ traces: result.traces, written: result.written, cursor: undefined, ...rest }, true);
    case 'metrics':
      return metricsPieces({ series: result.series, truncated: result.truncated, ...rest }, 0, false);
    case 'tags':
      return [Buffer.from(messageToJson(TAGS_V2_RESPONSE, { scopes: result.scopes, metrics }))];
    case 'tagValues':
      return [
        Buffer.from(messageToJson(TAG_VALUES_V2_RESPONSE, { tagValues: typedTagValues(result.values), metrics })),
      ];
  }
}
