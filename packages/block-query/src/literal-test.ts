import type { AttributeType, DictionaryView } from '@vivace/columns';
import { utf8Decode, utf8Encode } from '@vivace/kernel';
import { type ComparisonOperator, compilePattern, type Matcher, type Static } from '@vivace/traceql';
import type { CodedColumn } from './batch.ts';
import { COMPARABLE, compareFlags, HOLDS, PRESENT, positiveOperator, type Value } from './value.ts';

// Hot path: runs once a dictionary entry, which may be once a row. Benchmark: `npm run bench -- micro`.

/** A comparison with a literal, prepared: gives the flags of values, see value.ts. */
export interface LiteralTest {
  operator: ComparisonOperator;
  ofValue(value: Value): number;
  /** Of every entry of a column. */
  ofEntries(column: CodedColumn): Uint8Array;
}

/** `undefined` as literal: only whether there is a value is asked. */
export function literalTest(operator: ComparisonOperator, literal: Static | undefined): LiteralTest {
  if (literal === undefined) {
    return {
      operator,
      ofValue: (value) => (value.type === 'nil' ? 0 : PRESENT),
      ofEntries: ({ dictionary }) => new Uint8Array(dictionary.count).fill(PRESENT),
    };
  }
  const positive = positiveOperator(operator);
  if (positive === '=~') return patternTest(operator, literal);
  const ofValue = (other: Value) => compareFlags(positive, other, literal);
  return {
    operator,
    ofValue,
    ofEntries: ({ type, dictionary }) =>
      type === 'string' && literal.type === 'string'
        ? textEntries(positive, literal.value, dictionary)
        : scalarEntries(type, dictionary, ofValue),
  };
}

function patternTest(operator: ComparisonOperator, literal: Static): LiteralTest {
  const matcher: Matcher = compilePattern(literal.type === 'string' ? literal.value : '');
  const ofText = (text: string) => PRESENT | COMPARABLE | (matcher.test(text) ? HOLDS : 0);
  const ofScalar = (value: Value): number => (value.type === 'string' ? ofText(value.value) : PRESENT);
  const ofValue = (value: Value): number => {
    if (value.type === 'array') return value.values.reduce((flags, element) => flags | ofScalar(element), PRESENT);
    return value.type === 'nil' ? 0 : ofScalar(value);
  };
  return {
    operator,
    ofValue,
    ofEntries: ({ type, dictionary }) => {
      const flags = new Uint8Array(dictionary.count).fill(PRESENT);
      if (type !== 'string') return flags;
      const required = rarest(matcher.required ?? [], dictionary);
      if (required !== undefined) {
        flags.fill(PRESENT | COMPARABLE);
        eachEntryWith(required, dictionary, (code) => {
          flags[code] = ofText(entryText(dictionary, code));
        });
      } else for (let code = 0; code < dictionary.count; code++) flags[code] = ofText(entryText(dictionary, code));
      return flags;
    },
  };
}

/** Shorter texts are found too often for searching to save anything. */
const SHORTEST_SEARCHED = 3;

/** Of the bytes of a dictionary the first so many say which text is rare. */
const SAMPLE_BYTES = 16 * 1024;

/** The text that is in the fewest entries, or seems so: every one that is found is looked at. The first of equals. */
function rarest(texts: readonly string[], { bytes, offsets, count }: DictionaryView): Buffer | undefined {
  const wanted = texts.map((text) => Buffer.from(text)).filter(({ length }) => length >= SHORTEST_SEARCHED);
  if (wanted.length < 2) return wanted[0];
  const sample = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(SAMPLE_BYTES, offsets[count] as number));
  let best: Buffer | undefined;
  let fewest = Number.POSITIVE_INFINITY;
  for (const text of wanted) {
    let found = 0;
    for (let at = sample.indexOf(text); at >= 0 && found < fewest; at = sample.indexOf(text, at + text.length)) found++;
    if (found < fewest) [best, fewest] = [text, found];
  }
  return best;
}

/** Calls back for each entry that has a text in it, found by one search through the bytes of all. */
function eachEntryWith(wanted: Buffer, { bytes, offsets, count }: DictionaryView, use: (code: number) => void): void {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, offsets[count] as number);
  let code = 0;
  for (let at = all.indexOf(wanted, offsets[0] as number); at >= 0; at = all.indexOf(wanted, at)) {
    code = entryAt(offsets, code, count, at);
    const end = offsets[code + 1] as number;
    // What begins in one entry and ends in the next is in neither.
    if (at + wanted.length <= end) {
      use(code);
      at = end;
    } else at++;
  }
}

/** The entry that has byte `at`, from `first` on. */
function entryAt(offsets: Uint32Array, first: number, count: number, at: number): number {
  let low = first;
  let high = count - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if ((offsets[middle] as number) <= at) low = middle;
    else high = middle - 1;
  }
  return low;
}

function textEntries(operator: ComparisonOperator, text: string, dictionary: DictionaryView): Uint8Array {
  const wanted = utf8Encode(text);
  const { bytes, offsets, count } = dictionary;
  const flags = new Uint8Array(count).fill(PRESENT | COMPARABLE);
  if (operator === '=') {
    for (let code = 0; code < count; code++) {
      const from = offsets[code] as number;
      if ((offsets[code + 1] as number) - from !== wanted.length) continue;
      let i = 0;
      // From the end: values of a key often begin alike.
      for (i = wanted.length - 1; i >= 0 && bytes[from + i] === wanted[i]; i--);
      if (i < 0) flags[code] = PRESENT | COMPARABLE | HOLDS;
    }
    return flags;
  }
  for (let code = 0; code < count; code++) {
    const order = Buffer.compare(bytes.subarray(offsets[code], offsets[code + 1]), wanted);
    const held =
      operator === '<' ? order < 0 : operator === '<=' ? order <= 0 : operator === '>' ? order > 0 : order >= 0;
    if (held) flags[code] = PRESENT | COMPARABLE | HOLDS;
  }
  return flags;
}

function scalarEntries(
  type: CodedColumn['type'],
  dictionary: DictionaryView,
  ofValue: (value: Value) => number,
): Uint8Array {
  const flags = new Uint8Array(dictionary.count);
  for (let code = 0; code < dictionary.count; code++) flags[code] = ofValue(entryValue(type, dictionary, code));
  return flags;
}

function entryText({ bytes, offsets }: DictionaryView, code: number): string {
  return utf8Decode(bytes.subarray(offsets[code], offsets[code + 1]));
}

const scratch = new DataView(new ArrayBuffer(8));

/** A dictionary entry as a value. */
export function entryValue(type: AttributeType | 'bytes', dictionary: DictionaryView, code: number): Value {
  const { bytes, offsets } = dictionary;
  const from = offsets[code] as number;
  switch (type) {
    case 'string':
      return { type: 'string', value: entryText(dictionary, code) };
    case 'bool':
      return { type: 'bool', value: bytes[from] === 1 };
    case 'int':
    case 'double':
      for (let i = 0; i < 8; i++) scratch.setUint8(i, bytes[from + i] as number);
      return type === 'int'
        ? { type: 'int', value: scratch.getBigInt64(0, true) }
        : { type: 'float', value: scratch.getFloat64(0, true) };
    case 'bytes':
      return { type: 'other', text: Buffer.from(bytes.subarray(from, offsets[code + 1])).toString('base64') };
  }
}
