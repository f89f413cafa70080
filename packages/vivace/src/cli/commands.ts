import type { Command, CommandFlag } from './command.ts';
import { COST_FLAGS } from './cost/cost-flags.ts';
import { MOMENT_FORMS } from './moments.ts';

const TENANT: CommandFlag = { name: 'tenant', placeholder: 'NAME', about: 'only this tenant' };
const ONE_TENANT: CommandFlag = { ...TENANT, about: 'whose data, where there are several tenants' };
const FROM: CommandFlag = { name: 'from', placeholder: 'TIME', about: MOMENT_FORMS };
const TO: CommandFlag = { name: 'to', placeholder: 'TIME', about: 'the same; default: now' };
const URL_FLAG: CommandFlag = {
  name: 'url',
  placeholder: 'URL',
  about: 'ask this server instead of reading the store',
};

const READS_THE_STORE = `Reads the store beside a server that runs: it takes no lock and writes nothing. What is in
no block yet, spans of the last minutes, only the server knows: --url http://127.0.0.1:3200.`;

/** Every command, in the order of the help. */
export const COMMANDS: readonly Command[] = [
  {
    name: 'serve',
    words: '',
    minWords: 0,
    maxWords: 0,
    about: 'run the server, as npm start does',
    flags: [],
    settings: 'all',
    load: async () => {
      throw new TypeError('the program starts the server itself');
    },
  },
  {
    name: 'blocks ls',
    words: '',
    minWords: 0,
    maxWords: 0,
    about: 'list live blocks',
    flags: [TENANT, FROM, { ...TO, about: 'the same' }],
    settings: 'storage',
    load: async () => (await import('./blocks-ls.ts')).run,
  },
  {
    name: 'blocks show',
    words: 'ID',
    minWords: 1,
    maxWords: 1,
    about: 'what a block holds: sections, row groups, attributes',
    details: 'Of the ID the last digits are enough.',
    flags: [TENANT],
    settings: 'storage',
    load: async () => (await import('./blocks-show.ts')).run,
  },
  {
    name: 'blocks verify',
    words: 'ID|--all',
    minWords: 0,
    maxWords: 1,
    about: 'read every byte of blocks and say what is wrong where',
    details: `Checks checksums and decodes every page; row order, parent links, dictionaries, counts against
the index and the manifest; that the filter has every trace id and attribute value; the
table of traces; that no byte is unaccounted for. Exit code 1 where there is damage.`,
    flags: [TENANT, { name: 'all', about: 'every live block' }],
    settings: 'storage',
    load: async () => (await import('./blocks-verify.ts')).run,
  },
  {
    name: 'manifest show',
    words: '',
    minWords: 0,
    maxWords: 0,
    about: 'version, live blocks and coverage of tenants',
    flags: [TENANT],
    settings: 'storage',
    load: async () => (await import('./manifest-show.ts')).run,
  },
  {
    name: 'manifest rebuild',
    words: '--tenant NAME',
    minWords: 0,
    maxWords: 0,
    about: 'make a new root from the blocks that the store has',
    details: `For the day on which a root is lost or damaged. Says what it would do; --write does it. Stop
every server first. docs/operations.md says what can be told from blocks, and what not.`,
    flags: [
      { ...TENANT, about: 'whose root' },
      { name: 'write', about: 'do it' },
      { name: 'force', about: 'also where the root can be read: add what it lacks, remove what is gone' },
    ],
    settings: 'storage',
    load: async () => (await import('./manifest-rebuild.ts')).run,
  },
  {
    name: 'wal show',
    words: '',
    minWords: 0,
    maxWords: 0,
    about: 'streams and segments of the log, and what blocks cover of them',
    flags: [],
    settings: 'storage',
    load: async () => (await import('./wal-show.ts')).run,
  },
  {
    name: 'trace get',
    words: 'ID',
    minWords: 1,
    maxWords: 1,
    about: 'one trace, as a tree or as OTLP JSON',
    details: READS_THE_STORE,
    flags: [ONE_TENANT, URL_FLAG],
    settings: 'storage',
    load: async () => (await import('./trace-get.ts')).run,
  },
  {
    name: 'search',
    words: 'QUERY',
    minWords: 1,
    maxWords: 1,
    about: "traces that match a TraceQL query, such as '{ status = error }'",
    details: READS_THE_STORE,
    flags: [
      ONE_TENANT,
      { ...FROM, about: `${MOMENT_FORMS}; default: 15m` },
      TO,
      { name: 'limit', placeholder: 'N', about: 'traces; default: 20' },
      { name: 'spss', placeholder: 'N', about: 'spans of each that are shown in JSON; default: 3, 0 is all' },
      { name: 'cursor', placeholder: 'TEXT', about: 'go on where the answer before ended' },
      URL_FLAG,
    ],
    settings: 'storage',
    load: async () => (await import('./search.ts')).run,
  },
  {
    name: 'config check',
    words: '[FILE]',
    minWords: 0,
    maxWords: 1,
    about: 'check settings without starting anything',
    flags: [],
    settings: 'all',
    load: async () => (await import('./config-check.ts')).run,
  },
  {
    name: 'config print',
    words: '',
    minWords: 0,
    maxWords: 0,
    about: 'print the settings in force, without secrets',
    flags: [],
    settings: 'all',
    load: async () => (await import('./config-print.ts')).run,
  },
  {
    name: 'cost',
    words: '',
    minWords: 0,
    maxWords: 0,
    about: "a month's bill of the bucket, at list prices",
    details: `Requests come from counts that the bench has measured, storage from the spans. Traffic out of the
region and machines are not in it.`,
    flags: COST_FLAGS,
    settings: 'none',
    load: async () => (await import('./cost/cost.ts')).run,
  },
];
