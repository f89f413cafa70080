import type { Clock } from '@vivace/kernel';

export interface Progress {
  /** Begins a part of `total` steps. */
  begin(label: string, total: number): void;
  add(steps: number): void;
  end(): void;
}

interface Screen {
  isTTY?: boolean;
  columns?: number;
  write(text: string): unknown;
}

const EVERY_MS = 100;
const WIDTH = 30;

/** A bar on a terminal, redrawn ten times a second; elsewhere one line a part. */
export function createProgress(screen: Screen, clock: Clock): Progress {
  let label = '';
  let total = 0;
  let done = 0;
  let startedMs = 0;
  let drawnMs = 0;
  const tty = screen.isTTY === true;
  const draw = () => {
    const share = total === 0 ? 1 : Math.min(1, done / total);
    const bar = '█'.repeat(Math.round(share * WIDTH)).padEnd(WIDTH, '░');
    const seconds = (clock.monotonicMs() - startedMs) / 1000;
    const rate = seconds > 0 ? Math.round(done / seconds).toLocaleString('en') : '0';
    const line = `${label.padEnd(28)} ${bar} ${Math.round(share * 100)}%  ${rate}/s  ${seconds.toFixed(0)} s`;
    screen.write(`\r${line.slice(0, (screen.columns ?? 120) - 1)}\x1b[K`);
  };
  return {
    begin: (what, steps) => {
      label = what;
      total = steps;
      done = 0;
      startedMs = clock.monotonicMs();
      drawnMs = startedMs;
      if (tty) draw();
      else screen.write(`${what} …\n`);
    },
    add: (steps) => {
      done += steps;
      const nowMs = clock.monotonicMs();
      if (!tty || nowMs - drawnMs < EVERY_MS) return;
      drawnMs = nowMs;
      draw();
    },
    end: () => {
      if (tty) screen.write('\r\x1b[K');
    },
  };
}
