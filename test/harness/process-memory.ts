import { readFileSync } from 'node:fs';

/** Resident memory of a process in MiB; 0 where it is gone, or the system does not say. */
export function residentMib(pid: number | undefined): number {
  try {
    const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Number(kib ?? 0) / 1024;
  } catch {
    return 0;
  }
}
