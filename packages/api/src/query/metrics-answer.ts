import { type KeyValue, type Label, type Series, toAnyValue } from '@vivace/block-query';
import { problemLine } from '../problem-lines.ts';
import type { MetricsPart } from '../query-engine.ts';
import { searchMetrics } from './search-answer.ts';
import type { AnswerStatus, InstantSeriesMessage, SearchMetrics, SeriesMessage } from './tempopb.ts';

/** A series of a range query, as Tempo writes it. */
export function rangeSeries({ labels, samples, exemplars }: Series): SeriesMessage {
  return {
    labels: labelMessages(labels),
    samples: samples.map(({ timestampMs, value }) => ({ timestampMs: milliseconds(timestampMs), value })),
    exemplars: exemplars.map((exemplar) => ({
      labels: labelMessages(exemplar.labels),
      value: exemplar.value,
      timestampMs: milliseconds(exemplar.timestampMs),
    })),
  };
}

/** Series of a query for one value; those without a value are left out. */
export function instantSeries(series: readonly Series[]): InstantSeriesMessage[] {
  return series.flatMap(({ labels, samples }) => {
    const last = samples.at(-1);
    return last === undefined ? [] : [{ labels: labelMessages(labels), value: last.value }];
  });
}

function labelMessages(labels: readonly Label[]): KeyValue[] {
  return labels.map(({ key, value }) => ({ key, value: toAnyValue(value) }));
}

function milliseconds(time: number): bigint {
  return BigInt(Math.trunc(time));
}

/** What an answer says besides its series: `PARTIAL` with the reasons where it is not whole. */
export function metricsRest(
  { stats, truncated, problems }: MetricsPart,
  maxSeries: number,
): { metrics: SearchMetrics; status: AnswerStatus; message: string } {
  const reasons: string[] = [];
  if (truncated) {
    reasons.push(
      `Response exceeds maximum series limit of ${maxSeries}, a partial response is returned. Warning: series are missing; group by less, or filter more`,
    );
  }
  const line = problemLine(problems);
  if (line !== undefined) reasons.push(`the answer may be incomplete: ${line}`);
  return {
    metrics: searchMetrics(stats),
    status: reasons.length > 0 ? 'PARTIAL' : 'COMPLETE',
    message: reasons.join('; '),
  };
}
