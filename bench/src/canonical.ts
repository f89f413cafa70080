import { hash } from 'node:crypto';
import { bytesToHex } from '@vivace/kernel';
import { type Field, fields, varintText } from './wire-reader.ts';

/**
 * One text for all encodings of the same span, so that sent and answered spans can be compared whole: defaults
 * count as absent, attributes are sorted, everything else keeps its order; a field nobody knows stays visible.
 * Written from opentelemetry-proto 1.8 `trace.proto`, `common.proto` and `resource.proto`, and independent of
 * the code under test on purpose.
 */

type Kind = 'varint' | 'fixed' | 'bytes' | Schema;
interface Rule {
  kind: Kind;
  /** Repeated; `unordered` where the order says nothing. */
  many?: 'ordered' | 'unordered';
  /** Says something even when it is the default (a member of a oneof). */
  present?: boolean;
}
type Schema = Map<number, Rule>;

const value: Schema = new Map();
const keyValue: Schema = new Map<number, Rule>([
  [1, { kind: 'bytes' }],
  [2, { kind: value }],
]);
value.set(1, { kind: 'bytes', present: true });
value.set(2, { kind: 'varint', present: true });
value.set(3, { kind: 'varint', present: true });
value.set(4, { kind: 'fixed', present: true });
value.set(5, { kind: new Map<number, Rule>([[1, { kind: value, many: 'ordered' }]]), present: true });
value.set(6, { kind: new Map<number, Rule>([[1, { kind: keyValue, many: 'unordered' }]]), present: true });
value.set(7, { kind: 'bytes', present: true });

const attributes: Rule = { kind: keyValue, many: 'unordered' };
const resource: Schema = new Map<number, Rule>([
  [1, attributes],
  [2, { kind: 'varint' }],
]);
const scope: Schema = new Map<number, Rule>([
  [1, { kind: 'bytes' }],
  [2, { kind: 'bytes' }],
  [3, attributes],
  [4, { kind: 'varint' }],
]);
const event: Schema = new Map<number, Rule>([
  [1, { kind: 'fixed' }],
  [2, { kind: 'bytes' }],
  [3, attributes],
  [4, { kind: 'varint' }],
]);
const link: Schema = new Map<number, Rule>([
  [1, { kind: 'bytes' }],
  [2, { kind: 'bytes' }],
  [3, { kind: 'bytes' }],
  [4, attributes],
  [5, { kind: 'varint' }],
  [6, { kind: 'fixed' }],
]);
const status: Schema = new Map<number, Rule>([
  [2, { kind: 'bytes' }],
  [3, { kind: 'varint' }],
]);
const span: Schema = new Map<number, Rule>([
  [1, { kind: 'bytes' }],
  [2, { kind: 'bytes' }],
  [3, { kind: 'bytes' }],
  [4, { kind: 'bytes' }],
  [5, { kind: 'bytes' }],
  [6, { kind: 'varint' }],
  [7, { kind: 'fixed' }],
  [8, { kind: 'fixed' }],
  [9, attributes],
  [10, { kind: 'varint' }],
  [11, { kind: event, many: 'ordered' }],
  [12, { kind: 'varint' }],
  [13, { kind: link, many: 'ordered' }],
  [14, { kind: 'varint' }],
  [15, { kind: status }],
  [16, { kind: 'fixed' }],
]);

/** A span found in OTLP bytes. */
export interface CanonicalSpan {
  /** Hex. */
  traceId: string;
  spanId: string;
  text: string;
}

/** The hash the truth keeps of a canonical text. */
export function contentHash(text: string): string {
  return hash('sha1', text, 'base64');
}

/** Every span of an OTLP `TracesData` or `ExportTraceServiceRequest` (their wire form is the same). */
export function* canonicalSpans(bytes: Uint8Array): Generator<CanonicalSpan> {
  for (const outer of fields(bytes)) {
    if (outer.number !== 1) continue;
    const inner = [...fields(bytes, outer.start, outer.end)];
    const resourceText = `${messageText(bytes, inner, 1, resource)} ${bytesText(bytes, inner, 3)}`;
    for (const group of inner) {
      if (group.number !== 2) continue;
      const members = [...fields(bytes, group.start, group.end)];
      const scopeText = `${messageText(bytes, members, 1, scope)} ${bytesText(bytes, members, 3)}`;
      for (const member of members) {
        if (member.number !== 2) continue;
        yield canonicalSpan(bytes, member.start, member.end, `${resourceText} ${scopeText}`);
      }
    }
  }
}

function canonicalSpan(bytes: Uint8Array, start: number, end: number, around: string): CanonicalSpan {
  let traceId = '';
  let spanId = '';
  for (const field of fields(bytes, start, end)) {
    if (field.number === 1) traceId = bytesToHex(bytes.subarray(field.start, field.end));
    else if (field.number === 2) spanId = bytesToHex(bytes.subarray(field.start, field.end));
  }
  return { traceId, spanId, text: `${around} ${canonical(bytes, start, end, span)}` };
}

function messageText(bytes: Uint8Array, members: Field[], number: number, schema: Schema): string {
  const found = members.findLast((member) => member.number === number);
  return found === undefined ? '{}' : canonical(bytes, found.start, found.end, schema);
}

function bytesText(bytes: Uint8Array, members: Field[], number: number): string {
  const found = members.findLast((member) => member.number === number);
  return found === undefined ? '""' : quoted(bytes, found.start, found.end);
}

/** `{number:value …}` in the order of the numbers. */
function canonical(bytes: Uint8Array, start: number, end: number, schema: Schema): string {
  const found = new Map<number, string[]>();
  for (const field of fields(bytes, start, end)) {
    const rule = schema.get(field.number);
    const said = rule === undefined ? `?${quoted(bytes, field.start, field.end)}` : fieldText(bytes, field, rule);
    const before = found.get(field.number);
    if (before === undefined) found.set(field.number, [said]);
    else if (rule?.many === undefined && rule !== undefined) before[0] = said;
    else before.push(said);
  }
  const parts: string[] = [];
  for (const number of [...found.keys()].sort((a, b) => a - b)) {
    const rule = schema.get(number);
    const said = found.get(number) as string[];
    if (rule?.many === 'unordered') said.sort();
    if (rule?.many === undefined && rule?.present !== true && isDefault(said[0] as string)) continue;
    parts.push(`${number}:${said.join(',')}`);
  }
  return `{${parts.join(' ')}}`;
}

function fieldText(bytes: Uint8Array, field: Field, rule: Rule): string {
  const { start, end } = field;
  if (rule.kind === 'varint') return varintText(bytes, start, end);
  if (rule.kind === 'bytes') return quoted(bytes, start, end);
  if (rule.kind === 'fixed') return `x${bytesToHex(bytes.subarray(start, end).slice().reverse())}`;
  return canonical(bytes, start, end, rule.kind);
}

function isDefault(said: string): boolean {
  return said === '0' || said === '""' || said === '{}' || /^x0+$/.test(said);
}

/** Latin-1, so that bytes which are not UTF-8 keep their difference. */
function quoted(bytes: Uint8Array, start: number, end: number): string {
  return JSON.stringify(Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1'));
}
