import type { EventField, SpanField } from '@vivace/block';
import type { Field, Pipeline, Query, ScalarExpression, SpansetExpression, Stage } from '@vivace/traceql';
import type { Needs } from './batch.ts';
import { fieldsIn } from './conjunction.ts';

export function noNeeds(): Needs {
  return { fields: new Set(), keys: new Set(), eventFields: new Set(), eventKeys: new Set() };
}

export function joinNeeds(...all: readonly Needs[]): Needs {
  const joined = noNeeds();
  for (const { fields, keys, eventFields, eventKeys } of all) {
    for (const field of fields) joined.fields.add(field);
    for (const key of keys) joined.keys.add(key);
    for (const field of eventFields) joined.eventFields.add(field);
    for (const key of eventKeys) joined.eventKeys.add(key);
  }
  return joined;
}

/** What every trace of an answer needs: order, identity, root, duration and counts by service. */
export function factNeeds(): Needs {
  const needs = noNeeds();
  for (const field of FACT_FIELDS) needs.fields.add(field);
  return needs;
}

const FACT_FIELDS: readonly SpanField[] = [
  'traceIds',
  'start',
  'end',
  'duration',
  'spanIds',
  'parentIds',
  'kind',
  'status',
  'name',
  'resource',
  'overflow',
];

/** Columns that the fields are read from. */
export function needsOf(fields: Iterable<Field>): Needs {
  const needs = noNeeds();
  for (const field of fields) addField(needs, field);
  return needs;
}

function addField(needs: Needs, field: Field): void {
  const span = (...names: SpanField[]) => names.forEach((name) => needs.fields.add(name));
  const event = (...names: EventField[]) => names.forEach((name) => needs.eventFields.add(name));
  if (field.kind === 'attribute') {
    const { scope, name } = field;
    if (scope === 'span' || scope === 'any') {
      needs.keys.add(name);
      span('overflow');
    }
    if (scope === 'resource' || scope === 'any') span('resource');
    if (scope === 'instrumentation' || scope === 'any') span('scope');
    if (scope === 'event' || scope === 'link' || scope === 'any') {
      needs.eventKeys.add(name);
      event('eventKind', 'eventOverflow');
    }
    return;
  }
  switch (field.name) {
    case 'span:duration':
      return span('duration');
    case 'trace:duration':
      return span('start', 'end');
    case 'span:name':
      return span('name', 'overflow');
    case 'span:status':
      return span('status');
    case 'span:statusMessage':
      return span('statusMessage', 'overflow');
    case 'span:kind':
      return span('kind');
    case 'span:id':
      return span('spanIds');
    case 'span:parentID':
      return span('parentIds', 'spanIds');
    case 'trace:id':
      return span('traceIds');
    case 'trace:rootName':
    case 'trace:rootService':
      return span('parentIds', 'spanIds', 'name', 'resource', 'overflow');
    case 'span:childCount':
    case 'nestedSetLeft':
    case 'nestedSetRight':
    case 'nestedSetParent':
      return span('parentIds', 'spanIds');
    case 'event:name':
      return event('eventKind', 'eventName', 'eventOverflow');
    case 'event:timeSinceStart':
      span('start');
      return event('eventKind', 'eventTime');
    case 'link:traceID':
    case 'link:spanID':
      return event('eventKind', 'linkIds');
    case 'instrumentation:name':
    case 'instrumentation:version':
      return span('scope');
  }
}

/** Every field of every stage, by place. */
export function fieldsOfQuery({ pipeline, metrics }: Query): Field[] {
  const fields = fieldsOfPipeline(pipeline);
  if (metrics === undefined) return fields;
  if (metrics.function === 'compare') return [...fields, ...fieldsOfSpanset(metrics.selection)];
  return [...fields, ...('field' in metrics ? [metrics.field] : []), ...metrics.by];
}

function fieldsOfPipeline({ stages }: Pipeline): Field[] {
  return stages.flatMap(fieldsOfStage);
}

function fieldsOfStage(stage: Stage): Field[] {
  switch (stage.kind) {
    case 'by':
      return fieldsIn(stage.expression);
    case 'select':
      return stage.fields;
    case 'coalesce':
      return [];
    case 'scalar-filter':
      return [...fieldsOfScalar(stage.left), ...fieldsOfScalar(stage.right)];
    default:
      return fieldsOfSpanset(stage);
  }
}

function fieldsOfScalar(scalar: ScalarExpression): Field[] {
  if (scalar.kind === 'aggregate') return scalar.argument === undefined ? [] : fieldsIn(scalar.argument);
  return scalar.kind === 'static' ? [] : [...fieldsOfScalar(scalar.left), ...fieldsOfScalar(scalar.right)];
}

function fieldsOfSpanset(spanset: SpansetExpression): Field[] {
  switch (spanset.kind) {
    case 'filter':
      return spanset.expression === undefined ? [] : fieldsIn(spanset.expression);
    case 'spanset':
      return [...fieldsOfSpanset(spanset.left), ...fieldsOfSpanset(spanset.right)];
    case 'pipeline':
      return fieldsOfPipeline(spanset.pipeline);
  }
}

/** The filters of a pipeline, in the order in which they are written. */
export function filtersOf({ stages }: Pipeline): Filter[] {
  return stages.flatMap((stage) => {
    const { kind } = stage;
    return kind === 'filter' || kind === 'spanset' || kind === 'pipeline' ? filtersOfSpanset(stage) : [];
  });
}

export type Filter = SpansetExpression & { kind: 'filter' };

function filtersOfSpanset(spanset: SpansetExpression): Filter[] {
  switch (spanset.kind) {
    case 'filter':
      return [spanset];
    case 'spanset':
      return [...filtersOfSpanset(spanset.left), ...filtersOfSpanset(spanset.right)];
    case 'pipeline':
      return filtersOf(spanset.pipeline);
  }
}
