import { configFlags } from './flags.ts';
import { type Key, keys } from './keys.ts';

/** `docs/config.md`, from the schema. */
export function renderDocumentation(): string {
  const groups = new Map<string, Key[]>();
  for (const key of keys.values()) {
    const group = key.path.split('.').slice(0, -1).join('.');
    groups.set(group, [...(groups.get(group) ?? []), key]);
  }
  const parts = [INTRODUCTION, flagTable()];
  for (const [group, members] of groups) {
    parts.push(`## ${group === '' ? 'Top level' : `\`${group}\``}\n\n${members.map(describe).join('\n')}`);
  }
  return `${parts.join('\n\n')}\n`;
}

/** The part of `--help` about settings: one line a flag. */
export function renderFlagHelp(): string[] {
  return configFlags.map(({ name, placeholder, about }) => `  ${`--${name} ${placeholder}`.padEnd(24)}${about}`);
}

const INTRODUCTION = `<!-- Made from packages/config/src/schema.ts by \`npm run docs\`; a test keeps it current. -->

# Settings

Everything has a default: \`npm start\` needs no file. Four places, the later one wins:

1. the defaults below,
2. one YAML file, \`npm start -- --config vivace.yaml\`,
3. environment variables: the path in capitals after \`VIVACE_\`, such as \`VIVACE_SERVER_HTTP_LISTEN_PORT=3201\`; an empty one counts as not set, a list is separated by commas,
4. flags, after \`--\`.

In the file \`\${VAR}\` is replaced by an environment variable, \`\${VAR:default}\` with a default; \`$\${\` is a plain \`\${\`. Durations are \`20ms\`, \`5m\`, \`1h30m\`; sizes \`64MiB\`, \`128MB\` or a number of bytes. Names are Grafana Tempo's where the thing is the same. An unknown key is an error that names the nearest known one.

Credentials of a bucket are never written here: the AWS SDK finds them (environment, profile, web identity, instance role). The settings in force are shown at \`/status/config\`.

\`\`\`yaml
server:
  http_listen_port: 3200
storage:
  trace:
    backend: s3
    s3:
      bucket: traces
      region: eu-central-1
\`\`\``;

function flagTable(): string {
  const rows = configFlags.map(({ name, placeholder, about }) => `| \`--${name} ${placeholder}\` | ${about} |`);
  return ['## Flags', '', '| flag | sets |', '|---|---|', ...rows].join('\n');
}

function describe(key: Key): string {
  const name = key.path.split('.').at(-1);
  const shown = key.default === '' ? 'not set' : `\`${key.default}\``;
  return `- **\`${name}\`** (${key.type}; default ${shown}). ${key.about} *${key.why}*`;
}
