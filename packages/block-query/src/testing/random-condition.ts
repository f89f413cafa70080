import type { Random } from '@vivace/kernel';
import { below, chance, pick } from './random-choice.ts';
import { KEYS } from './random-traces.ts';

/** Conditions on spans as text, with types that fit. */

const SCOPES = ['span', 'span', 'resource', 'event', 'link', 'instrumentation', ''] as const;
const TEXT_FIELDS = [
  'name',
  'span:name',
  'statusMessage',
  'rootName',
  'rootServiceName',
  'event:name',
  'instrumentation:name',
  'instrumentation:version',
];
const ID_FIELDS = ['trace:id', 'span:id', 'span:parentID', 'link:traceID', 'link:spanID'];
const NUMBER_FIELDS = [
  'duration',
  'traceDuration',
  'event:timeSinceStart',
  'span:childCount',
  'nestedSetLeft',
  'nestedSetRight',
  'nestedSetParent',
];
const NUMBERS = [
  '0',
  '1',
  '2',
  '7',
  '-7',
  '7.0',
  '7.5',
  '0.5',
  'maxInt',
  'minInt',
  '9007199254740993',
  '40ms',
  '1s',
  '3ns',
];
const TEXTS = ['"x"', '"y"', '"xy"', '""', '"7"', '"é"', '"GET /"', '"shop"', '"db"', '"retry"', '"timeout"', '"lib"'];
const PATTERNS = ['"x.*"', '".*"', '"[a-z]+"', '"x|y|shop"', '"(?i)GET.*"', '""', '"[^x]"', '"é|7"'];
const ORDERED = ['=', '!=', '<', '<=', '>', '>='];
const EQUALITY = ['=', '!='];

/** An attribute, in quotes where its name needs them. */
function randomAttribute(random: Random): string {
  const key = pick(random, KEYS);
  return `${pick(random, SCOPES)}.${key.includes(' ') ? JSON.stringify(key) : key}`;
}

export function randomField(random: Random): string {
  if (chance(random, 0.5)) return randomAttribute(random);
  return pick(random, [...TEXT_FIELDS, ...ID_FIELDS, ...NUMBER_FIELDS, 'status', 'kind', 'span:status']);
}

/** A field that may hold values of the type. */
export function randomFieldOf(random: Random, type: 'number' | 'text'): string {
  if (chance(random, 0.6)) return randomAttribute(random);
  return pick(random, type === 'number' ? NUMBER_FIELDS : TEXT_FIELDS);
}

/** An expression for a number; with `refers` it is about the span. */
export function randomNumber(random: Random, depth: number, refers = false): string {
  if (depth === 0 || chance(random, 0.4)) {
    return refers || chance(random, 0.5) ? randomFieldOf(random, 'number') : pick(random, NUMBERS);
  }
  if (chance(random, 0.15)) return `(-${randomFieldOf(random, 'number')})`;
  const operator = pick(random, ['+', '-', '*', '/', '%', '^']);
  return `(${randomNumber(random, depth - 1, refers)} ${operator} ${randomNumber(random, depth - 1)})`;
}

/** An expression that is true or false. */
export function randomCondition(random: Random, depth: number): string {
  if (depth > 0 && chance(random, 0.55)) {
    if (chance(random, 0.2)) return `!(${randomCondition(random, depth - 1)})`;
    const [left, right] = [randomCondition(random, depth - 1), randomCondition(random, depth - 1)];
    return `${inParentheses(random, left)} ${pick(random, ['&&', '&&', '||'])} ${inParentheses(random, right)}`;
  }
  switch (below(random, 12)) {
    case 0:
      return `status ${pick(random, EQUALITY)} ${pick(random, ['ok', 'error', 'unset'])}`;
    case 1:
      return `kind ${pick(random, EQUALITY)} ${pick(random, ['server', 'client', 'unspecified', 'internal'])}`;
    case 2:
      return `${randomAttribute(random)} ${pick(random, EQUALITY)} ${pick(random, ['true', 'false'])}`;
    case 3:
      return `${chance(random, 0.5) ? '!' : ''}${randomAttribute(random)}`;
    case 4:
      return nilCondition(random);
    case 5:
      return `${pick(random, ID_FIELDS)} ${pick(random, [...EQUALITY, '<', '>='])} ${randomId(random)}`;
    case 6:
      return `${randomFieldOf(random, 'text')} ${pick(random, ['=~', '!~'])} ${pick(random, PATTERNS)}`;
    case 7:
      return `${randomAttribute(random)} ${pick(random, ORDERED)} ${randomAttribute(random)}`;
    case 8:
      return `${randomNumber(random, 2)} ${pick(random, ORDERED)} ${randomNumber(random, 1)}`;
    case 9:
    case 10:
      return `${randomFieldOf(random, 'number')} ${pick(random, ORDERED)} ${pick(random, NUMBERS)}`;
    default:
      return `${randomFieldOf(random, 'text')} ${pick(random, ORDERED)} ${pick(random, TEXTS)}`;
  }
}

function inParentheses(random: Random, condition: string): string {
  return chance(random, 0.3) ? `(${condition})` : condition;
}

/** Resources are asked for their service name only where it is not nil. */
function nilCondition(random: Random): string {
  const field = randomAttribute(random);
  const operator = field === 'resource.service.name' ? '!=' : pick(random, EQUALITY);
  return chance(random, 0.8) ? `${field} ${operator} nil` : `nil ${operator} ${field}`;
}

function randomId(random: Random): string {
  const digit = pick(random, ['1', 'a', 'A', '0', 'c']);
  return pick(random, [`"${digit}"`, `"${digit.padStart(16, '0')}"`, `"${digit.padStart(32, '0')}"`]);
}
