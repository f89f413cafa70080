import { expect, it } from 'vitest';
import { SHOP } from './dataset-options.ts';
import { measureParts } from './micro.ts';

it('times every part of the way on spans that all come back', async () => {
  const figures = new Map<string, number>();
  await measureParts({ ...SHOP, spans: 3000, startMs: 1_763_700_000_000 }, (name, _, value) =>
    figures.set(name, value),
  );
  const parts = [
    'scan',
    'columnise',
    'cut: sort',
    'encode a block',
    'decode a block',
    'trace by id, second pass',
    'scan: comparison',
    'scan: duration',
    'scan: conjunction',
    'scan: regex',
    'seams: first, decoding',
    'seams: known',
    'metrics: rate',
    'metrics: histogram',
    'metrics: quantile',
    'parse',
  ];
  for (const part of parts) expect(figures.get(part), part).toBeGreaterThan(0);
});
