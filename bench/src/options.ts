import { parseArgs } from 'node:util';
import { VivaceError } from '@vivace/kernel';
import { type DatasetOptions, MILLION, SCENARIOS, SHOP } from './dataset-options.ts';

/** What `npm run bench` was asked for. */
export interface BenchOptions {
  command: 'run' | 'micro' | 'micro metrics' | 'requests' | 'help';
  scenario: string;
  /** Start times are filled in when the dataset is made. */
  dataset: Omit<DatasetOptions, 'startMs'>;
  runs: number;
  connections: number;
  /** Spans a second, 0 for full speed. */
  rate: number;
  encoding: 'identity' | 'gzip' | 'zstd';
  /** Traces compared field by field, absent ids asked, traces whose spans are counted. */
  samples: number;
  count: number;
  /** Queries of each kind, 0 for none; and servers started for the first question of each metrics query. */
  queries: number;
  fresh: number;
  /** Clients that scan at the same time in the scenario interplay. */
  scans: number;
  settleMs: number;
  json: string | undefined;
  /** A server that runs already. */
  target: { api: URL; otlp: URL; pid: number | undefined; dataDir: string | undefined } | undefined;
  workDir: string | undefined;
  keep: boolean;
  /** Of `requests`: makes what was counted the table of `vivace cost`. */
  write: boolean;
}

/** About what a generation holds when it is cut. */
const MICRO_SPANS = 200_000;
/** So that the log is put as often as under a usual load. */
const REQUESTS_RATE = '5000';

export const HELP = `usage: npm run bench -- [options]          load a server and measure it
       npm run bench -- micro [--spans N]  the parts alone, on 200000 spans: scan,
                                           columnise, cut, encode, decode, queries
       npm run bench -- micro metrics [--spans N]
                                           every kind of metrics query alone
       npm run bench -- requests [--spans N] [--rate N] [--write]
                                           requests to a bucket, by kind: of a cut, of the
                                           log, of a merge, of each query (200000 spans at
                                           5000 a second)

Starts Vivace on free ports with an empty data directory for every run, unless --url names one.

the data
  --spans N             spans to send (default 1000000)
  --scenario NAME       ${Object.keys(SCENARIOS).join(', ')} (default shop)
  --seed N              the same seed makes the same data (default 1, with --url a new one)
  --keys N              attribute keys of a long tail beyond the shop's own
  --tenants N           tenants, of very different sizes
  --late-traces PERCENT traces of which a part arrives after the rest was cut
  --resends PERCENT     requests that arrive twice
  --clock-skew MS       how far each pod's clock may be wrong either way
  --unique-keys         three attributes a span whose keys never occur again
  --million-span-trace  one trace of a million spans amid the others

the load
  --connections N       (default 4)
  --rate N              spans a second; 0 is as fast as the server answers (default 0)
  --encoding NAME       identity, gzip or zstd (default identity)

the measurement
  --runs N              figures are medians of the runs (default 3, with --url 1)
  --samples N           traces looked up and compared field by field, and absent ids asked (default 200)
  --count N             traces whose spans are only counted (default 1000)
  --queries N           asked of each kind in the query suite; 0 leaves it out (default 40)
  --fresh N             servers started to ask each metrics query first of all (default 3, with --url 0)
  --scans N             clients that scan while the scenario interplay loads (default 2)
  --settle SECONDS      processor time and memory count until so long after the flush (default 10)
  --json FILE           write all figures of all runs; - is standard output
  --work-dir DIR        where data is made and stored (default the system's temporary directory)
  --keep                leave the data there
  --write               with requests: keep the counts as the table of vivace cost

a server that runs already
  --url URL             root of its HTTP API
  --otlp-url URL        where it takes traces (default port 4318 of the same host, /v1/traces)
  --pid PID             root of its process tree, for processor time and memory
  --data-dir DIR        where it stores, for stored bytes

Exits 1 when an answer was wrong or a span was not accepted, 2 for a usage error.
`;

const FLAGS = {
  spans: { type: 'string' },
  scenario: { type: 'string', default: 'shop' },
  seed: { type: 'string' },
  keys: { type: 'string' },
  tenants: { type: 'string' },
  'late-traces': { type: 'string' },
  resends: { type: 'string' },
  'clock-skew': { type: 'string' },
  'unique-keys': { type: 'boolean' },
  'million-span-trace': { type: 'boolean' },
  connections: { type: 'string', default: '4' },
  rate: { type: 'string' },
  encoding: { type: 'string', default: 'identity' },
  runs: { type: 'string' },
  samples: { type: 'string', default: '200' },
  count: { type: 'string', default: '1000' },
  queries: { type: 'string', default: '40' },
  fresh: { type: 'string' },
  scans: { type: 'string', default: '2' },
  settle: { type: 'string', default: '10' },
  json: { type: 'string' },
  'work-dir': { type: 'string' },
  keep: { type: 'boolean', default: false },
  write: { type: 'boolean', default: false },
  url: { type: 'string' },
  'otlp-url': { type: 'string' },
  pid: { type: 'string' },
  'data-dir': { type: 'string' },
  help: { type: 'boolean', default: false, short: 'h' },
} as const;

/**
 * Reads the command line. Throws `invalid` for an unknown flag, command or scenario, or a number out of range.
 * `freshSeed` makes the data of a server that keeps what it was sent before.
 */
export function parseOptions(argv: readonly string[], freshSeed: number): BenchOptions {
  const { values, positionals } = parse(argv);
  const command = values.help ? 'help' : commandOf(positionals);
  if (values.write && command !== 'requests') throw usage('--write is of the command requests');
  if ((values.scenario === 'interplay' || values.scenario === 'split') && values.tenants !== undefined) {
    throw usage(`${values.scenario} has one tenant`);
  }
  if (values.scenario === 'split' && values.url !== undefined) throw usage('split starts its own processes');
  if (!Object.hasOwn(SCENARIOS, values.scenario)) {
    throw usage(`no such scenario: ${values.scenario}; write one of ${Object.keys(SCENARIOS).join(', ')}`);
  }
  const { encoding } = values;
  if (encoding !== 'identity' && encoding !== 'gzip' && encoding !== 'zstd') {
    throw usage(`no such encoding: ${encoding}; write identity, gzip or zstd`);
  }
  return {
    command,
    scenario: values.scenario,
    dataset: dataset(values, datasetDefaults(command), freshSeed),
    runs: runs(values),
    connections: number('connections', values.connections, 1, 1000),
    rate: number('rate', values.rate ?? (command === 'requests' ? REQUESTS_RATE : '0'), 0, 1e9),
    encoding,
    samples: number('samples', values.samples, 0, 1000),
    count: number('count', values.count, 0, 1e9),
    queries: number('queries', values.queries, 0, 1000),
    fresh: fresh(values),
    scans: number('scans', values.scans, 1, 100),
    settleMs: number('settle', values.settle, 0, 3600) * 1000,
    json: values.json,
    target: target(values),
    workDir: values['work-dir'],
    keep: values.keep,
    write: values.write,
  };
}

function datasetDefaults(command: BenchOptions['command']): Partial<DatasetOptions> {
  if (command === 'requests') return { spans: MICRO_SPANS };
  return command.startsWith('micro') ? { spans: MICRO_SPANS, facts: false } : {};
}

function commandOf(positionals: readonly string[]): BenchOptions['command'] {
  const command = positionals.length === 0 ? 'run' : positionals.join(' ');
  if (command === 'run' || command === 'micro' || command === 'micro metrics') return command;
  if (command === 'requests' || command === 'help') return command;
  throw usage(`no such command: ${command}; write micro, micro metrics, requests, or only options`);
}

type Values = ReturnType<typeof parse>['values'];

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: FLAGS, allowPositionals: true, strict: true });
  } catch (error) {
    throw usage(error instanceof Error ? error.message : String(error));
  }
}

/** A server that runs already would take the second run's spans for resends of the first's. */
function runs(values: Values): number {
  if (values.url === undefined) return number('runs', values.runs ?? '3', 1, 100);
  if (values.runs !== undefined && values.runs !== '1') throw usage('--url allows one run: it keeps what it was sent');
  return 1;
}

/** Only a server that the bench started can be started again. */
function fresh(values: Values): number {
  if (values.url === undefined) return number('fresh', values.fresh ?? '3', 0, 100);
  if (values.fresh !== undefined && values.fresh !== '0') throw usage('--fresh is not for a server that runs already');
  return 0;
}

function dataset(
  values: Values,
  defaults: Partial<DatasetOptions>,
  freshSeed: number,
): Omit<DatasetOptions, 'startMs'> {
  const options = { ...SHOP, ...defaults, ...SCENARIOS[values.scenario] };
  if (values.url !== undefined) options.seed = freshSeed;
  const set = (name: keyof Values, at: keyof typeof options, min: number, max: number) => {
    const value = values[name];
    if (typeof value === 'string') Object.assign(options, { [at]: number(name, value, min, max) });
  };
  set('spans', 'spans', 1, 1e9);
  set('seed', 'seed', 0, 0xffffffff);
  set('keys', 'keys', 0, 100_000);
  set('tenants', 'tenants', 1, 10_000);
  set('late-traces', 'lateTraces', 0, 100);
  set('resends', 'resends', 0, 100);
  set('clock-skew', 'clockSkewMs', 0, 86_400_000);
  options.facts = values.queries !== '0' && values.scenario !== 'interplay' && defaults.facts !== false;
  if (values['unique-keys'] === true) options.uniqueKeys = true;
  if (values['million-span-trace'] === true) options.giantTraceSpans = MILLION;
  return options;
}

function target(values: Values): BenchOptions['target'] {
  if (values.url === undefined) {
    for (const name of ['otlp-url', 'pid', 'data-dir'] as const) {
      if (values[name] !== undefined) throw usage(`--${name} needs --url: without it the bench starts its own server`);
    }
    return undefined;
  }
  const api = url('url', values.url);
  const otlp = new URL('/v1/traces', api);
  otlp.port = '4318';
  return {
    api,
    otlp: values['otlp-url'] === undefined ? otlp : url('otlp-url', values['otlp-url']),
    pid: values.pid === undefined ? undefined : number('pid', values.pid, 1, 2 ** 31),
    dataDir: values['data-dir'],
  };
}

function url(name: string, value: string): URL {
  if (!/^https?:\/\//.test(value) || !URL.canParse(value))
    throw usage(`--${name} must be an http or https URL: ${value}`);
  return new URL(value);
}

function number(name: string, value: string, min: number, max: number): number {
  const parsed = Number(value.replaceAll('_', ''));
  if (value === '' || !Number.isFinite(parsed) || parsed < min || parsed > max) {
    throw usage(`--${name} must be a number from ${min} to ${max}: ${value}`);
  }
  return Math.floor(parsed);
}

function usage(message: string): VivaceError {
  return new VivaceError('invalid', 'usage', message);
}
