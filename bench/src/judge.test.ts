import { describe, expect, it } from 'vitest';
import { createDataset } from './dataset.ts';
import { SHOP } from './dataset-options.ts';
import { countSpans, judge } from './judge.ts';
import type { SampledTrace } from './truth.ts';

/** A dataset of one trace: its only request is also the right answer. */
function oneTrace(): { sent: SampledTrace; answer: Uint8Array } {
  const { truth, requests } = createDataset({ ...SHOP, spans: 1, startMs: 1_763_700_000_000 });
  const [request] = [...requests];
  return { sent: truth.sample[0] as SampledTrace, answer: request?.bytes as Uint8Array };
}

const whole = { whole: true, equal: true, complaint: undefined };

describe('an answer', () => {
  it('is right when it holds every span as it was sent', () => {
    const { sent, answer } = oneTrace();
    expect(countSpans(answer)).toBe(sent.spans.size);
    expect(judge(sent, answer)).toMatchObject(whole);
  });

  it('is wrong with a bit changed anywhere in it', () => {
    const { sent, answer } = oneTrace();
    for (let at = 0; at < answer.length; at += 31) {
      const changed = Uint8Array.from(answer);
      changed[at] = (changed[at] as number) ^ 1;
      expect(judge(sent, changed), `byte ${at}`).toMatchObject({ equal: false });
    }
  });

  it('is wrong with a span twice, with none, and with one of another trace', () => {
    const { sent, answer } = oneTrace();
    expect(judge(sent, Buffer.concat([answer, answer]))).toMatchObject({ whole: false });
    expect(judge(sent, new Uint8Array(0)).complaint).toMatch(/spans missing/);
    const other = { ...sent, traceId: 'ab'.repeat(16) };
    expect(judge(other, answer).complaint).toMatch(/a span of trace/);
    const fewer = { ...sent, spans: new Map([...sent.spans].slice(1)) };
    expect(judge(fewer, answer).complaint).toMatch(/was never sent/);
  });
});
