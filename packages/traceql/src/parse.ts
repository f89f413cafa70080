import type { Field, Query, Static } from './ast.ts';
import { parseField as readField } from './parse-field.ts';
import { isMetricsFunction, parseHints, parseMetrics, parseSecondStages } from './parse-metrics.ts';
import { parsePipeline } from './parse-pipeline.ts';
import { TokenStream } from './token-stream.ts';
import { ATTRIBUTE_SCOPES, writtenAttribute } from './tokens.ts';
import { validate } from './validate.ts';

/**
 * Reads a query and checks that it means something. Otherwise throws an `invalid` error of code `traceql`, whose
 * message says where and draws the place: queries of any length and shape end so, in milliseconds.
 */
export function parse(source: string): Query {
  const text = source.toWellFormed();
  const tokens = new TokenStream(text);
  const { from } = tokens.peek();
  const pipeline = parsePipeline(tokens, isMetricsFunction);
  const metrics = tokens.take('|') ? parseMetrics(tokens) : undefined;
  const secondStages = metrics === undefined ? [] : parseSecondStages(tokens);
  const hints = parseHints(tokens);
  if (tokens.peek().kind !== 'end') throw tokens.unexpected();
  const query = { pipeline, metrics, secondStages, hints, from, to: tokens.end };
  validate(query, text);
  return query;
}

/**
 * The name of a tag as clients send it: `resource.service.name`, `.foo`, `name`, `span:id`. Behind a scope any
 * characters do, also those that need quotes in a query. Throws as `parse` does.
 */
export function parseField(source: string): Field {
  const text = source.toWellFormed();
  const tokens = new TokenStream(text);
  try {
    const field = readField(tokens);
    if (tokens.peek().kind !== 'end') throw tokens.unexpected();
    return field;
  } catch (error) {
    const verbatim = verbatimAttribute(text);
    if (verbatim === undefined) throw error;
    return verbatim;
  }
}

function verbatimAttribute(source: string): Field | undefined {
  const point = source.indexOf('.');
  const scope = point === 0 ? 'any' : ATTRIBUTE_SCOPES.get(source.slice(0, Math.max(point, 0)));
  const name = source.slice(point + 1);
  if (scope === undefined || name === '' || name.includes('"')) return undefined;
  const text = writtenAttribute(scope, name);
  return { kind: 'attribute', scope, name, text, from: 0, to: source.length };
}

/** The value of a hint of the query, the last one where it is given more than once. */
export function hintOf(query: Query, name: string): Static | undefined {
  return query.hints.findLast((hint) => hint.name === name)?.value;
}
