import { writeSync } from 'node:fs';
import { seededRandom, systemClock, systemFiles, systemRandom, utf8Encode } from '@vivace/kernel';
import { openDiskLog } from '../disk-log.ts';

/*
 * A process to kill: `append-forever.ts <directory> <seed>` appends from several clients and prints a line for each
 * record that is acknowledged, once it is.
 */

const [directory = '', seed = '0'] = process.argv.slice(2);
const random = seededRandom(Number(seed));
const log = await openDiskLog({
  files: systemFiles,
  clock: systemClock,
  random: systemRandom,
  directory,
  limits: { segmentMaxBytes: 200_000 },
});

async function client(name: string): Promise<void> {
  for (let i = 0; ; i++) {
    const text = `${seed}/${name}/${i}`;
    const { durable } = log.append('a', utf8Encode(text.padEnd(random.u32() % 20_000, '.')));
    if (random.u32() % 50 === 0) log.rotate();
    await durable;
    writeSync(1, `${text}\n`);
  }
}

await Promise.all(['a', 'b', 'c', 'd'].map(client));
