import { listAt, pathOf, type Question, type QuestionGroup } from './question.ts';
import { type SpanTests, spanTests } from './span-tests.ts';
import {
  type AskedTraces,
  anyChild,
  anyDescendant,
  anySpan,
  averageAbove,
  bothSpans,
  moreThan,
  serviceMoreThan,
  type TraceTest,
} from './trace-tests.ts';

const LIMIT = 20;
const NEEDLES = 8;

interface FoundTrace {
  traceID: string;
  spanSets?: { spans?: { attributes?: { key: string }[] }[] }[];
}

/** Searches, with exactly the traces that each must find, in their order. */
export function searchQuestions(traces: AskedTraces): QuestionGroup[] {
  const { facts } = traces;
  const tests = spanTests(facts);
  const { attribute, both, failed, httpStatus, longerThan, name, service, url } = tests;
  const ask = (query: string, test: TraceTest, limit = LIMIT) => search(traces, query, test, limit);
  const group = (title: string, ...questions: Question[]): QuestionGroup => ({ name: title, questions, fresh: false });
  const is = (wanted: string) => (value: string) => value === wanted;
  const postgres = attribute('db.system.name', is('postgresql'));
  const redis = attribute('db.system.name', is('redis'));
  return [
    ...needles(traces),
    group(
      'absent',
      ask('{ span.order.id = "ord-none" }', () => false),
      ask('{ span.no.such.key = "x" }', () => false),
    ),
    group('status', ask('{ status = error }', anySpan(failed))),
    group(
      'service && status',
      ask('{ resource.service.name = "catalogue" && status = error }', anySpan(both(service('catalogue'), failed))),
      ask(
        '{ resource.service.name = "edge" && span.http.response.status_code >= 500 }',
        anySpan(
          both(
            service('edge'),
            httpStatus((status) => status >= 500),
          ),
        ),
      ),
    ),
    group(
      'duration',
      ask('{ duration > 20ms }', anySpan(longerThan(20))),
      ask('{ span.db.system.name = "postgresql" && duration > 5ms }', anySpan(both(postgres, longerThan(5)))),
    ),
    group(
      'regex',
      ask('{ name =~ "GET /v1/check.*" }', anySpan(name((text) => text.startsWith('GET /v1/check')))),
      ask('{ span.url.full =~ ".*catalogue.*ref=77.*" }', anySpan(url((text) => /catalogue.*ref=77/.test(text)))),
    ),
    group('structural', ...structural(traces, tests)),
    group(
      'aggregates',
      ask('{ resource.service.name = "orders" } | count() > 5', moreThan(5, service('orders'))),
      ask('{ span.db.system.name = "postgresql" } | avg(duration) > 3ms', averageAbove(facts, 3, postgres)),
      ask('{ } | by(resource.service.name) | count() > 10', serviceMoreThan(facts, 10)),
    ),
    group('select + co-occurrence', selected(traces, bothSpans(failed, redis))),
    group(
      'exhaustive, limit 1000',
      ask('{ span.http.response.status_code = 503 }', anySpan(httpStatus((status) => status === 503)), 1000),
    ),
  ];
}

function structural(traces: AskedTraces, { attribute, both, failed, service }: SpanTests): Question[] {
  const { facts } = traces;
  const redis = attribute('db.system.name', (value) => value === 'redis');
  const stock = attribute('http.route', (value) => value.startsWith('/v1/stock'));
  return [
    search(
      traces,
      '{ resource.service.name = "edge" } >> { resource.service.name = "catalogue" && status = error }',
      anyDescendant(facts, service('edge'), both(service('catalogue'), failed)),
      LIMIT,
    ),
    search(
      traces,
      '{ span.http.route =~ "/v1/stock.*" } > { span.db.system.name = "redis" }',
      anyChild(facts, stock, redis),
      LIMIT,
    ),
  ];
}

/** Ids of orders, which one trace each has, from all over the dataset. */
function needles(traces: AskedTraces): QuestionGroup[] {
  const { ordered, facts, id } = traces;
  const count = Math.min(NEEDLES, ordered.length);
  const chosen = Array.from({ length: count }, (_, at) => ordered[Math.floor((at * ordered.length) / count)] as number);
  const ask = (attribute: string, trace: number): Question =>
    found(traces, `{ ${attribute} = "${facts.orderId(trace)}" }`, [id(trace)], LIMIT);
  return [
    { name: 'needle', questions: chosen.map((trace) => ask('span.order.id', trace)), fresh: false },
    { name: 'needle, any scope', questions: chosen.slice(0, 4).map((trace) => ask('.order.id', trace)), fresh: false },
  ];
}

function search(traces: AskedTraces, query: string, test: TraceTest, limit: number): Question {
  return found(traces, query, traces.matching(test), limit);
}

function found(traces: AskedTraces, query: string, wanted: readonly string[], limit: number): Question {
  const first = wanted.slice(0, limit);
  return {
    path: (round) => pathOf('/api/search', traces, { q: query, limit: String(limit) }, round),
    wrong: (answer) => {
      const got = listAt<FoundTrace>(answer, 'traces').map(({ traceID }) => traceID.padStart(32, '0'));
      const at = first.findIndex((id, i) => got[i] !== id);
      if (at < 0 && got.length === first.length) return undefined;
      return `${query}: ${got.length} traces instead of ${first.length} (of ${wanted.length}), the first wrong is ${at < 0 ? first.length : at}`;
    },
  };
}

/** A search that shows attributes: every trace must show the pod of a span. */
function selected(traces: AskedTraces, test: TraceTest): Question {
  const query =
    '{ status = error } && { span.db.system.name = "redis" } | select(span.http.route, resource.k8s.pod.name)';
  const question = search(traces, query, test, LIMIT);
  return {
    path: question.path,
    wrong: (answer) => {
      const wrong = question.wrong(answer);
      if (wrong !== undefined) return wrong;
      const shows = ({ spanSets = [] }: FoundTrace) =>
        spanSets.some(({ spans = [] }) =>
          spans.some(({ attributes = [] }) => attributes.some(({ key }) => key === 'k8s.pod.name')),
        );
      const without = listAt<FoundTrace>(answer, 'traces').find((trace) => !shows(trace));
      return without === undefined ? undefined : `${query}: trace ${without.traceID} does not show what was selected`;
    },
  };
}
