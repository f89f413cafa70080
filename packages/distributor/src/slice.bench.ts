import { Rendezvous } from '@vivace/cluster';
import { encodeTraces } from '@vivace/otlp/testing';
import { RequestSlicer } from './request-slicer.ts';

/*
 * What slicing costs: `node packages/distributor/src/slice.bench.ts`. Nanoseconds a span, of requests of 1,000 spans of
 * about 440 bytes in traces of 13 that lie mixed, as a Collector's batch has them. JIT warm-up is in the first rounds.
 */

const SPANS = 1000;
const ROUNDS = 4;
const REPEATS = 300;

const attributes = Array.from({ length: 12 }, (_, i) => ({
  key: `some.attribute.${i}`,
  value: { stringValue: `value number ${i}` },
}));
const spans = Array.from({ length: SPANS }, (_, i) => ({
  traceId: Buffer.from(`e${(i % 77).toString(16).padStart(31, '0')}`, 'hex'),
  spanId: Buffer.from(i.toString(16).padStart(16, '0'), 'hex'),
  name: 'GET /orders/{id}',
  attributes,
}));
const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] };
const request = encodeTraces({ resourceSpans: [{ resource, scopeSpans: [{ spans }] }] });
const target = Buffer.allocUnsafeSlow(request.length + 4096);
const slicer = new RequestSlicer();

for (const members of [2, 10]) {
  const ring = new Rendezvous(Array.from({ length: members }, (_, i) => `ingester-${i}:9095`));
  let line = '';
  for (let round = 0; round < ROUNDS; round++) {
    let slicingMs = 0;
    let copyingMs = 0;
    for (let i = 0; i < REPEATS; i++) {
      const startMs = performance.now();
      const slices = slicer.slice('t', request, ring);
      const slicedMs = performance.now();
      let at = 0;
      for (const slice of slices) {
        slice.copyTo(target, at);
        at += slice.length;
      }
      slicingMs += slicedMs - startMs;
      copyingMs += performance.now() - slicedMs;
    }
    const nanos = (ms: number) => Math.round((ms * 1e6) / (REPEATS * SPANS));
    line = `slice ${nanos(slicingMs)} ns, copy ${nanos(copyingMs)} ns a span`;
  }
  console.log(`${members} ingesters, ${Math.round(request.length / SPANS)} bytes a span: ${line}`);
}
