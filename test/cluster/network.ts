import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/*
 * A network of its own for each process, and one in the middle that passes packets on: `ip netns`. What is cut is
 * silent, as where a switch fails: packets are lost, and nobody is told. Nothing of the machine's own network is touched.
 */

/** Where a process runs. */
export interface Place {
  host: string;
  /** The command that runs another one there. */
  launcher: readonly string[];
}

/** A network, for those who run in its middle. */
export interface Network {
  place(name: string): Place;
  /** From now on packets between the two are lost. */
  cut(one: string, other: string): Promise<void>;
  join(one: string, other: string): Promise<void>;
}

const COMMAND_TIMEOUT_MS = 10_000;
const MAX_NAMES = 200;

/** Creates the namespaces of a network; what was created is removed where that fails. */
export async function createNetwork(id: string, names: readonly string[]): Promise<{ remove: () => Promise<void> }> {
  if (names.length > MAX_NAMES) throw new Error(`a network of ${names.length}`);
  const middle = middleOf(id);
  const remove = async (): Promise<void> => {
    for (const namespace of [...names.map((_, i) => namespaceOf(id, i)), middle]) {
      await ip('netns', 'del', namespace).catch(() => undefined);
    }
  };
  try {
    await ip('netns', 'add', middle);
    await ip('-n', middle, 'link', 'set', 'lo', 'up');
    await run('ip', 'netns', 'exec', middle, 'sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward');
    for (const i of names.keys()) await addNamespace(middle, namespaceOf(id, i), i);
  } catch (error) {
    await remove();
    throw error;
  }
  return { remove };
}

async function addNamespace(middle: string, namespace: string, index: number): Promise<void> {
  const link = `link${index}`;
  await ip('netns', 'add', namespace);
  await ip('-n', middle, 'link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
  await ip('-n', middle, 'addr', 'add', `${addressOf(index, 1)}/30`, 'dev', link);
  await ip('-n', middle, 'link', 'set', link, 'up');
  await ip('-n', namespace, 'addr', 'add', `${addressOf(index, 2)}/30`, 'dev', 'eth0');
  await ip('-n', namespace, 'link', 'set', 'lo', 'up');
  await ip('-n', namespace, 'link', 'set', 'eth0', 'up');
  await ip('-n', namespace, 'route', 'add', 'default', 'via', addressOf(index, 1));
}

/** The command that runs another one in the middle. */
export function middleLauncher(id: string): readonly string[] {
  return ['ip', 'netns', 'exec', middleOf(id)];
}

/** The network of these names, in its middle. */
export function networkWithin(id: string, names: readonly string[]): Network {
  const indexOf = (name: string): number => {
    const index = names.indexOf(name);
    if (index < 0) throw new Error(`there is no ${name} in the network`);
    return index;
  };
  const rules = async (verb: 'add' | 'del', one: string, other: string): Promise<void> => {
    const [a, b] = [addressOf(indexOf(one), 2), addressOf(indexOf(other), 2)];
    await ip('rule', verb, 'from', a, 'to', b, 'blackhole');
    await ip('rule', verb, 'from', b, 'to', a, 'blackhole');
  };
  return {
    place: (name) => ({
      host: addressOf(indexOf(name), 2),
      launcher: ['ip', 'netns', 'exec', namespaceOf(id, indexOf(name))],
    }),
    cut: (one, other) => rules('add', one, other),
    join: (one, other) => rules('del', one, other),
  };
}

function middleOf(id: string): string {
  return `${id}-middle`;
}

function namespaceOf(id: string, index: number): string {
  return `${id}-${index}`;
}

/** Of the addresses that are for measurements of networks. */
function addressOf(index: number, end: 1 | 2): string {
  return `198.18.${index}.${end}`;
}

function ip(...args: string[]): Promise<void> {
  return run('ip', ...args);
}

async function run(command: string, ...args: string[]): Promise<void> {
  await promisify(execFile)(command, args, { timeout: COMMAND_TIMEOUT_MS });
}
