import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseEndpoint } from './endpoint.ts';
import { editDistance, nearest } from './nearest.ts';
import { formatDuration, formatSize, parseDuration, parseSize } from './units.ts';

test('durations and sizes read what people write', () => {
  expect(['20ms', '5m', '1h30m', '0', '1.5s', '14d', '1d12h'].map(parseDuration)).toEqual([
    20, 300_000, 5_400_000, 0, 1500, 1_209_600_000, 129_600_000,
  ]);
  expect(['64MiB', '128MB', '1.5 GiB', '42', '10kb', '0'].map(parseSize)).toEqual([
    67_108_864, 128_000_000, 1_610_612_736, 42, 10_000, 0,
  ]);
});

test('what is no duration or size is refused', () => {
  expect(['', '5', '5 m', '-1s', '1y', 'm', '1m1'].map(parseDuration)).toEqual(Array(7).fill(undefined));
  expect(['', 'MiB', '-1', '1 2', '64Mi', '1e3', '9'.repeat(20)].map(parseSize)).toEqual(Array(7).fill(undefined));
});

test('every duration and size reads back as it is written', () => {
  fc.assert(
    fc.property(fc.nat(), (ms) => {
      expect(parseDuration(formatDuration(ms))).toBe(ms);
    }),
  );
  fc.assert(
    fc.property(fc.maxSafeNat(), (bytes) => {
      expect(parseSize(formatSize(bytes))).toBe(bytes);
      expect(parseSize(formatSize(Math.floor(bytes / 2 ** 30) * 1024))).toBe(Math.floor(bytes / 2 ** 30) * 1024);
    }),
  );
});

test('endpoints have a host and a port', () => {
  expect(parseEndpoint('127.0.0.1:4317')).toEqual({ host: '127.0.0.1', port: 4317 });
  expect(parseEndpoint('[::1]:0')).toEqual({ host: '::1', port: 0 });
  expect(parseEndpoint(':4318')).toEqual({ host: '0.0.0.0', port: 4318 });
  expect(['4317', 'a:b', '::1:4317', 'http://a:1', 'a:70000', 'a b:1'].map(parseEndpoint)).toEqual(
    Array(6).fill(undefined),
  );
});

test('the nearest name counts a swap of neighbours as one edit and gives up on strangers', () => {
  expect(editDistance('prot', 'port')).toBe(1);
  expect(editDistance('', 'abc')).toBe(3);
  expect(editDistance('kitten', 'sitting')).toBe(3);
  expect(nearest('http_listen_prot', ['http_listen_address', 'http_listen_port'])).toBe('http_listen_port');
  expect(nearest('zzz', ['port', 'bind'])).toBeUndefined();
  expect(nearest('x'.repeat(10_000), ['port'])).toBeUndefined();
});
