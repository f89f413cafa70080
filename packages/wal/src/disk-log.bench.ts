import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fraction, systemClock, systemFiles, systemRandom } from '@vivace/kernel';
import { openDiskLog } from './index.ts';

/*
 * What the log costs on a real disk: `node packages/wal/src/disk-log.bench.ts [directory]`. Clients append,
 * wait for the ack, and append again, as a receiver's requests do.
 */

const SECONDS = Number(process.env.SECONDS ?? 2);

interface Load {
  /** Each waits for its ack before it appends again. */
  clients?: number;
  /** Instead of clients: appends at random times, so many a second, whether acknowledged or not. */
  perSecond?: number;
  recordBytes: number;
}

const loads: Load[] = [
  { clients: 4, recordBytes: 440_000 },
  { clients: 1, recordBytes: 440_000 },
  { clients: 32, recordBytes: 440_000 },
  { clients: 1, recordBytes: 2_000 },
  { clients: 64, recordBytes: 2_000 },
  { perSecond: 300, recordBytes: 440_000 },
  { perSecond: 5000, recordBytes: 2_000 },
];

const parent = process.argv[2] ?? tmpdir();
for (const load of loads) {
  const directory = await mkdtemp(path.join(parent, 'vivace-log-'));
  try {
    await measure(load, directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

async function measure({ clients, perSecond, recordBytes }: Load, directory: string): Promise<void> {
  let syncs = 0;
  const files: typeof systemFiles = {
    ...systemFiles,
    create: async (file) => {
      const handle = await systemFiles.create(file);
      const sync = () => {
        syncs++;
        return handle.sync();
      };
      return { ...handle, sync };
    },
  };
  const log = await openDiskLog({ files, clock: systemClock, random: systemRandom, directory });
  const record = new Uint8Array(new SharedArrayBuffer(recordBytes));
  record.set(systemRandom.bytes(recordBytes));
  const latencies: number[] = [];
  let mainMs = 0;
  let dropped = 0;
  const cpu = process.cpuUsage();
  const began = performance.now();
  const until = began + SECONDS * 1000;
  const client = async () => {
    for (let now = performance.now(); now < until; ) {
      const { position, durable } = log.append('single-tenant', record);
      const appended = performance.now();
      mainMs += appended - now;
      await durable;
      const acked = performance.now();
      latencies.push(acked - now);
      now = acked;
      if (position.segment > dropped + 16) {
        dropped = position.segment - 2;
        await log.drop({ stream: position.stream, segment: dropped });
      }
    }
  };
  const paced = async (rate: number) => {
    let due = performance.now();
    const all: Promise<void>[] = [];
    while (due < until) {
      due += (-Math.log(1 - fraction(systemRandom)) * 1000) / rate;
      // This burns CPU, which a timer of a millisecond's resolution would save at the price of bursts.
      while (performance.now() < due) await new Promise((resolve) => setImmediate(resolve));
      const now = performance.now();
      const { position, durable } = log.append('single-tenant', record);
      mainMs += performance.now() - now;
      all.push(durable.then(() => void latencies.push(performance.now() - now)));
      if (position.segment > dropped + 16) {
        dropped = position.segment - 2;
        void log.drop({ stream: position.stream, segment: dropped });
      }
    }
    await Promise.all(all);
  };
  if (perSecond === undefined) await Promise.all(Array.from({ length: clients ?? 1 }, client));
  else await paced(perSecond);
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  await log.stop();
  const gigabytes = (latencies.length * recordBytes) / 1e9;
  latencies.sort((a, b) => a - b);
  const at = (quantile: number) => (latencies[Math.floor(latencies.length * quantile)] as number).toFixed(2);
  console.log(
    [
      `${perSecond === undefined ? `${clients} clients` : `${perSecond}/s`}, ${recordBytes} bytes:`,
      `${((gigabytes * 1000) / seconds).toFixed(0)} MB/s`,
      `${(latencies.length / seconds).toFixed(0)} records/s`,
      `${(syncs / seconds).toFixed(0)} syncs/s`,
      `ack p50 ${at(0.5)} ms p99 ${at(0.99)} ms`,
      `${((user + system) / 1e6 / gigabytes).toFixed(2)} CPU-s/GB (system ${(system / 1e6 / gigabytes).toFixed(2)})`,
      `CPU ${((user + system) / 1e4 / seconds).toFixed(0)} %`,
      `append ${((mainMs * 1000) / latencies.length).toFixed(1)} us`,
    ].join('  '),
  );
}
