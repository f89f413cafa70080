import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { zstdDecompressSync } from 'node:zlib';
import { type Clock, seededRandom, systemClock } from '@vivace/kernel';
import { afterEach, describe, expect, it } from 'vitest';
import { message, text } from './attributes.ts';
import { type LoadOptions, type LoadSource, load } from './load.ts';

let server: Server | undefined;

afterEach(async () => {
  await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
  server = undefined;
});

type Handler = (body: Buffer, request: IncomingMessage, response: ServerResponse) => void;

async function serve(handle: Handler): Promise<URL> {
  server = createServer((request, response) => {
    buffer(request).then(
      (body) => handle(body, request, response),
      () => response.destroy(),
    );
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`);
}

/** Sleeps end at once, and are remembered. */
function hastyClock(sleeps: number[]): Clock {
  let skippedMs = 0;
  return {
    ...systemClock,
    monotonicMs: () => systemClock.monotonicMs() + skippedMs,
    sleep: (ms) => {
      sleeps.push(ms);
      skippedMs += ms;
      return Promise.resolve();
    },
  };
}

function options(url: URL, more: Partial<LoadOptions> = {}): LoadOptions {
  return {
    url,
    connections: 3,
    rate: 0,
    encoding: 'identity',
    tenants: false,
    retryForMs: 60_000,
    clock: systemClock,
    random: seededRandom(1),
    signal: new AbortController().signal,
    ...more,
  };
}

function source(count: number): LoadSource<{ spans: number; tenant: number; at: number }> {
  const requests = Array.from({ length: count }, (_, at) => ({ spans: 10, tenant: at % 2, at }));
  return { requests, read: async ({ at }) => Buffer.from(`request ${at}`) };
}

describe('the loader', () => {
  it('sends every request once and counts what was accepted', async () => {
    const got: string[] = [];
    const url = await serve((body, request, response) => {
      got.push(`${request.url} ${request.headers['content-type']} ${body.toString()}`);
      response.end();
    });
    const result = await load(source(20), options(url));
    const wanted = Array.from({ length: 20 }, (_, at) => `/v1/traces application/x-protobuf request ${at}`);
    expect(got.sort()).toEqual(wanted.sort());
    expect(result).toMatchObject({ acceptedRequests: 20, acceptedSpans: 200, refusedSpans: 0, answers: { 200: 20 } });
    expect(result.latency.count).toBe(20);
    expect(result.spansPerSecond).toBeGreaterThan(0);
  });

  it('compresses and names the tenant when asked to', async () => {
    const got: string[] = [];
    const url = await serve((body, request, response) => {
      expect(request.headers['content-encoding']).toBe('zstd');
      got.push(`${String(request.headers['x-scope-orgid'])} ${zstdDecompressSync(body).toString()}`);
      response.end();
    });
    await load(source(2), options(url, { encoding: 'zstd', tenants: true }));
    expect(got.sort()).toEqual(['shop-000 request 0', 'shop-001 request 1']);
  });

  it('counts spans that the server refused in a partial success, and keeps the reason', async () => {
    const partial = message(0x0a, Uint8Array.of(0x08, 3), text(0x12, 'trace ids must be 16 bytes'));
    const url = await serve((_, __, response) => response.end(partial));
    const result = await load(source(2), options(url));
    expect(result).toMatchObject({ acceptedSpans: 14, rejectedSpans: 6, partialRequests: 2 });
    expect(result.firstReason).toBe('trace ids must be 16 bytes');
  });

  it('tries 429, 502, 503 and 504 again and waits as long as the server asks', async () => {
    const seen = new Map<string, number>();
    const url = await serve((body, _, response) => {
      const attempt = seen.get(body.toString()) ?? 0;
      seen.set(body.toString(), attempt + 1);
      response.statusCode = [429, 502, 503, 504, 200][attempt] as number;
      if (attempt === 2) response.setHeader('retry-after', '7');
      response.end();
    });
    const sleeps: number[] = [];
    const result = await load(source(2), options(url, { clock: hastyClock(sleeps) }));
    expect(result).toMatchObject({ acceptedRequests: 2, retries: 8, refusedRequests: 0 });
    expect(result.answers).toEqual({ 200: 2, 429: 2, 502: 2, 503: 2, 504: 2 });
    expect(sleeps.filter((ms) => ms === 7000)).toHaveLength(2);
    expect(sleeps.every((ms) => ms >= 800 && ms <= 7000)).toBe(true);
  });

  it('gives up at once on what the protocol calls final', async () => {
    const status = message(0x12, Buffer.from('not OTLP'));
    const url = await serve((_, __, response) => {
      response.statusCode = 400;
      response.end(status);
    });
    const result = await load(source(3), options(url));
    expect(result).toMatchObject({ acceptedRequests: 0, refusedRequests: 3, refusedSpans: 30, retries: 0 });
    expect(result.firstReason).toBe('400: not OTLP');
  });

  it('gives up on a server that stays away, after its time', async () => {
    const url = await serve((_, __, response) => response.destroy());
    const sleeps: number[] = [];
    const result = await load(source(1), options(url, { clock: hastyClock(sleeps), retryForMs: 20_000 }));
    expect(result).toMatchObject({ acceptedRequests: 0, refusedRequests: 1 });
    expect(result.answers.ECONNRESET).toBe(result.retries + 1);
    expect(result.retries).toBeGreaterThan(3);
  });

  it('keeps the pace it is given', async () => {
    const url = await serve((_, __, response) => response.end());
    const result = await load(source(20), options(url, { rate: 1000 }));
    // The last of 20 requests of 10 spans is due after 190 ms.
    expect(result.elapsedMs).toBeGreaterThan(180);
    expect(result.spansPerSecond).toBeLessThan(1100);
  });
});
