import type { AnswerAttribute, TraceMatch } from '../answer.ts';
import { type AnyValue, classOf, textOf, toAnyValue, type ValueClass } from './answer-value.ts';

export interface KeyValue {
  key: string;
  value: AnyValue;
}

/**
 * One type for every key of an answer. Grafana keeps the values of a key in a column of the type that the first
 * one has, and a value of another type ends the whole query with a panic; so a key with several types is answered
 * as strings throughout.
 *
 * An answer in one piece is settled before anything of it is written. Of a stream the first messages are gone
 * when a later trace brings another type: keys that went out as numbers or booleans stay so, and a value that is
 * none is left out and counted.
 */
export class AttributeTypes {
  private readonly classes = new Map<string, ValueClass>();
  /** Keys of which values were left out. */
  readonly leftOut = new Set<string>();

  /** Takes in traces that go out together, before any of them is written. */
  settle(traces: readonly TraceMatch[]): void {
    const fresh = new Map<string, ValueClass>();
    for (const { spansets } of traces) {
      for (const { spans, attributes } of spansets) {
        this.gather(attributes, fresh);
        for (const span of spans) this.gather(span.attributes, fresh);
      }
    }
    for (const [key, type] of fresh) this.classes.set(key, type);
  }

  private gather(attributes: readonly AnswerAttribute[], fresh: Map<string, ValueClass>): void {
    for (const { key, value } of attributes) {
      if (this.classes.has(key)) continue;
      const now = classOf(value);
      const before = fresh.get(key);
      if (before === undefined) fresh.set(key, now);
      else if (before !== now) fresh.set(key, 'string');
    }
  }

  /** The attributes with values of the settled types. */
  write(attributes: readonly AnswerAttribute[]): KeyValue[] {
    const written: KeyValue[] = [];
    for (const { key, value } of attributes) {
      const settled = this.classes.get(key);
      if (settled === 'string') written.push({ key, value: { stringValue: textOf(value) } });
      else if (settled === classOf(value)) written.push({ key, value: toAnyValue(value) });
      else this.leftOut.add(key);
    }
    return written;
  }
}
