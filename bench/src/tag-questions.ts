import { listAt, pathOf, type Question, type QuestionGroup } from './question.ts';
import { spanTests } from './span-tests.ts';
import type { AskedTraces } from './trace-tests.ts';

/** Keys of resources that every pod has. */
const RESOURCE_KEYS = [
  'service.name',
  'service.version',
  'k8s.pod.name',
  'k8s.node.name',
  'cloud.region',
  'process.pid',
];

/** Names of attributes and values of one, with and without a filter. */
export function tagQuestions(traces: AskedTraces): QuestionGroup[] {
  const { facts } = traces;
  const { service } = spanTests(facts);
  const inBasket = service('basket');
  const seen = new Set<number>();
  const services = new Set<string>();
  const basketRoutes = new Set<string>();
  traces.eachRow((row) => {
    seen.add(facts.operation[row] as number);
    services.add(facts.services[facts.service[row] as number] as string);
    const route = facts.textOf(row, 'http.route');
    if (route !== undefined && inBasket(row)) basketRoutes.add(route);
  });
  const spanKeys = [...seen].flatMap((operation) => [...(facts.operations[operation]?.attributes.keys() ?? [])]);
  const group = (name: string, question: Question): QuestionGroup => ({ name, questions: [question], fresh: false });
  return [
    group('tags', tags(traces, { resource: RESOURCE_KEYS, span: [...new Set(spanKeys)] })),
    group('tag values', values(traces, 'resource.service.name', undefined, services, ['bench-probe'])),
    group(
      'tag values with q',
      values(traces, 'span.http.route', '{ resource.service.name = "basket" }', basketRoutes, []),
    ),
  ];
}

/** Names that were sent must be there; others may be, of the long tail and of probes. */
function tags(traces: AskedTraces, wanted: Record<string, readonly string[]>): Question {
  return {
    path: (round) => pathOf('/api/v2/search/tags', traces, {}, round),
    wrong: (answer) => {
      const scopes = listAt<{ name: string; tags?: string[] }>(answer, 'scopes');
      for (const [scope, keys] of Object.entries(wanted)) {
        const got = new Set(scopes.find(({ name }) => name === scope)?.tags);
        const missing = keys.find((key) => !got.has(key));
        if (missing !== undefined) return `tags: ${scope}.${missing} is missing`;
      }
      return undefined;
    },
  };
}

function values(
  traces: AskedTraces,
  tag: string,
  filter: string | undefined,
  wanted: ReadonlySet<string>,
  others: readonly string[],
): Question {
  const parameters: Record<string, string> = filter === undefined ? {} : { q: filter };
  return {
    path: (round) => pathOf(`/api/v2/search/tag/${tag}/values`, traces, parameters, round),
    wrong: (answer) => {
      const got = listAt<{ value: string }>(answer, 'tagValues').map(({ value }) => value);
      const missing = [...wanted].find((value) => !got.includes(value));
      if (missing !== undefined) return `values of ${tag}: ${missing} is missing`;
      const more = got.find((value) => !wanted.has(value) && !others.includes(value));
      return more === undefined ? undefined : `values of ${tag}: ${more} was never sent`;
    },
  };
}
