import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { systemClock } from '@vivace/kernel';
import { afterEach, describe, expect, it } from 'vitest';
import { processTreesReadable, readTree, watchTree } from './process-tree.ts';

let child: ChildProcess | undefined;

afterEach(async () => {
  const running = child;
  child = undefined;
  if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
  running.kill('SIGKILL');
  await once(running, 'exit');
});

/** A Node process that says `ready` when its script has run. */
async function run(script: string): Promise<number> {
  child = spawn(process.execPath, ['-e', `${script}; console.log('ready'); setInterval(() => {}, 1000);`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout as NonNullable<ChildProcess['stdout']>, 'data');
  return child.pid as number;
}

/** Takes 0.4 s of processor time, however long that is on a busy machine. */
const BURN = 'for (const from = process.cpuUsage(); process.cpuUsage(from).user < 400_000; );';

describe.runIf(processTreesReadable())('the process tree', () => {
  it('counts processor time of a child that has ended', async () => {
    const script = `require('node:child_process').execFileSync(process.execPath, ['-e', ${JSON.stringify(BURN)}])`;
    const pid = await run(script);
    const usage = readTree(pid);
    expect(usage?.processes).toBe(1);
    expect(usage?.cpuSeconds).toBeGreaterThan(0.35);
  });

  it('counts a child and its child that run', async () => {
    const script = `
      const inner = require('node:child_process').spawn(process.execPath,
        ['-e', ${JSON.stringify(`${BURN} console.log(1); process.stdin.resume()`)}], { stdio: ['pipe', 'pipe', 'inherit'] });
      inner.stdout.once('data', () => console.log('inner'))`;
    const pid = await run(script);
    await once(child?.stdout as NonNullable<ChildProcess['stdout']>, 'data');
    const usage = readTree(pid);
    expect(usage?.processes).toBe(2);
    expect(usage?.cpuSeconds).toBeGreaterThan(0.35);
    expect(usage?.rssBytes).toBeGreaterThan(usage?.highWaterBytes as number);
  });

  it('knows the peak of memory that was given back between two looks', async () => {
    const before = await run('globalThis.big = undefined');
    const watch = watchTree(before, systemClock, 1_000_000);
    const small = watch.stop().peakRssBytes;
    child?.kill('SIGKILL');
    const pid = await run('globalThis.big = Buffer.alloc(200e6, 1); globalThis.big = undefined');
    const { peakRssBytes } = watchTree(pid, systemClock, 1_000_000).stop();
    expect(peakRssBytes - small).toBeGreaterThan(150e6);
  });

  it('measures use from the beginning of the watch', async () => {
    const pid = await run(`${BURN} process.on('SIGUSR2', () => { ${BURN} console.log('burnt') })`);
    const watch = watchTree(pid, systemClock, 20);
    child?.kill('SIGUSR2');
    await once(child?.stdout as NonNullable<ChildProcess['stdout']>, 'data');
    const { cpuSeconds } = watch.stop();
    expect(cpuSeconds).toBeGreaterThan(0.35);
    expect(cpuSeconds).toBeLessThan((readTree(pid)?.cpuSeconds ?? 0) - 0.35);
  });

  it('says nothing of a process that is not there', () => {
    expect(readTree(2 ** 22 + 1)).toBeUndefined();
  });
});
