import { fraction, type Random, utf8Encode } from '@vivace/kernel';
import { ATTRIBUTE_TAG, attributeKey, writeBoolean, writeDouble, writeInteger, writeNumbered } from './attributes.ts';
import type { ByteWriter } from './byte-writer.ts';

/** Numbers below `count`, number r as often as 1/(r+1) says (Zipf). */
export function zipf(random: Random, count: number): () => number {
  const cumulative = new Float64Array(count);
  let sum = 0;
  for (let rank = 0; rank < count; rank++) {
    sum += 1 / (rank + 1);
    cumulative[rank] = sum;
  }
  return () => {
    const target = fraction(random) * sum;
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((cumulative[middle] as number) > target) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}

const WORDS = [
  'cart',
  'flag',
  'tier',
  'region',
  'batch',
  'retry',
  'quota',
  'cohort',
  'promo',
  'locale',
  'source',
  'mode',
];

/** Attributes of an organisation's own, of many keys and all simple types; each call writes one or two a span. */
export function longTail(random: Random, count: number): (writer: ByteWriter) => void {
  const pick = zipf(random, count);
  const keys = Array.from({ length: count }, (_, rank) =>
    attributeKey(`app.${WORDS[rank % WORDS.length]}.${WORDS[(rank * 7 + 3) % WORDS.length]}_${rank}`),
  );
  const prefix = utf8Encode('value-');
  const write = (writer: ByteWriter, rank: number) => {
    const key = keys[rank] as Uint8Array;
    if (rank % 4 === 0) writeNumbered(writer, ATTRIBUTE_TAG.span, key, prefix, random.u32() % 40);
    else if (rank % 4 === 1) writeInteger(writer, ATTRIBUTE_TAG.span, key, random.u32() % 5000);
    else if (rank % 4 === 2) writeDouble(writer, ATTRIBUTE_TAG.span, key, (random.u32() % 1000) / 8);
    else writeBoolean(writer, ATTRIBUTE_TAG.span, key, (random.u32() & 1) === 1);
  };
  return (writer) => {
    const first = pick();
    const second = pick();
    write(writer, first);
    if (second !== first) write(writer, second);
  };
}
