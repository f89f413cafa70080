import { describe, expect, it } from 'vitest';
import { parseOptions } from './options.ts';

describe('the options', () => {
  it('are a million spans of the shop and three runs by default', () => {
    const options = parseOptions([], 9);
    expect(options).toMatchObject({ command: 'run', runs: 3, samples: 200, settleMs: 10_000, target: undefined });
    expect(options.dataset).toMatchObject({ spans: 1_000_000, seed: 1, keys: 0, tenants: 1 });
  });

  it('are a scenario with single parts changed', () => {
    const { dataset } = parseOptions(['--scenario', 'hard', '--tenants', '7', '--spans', '10_000'], 9);
    expect(dataset).toMatchObject({ keys: 500, tenants: 7, uniqueKeys: true, spans: 10_000 });
  });

  it('make new data for one run on a server that runs already', () => {
    const options = parseOptions(['--url', 'http://localhost:3200'], 9);
    expect(options).toMatchObject({ runs: 1, dataset: { seed: 9 } });
    expect(options.target?.otlp.href).toBe('http://localhost:4318/v1/traces');
  });

  it('are those of one of the other commands', () => {
    expect(parseOptions(['micro', 'metrics'], 9)).toMatchObject({
      command: 'micro metrics',
      dataset: { spans: 200_000 },
    });
    const interplay = parseOptions(['--scenario', 'interplay'], 9);
    expect(interplay).toMatchObject({ scans: 2, dataset: { spans: 3_000_000, facts: false } });
  });

  it('keep what is true of every span only for queries', () => {
    expect(parseOptions([], 9)).toMatchObject({ queries: 40, fresh: 3, dataset: { facts: true } });
    expect(parseOptions(['--queries', '0'], 9).dataset.facts).toBe(false);
    expect(parseOptions(['--url', 'http://localhost:3200'], 9).fresh).toBe(0);
  });

  it.each([
    [['--scenario', 'interplay', '--tenants', '3'], /one tenant/],
    [['--url', 'http://localhost', '--fresh', '2'], /not for a server/],
    [['--bogus'], /bogus/],
    [['--scenario', 'constructor'], /no such scenario/],
    [['--spans', '0'], /--spans must be a number/],
    [['--spans', 'many'], /--spans must be a number/],
    [['--encoding', 'lzma'], /no such encoding/],
    [['macro'], /no such command/],
    [['micro', 'more'], /no such command/],
    [['--pid', '1'], /--pid needs --url/],
    [['--url', 'localhost'], /http or https/],
    [['--url', 'http://localhost', '--runs', '2'], /one run/],
  ])('refuse %j', (argv, message) => {
    expect(() => parseOptions(argv, 9)).toThrow(message);
  });
});
