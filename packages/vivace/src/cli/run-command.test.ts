import { readFileSync } from 'node:fs';
import { seededRandom, systemClock } from '@vivace/kernel';
import { expect, test } from 'vitest';
import { renderCliDocument } from './cli-document.ts';
import type { CommandRun } from './command.ts';
import { COMMANDS } from './commands.ts';
import { runCommand } from './run-command.ts';

async function run(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const said = { stdout: '', stderr: '' };
  const code = await runCommand({
    argv,
    env: {},
    stdout: { write: (text) => void (said.stdout += text) },
    stderr: { write: (text) => void (said.stderr += text) },
    clock: systemClock,
    random: seededRandom(1),
    signal: new AbortController().signal,
  });
  return { code, ...said };
}

test.each([
  [['blokcs', 'ls'], "vivace: unknown command 'blokcs': did you mean blocks?\n"],
  [['blocks', 'verfy'], "vivace: unknown command 'blocks verfy': did you mean blocks verify?\n"],
  [['blocks'], 'vivace: something is missing: write blocks ls or blocks show or blocks verify\n'],
  [['blocks', 'ls', '--tenat', 'a'], 'vivace: unknown flag --tenat: did you mean --tenant?\n'],
  [['blocks', 'ls', '--tenant'], 'vivace: --tenant needs a value: --tenant NAME\n'],
  [['trace', 'get'], 'vivace: something is missing: vivace trace get ID\n'],
  [['search', 'a', 'b'], "vivace: unexpected argument 'b': write vivace search QUERY, in quotes where it has blanks\n"],
  [['wal', 'show', 'x'], "vivace: unexpected argument 'x': only flags are understood\n"],
  [['blocks', 'verify'], 'vivace: name one block by its ID, or write --all\n'],
  [['manifest', 'rebuild'], 'vivace: whose root? write --tenant NAME\n'],
  [['cost', '--log', 'tape'], "vivace: --log must be bucket or disk: 'tape'\n"],
  [['cost', '--tenants', '0'], /--tenants must be a number from 1/],
  [['search', '{}', '--url', 'localhost'], /--url must be a URL/],
  [['search', '{}', '--from', 'yesterday'], /--from must be a time/],
  [['--json'], 'vivace: the command comes before its flags: see vivace --help, not --json\n'],
])('the command line %j is refused with exit code 2', async (argv, message) => {
  const { code, stdout, stderr } = await run(...argv);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  if (typeof message === 'string') expect(stderr).toBe(message);
  else expect(stderr).toMatch(message);
});

test('every command has a help that names it and all its flags, and a module', async () => {
  const overview = await run('--help');
  expect(overview.code).toBe(0);
  for (const command of COMMANDS) {
    expect(overview.stdout).toContain(`  ${command.name}`);
    const { code, stdout, stderr } = await run(...command.name.split(' '), '--help');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(`Usage: npx vivace ${command.name}`);
    for (const { name } of command.flags) expect(stdout).toContain(`--${name}`);
    if (command.name !== 'serve') expect(await command.load()).toBeTypeOf('function');
  }
  expect((await run('blocks', '--help')).stdout).toContain('blocks show ID');
});

test('a word that begins with a hyphen can be given after --', async () => {
  let words: readonly string[] = [];
  const remember: CommandRun = async (call) => {
    words = call.words;
    return 0;
  };
  const [command] = COMMANDS.filter(({ name }) => name === 'search');
  const code = await runCommand({
    argv: ['search', '--limit=1', '--', '-a'],
    env: {},
    stdout: { write: () => undefined },
    stderr: { write: () => undefined },
    clock: systemClock,
    random: seededRandom(1),
    signal: new AbortController().signal,
    commands: [{ ...(command as (typeof COMMANDS)[number]), load: async () => remember }],
  });
  expect({ code, words }).toEqual({ code: 0, words: ['-a'] });
});

test('docs/cli.md is what the table of commands says', () => {
  const written = readFileSync(new URL('../../../../docs/cli.md', import.meta.url), 'utf8');
  expect(written).toBe(renderCliDocument());
});
