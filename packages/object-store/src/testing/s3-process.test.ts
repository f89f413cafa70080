import { expect, test } from 'vitest';
import { createS3Store } from '../s3-store.ts';
import { startS3Process } from './s3-process.ts';

test('a server in a process of its own changes its weather and counts what it did', async () => {
  const server = await startS3Process({ bucket: 'b' });
  const { endpoint, region, credentials } = server;
  const store = await createS3Store({ bucket: 'b', endpoint, region, credentials });
  try {
    await store.put('a', [new Uint8Array(10)]);
    expect(await server.counts()).toEqual({ requests: 1, objects: 1, bytes: 10 });
    const latency = { medianMs: 1, slow: 0, maxMs: 5 };
    await server.setWeather({ seed: 1, resets: 0, unavailable: 1, tooMany: 0, latency });
    await expect(store.get('a')).rejects.toMatchObject({ kind: expect.stringMatching(/^(limited|unavailable)$/) });
    const { weather } = await server.setWeather({ seed: 1, resets: 1, unavailable: 0, tooMany: 0, latency });
    expect(weather?.outcomes).toEqual({ get: { '503': 1 } });
    for (let call = 0; call < 10; call++) await expect(store.get('a')).rejects.toMatchObject({ kind: 'unavailable' });
    await server.setWeather(undefined);
    expect((await store.get('a')).size).toBe(10);
    expect(await server.counts()).toEqual({ requests: 13, objects: 1, bytes: 10 });
  } finally {
    await store.close();
    await server.close();
  }
});
