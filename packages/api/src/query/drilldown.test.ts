import { beforeAll, describe } from 'vitest';
import { describeDrilldown } from '../testing/describe-drilldown.ts';
import { drilldownRequest, spans, TRACES, traceId } from '../testing/drilldown-traces.ts';
import { NaiveEngine } from '../testing/naive-engine.ts';
import { startSharedApi } from '../testing/test-api.ts';

describe('Traces Drilldown over the naive evaluator', () => {
  let url = '';
  beforeAll(async () => {
    const { api, finder } = await startSharedApi({ engine: new NaiveEngine([drilldownRequest(spans)]) });
    url = api.address.url;
    for (let trace = 0; trace < TRACES; trace++) {
      const own = spans.filter((span) => span.trace === trace);
      finder.set(traceId(trace).toString('hex'), { trace: drilldownRequest(own) });
    }
    return () => api.stop();
  });
  describeDrilldown(() => url);
});
