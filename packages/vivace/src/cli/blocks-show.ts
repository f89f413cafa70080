import { createBlockCache, openBlock } from '@vivace/block';
import { utf8Decode } from '@vivace/kernel';
import { blockKey } from '@vivace/manifest';
import type { CommandRun } from './command.ts';
import { blockBytes, findBlock } from './live-blocks.ts';
import { openStoreToRead, withStore } from './open-store.ts';
import { formatBytes, formatTime, printable } from './output.ts';

const CACHE_BYTES = 64 * 1024 * 1024;
/** Values of an attribute that are shown as text. */
const SHOWN_VALUES = 3;

/** `vivace blocks show ID` */
export const run: CommandRun = async (call) => {
  const { words, output, clock, random, signal } = call;
  return withStore(openStoreToRead(call.config(), clock, random), async (store) => {
    const { tenant, entry } = await findBlock(call, store, words[0] as string);
    const reader = openBlock({
      place: entry,
      readRange: async (object, offset, length) => {
        const key = blockKey(tenant, entry.id, object);
        return (await store.get(key, { range: { offset, length }, signal })).bytes;
      },
      cache: createBlockCache({ maxBytes: CACHE_BYTES }),
    });
    const index = await reader.index({ signal });
    const { attributes, truncated } = await reader.readSummary({ signal });
    const groups = index.spans.groups.map(({ rows, length }, group) => ({
      rows,
      bytes: length,
      events: index.events.groups[group]?.rows ?? 0,
    }));
    const summary = attributes.map(({ scope, key, type, total, values, truncated: incomplete }) => ({
      scope,
      key,
      type,
      total,
      values: values.length,
      complete: !incomplete,
      column: index.spans.columns.some(
        ({ attribute }) => scope === 'span' && attribute?.key === key && attribute.type === type,
      ),
    }));
    output.value({
      tenant,
      bytes: blockBytes(entry),
      ...entry,
      eventRows: index.eventRows,
      groups,
      summary,
      truncated,
    });
    output.line(`block     ${entry.id}`);
    output.line(`tenant    ${tenant}`);
    output.line(`spans     ${entry.rows} in ${entry.traces} traces, ${index.eventRows} events and links`);
    output.line(
      `time      ${formatTime(entry.minStart)} to ${formatTime(entry.maxEnd)}${entry.misdated ? ', misdated' : ''}`,
    );
    output.line(`put       ${new Date(entry.commitTimeMs).toISOString()}, level ${entry.level}`);
    output.line(
      `size      ${formatBytes(blockBytes(entry))}, ${(blockBytes(entry) / entry.rows).toFixed(1)} bytes a span\n`,
    );
    output.table([
      ['SECTION', 'OBJECT', 'OFFSET', 'BYTES'],
      ...Object.entries(entry.sections).map(([name, { object, offset, length }]) => [
        name,
        object,
        `${offset}`,
        `${length}`,
      ]),
    ]);
    output.line('');
    output.table([
      ['ROW GROUP', 'SPANS', 'BYTES', 'EVENTS'],
      ...groups.map(({ rows, bytes, events }, i) => [`${i}`, `${rows}`, `${bytes}`, `${events}`]),
    ]);
    output.line('');
    output.table([
      ['SCOPE', 'ATTRIBUTE', 'TYPE', 'COUNT', 'VALUES', 'SUCH AS'],
      ...attributes.map(({ scope, key, type, total, values, truncated: incomplete }) => [
        scope,
        printable(key),
        type,
        `${total}`,
        `${values.length}${incomplete ? '+' : ''}`,
        type === 'string'
          ? values
              .slice(0, SHOWN_VALUES)
              .map(({ bytes }) => printable(utf8Decode(bytes).slice(0, 40)))
              .join(', ')
          : '',
      ]),
    ]);
    if (truncated) output.line('attributes are missing from this list');
    return 0;
  });
};
