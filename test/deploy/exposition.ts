/** What a page of /metrics has: names as PromQL asks for them, and the values of each label that was seen. */
export interface Exposition {
  names: Set<string>;
  labels: Map<string, Map<string, Set<string>>>;
}

const SERIES: Readonly<Record<string, readonly string[]>> = {
  histogram: ['_bucket', '_sum', '_count'],
  summary: ['_sum', '_count', ''],
};

/** Reads the text format of Prometheus (exposition format 0.0.4) into `into`. */
export function readExposition(page: string, into: Exposition): void {
  for (const line of page.split('\n')) {
    const type = /^# TYPE (\S+) (\S+)$/.exec(line);
    if (type !== null) {
      for (const suffix of SERIES[type[2] as string] ?? ['']) into.names.add(`${type[1]}${suffix}`);
      continue;
    }
    const sample = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+$/.exec(line);
    if (sample === null) continue;
    const labels = into.labels.get(sample[1] as string) ?? new Map<string, Set<string>>();
    into.labels.set(sample[1] as string, labels);
    for (const [, label, value] of (sample[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
      const values = labels.get(label as string) ?? new Set<string>();
      values.add(value as string);
      labels.set(label as string, values);
    }
  }
}
