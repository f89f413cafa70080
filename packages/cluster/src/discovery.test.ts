import { type Clock, seededRandom } from '@vivace/kernel';
import { createScheduler } from '@vivace/kernel/testing';
import { describe, expect, test } from 'vitest';
import { Discovery, Health, parseSource, type Resolver, type Source } from './index.ts';

describe('addresses', () => {
  test.each<[string, Source | undefined]>([
    ['10.0.0.1:9095', { kind: 'static', host: '10.0.0.1', port: 9095 }],
    ['[::1]:9095', { kind: 'static', host: '::1', port: 9095 }],
    ['dns+a://ingester.vivace:9095', { kind: 'a', name: 'ingester.vivace', port: 9095 }],
    ['dns+srv://_grpc._tcp.ingester.vivace', { kind: 'srv', name: '_grpc._tcp.ingester.vivace' }],
    ['ingester', undefined],
    ['ingester:0', undefined],
    ['ingester:70000', undefined],
    ['dns+srv://ingester:9095', undefined],
    ['http://ingester:9095', undefined],
  ])('%s', (text, source) => {
    expect(parseSource(text)).toEqual(source);
  });
});

function setUp(sources: string[]) {
  const scheduler = createScheduler(seededRandom(1));
  const answers = new Map<string, string[] | Error>();
  let asked = 0;
  const answer = (name: string): string[] => {
    asked++;
    const found = answers.get(name) ?? new Error('ENOTFOUND');
    if (found instanceof Error) throw found;
    return found;
  };
  const resolver: Resolver = {
    addresses: async (name) => answer(name),
    services: async (name) =>
      answer(name).map((text) => ({ name: text.split(':')[0] as string, port: Number(text.split(':')[1]) })),
  };
  const problems: string[] = [];
  const discovery = new Discovery({
    sources: sources.map((text) => parseSource(text) as Source),
    resolver,
    clock: scheduler.clock,
    refreshMs: 10_000,
    onProblem: (name) => problems.push(name),
  });
  return {
    scheduler,
    answers,
    discovery,
    problems,
    asked: () => asked,
    addresses: () => discovery.members.map(({ address }) => address),
  };
}

/** Time goes on until the list was looked up once more. */
async function nextLook({ scheduler, asked }: ReturnType<typeof setUp>): Promise<void> {
  const before = asked();
  await scheduler.run(() => asked() > before);
  await Promise.resolve();
  await new Promise((resolve) => setImmediate(resolve));
}

describe('discovery', () => {
  test('a list is there at the start, and nobody is asked', async () => {
    const { discovery, addresses, asked } = setUp(['b:1', 'a:2', 'b:1']);
    await discovery.start();
    expect(addresses()).toEqual(['a:2', 'b:1']);
    expect(asked()).toBe(0);
    await discovery.stop();
  });

  test('names are looked up again and again, and who comes and goes is seen', async () => {
    const parts = setUp(['dns+a://ingester:9095', 'dns+srv://_grpc._tcp.other']);
    const { answers, discovery, addresses } = parts;
    answers.set('ingester', ['10.0.0.2', '10.0.0.1', '::7']);
    answers.set('_grpc._tcp.other', ['one.other:7', 'two.other:8']);
    await discovery.start();
    expect(addresses()).toEqual(['10.0.0.1:9095', '10.0.0.2:9095', '[::7]:9095', 'one.other:7', 'two.other:8']);
    expect(discovery.members[0]?.serverName).toBe('ingester');
    const { members } = discovery;
    await nextLook(parts);
    expect(discovery.members).toBe(members);
    answers.set('ingester', ['10.0.0.3']);
    await nextLook(parts);
    expect(addresses()).toEqual(['10.0.0.3:9095', 'one.other:7', 'two.other:8']);
    await discovery.stop();
  });

  test('a name that cannot be looked up keeps its members, and is told of once until it can be', async () => {
    const parts = setUp(['dns+a://ingester:9095']);
    const { answers, discovery, addresses, problems, scheduler } = parts;
    await discovery.start();
    expect([addresses(), problems]).toEqual([[], ['ingester']]);
    answers.set('ingester', ['10.0.0.1']);
    const startMs = scheduler.clock.monotonicMs();
    await nextLook(parts);
    // Without anybody to call it is asked for soon.
    expect(scheduler.clock.monotonicMs() - startMs).toBe(1000);
    expect(addresses()).toEqual(['10.0.0.1:9095']);
    answers.delete('ingester');
    await nextLook(parts);
    await nextLook(parts);
    expect(addresses()).toEqual(['10.0.0.1:9095']);
    expect(problems).toEqual(['ingester', 'ingester']);
    await discovery.stop();
  });

  test('names whose members do not answer are looked up soon, and not more often than once a second', async () => {
    const parts = setUp(['dns+a://querier:9095']);
    const { answers, discovery, addresses, scheduler, asked } = parts;
    answers.set('querier', ['10.0.0.1']);
    await discovery.start();
    answers.set('querier', ['10.0.0.2']);
    const startMs = scheduler.clock.monotonicMs();
    for (let i = 0; i < 5; i++) discovery.lookSoon();
    expect(asked()).toBe(1);
    await nextLook(parts);
    expect(scheduler.clock.monotonicMs() - startMs).toBe(1000);
    expect(addresses()).toEqual(['10.0.0.2:9095']);
    // Nobody says so any more.
    await nextLook(parts);
    expect(scheduler.clock.monotonicMs() - startMs).toBe(11_000);
    await discovery.stop();
    discovery.lookSoon();
    expect([await scheduler.step(), asked()]).toEqual([false, 3]);

    const listed = setUp(['a:1']);
    await listed.discovery.start();
    listed.discovery.lookSoon();
    expect(await listed.scheduler.step()).toBe(false);
  });
});

describe('health', () => {
  function healthAt(): { health: Health; pass: (ms: number) => void } {
    let nowMs = 0;
    const clock = { monotonicMs: () => nowMs } as Clock;
    const health = new Health({ clock, random: seededRandom(1), firstBackOffMs: 1000, maxBackOffMs: 4000 });
    return { health, pass: (ms) => (nowMs += ms) };
  }

  test('an address that fails is left alone, longer each time up to a bound, until a call succeeds', () => {
    const { health, pass } = healthAt();
    expect(health.isUsable('a')).toBe(true);
    for (const maxMs of [1000, 2000, 4000, 4000]) {
      health.failed('a');
      // Others that were under way fail with it.
      health.failed('a');
      expect([health.isUsable('a'), health.isUsable('b'), health.failing]).toEqual([false, true, 1]);
      pass(maxMs / 2 - 1);
      expect(health.isUsable('a')).toBe(false);
      pass(maxMs / 2 + 1);
      expect(health.isUsable('a')).toBe(true);
    }
    health.succeeded('a');
    health.failed('a');
    pass(1000);
    expect(health.isUsable('a')).toBe(true);
  });

  test('what an address asks for is kept to, within the bound, and who is gone is forgotten', () => {
    const { health, pass } = healthAt();
    health.failed('a', 3000);
    health.failed('b', 3_600_000);
    pass(2999);
    expect([health.isUsable('a'), health.isUsable('b')]).toEqual([false, false]);
    pass(1001);
    expect([health.isUsable('a'), health.isUsable('b')]).toEqual([true, true]);
    health.failed('a');
    health.keepOnly(['b']);
    expect(health.isUsable('a')).toBe(true);
  });
});
