import type { CommandRun } from './command.ts';
import { blockBytes, liveBlocks } from './live-blocks.ts';
import { parseMoment } from './moments.ts';
import { openStoreToRead, withStore } from './open-store.ts';
import { formatBytes, formatTime } from './output.ts';

/** `vivace blocks ls` */
export const run: CommandRun = async (call) => {
  const { flags, output, clock, random } = call;
  const from = moment('from', 0n);
  const to = moment('to', 2n ** 64n - 1n);
  return withStore(openStoreToRead(call.config(), clock, random), async (store) => {
    const blocks = (await liveBlocks(call, store)).filter(({ entry }) => entry.minStart <= to && entry.maxEnd >= from);
    output.table([
      ['TENANT', 'BLOCK', 'LEVEL', 'SPANS', 'TRACES', 'SIZE', 'FROM', 'TO', ''],
      ...blocks.map(({ tenant, entry }) => [
        tenant,
        entry.id,
        `${entry.level}`,
        `${entry.rows}`,
        `${entry.traces}`,
        formatBytes(blockBytes(entry)),
        formatTime(entry.minStart),
        formatTime(entry.maxEnd),
        entry.misdated === true ? 'misdated' : '',
      ]),
    ]);
    output.value(blocks.map(({ tenant, entry }) => ({ tenant, bytes: blockBytes(entry), ...entry })));
    return 0;
  });

  function moment(name: string, absent: bigint): bigint {
    const text = flags.get(name);
    return text === undefined ? absent : parseMoment(name, text, clock.nowMs());
  }
};
