/** One sample of a page in the Prometheus text format. */
export interface Sample {
  name: string;
  labels: Map<string, string>;
  value: number;
}

/** The samples of a page; comments and lines that are none are skipped (prometheus.io, text format 0.0.4). */
export function parsePrometheus(page: string): Sample[] {
  const samples: Sample[] = [];
  for (const line of page.split('\n')) {
    const match = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?\s+(\S+)/.exec(line);
    if (match === null) continue;
    const labels = new Map<string, string>();
    for (const label of (match[2] ?? '').matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g)) {
      labels.set(label[1] as string, unescape(label[2] as string));
    }
    samples.push({ name: match[1] as string, labels, value: toNumber(match[3] as string) });
  }
  return samples;
}

function unescape(text: string): string {
  return text.replace(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char));
}

function toNumber(text: string): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY;
  if (text === '-Inf') return Number.NEGATIVE_INFINITY;
  return Number(text);
}

/** The sum of all series of a name whose labels pass. Zero where there is none. */
export function sumOf(
  samples: readonly Sample[],
  name: string,
  wanted: (labels: Map<string, string>) => boolean = () => true,
): number {
  return samples.reduce((sum, sample) => (sample.name === name && wanted(sample.labels) ? sum + sample.value : sum), 0);
}
