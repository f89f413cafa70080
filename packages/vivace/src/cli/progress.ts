import type { Clock } from '@vivace/kernel';
import type { LogStream } from '@vivace/telemetry';

/** A bar on stderr for long work, where stderr is a terminal. */
export interface Progress {
  begin(what: string, total: number): void;
  add(count: number): void;
  end(): void;
}

const WIDTH = 30;
const REDRAW_MS = 100;

export function createProgress(stderr: LogStream, clock: Clock): Progress {
  if (stderr.isTTY !== true) return { begin: () => undefined, add: () => undefined, end: () => undefined };
  let text = '';
  let total = 0;
  let done = 0;
  let drawnMs = Number.NEGATIVE_INFINITY;
  const draw = (): void => {
    const share = total === 0 ? 1 : Math.min(1, done / total);
    const filled = Math.round(share * WIDTH);
    stderr.write(`\r${text} [${'#'.repeat(filled)}${' '.repeat(WIDTH - filled)}] ${Math.floor(share * 100)}%\x1b[K`);
    drawnMs = clock.monotonicMs();
  };
  return {
    begin(what, ofTotal) {
      text = what;
      total = ofTotal;
      done = 0;
      draw();
    },
    add(count) {
      done += count;
      if (clock.monotonicMs() - drawnMs >= REDRAW_MS) draw();
    },
    end: () => void stderr.write('\r\x1b[K'),
  };
}
