import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { acceptsGzip, bodyResponse } from './body.ts';

const options = { contentType: 'text/plain', acceptEncoding: undefined, headersOnly: false, onError: () => {} };
const MIB = 1024 * 1024;

function* chunks(count: number, made?: { count: number }, failAt = -1): Generator<Uint8Array> {
  for (let i = 0; i < count; i++) {
    if (i === failAt) throw new Error('broken');
    if (made) made.count++;
    yield new Uint8Array(MIB / 4).fill(i);
  }
}

describe('Accept-Encoding', () => {
  test.each([
    [undefined, false],
    ['', false],
    ['gzip', true],
    ['deflate, GZIP;q=0.5, br', true],
    ['gzip;q=0', false],
    ['gzip;q=0.000, *', false],
    ['*', true],
    ['br, *;q=0', false],
    ['x-gzip', true],
    ['gzipped', false],
  ])('%j allows gzip: %s', (header, allowed) => {
    expect(acceptsGzip(header)).toBe(allowed);
  });
});

describe('a body', () => {
  test('that is short is sent whole and not gzipped', async () => {
    const response = await bodyResponse([Buffer.from('a'), Buffer.from('b')], { ...options, acceptEncoding: 'gzip' });
    expect([response.headers.get('content-length'), response.headers.get('content-encoding')]).toEqual(['2', null]);
    expect(await response.text()).toBe('ab');
  });

  test('of nothing is empty', async () => {
    const response = await bodyResponse([], options);
    expect([response.status, await response.text()]).toEqual([200, '']);
  });

  test.each([3, 4, 5, 40])('of %i quarters of a mebibyte is the same plain and gzipped', async (count) => {
    const whole = Buffer.concat([...chunks(count)]);
    const plain = await bodyResponse(chunks(count), options);
    expect(Buffer.from(await plain.arrayBuffer()).equals(whole)).toBe(true);
    const zipped = await bodyResponse(chunks(count), { ...options, acceptEncoding: 'gzip' });
    expect(zipped.headers.get('content-encoding')).toBe('gzip');
    expect(gunzipSync(await zipped.arrayBuffer()).equals(whole)).toBe(true);
  });

  test.each([
    [3, null],
    [5, 'gzip'],
  ])('of %i quarters of a mebibyte for this machine itself is zipped: %s', async (count, encoding) => {
    const whole = Buffer.concat([...chunks(count)]);
    const response = await bodyResponse(chunks(count), { ...options, acceptEncoding: 'gzip', isNear: true });
    expect(response.headers.get('content-encoding')).toBe(encoding);
    const body = await response.arrayBuffer();
    expect((encoding === null ? Buffer.from(body) : gunzipSync(body)).equals(whole)).toBe(true);
  });

  test('is made only as fast as it is read', async () => {
    const made = { count: 0 };
    const response = await bodyResponse(chunks(1000, made), options);
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(made.count).toBeLessThan(20);
    await reader.cancel();
    const count = made.count;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(made.count).toBe(count);
  });

  test('that fails early throws, that fails late breaks off and is reported', async () => {
    await expect(bodyResponse(chunks(10, undefined, 2), options)).rejects.toThrow('broken');
    for (const acceptEncoding of [undefined, 'gzip']) {
      const errors: unknown[] = [];
      const response = await bodyResponse(chunks(40, undefined, 20), {
        ...options,
        acceptEncoding,
        onError: (error) => errors.push(error),
      });
      await expect(response.arrayBuffer()).rejects.toThrow();
      expect(errors.map(String)).toEqual(['Error: broken']);
    }
  });
});
