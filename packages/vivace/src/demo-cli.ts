import { type Clock, systemErrorCode, VivaceError } from '@vivace/kernel';
import { type DemoTrace, demoTraces } from './demo-traces.ts';
import { parseFlags } from './flags.ts';
import { explainStartFailure } from './start-failure.ts';
import type { Surroundings } from './surroundings.ts';

const REQUEST_TIMEOUT_MS = 10_000;
/** An acknowledged span is readable at once; the rest of the time is for a slow machine. */
const READABLE_WITHIN_MS = 5_000;

const FLAGS = [
  { name: 'http-url', placeholder: 'URL' },
  { name: 'otlp-http-url', placeholder: 'URL' },
  { name: 'tenant', placeholder: 'NAME' },
  { name: 'help', short: 'h' },
];

const HELP = `Sends some traces to a running Vivace and says how to look at them.

Usage: npm run demo -- [flags]

  --http-url URL          the HTTP API (http://127.0.0.1:3200)
  --otlp-http-url URL     where OTLP over HTTP is taken (http://127.0.0.1:4318)
  --tenant NAME           tenant, where multi-tenancy is on
`;

/** Sends the demo traces, reads each back, prints a link and a command for each. Gives the exit code: 0, 1 or 2. */
export async function runDemo({ argv, env, stdout, stderr, clock, random }: Surroundings): Promise<number> {
  try {
    const flags = parseFlags(argv, FLAGS, { env, script: 'run demo' });
    if (flags.has('help')) {
      stdout.write(HELP);
      return 0;
    }
    const httpUrl = baseUrl('http-url', flags.get('http-url') ?? 'http://127.0.0.1:3200');
    const otlpUrl = baseUrl('otlp-http-url', flags.get('otlp-http-url') ?? 'http://127.0.0.1:4318');
    const tenant = flags.get('tenant');
    const headers: Record<string, string> = tenant === undefined ? {} : { 'X-Scope-OrgID': tenant };
    for (const trace of demoTraces(clock.nowMs(), random)) {
      await send(otlpUrl, trace, headers);
      const traceUrl = `${httpUrl}/api/v2/traces/${trace.traceId}`;
      await waitReadable(traceUrl, trace, headers, clock);
      const tenantHeader = tenant === undefined ? '' : ` -H 'X-Scope-OrgID: ${tenant}'`;
      stdout.write(`\n${trace.title} (${trace.spans} spans)\n  ${traceUrl}\n  curl -sS${tenantHeader} ${traceUrl}\n`);
    }
    stdout.write(
      `\nIn Grafana: a data source of type Tempo with the URL ${httpUrl}; put the last part of an address above into its search.\n`,
    );
    return 0;
  } catch (error) {
    const failure = explainStartFailure(error);
    stderr.write(failure.text);
    return failure.exitCode;
  }
}

async function send(otlpUrl: string, trace: DemoTrace, headers: Record<string, string>): Promise<void> {
  const response = await request(`${otlpUrl}/v1/traces`, 'otlp-http-url', {
    method: 'POST',
    headers: { ...headers, 'Content-Type': 'application/json' },
    body: JSON.stringify(trace.body),
  });
  const text = await response.text();
  if (!response.ok)
    throw new VivaceError(
      'unavailable',
      'demo',
      `${otlpUrl} refused a trace with ${response.status}: ${text.slice(0, 500)}`,
    );
  const answer = parseJson(text) as
    | { partialSuccess?: { rejectedSpans?: string | number; errorMessage?: string } }
    | undefined;
  const rejected = Number(answer?.partialSuccess?.rejectedSpans ?? 0);
  if (rejected > 0) {
    throw new VivaceError(
      'invalid',
      'demo',
      `${otlpUrl} refused ${rejected} spans: ${answer?.partialSuccess?.errorMessage ?? 'no reason given'}`,
    );
  }
}

/** Reads the trace until every span of it is there. */
async function waitReadable(
  url: string,
  trace: DemoTrace,
  headers: Record<string, string>,
  clock: Clock,
): Promise<void> {
  const giveUpAt = clock.monotonicMs() + READABLE_WITHIN_MS;
  for (;;) {
    const response = await request(url, 'http-url', { headers: { ...headers, Accept: 'application/json' } });
    const text = await response.text();
    if (response.ok && countSpans(parseJson(text)) === trace.spans) return;
    if (clock.monotonicMs() > giveUpAt) {
      throw new VivaceError(
        'unavailable',
        'demo',
        `the trace was sent but ${url} does not show its ${trace.spans} spans (${response.status}): do both addresses belong to one server?`,
      );
    }
    await clock.sleep(100);
  }
}

async function request(url: string, flag: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { ...init, signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) });
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    const reason = systemErrorCode(cause) ?? (error instanceof Error ? error.message : String(error));
    throw new VivaceError(
      'unavailable',
      'demo',
      `no server answers at ${url} (${reason}): start one with npm start, or say where it is with --${flag}`,
      { cause: error },
    );
  }
}

function countSpans(answer: unknown): number {
  const trace = (answer as { trace?: { resourceSpans?: { scopeSpans?: { spans?: unknown[] }[] }[] } } | undefined)
    ?.trace;
  const scopes = (trace?.resourceSpans ?? []).flatMap((resource) => resource.scopeSpans ?? []);
  return scopes.reduce((sum, scope) => sum + (scope.spans?.length ?? 0), 0);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function baseUrl(flag: string, text: string): string {
  if (!/^https?:\/\/[^\s/]/.test(text) || !URL.canParse(text)) {
    throw new VivaceError('invalid', 'usage', `--${flag} must be a URL such as http://127.0.0.1:3200: '${text}'`);
  }
  return text.replace(/\/+$/, '');
}
