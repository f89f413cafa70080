import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { seededRandom, systemClock, systemFiles, systemRandom, utf8Decode } from '@vivace/kernel';
import { expect, test } from 'vitest';
import { openDiskLog } from './disk-log.ts';
import { sealAndCollect } from './testing.ts';

const program = fileURLToPath(new URL('./testing/append-forever.ts', import.meta.url));
const KILLS = 6;

/** Runs a process that appends and kills it after so many acks; resolves with the records it said are acknowledged. */
function killAfter(acks: number, directory: string, seed: number): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, directory, String(seed)], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    let lines = 0;
    child.stdout.on('data', (bytes: Buffer) => {
      const text = bytes.toString();
      output += text;
      lines += text.split('\n').length - 1;
      if (lines >= acks) child.kill('SIGKILL');
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (signal === 'SIGKILL') resolve(output.split('\n').slice(0, -1));
      else reject(new Error(`the process ended by itself: ${code}`));
    });
  });
}

test('kill -9 takes no acknowledged record', async () => {
  const random = seededRandom(7);
  const directory = await mkdtemp(path.join(tmpdir(), 'vivace-log-'));
  try {
    const acknowledged: string[] = [];
    for (let seed = 1; seed <= KILLS; seed++) {
      acknowledged.push(...(await killAfter(1 + (random.u32() % 300), directory, seed)));
    }
    const log = await openDiskLog({ files: systemFiles, clock: systemClock, random: systemRandom, directory });
    expect(log.streams().length).toBe(KILLS + 1);
    const found = (await sealAndCollect(log)).map(({ bytes }) => utf8Decode(bytes).replaceAll('.', ''));
    expect(new Set(found).size).toBe(found.length);
    const there = new Set(found);
    expect(acknowledged.filter((text) => !there.has(text))).toEqual([]);
    expect(acknowledged.length).toBeGreaterThan(KILLS * 10);
    // Each client's records are in the order it sent them, without gaps.
    const next = new Map<string, number>();
    for (const text of found) {
      const [seed, client, i] = text.split('/');
      const key = `${seed}/${client}`;
      expect(Number(i)).toBe(next.get(key) ?? 0);
      next.set(key, Number(i) + 1);
    }
    for (const { stream, open, segments } of log.streams()) {
      if (!open) await log.drop({ stream, segment: segments.at(-1)?.segment ?? 0 });
    }
    await log.stop();
    expect(await systemFiles.readDirectory(directory)).toEqual([]);
  } finally {
    await rm(directory, { recursive: true });
  }
});
