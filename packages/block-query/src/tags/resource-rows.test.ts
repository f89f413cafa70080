import { createBlockCache, encodeBlock, openBlock } from '@vivace/block';
import { blockOrder, createSetBuilder, storeBlock } from '@vivace/block/testing';
import { encodeTraces } from '@vivace/otlp/testing';
import { parse, parseField } from '@vivace/traceql';
import { expect, test } from 'vitest';
import { BatchRows } from '../batch-rows.ts';
import { fieldsIn } from '../conjunction.ts';
import { type Filter, needsOf } from '../needs.ts';
import { blockSource } from '../source.ts';
import { selectRows } from '../span-scan.ts';
import { isOfResources, rowsOfResources } from './resource-rows.ts';
import { RowSet } from './row-set.ts';

const SPANS = 600;
const signal = new AbortController().signal;

function resourceOf(number: number): Uint8Array {
  const attributes = [
    { key: 'service.name', value: { stringValue: `service ${number % 4}` } },
    { key: 'zone', value: { intValue: `${number % 3}` } },
  ];
  // A ResourceSpans message is the one field of this TracesData: its tag and length are left out.
  return encodeTraces({ resourceSpans: [{ resource: { attributes } }] }).subarray(2);
}

/** A block in which every resource has spans of its own values, some of them in few spans and some in none. */
async function batchesOf() {
  const builder = createSetBuilder();
  for (let i = 0; i < SPANS; i++) {
    const resource = (7 * i) % 12;
    builder.add({
      traceId: (i + 1).toString(16).padStart(32, 'a'),
      spanId: (i + 1).toString(16).padStart(16, '0'),
      start: 1_760_000_000_000_000_000n + BigInt(i),
      end: 1_760_000_000_000_001_000n + BigInt(i),
      name: `operation ${resource} ${i % 2}`,
      resource: resourceOf(resource),
      attributes: [
        ['route', `/${resource}/${i % 5}`],
        ['id', `${i}`],
        ...(i % 40 === 0 ? ([['rare', BigInt(resource)]] as [string, bigint][]) : []),
      ],
    });
  }
  const set = builder.finish();
  const store = storeBlock(encodeBlock(set, blockOrder(set), { rowGroupRows: 250 }), 0);
  return blockSource(openBlock({ ...store, cache: createBlockCache({ maxBytes: 1 << 24 }) })).batches(signal);
}

function conditionOf(text: string) {
  const condition = (parse(text).pipeline.stages[0] as Filter).expression;
  if (condition === undefined) throw new Error('no condition');
  return condition;
}

test('rows of resources are those that the condition selects, and so is all that is asked of them', async () => {
  const batches = await batchesOf();
  expect(batches).toHaveLength(3);
  for (const text of [
    '{ resource.service.name = "service 1" }',
    '{ resource.service.name != "service 1" && resource.zone >= 1 }',
    '{ !(resource.service.name =~ "service [12]" || resource.zone = 2) }',
    '{ resource.nowhere = nil }',
    '{ resource.service.name = "service 9" }',
  ]) {
    const condition = conditionOf(text);
    expect(isOfResources(condition)).toBe(true);
    for (const batch of batches) {
      const columns = ['route', 'id', 'rare'].map((name) => parseField(`span.${name}`));
      await batch.prepare(needsOf([...fieldsIn(condition), ...columns, parseField('name')]), signal);
      const rows = new BatchRows(batch);
      // Asked twice: what the first has worked out is there for the second.
      for (let turn = 0; turn < 2; turn++) {
        const found = rowsOfResources(rows, condition);
        const expected = new RowSet(selectRows(rows, condition, 'exact'), batch.rows);
        expect(found.isEmpty).toBe(expected.isEmpty);
        for (const column of [batch.name(), ...['route', 'id', 'rare'].flatMap((key) => batch.attributes(key))]) {
          expect(found.usedCodes(column)).toEqual(expected.usedCodes(column));
          expect(found.meets(column)).toBe(expected.meets(column));
        }
        const resources = batch.resources().length;
        expect(found.usedNumbers(batch.resource(), resources)).toEqual(
          expected.usedNumbers(batch.resource(), resources),
        );
        expect(found.list()).toEqual(expected.list());
        expect(found.flags()).toEqual(expected.flags());
      }
    }
  }
});

test('conditions of anything but resources are not theirs', () => {
  for (const text of [
    '{ resource.zone = 1 && kind = server }',
    '{ .zone = 1 }',
    '{ name = "a" || resource.zone = 1 }',
    '{ true }',
    '{ resource.zone = span.zone }',
  ]) {
    expect(isOfResources(conditionOf(text)), text).toBe(false);
  }
});
