import { bytesToHex } from '@vivace/kernel';
import type { Field, Intrinsic } from '@vivace/traceql';
import {
  type Attributes,
  type NaiveEvent,
  type NaiveLink,
  type NaiveSpan,
  NIL,
  serviceOf,
  spanDuration,
  traceDuration,
  type Value,
} from './model.ts';
import { gathered } from './values.ts';

/** What an expression is evaluated on: a span, and within a group of event or link conditions one of those. */
export interface Subject {
  span: NaiveSpan;
  event?: NaiveEvent;
  link?: NaiveLink;
}

export type EventScope = 'event' | 'link';

/** Whether the field is of single events or links; undefined for all others. */
export function eventScopeOf(field: Field): EventScope | undefined {
  if (field.kind === 'attribute') {
    return field.scope === 'event' || field.scope === 'link' ? field.scope : undefined;
  }
  if (field.name.startsWith('event:')) return 'event';
  return field.name.startsWith('link:') ? 'link' : undefined;
}

/** Fields whose values are ids. */
export function isId(field: Field): boolean {
  const ids: readonly string[] = ['trace:id', 'span:id', 'span:parentID', 'link:traceID', 'link:spanID'];
  return field.kind === 'intrinsic' && ids.includes(field.name);
}

/** Nil where the subject has no such value; fields of events and links are of all of them unless one is chosen. */
export function fieldValue(field: Field, { span, event, link }: Subject): Value {
  const scope = eventScopeOf(field);
  if (scope === 'event') {
    const events = event === undefined ? span.events : [event];
    return gathered(events.map((one) => eventValue(field, one, span)).filter(isPresent));
  }
  if (scope === 'link') {
    const links = link === undefined ? span.links : [link];
    return gathered(links.map((one) => linkValue(field, one)).filter(isPresent));
  }
  if (field.kind === 'intrinsic') return intrinsicValue(field.name, span);
  if (field.scope === 'span') return lookUp(span.attributes, field.name);
  if (field.scope === 'resource') return lookUp(span.resource, field.name);
  if (field.scope === 'instrumentation') return lookUp(span.scope.attributes, field.name);
  return anyValue(field.name, span);
}

/** The first scope that has it. */
function anyValue(name: string, span: NaiveSpan): Value {
  const candidates = [
    lookUp(span.attributes, name),
    lookUp(span.resource, name),
    gathered(span.events.map((event) => lookUp(event.attributes, name)).filter(isPresent)),
    gathered(span.links.map((link) => lookUp(link.attributes, name)).filter(isPresent)),
    lookUp(span.scope.attributes, name),
  ];
  return candidates.find(isPresent) ?? NIL;
}

function isPresent(value: Value): boolean {
  return value.type !== 'nil';
}

function lookUp(attributes: Attributes, name: string): Value {
  return attributes.get(name) ?? NIL;
}

function eventValue(field: Field, event: NaiveEvent, span: NaiveSpan): Value {
  if (field.kind === 'attribute') return lookUp(event.attributes, field.name);
  if (field.name === 'event:name') return text(event.name);
  return { type: 'duration', value: BigInt.asIntN(64, event.timeUnixNano - span.startUnixNano) };
}

function linkValue(field: Field, link: NaiveLink): Value {
  if (field.kind === 'attribute') return lookUp(link.attributes, field.name);
  return text(field.name === 'link:traceID' ? link.traceId : link.spanId);
}

function intrinsicValue(name: Intrinsic, span: NaiveSpan): Value {
  const { trace } = span;
  switch (name) {
    case 'span:duration':
      return { type: 'duration', value: spanDuration(span) };
    case 'span:name':
      return text(span.name);
    case 'span:status':
      return { type: 'status', value: span.status };
    case 'span:statusMessage':
      return text(span.statusMessage);
    case 'span:kind':
      return { type: 'kind', value: span.kind };
    case 'span:id':
      return text(bytesToHex(span.spanId));
    case 'span:parentID':
      return text(span.parentId && bytesToHex(span.parentId));
    case 'span:childCount':
      return { type: 'int', value: BigInt(span.children.length) };
    case 'trace:id':
      return text(bytesToHex(trace.traceId));
    case 'trace:duration':
      return { type: 'duration', value: traceDuration(trace) };
    case 'trace:rootName':
      return text(trace.root?.name);
    case 'trace:rootService':
      return text(trace.root && serviceOf(trace.root));
    case 'instrumentation:name':
      return text(span.scope.name);
    case 'instrumentation:version':
      return text(span.scope.version);
    case 'nestedSetLeft':
      return { type: 'int', value: span.nestedSetLeft };
    case 'nestedSetRight':
      return { type: 'int', value: span.nestedSetRight };
    case 'nestedSetParent':
      return { type: 'int', value: span.nestedSetParent };
    case 'event:name':
    case 'event:timeSinceStart':
    case 'link:traceID':
    case 'link:spanID':
      return NIL;
  }
}

function text(value: string | undefined): Value {
  return value === undefined ? NIL : { type: 'string', value };
}
