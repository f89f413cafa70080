import type { CreateTarget } from './fuzz-target.ts';
import { askedTarget } from './targets/asked.ts';
import { blockTarget } from './targets/block.ts';
import { encodingsTarget } from './targets/encodings.ts';
import { indexTarget } from './targets/index.ts';
import { jsonAnswersTarget } from './targets/json-answers.ts';
import { otlpJsonTarget } from './targets/otlp-json.ts';
import { otlpProtoTarget } from './targets/otlp-proto.ts';
import { queriesTarget } from './targets/queries.ts';
import { rootTarget } from './targets/root.ts';
import { segmentsTarget } from './targets/segments.ts';
import { traceqlTarget } from './targets/traceql.ts';

/** Every parser of outside bytes, by the name that `--target` takes. */
export const TARGETS: ReadonlyMap<string, CreateTarget> = new Map<string, CreateTarget>([
  ['otlp-proto', otlpProtoTarget],
  ['otlp-json', otlpJsonTarget],
  ['json-answers', jsonAnswersTarget],
  ['block', blockTarget],
  ['index', indexTarget],
  ['segments', segmentsTarget],
  ['root', rootTarget],
  ['encodings', encodingsTarget],
  ['traceql', traceqlTarget],
  ['queries', queriesTarget],
  ['asked', askedTarget],
]);
