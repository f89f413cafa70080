import { concatBytes, fraction, type Random, systemRandom, utf8Encode } from '@vivace/kernel';
import type { WriteAheadLog } from '../log.ts';

/* What a log costs: clients append, wait for the ack, and append again, as a receiver's requests do. For benches. */

const WARM_UP_APPENDS = 200;
const SECONDS = Number(process.env['SECONDS'] ?? 2);

export interface Load {
  /** Each waits for its ack before it appends again. */
  clients?: number;
  /** Instead of clients: appends at random times, so many a second, whether acknowledged or not. */
  perSecond?: number;
  recordBytes: number;
}

export const LOADS: readonly Load[] = [
  { clients: 4, recordBytes: 440_000 },
  { clients: 1, recordBytes: 440_000 },
  { clients: 32, recordBytes: 440_000 },
  { clients: 1, recordBytes: 2_000 },
  { clients: 64, recordBytes: 2_000 },
  { perSecond: 300, recordBytes: 440_000 },
  { perSecond: 5000, recordBytes: 2_000 },
];

/** Loads the log, stops it, and prints a line. `flushes`: what has been synced or put since the beginning. */
export async function measureLog(
  { clients, perSecond, recordBytes }: Load,
  log: WriteAheadLog,
  { what, flushes }: { what: string; flushes: () => number },
): Promise<void> {
  const record = new Uint8Array(new SharedArrayBuffer(recordBytes));
  record.set(spanLikeBytes(recordBytes, systemRandom));
  // Before anything is counted, the code is warm.
  for (let i = 0; i < WARM_UP_APPENDS; i++) await log.append('single-tenant', record).durable;
  const latencies: number[] = [];
  let refused = 0;
  let mainMs = 0;
  let dropped = 0;
  const cpu = process.cpuUsage();
  const flushesBefore = flushes();
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
      const acked = () => void latencies.push(performance.now() - now);
      all.push(durable.then(acked, () => void refused++));
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
  const flushed = flushes() - flushesBefore;
  await log.stop();
  const gigabytes = (latencies.length * recordBytes) / 1e9;
  latencies.sort((a, b) => a - b);
  const at = (quantile: number) => (latencies[Math.floor(latencies.length * quantile)] as number).toFixed(2);
  console.log(
    [
      `${perSecond === undefined ? `${clients} clients` : `${perSecond}/s`}, ${recordBytes} bytes:`,
      `${((gigabytes * 1000) / seconds).toFixed(0)} MB/s`,
      `${(latencies.length / seconds).toFixed(0)} records/s`,
      `${(flushed / seconds).toFixed(0)} ${what}/s`,
      `ack p50 ${at(0.5)} ms p99 ${at(0.99)} ms`,
      `${((user + system) / 1e6 / gigabytes).toFixed(2)} CPU-s/GB (system ${(system / 1e6 / gigabytes).toFixed(2)})`,
      `CPU ${((user + system) / 1e4 / seconds).toFixed(0)} %`,
      ...(refused > 0 ? [`${refused} refused`] : []),
      `append ${((mainMs * 1000) / latencies.length).toFixed(1)} us`,
    ].join('  '),
  );
}

/** Words that come again and ids that do not, in the measure of encoded spans: zstd makes about a fifth of it. */
function spanLikeBytes(length: number, random: Random): Uint8Array {
  const words = Array.from({ length: 64 }, (_, i) => utf8Encode(`attribute.key.${i * 7919} value of ${i} `));
  const parts: Uint8Array[] = [];
  for (let made = 0; made < length; ) {
    const part = parts.length % 14 === 0 ? random.bytes(32) : (words[random.u32() % words.length] as Uint8Array);
    parts.push(part);
    made += part.length;
  }
  return concatBytes(parts).subarray(0, length);
}
