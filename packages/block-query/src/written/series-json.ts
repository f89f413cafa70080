import type { Label, Series } from '../answer.ts';
import { anyValueJson, doubleJson, toAnyValue } from './answer-value.ts';

// As search-json.ts: what the API's `messageToJson` writes of the message of a series, without making that. What is empty
// or zero is left out.

/** A series of a range query as JSON. */
export function seriesJson({ labels, samples, exemplars }: Series): string {
  let json = labelsJson(labels);
  for (let i = 0; i < samples.length; i++) {
    const { timestampMs, value } = samples[i] as Series['samples'][number];
    json += i === 0 ? `${json === '' ? '' : ','}"samples":[{` : ',{';
    json += `${pointJson(timestampMs, value)}}`;
  }
  if (samples.length > 0) json += ']';
  for (let i = 0; i < exemplars.length; i++) {
    const { labels: own, timestampMs, value } = exemplars[i] as Series['exemplars'][number];
    json += i === 0 ? `${json === '' ? '' : ','}"exemplars":[{` : ',{';
    const list = labelsJson(own);
    const number = value === 0 ? '' : `"value":${doubleJson(value)}`;
    const time = timeJson(timestampMs);
    json += `${[list, number, time].filter((part) => part !== '').join()}}`;
  }
  if (exemplars.length > 0) json += ']';
  return `{${json}}`;
}

/** Empty where there are none. */
function labelsJson(labels: readonly Label[]): string {
  let json = '';
  for (const { key, value } of labels) {
    json += json === '' ? '"labels":[{' : ',{';
    if (key !== '') json += `"key":${JSON.stringify(key)},`;
    json += `"value":${anyValueJson(toAnyValue(value))}}`;
  }
  return json === '' ? '' : `${json}]`;
}

function pointJson(timestampMs: number, value: number): string {
  const time = timeJson(timestampMs);
  if (value === 0) return time;
  return `${time}${time === '' ? '' : ','}"value":${doubleJson(value)}`;
}

function timeJson(timestampMs: number): string {
  const time = Math.trunc(timestampMs);
  return time === 0 ? '' : `"timestampMs":"${time}"`;
}
