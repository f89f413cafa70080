import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import type { Clock } from '@vivace/kernel';

/** What a process and all its descendants use. Linux only: read from /proc. */
export interface TreeUsage {
  /** User and system time since the processes began, children that ended and were waited for included. */
  cpuSeconds: number;
  /** Resident now, summed; pages shared between processes count more than once. */
  rssBytes: number;
  /** The most that any one of the processes ever had resident, by the kernel's own record. */
  highWaterBytes: number;
  processes: number;
}

interface Stat {
  parent: number;
  ticks: number;
}

export function processTreesReadable(): boolean {
  return process.platform === 'linux';
}

/** Usage of the tree under `root`, or undefined when `root` is gone. */
export function readTree(root: number): TreeUsage | undefined {
  const stats = new Map<number, Stat>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    const stat = Number.isInteger(pid) ? readStat(pid) : undefined;
    if (stat !== undefined) stats.set(pid, stat);
  }
  if (!stats.has(root)) return undefined;
  const usage: TreeUsage = { cpuSeconds: 0, rssBytes: 0, highWaterBytes: 0, processes: 0 };
  for (const pid of descendants(stats, root)) {
    const memory = readMemory(pid);
    usage.cpuSeconds += (stats.get(pid) as Stat).ticks / ticksPerSecond();
    usage.rssBytes += memory.rssBytes;
    usage.highWaterBytes = Math.max(usage.highWaterBytes, memory.highWaterBytes);
    usage.processes++;
  }
  return usage;
}

function descendants(stats: Map<number, Stat>, root: number): number[] {
  const children = new Map<number, number[]>();
  for (const [pid, { parent }] of stats) children.set(parent, [...(children.get(parent) ?? []), pid]);
  const found = [root];
  for (let at = 0; at < found.length; at++) found.push(...(children.get(found[at] as number) ?? []));
  return found;
}

/** proc_pid_stat(5): the command may hold spaces and parentheses, so fields are counted from its last `)`. */
function readStat(pid: number): Stat | undefined {
  const text = readOrNothing(`/proc/${pid}/stat`);
  const end = text.lastIndexOf(')');
  if (end < 0) return undefined;
  const rest = text.slice(end + 2).split(' ');
  // Fields 14 to 17 of the file: utime, stime, cutime, cstime.
  const ticks = [11, 12, 13, 14].reduce((sum, at) => sum + Number(rest[at]), 0);
  return { parent: Number(rest[1]), ticks };
}

function readMemory(pid: number): { rssBytes: number; highWaterBytes: number } {
  const text = readOrNothing(`/proc/${pid}/status`);
  const kilobytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0);
  return { rssBytes: kilobytes('VmRSS') * 1024, highWaterBytes: kilobytes('VmHWM') * 1024 };
}

/** A process may end between being listed and being read. */
function readOrNothing(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

let knownTicks: number | undefined;

function ticksPerSecond(): number {
  if (knownTicks === undefined) {
    try {
      knownTicks = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' })) || 100;
    } catch {
      // 100 on every Linux of today; `getconf` is missing in the smallest images.
      knownTicks = 100;
    }
  }
  return knownTicks;
}

export interface TreeWatch {
  /** Use since the watch began. Stops watching. */
  stop(): { cpuSeconds: number; peakRssBytes: number };
}

/**
 * Watches a tree from now on. The peak is the larger of the sampled sum over all processes and the kernel's
 * high-water mark of any one, so that a single process's peak is exact between samples too.
 */
export function watchTree(root: number, clock: Clock, everyMs = 200): TreeWatch {
  const first = readTree(root);
  let last = first;
  let peakRssBytes = 0;
  let cancel = () => {};
  const look = () => {
    const now = readTree(root);
    if (now === undefined) return;
    last = now;
    peakRssBytes = Math.max(peakRssBytes, now.rssBytes, now.highWaterBytes);
    cancel = clock.after(everyMs, look);
  };
  look();
  return {
    stop: () => {
      cancel();
      look();
      cancel();
      return { cpuSeconds: (last?.cpuSeconds ?? 0) - (first?.cpuSeconds ?? 0), peakRssBytes };
    },
  };
}
