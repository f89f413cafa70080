import { gunzipSync } from 'node:zlib';
import { VivaceError } from '@vivace/kernel';
import { describe, expect, test } from 'vitest';
import { createApp } from './app.ts';
import { startTestApi } from './testing/test-api.ts';

describe('operations', () => {
  test('echo answers what the health check of Grafana wants', async () => {
    const { url } = await startTestApi();
    const response = await fetch(`${url}/api/echo`);
    expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([
      200,
      'text/plain; charset=utf-8',
      'echo\n',
    ]);
  });

  test('ready says what is missing until nothing is', async () => {
    const { url, missing } = await startTestApi();
    missing.push('replay of 3 log segments', 'the store');
    const not = await fetch(`${url}/ready`);
    expect([not.status, await not.text()]).toEqual([
      503,
      'not ready, waiting for:\n  replay of 3 log segments\n  the store\n',
    ]);
    expect(await (await fetch(`${url}/status`)).text()).toContain(
      'no, waiting for replay of 3 log segments, the store',
    );
    missing.length = 0;
    const ready = await fetch(`${url}/ready`);
    expect([ready.status, await ready.text()]).toEqual([200, 'ready\n']);
  });

  test('buildinfo has the fields and a semantic version', async () => {
    const { url } = await startTestApi();
    const response = await fetch(`${url}/api/status/buildinfo`);
    expect(response.headers.get('content-type')).toContain('application/json');
    const info = (await response.json()) as Record<string, string>;
    expect(Object.keys(info)).toEqual(['version', 'revision', 'branch', 'buildUser', 'buildDate', 'goVersion']);
    expect(info['version']).toMatch(/^\d+\.\d+\.\d+$/);
  });

  test('config, version and status are text', async () => {
    const { url } = await startTestApi();
    expect(await (await fetch(`${url}/status/config`)).text()).toBe('server:\n  http_listen_port: 3200\n');
    expect(await (await fetch(`${url}/status/version`)).text()).toBe('vivace 0.1.0 (abc)\n');
    const status = await (await fetch(`${url}/status`)).text();
    for (const path of ['/api/v2/traces/{id}', '/flush', '/metrics', 'ready: yes']) expect(status).toContain(path);
  });

  test('metrics count the requests, by route and never by id', async () => {
    const { url } = await startTestApi();
    await fetch(`${url}/api/traces/abc`);
    await fetch(`${url}/api/traces/zz`);
    const response = await fetch(`${url}/metrics`);
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    const text = await response.text();
    expect(text).toContain('vivace_api_request_duration_seconds_count{route="/api/traces/:id",status="404"} 1');
    expect(text).toContain('vivace_api_request_duration_seconds_count{route="/api/traces/:id",status="400"} 1');
    expect(text).not.toContain('abc');
  });

  test('metrics are gzipped for who asks', async () => {
    const { api, url } = await startTestApi();
    expect(api.address.url).toBe(url);
    for (let i = 0; i < 3; i++) await fetch(`${url}/api/traces/abc`);
    const app = createApp({
      traces: {} as never,
      operations: {
        renderMetrics: async () => ({ contentType: 'text/plain', body: 'x'.repeat(100_000) }),
        build: { version: '0.1.0', revision: '' },
      } as never,
      context: {
        clock: { monotonicMs: () => 0, after: () => () => {} },
        observe: () => {},
        onError: () => {},
      } as never,
    });
    const response = await app.request('/metrics', { headers: { 'accept-encoding': 'gzip' } });
    expect(gunzipSync(await response.arrayBuffer()).toString()).toBe('x'.repeat(100_000));
  });
});

describe('flush', () => {
  test('answers GET and POST when the work is done, and does nothing on HEAD', async () => {
    let flushes = 0;
    let release = () => {};
    const { url } = await startTestApi({
      flush: async () => {
        flushes++;
        await new Promise<void>((resolve) => (release = resolve));
      },
    });
    for (const method of ['POST', 'GET']) {
      let answered = false;
      const response = fetch(`${url}/flush`, { method }).finally(() => (answered = true));
      await expect.poll(() => flushes).toBe(method === 'POST' ? 1 : 2);
      expect(answered).toBe(false);
      release();
      expect(await (await response).text()).toContain('in the manifest');
    }
    expect((await fetch(`${url}/flush`, { method: 'HEAD' })).status).toBe(200);
    expect(flushes).toBe(2);
    expect((await fetch(`${url}/flush`, { method: 'PUT' })).status).toBe(405);
  });

  test('that fails says why', async () => {
    const { url } = await startTestApi({
      flush: async () => {
        throw new VivaceError('unavailable', 'store-down', 'the store does not answer');
      },
    });
    const response = await fetch(`${url}/flush`, { method: 'POST' });
    expect([response.status, (await response.text()).split('\n')[0]]).toEqual([503, 'the store does not answer']);
  });

  test('that takes too long is given up', async () => {
    const signals: AbortSignal[] = [];
    const { url } = await startTestApi({
      limits: { flushTimeoutMs: 50 },
      flush: (signal) => {
        signals.push(signal);
        return new Promise(() => {});
      },
    });
    expect((await fetch(`${url}/flush`, { method: 'POST' })).status).toBe(504);
    expect(signals[0]?.aborted).toBe(true);
  });
});

describe('what is not there', () => {
  test.each(['/api/search', '/api/search/tags', '/api/v2/search/tag/a%2Fb/c/values', '/api/metrics/query_range?q=x'])(
    '%s says that it is not served',
    async (path) => {
      const { url } = await startTestApi();
      const response = await fetch(url + path);
      expect(response.status).toBe(404);
      expect(await response.text()).toMatch(/is not served by this version of Vivace.*\nopen a trace by its id/);
    },
  );

  test.each(['/', '/api', '/api/traces/', '/api/traces/a/b', '/api/v3/traces/ab', '/favicon.ico', '/%2e%2e/x', '/%'])(
    '%s is an unknown page',
    async (path) => {
      const { url } = await startTestApi();
      const response = await fetch(url + path);
      expect(response.status).toBe(404);
      expect(await response.text()).toMatch(/^404 page not found\n/);
    },
  );
});
