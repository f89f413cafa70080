import http from 'node:http';
import { gunzipSync } from 'node:zlib';
import { systemClock, VivaceError } from '@vivace/kernel';
import { describe, expect, test } from 'vitest';
import { fetchTraceAsGrafana, takeTraceAsGrafana } from './testing/grafana-trace.ts';
import { exampleTrace, startTestApi } from './testing/test-api.ts';

const ID = '0af7651916cd43dd8448eb211c80319c';
const PROTOBUF = { accept: 'application/protobuf' };

async function bytes(response: Response): Promise<Uint8Array> {
  return new Uint8Array(await response.arrayBuffer());
}

describe('a trace that is there', () => {
  test('comes as protobuf that a strict client takes, in both versions', async () => {
    const { url, finder } = await startTestApi();
    const trace = exampleTrace(ID);
    finder.set(ID, { trace, inspectedBytes: 300 });
    const v1 = await fetch(`${url}/api/traces/${ID}`, { headers: PROTOBUF });
    expect(v1.headers.get('content-type')).toBe('application/protobuf');
    const v1Body = await bytes(v1);
    expect(v1Body).toEqual(new Uint8Array(trace));
    expect(takeTraceAsGrafana(v1Body, 1).spans.length).toBe(2);
    const answer = await fetchTraceAsGrafana(url, ID);
    expect(answer.found).toBe(true);
    expect(answer.spans.map((span) => span.name)).toEqual(['GET /0', 'GET /1']);
    expect(answer.partialMessage).toBeUndefined();
  });

  test('comes as JSON in the style of each version', async () => {
    const { url, finder } = await startTestApi();
    finder.set(ID, { trace: exampleTrace(ID, { spans: 1 }), inspectedBytes: 300 });
    const v1 = await fetch(`${url}/api/traces/${ID}`);
    expect(v1.headers.get('content-type')).toBe('application/json');
    const text = await v1.text();
    expect(v1.headers.get('content-length')).toBe(String(Buffer.byteLength(text)));
    const { batches } = JSON.parse(text) as { batches: unknown[] };
    expect(batches).toMatchObject([
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] },
        scopeSpans: [
          {
            scope: {},
            spans: [
              {
                traceId: Buffer.from(ID, 'hex').toString('base64'),
                spanId: 'AAAAAAAAAAE=',
                kind: 'SPAN_KIND_SERVER',
                startTimeUnixNano: '1795000000000000001',
                attributes: [{ key: 'n', value: { intValue: '9007199254740993' } }],
                status: {},
              },
            ],
          },
        ],
      },
    ]);
    const v2 = (await (await fetch(`${url}/api/v2/traces/${ID}`)).json()) as Record<string, unknown>;
    expect(v2).toEqual({ trace: { resourceSpans: batches }, metrics: { inspectedBytes: '300' } });
  });

  test('is found by short, odd and upper-case ids', async () => {
    const { url, finder } = await startTestApi();
    finder.set('abc', { trace: exampleTrace('abc') });
    for (const id of ['abc', 'ABC', '0abc', '0000000000000abc', '00000000000000000000000000000aBc']) {
      expect((await fetchTraceAsGrafana(url, id)).found, id).toBe(true);
    }
  });

  test('of many megabytes comes whole, gzipped where that is accepted', async () => {
    const { url, finder, port } = await startTestApi();
    const trace = exampleTrace(ID, { spans: 60_000 });
    expect(trace.length).toBeGreaterThan(4 * 1024 * 1024);
    finder.set(ID, { trace });
    expect((await fetchTraceAsGrafana(url, ID)).spans.length).toBe(60_000);
    const json = (await (await fetch(`${url}/api/v2/traces/${ID}`)).json()) as {
      trace: { resourceSpans: { scopeSpans: { spans: unknown[] }[] }[] };
    };
    expect(json.trace.resourceSpans[0]?.scopeSpans[0]?.spans.length).toBe(60_000);
    // fetch hides the encoding; this does not.
    const zipped = await rawGet(port, `/api/traces/${ID}`, { ...PROTOBUF, 'accept-encoding': 'gzip' });
    expect(zipped.headers['content-encoding']).toBe('gzip');
    expect(zipped.headers.vary).toBe('Accept-Encoding');
    expect(zipped.body.length).toBeLessThan(trace.length / 4);
    expect(gunzipSync(zipped.body).equals(trace)).toBe(true);
    const plain = await rawGet(port, `/api/traces/${ID}`, PROTOBUF);
    expect(plain.headers['content-encoding']).toBeUndefined();
    expect(plain.body.equals(trace)).toBe(true);
  });

  test('of less than a mebibyte comes as it is to this machine itself', async () => {
    const { finder, port } = await startTestApi();
    const trace = exampleTrace(ID, { spans: 4000 });
    expect(trace.length).toBeGreaterThan(200 * 1024);
    expect(trace.length).toBeLessThan(1024 * 1024);
    finder.set(ID, { trace });
    const answer = await rawGet(port, `/api/traces/${ID}`, { ...PROTOBUF, 'accept-encoding': 'gzip' });
    expect(answer.headers['content-encoding']).toBeUndefined();
    expect(answer.body.equals(trace)).toBe(true);
  });

  test('is asked for with the time range given', async () => {
    const { url, finder } = await startTestApi();
    await fetch(`${url}/api/v2/traces/${ID}?start=100&end=200`);
    await fetch(`${url}/api/v2/traces/${ID}?start=0&end=`);
    expect(finder.asked[0]?.options).toMatchObject({ startSeconds: 100, endSeconds: 200 });
    expect(Object.keys(finder.asked[1]?.options ?? {})).not.toContain('startSeconds');
    expect(Object.keys(finder.asked[1]?.options ?? {})).not.toContain('endSeconds');
  });

  test('answers HEAD with headers alone and POST as GET', async () => {
    const { url, finder } = await startTestApi();
    finder.set(ID, { trace: exampleTrace(ID) });
    const head = await fetch(`${url}/api/traces/${ID}`, { method: 'HEAD', headers: PROTOBUF });
    expect([head.status, head.headers.get('content-type'), await head.text()]).toEqual([
      200,
      'application/protobuf',
      '',
    ]);
    const post = await fetch(`${url}/api/traces/${ID}`, { method: 'POST', body: 'ignored', headers: PROTOBUF });
    expect(takeTraceAsGrafana(await bytes(post), 1).spans.length).toBe(2);
  });
});

describe('a trace that is not there', () => {
  test('is 404 in version 1 and an empty trace in version 2', async () => {
    const { url, finder } = await startTestApi();
    finder.set(ID, { inspectedBytes: 12_345 });
    const v1 = await fetch(`${url}/api/traces/${ID}`, { headers: PROTOBUF });
    expect(v1.status).toBe(404);
    expect(await v1.text()).toContain('trace not found');
    const v2 = await fetch(`${url}/api/v2/traces/${ID}`, { headers: PROTOBUF });
    expect(v2.status).toBe(200);
    expect(await bytes(v2)).toEqual(Uint8Array.from([0x0a, 0x00]));
    expect(await (await fetch(`${url}/api/v2/traces/${ID}`)).text()).toBe('{"trace":{},"metrics":{}}');
    expect((await fetchTraceAsGrafana(url, ID)).found).toBe(false);
  });
});

describe('a trace of which a part could not be read', () => {
  test('is 503 in version 1 and PARTIAL in version 2', async () => {
    const { url, finder } = await startTestApi();
    finder.set(ID, { trace: exampleTrace(ID), complete: false, problems: ['block 7 is damaged'] });
    const v1 = await fetch(`${url}/api/traces/${ID}`);
    expect(v1.status).toBe(503);
    expect(v1.headers.get('retry-after')).toBe('1');
    expect(await v1.text()).toMatch(/block 7 is damaged\nread \/api\/v2\/traces/);
    const v2 = await fetchTraceAsGrafana(url, ID);
    expect(v2.spans.length).toBe(2);
    expect(v2.partialMessage).toContain('block 7 is damaged');
    const json = (await (await fetch(`${url}/api/v2/traces/${ID}`)).json()) as Record<string, unknown>;
    expect(json).toMatchObject({ status: 'PARTIAL', message: v2.partialMessage });
  });

  test('and of which nothing was found is not said to be absent', async () => {
    const { url, finder } = await startTestApi();
    finder.set(ID, { complete: false, problems: Array.from({ length: 9 }, (_, i) => `ingester-${i} does not answer`) });
    expect((await fetch(`${url}/api/traces/${ID}`)).status).toBe(503);
    const v2 = await fetchTraceAsGrafana(url, ID);
    expect(v2.found).toBe(false);
    expect(v2.partialMessage).toMatch(/ingester-0 does not answer.*and 4 more$/);
    const json = await (await fetch(`${url}/api/v2/traces/${ID}`)).text();
    expect(json).toMatch(/^\{"trace":\{\},"metrics":\{\},"status":"PARTIAL","message":"/);
  });
});

describe('a trace over the size limit', () => {
  test('is 422 in version 1 and cut and PARTIAL in version 2', async () => {
    const { url, finder } = await startTestApi({ limits: { maxTraceBytes: 300 } });
    finder.set(ID, { trace: exampleTrace(ID, { spans: 1 }), truncated: true });
    const v1 = await fetch(`${url}/api/traces/${ID}`);
    expect(v1.status).toBe(422);
    expect(await v1.text()).toContain('trace exceeds max size (max bytes: 300)');
    const v2 = await fetchTraceAsGrafana(url, ID);
    expect(v2.spans.length).toBe(1);
    expect(v2.partialMessage).toBe('Trace exceeds maximum size of 300 bytes, a partial trace is returned');
  });
});

describe('requests that are wrong', () => {
  test.each([
    ['zz', 400, "trace IDs can only contain hex characters: invalid character 'z' at position 1"],
    ['0%20', 400, "invalid character ' ' at position 2"],
    [`${ID}0`, 400, "trace IDs can't be larger than 128 bits"],
    [`${ID}?start=20&end=10`, 400, 'http parameter start must be before end. received start=20 end=10'],
    [`${ID}?start=10&end=10`, 400, 'received start=10 end=10'],
    [
      `${ID}?start=yesterday`,
      400,
      "invalid start: write Unix seconds, a whole number up to 4294967295, received 'yest",
    ],
    [`${ID}?end=4294967296`, 400, 'invalid end'],
    [`${ID}?mode=some`, 400, 'invalid value for mode some'],
  ])('%s is %i', async (path, status, text) => {
    const { url } = await startTestApi();
    for (const version of ['/api/traces/', '/api/v2/traces/']) {
      const response = await fetch(url + version + path);
      expect(response.status).toBe(status);
      expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
      expect(await response.text()).toContain(text);
    }
  });

  test('with another method are told which are allowed', async () => {
    const { url } = await startTestApi();
    const wrong = await fetch(`${url}/api/traces/${ID}`, { method: 'DELETE' });
    expect(wrong.status).toBe(405);
    expect(wrong.headers.get('allow')).toBe('HEAD, GET, POST, OPTIONS');
    const options = await fetch(`${url}/api/traces/${ID}`, { method: 'OPTIONS' });
    expect([options.status, options.headers.get('allow')]).toEqual([204, 'HEAD, GET, POST, OPTIONS']);
  });
});

describe('failures of the finder', () => {
  test.each([
    ['unavailable', 503, 'try again'],
    ['limited', 429, 'later'],
    ['data', 500, 'log'],
    ['deadline', 504, 'start and end'],
    ['internal', 500, 'report'],
    ['not-found', 404, ''],
  ] as const)('of kind %s are %i', async (kind, status, advice) => {
    const { url, finder, lines } = await startTestApi();
    finder.set(ID, async () => {
      throw new VivaceError(kind, 'test', 'the store has no time', { retryAfterMs: 2500 });
    });
    const response = await fetch(`${url}/api/v2/traces/${ID}`);
    expect(response.status).toBe(status);
    const text = await response.text();
    expect(text.startsWith('the store has no time\n')).toBe(true);
    expect(text).toContain(advice);
    expect(response.headers.get('retry-after')).toBe(status === 503 || status === 429 ? '3' : null);
    // What the server is not to blame for alone is a warning.
    const level = status === 500 ? 'error' : 'warn';
    const told = { level, msg: 'a request failed', request: 'GET /api/v2/traces/:id' };
    expect(lines).toMatchObject(status >= 500 ? [told] : []);
  });

  test('that everybody meets are told once a minute for each route and reason, defects each time', async () => {
    let nowMs = 0;
    const clock = { ...systemClock, monotonicMs: () => nowMs };
    const { url, finder, lines } = await startTestApi({ clock });
    const fail = async (error: VivaceError, version: 'v2/' | '' = 'v2/') => {
      finder.set(ID, () => Promise.reject(error));
      await (await fetch(`${url}/api/${version}traces/${ID}`)).text();
    };
    const away = new VivaceError('unavailable', 'store-away', 'the store is away');
    for (let i = 0; i < 5; i++) await fail(away);
    await fail(new VivaceError('deadline', 'too-slow', 'too slow'));
    await fail(away, '');
    nowMs = 59_999;
    await fail(away);
    expect(lines.map(({ level, request, err }) => [level, request, (err as { code: string }).code])).toEqual([
      ['warn', 'GET /api/v2/traces/:id', 'store-away'],
      ['warn', 'GET /api/v2/traces/:id', 'too-slow'],
      ['warn', 'GET /api/traces/:id', 'store-away'],
    ]);
    nowMs = 60_000;
    await fail(away);
    for (let i = 0; i < 2; i++) await fail(new VivaceError('internal', 'defect', 'a defect'));
    expect(lines.slice(3).map(({ level }) => level)).toEqual(['warn', 'error', 'error']);
  });

  test('a trace that is no protobuf is an error before any byte was sent', async () => {
    const { url, finder } = await startTestApi();
    finder.set(ID, { trace: Uint8Array.from([0x0a, 0xff, 0xff]) });
    const response = await fetch(`${url}/api/traces/${ID}`);
    expect(response.status).toBe(500);
    expect(await response.text()).toContain('malformed protobuf');
  });

  test('that never answer end with 504, and their places are taken until they do', async () => {
    const { url, finder } = await startTestApi({ limits: { traceTimeoutMs: 100, maxLookups: 1 } });
    let release = () => {};
    finder.set(ID, () => new Promise((_, reject) => (release = () => reject(new Error('over')))));
    expect((await fetch(`${url}/api/traces/${ID}`)).status).toBe(504);
    expect(finder.asked[0]?.options.signal.aborted).toBe(true);
    const refused = await fetch(`${url}/api/traces/abc`);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
    release();
    await expect.poll(async () => (await fetch(`${url}/api/traces/abc`)).status).toBe(404);
  });

  test('a client that goes away aborts its lookup', async () => {
    const { url, finder } = await startTestApi();
    finder.set(ID, () => new Promise(() => {}));
    const controller = new AbortController();
    const response = fetch(`${url}/api/traces/${ID}`, { signal: controller.signal });
    await expect.poll(() => finder.asked.length).toBe(1);
    controller.abort();
    await expect(response).rejects.toThrow();
    await expect.poll(() => finder.asked[0]?.options.signal.aborted).toBe(true);
  });
});

describe('tenants', () => {
  const tenancy = { enabled: true, multiTenantQueries: true };
  const as = (tenant: string) => ({ headers: { 'x-scope-orgid': tenant } });

  test('are one when multi-tenancy is off, whatever the header says', async () => {
    const { url, finder } = await startTestApi();
    await fetch(`${url}/api/traces/${ID}`, as('a/b'));
    expect(finder.asked.map(({ tenant }) => tenant)).toEqual(['single-tenant']);
  });

  test('must be named when it is on', async () => {
    const { url, finder } = await startTestApi({ tenancy });
    const none = await fetch(`${url}/api/traces/${ID}`);
    expect([none.status, (await none.text()).split('\n')[0]]).toEqual([401, 'no org id']);
    const bad = await fetch(`${url}/api/traces/${ID}`, as('bad/tenant'));
    expect([bad.status, await bad.text()]).toEqual([
      400,
      "tenant ID 'bad/tenant' contains unsupported character '/'\n",
    ]);
    const long = await fetch(`${url}/api/traces/${ID}`, as('x'.repeat(151)));
    expect([long.status, await long.text()]).toEqual([400, 'tenant ID is too long: max 150 characters\n']);
    for (const wrong of ['a||b', '..', Array.from({ length: 65 }, (_, i) => `t${i}`).join('|')]) {
      expect((await fetch(`${url}/api/traces/${ID}`, as(wrong))).status, wrong).toBe(400);
    }
    expect(finder.asked).toEqual([]);
    for (const open of ['/ready', '/metrics', '/api/echo', '/api/status/buildinfo', '/status']) {
      expect((await fetch(url + open)).status, open).toBe(200);
    }
  });

  test('are read together and their traces joined', async () => {
    const { url, finder } = await startTestApi({ tenancy });
    finder.set(ID, { trace: exampleTrace(ID, { service: 'a' }), inspectedBytes: 1 }, 'a');
    finder.set(
      ID,
      { trace: exampleTrace(ID, { service: 'b' }), complete: false, problems: ['gone'], inspectedBytes: 2 },
      'b',
    );
    const answer = await fetchTraceAsGrafana(url, ID, { headers: { 'x-scope-orgid': 'b|a|c|a' } });
    expect(finder.asked.map(({ tenant }) => tenant)).toEqual(['a', 'b', 'c']);
    expect(answer.resourceSpans.map(({ resource }) => resource.attributes[0]?.value?.['stringValue'])).toEqual([
      'a',
      'b',
    ]);
    expect(answer.partialMessage).toContain('gone');
  });

  test('whose traces are too long together are cut between resources', async () => {
    const [a, b] = [exampleTrace(ID, { service: 'a' }), exampleTrace(ID, { service: 'b' })];
    const { url, finder } = await startTestApi({ tenancy, limits: { maxTraceBytes: a.length + b.length - 1 } });
    finder.set(ID, { trace: a }, 'a');
    finder.set(ID, { trace: b }, 'b');
    const answer = await fetchTraceAsGrafana(url, ID, { headers: { 'x-scope-orgid': 'a|b' } });
    expect(answer.resourceSpans.length).toBe(1);
    expect(answer.partialMessage).toContain('exceeds maximum size');
  });

  test('are read one at a time where joining them is switched off', async () => {
    const { url } = await startTestApi({ tenancy: { enabled: true, multiTenantQueries: false } });
    expect((await fetch(`${url}/api/traces/${ID}`, as('a|b'))).status).toBe(400);
    expect((await fetch(`${url}/api/traces/${ID}`, as('a'))).status).toBe(404);
  });
});

function rawGet(
  port: number,
  path: string,
  headers: Record<string, string>,
): Promise<{ headers: http.IncomingHttpHeaders; body: Buffer }> {
  return new Promise((resolve, reject) => {
    http
      .get({ host: '127.0.0.1', port, path, headers, agent: false }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => resolve({ headers: response.headers, body: Buffer.concat(chunks) }));
        response.on('error', reject);
      })
      .on('error', reject);
  });
}
